// A TCP line between a client and the exchange that can be cut and mended: it forwards one connection at a time, and
// while it is cut it refuses new ones. What was on its way when it was cut is lost, as in a real network.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>

namespace exchange {
namespace test {

class CuttableLine {
public:
    explicit CuttableLine(int server_port) : server_port_(server_port) {
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        if (bind(listener_, generic(address), size) != 0 || listen(listener_, 8) != 0 ||
            getsockname(listener_, generic(address), &size) != 0) {
            throw std::runtime_error("the line cannot listen");
        }
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    CuttableLine(const CuttableLine&) = delete;
    CuttableLine& operator=(const CuttableLine&) = delete;
    ~CuttableLine() {
        over_ = true;
        thread_.join();
        close(listener_);
    }

    int port() const { return port_; }
    void cut() { is_cut_ = true; }
    void mend() { is_cut_ = false; }

private:
    static sockaddr_in loopback(int port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<unsigned short>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
    }
    // SAFETY: the socket calls take every kind of address through this pointer type and read it by its family.
    static sockaddr* generic(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

    void run() {
        while (!over_) {
            pollfd waiting{listener_, POLLIN, 0};
            if (poll(&waiting, 1, 10) != 1) continue;
            const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (!is_cut_) forward(client);
            close(client);
        }
    }

    void forward(int client) {
        const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = loopback(server_port_);
        if (connect(server, generic(address), sizeof address) == 0) {
            while (!over_ && !is_cut_) {
                pollfd both[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
                if (poll(both, 2, 10) <= 0) continue;
                if (is_cut_) break;
                if (both[0].revents != 0 && !pass(client, server)) break;
                if (both[1].revents != 0 && !pass(server, client)) break;
            }
        }
        close(server);
    }

    static bool pass(int from, int to) {
        char buffer[4096];
        const ssize_t got = recv(from, buffer, sizeof buffer, 0);
        for (ssize_t done = 0; done < got;) {
            const ssize_t sent = send(to, buffer + done, static_cast<size_t>(got - done), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            done += sent;
        }
        return got > 0;
    }

    int server_port_, listener_ = -1, port_ = 0;
    std::atomic<bool> over_{false}, is_cut_{false};
    std::thread thread_;
};

} // namespace test
} // namespace exchange
