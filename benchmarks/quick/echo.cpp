// TCP echo, 64 bytes on 50 connections, beside a raw edge-triggered epoll loop. The servers run in a process of their
// own, pinned to one CPU, the load to another where there are two; reported is wall time for each request.
#include "benchmarks/quick/harness.hpp"

#include <nexus/nexus.hpp>

#include <array>
#include <csignal>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {
namespace {

constexpr int connections = 50;
constexpr int requests_each = 1000;
constexpr std::size_t message_bytes = 64;

void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu % static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN))), &set);
    ::sched_setaffinity(0, sizeof set, &set);
}

int listen_on_loopback(std::uint16_t& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    // SAFETY: the sockets API takes every address as a sockaddr.
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (fd < 0 || ::bind(fd, generic, length) != 0 || ::listen(fd, 128) != 0 ||
        ::getsockname(fd, generic, &length) != 0) {
        std::perror("echo: listen");
        std::exit(1);
    }
    port = ntohs(address.sin_port);
    return fd;
}

// --- the servers; each ends with its process ---

[[noreturn]] void serve_raw(int listener) {
    const int epoll = ::epoll_create1(0);
    epoll_event event{.events = EPOLLIN, .data = {.fd = listener}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    std::array<epoll_event, 256> events{};
    std::array<char, 4096> buffer{};
    for (;;) {
        const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd == listener) {
                const int client = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
                const int on = 1;
                ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                epoll_event wanted{.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.fd = client}};
                ::epoll_ctl(epoll, EPOLL_CTL_ADD, client, &wanted);
                continue;
            }
            const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
            if (got <= 0) {
                ::close(fd);
            } else if (::send(fd, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) {
                ::close(fd);
            }
        }
    }
}

void echo(nexus::TcpStream stream) {
    std::array<std::byte, 4096> buffer;
    while (auto got = stream.read(buffer)) {
        if (*got == 0 || !stream.write_all(std::span(buffer).first(*got))) return;
    }
}

[[noreturn]] void serve_nexus(int listening) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    runtime.block_on([listening] {
        auto listener = nexus::TcpListener::from_fd(nexus::os::Fd(listening)).value();
        while (auto accepted = listener.accept()) {
            (void)accepted->stream.set_nodelay(true);
            nexus::spawn(echo, std::move(accepted->stream)).detach();
        }
    });
    std::exit(1);
}

// --- the load: every connection has one request in flight ---

double load(std::uint16_t port) {
    std::array<int, connections> sockets{};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int epoll = ::epoll_create1(0);
    for (int& fd : sockets) {
        fd = ::socket(AF_INET, SOCK_STREAM, 0);
        // SAFETY: the sockets API takes every address as a sockaddr.
        if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event wanted{.events = EPOLLIN, .data = {.fd = fd}};
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted);
    }
    std::array<char, message_bytes> message{};
    constexpr std::uint64_t total = std::uint64_t{connections} * requests_each;
    const double figure = per_operation(total, [&] {
        for (const int fd : sockets) (void)!::send(fd, message.data(), message.size(), MSG_NOSIGNAL);
        std::array<epoll_event, connections> events{};
        for (std::uint64_t answered = 0; answered < total;) {
            const int count = ::epoll_wait(epoll, events.data(), connections, -1);
            for (int i = 0; i < count; ++i) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (::recv(fd, message.data(), message.size(), MSG_WAITALL) <= 0) return;
                ++answered;
                (void)!::send(fd, message.data(), message.size(), MSG_NOSIGNAL);
            }
        }
    });
    for (const int fd : sockets) ::close(fd);
    ::close(epoll);
    return figure;
}

double measure(void (*serve)(int listener)) {
    std::uint16_t port = 0;
    const int listener = listen_on_loopback(port);
    const pid_t server = ::fork();
    if (server == 0) {
        pin(0);
        serve(listener);
    }
    ::close(listener);
    cpu_set_t before;
    ::sched_getaffinity(0, sizeof before, &before);
    pin(1);
    const double figure = load(port);
    ::sched_setaffinity(0, sizeof before, &before);
    ::kill(server, SIGKILL);
    ::waitpid(server, nullptr, 0);
    return figure;
}

} // namespace

std::vector<Workload> echo_workloads() {
    return {{"TCP echo, 50 connections",
             {{"nexus", [] { return measure(&serve_nexus); }},
              {"raw edge-triggered epoll", [] { return measure(&serve_raw); }}}}};
}

} // namespace bench
