// Clients of the exchange over real sockets, blocking and without a runtime: one that sends any bytes it likes, and one
// that trades as it should.
#pragma once

#include "exchange_process.hpp"
#include "fix_tools.hpp"
#include "session.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace exchange::test {

inline Time wall_now() { return std::chrono::system_clock::now(); }

/// A connection.
class Peer {
public:
    /// `receive_buffer`: bytes that the kernel may keep for us; 0 leaves it to the kernel.
    explicit Peer(int port, int receive_buffer = 0) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const int one = 1;
        setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        // SAFETY: connect() takes every kind of address through this pointer type and reads it by its family.
        if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("cannot connect to the exchange");
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer() { close(fd_); }

    /// False: the connection is gone.
    bool send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    /// What comes first within the limit; "" for nothing, and at the end, which sets is_over().
    std::string read(std::chrono::milliseconds limit = std::chrono::milliseconds(0)) {
        pollfd waiting{fd_, POLLIN, 0};
        if (poll(&waiting, 1, static_cast<int>(limit.count())) <= 0) return "";
        char buffer[65536];
        const auto got = recv(fd_, buffer, sizeof buffer, 0);
        if (got <= 0) over_ = true;
        return {buffer, got <= 0 ? 0 : static_cast<std::size_t>(got)};
    }
    /// All that comes until the exchange closes the connection.
    std::string read_all() {
        std::string all;
        eventually([&] { return all += read(std::chrono::milliseconds(50)), over_; });
        return all;
    }
    /// All that comes until it holds the text, written with bars.
    std::string read_until(std::string_view text) {
        std::string all;
        eventually([&] { return all += with_bars(read(std::chrono::milliseconds(50))), all.find(text) != all.npos; });
        return all;
    }
    [[nodiscard]] bool is_over() const { return over_; }

private:
    int fd_;
    bool over_ = false;
};

/// A whole message with a standard header and these fields, written with bars.
inline std::string message(std::string_view type, std::int64_t seq, std::string_view fields,
                           std::string_view sender = "BOT3", std::string_view target = "NEXUS") {
    fix::Fields header;
    header.add(35, type).add(49, sender).add(56, target).add(34, seq).add(52, wall_now());
    return whole(with_bars(header.text()) + std::string(fields));
}

inline std::string logon(std::string_view sender = "BOT3", std::string_view target = "NEXUS", int heartbeat_s = 30) {
    return message("A", 1, "98=0|108=" + std::to_string(heartbeat_s) + "|", sender, target);
}

inline std::string order_fields(std::string_view id, char side, char time_in_force) {
    return "11=" + std::string(id) + "|55=ACME|54=" + side + "|38=1|40=2|44=100|59=" + time_in_force +
           "|60=20260102-09:00:00|";
}

/// A session that keeps every report.
class TradingPeer {
public:
    TradingPeer(int port, const std::string& name)
        : peer_(port), session_({.comp_id = name}, "NEXUS", Session::Role::initiator), name_(name) {
        session_.connected(wall_now());
        eventually([this] { return step(), session_.is_logged_on(); });
    }

    /// Sends an order for one share at 100.
    void order(char side, char time_in_force) {
        const std::string fields = order_fields(name_ + "-" + std::to_string(++orders), side, time_in_force);
        fix::Fields& out = session_.compose();
        for (std::string_view rest = fields; !rest.empty(); rest.remove_prefix(rest.find('|') + 1)) {
            const auto equals = rest.find('=');
            out.add(std::stoi(std::string(rest.substr(0, equals))),
                    rest.substr(equals + 1, rest.find('|') - equals - 1));
        }
        session_.send("D", wall_now());
    }
    bool wait_for_reports(std::size_t count) {
        return eventually([&] { return step(), reports.size() >= count; });
    }
    [[nodiscard]] const Session& session() const { return session_; }

    std::vector<std::string> reports; ///< "BOT1-7 F": ClOrdID and ExecType
    int orders = 0;

private:
    void step() {
        std::string bytes;
        if (session_.take_output(bytes)) peer_.send(bytes);
        bytes = peer_.read(std::chrono::milliseconds(5));
        const auto space = framer_.space();
        std::copy(bytes.begin(), bytes.end(), space.begin());
        framer_.filled(bytes.size());
        for (auto frame = framer_.next(); frame.kind != fix::Frame::Kind::none; frame = framer_.next()) {
            const fix::Message in(frame.text);
            if (session_.on_message(in, wall_now()) != Session::Event::application) continue;
            reports.push_back(std::string(in.find(11).value_or("")) + " " + std::string(in.find(150).value_or("")));
        }
        session_.on_tick(wall_now());
    }

    Peer peer_;
    Session session_;
    fix::Framer framer_{1 << 16}; // after next() there is always room for what read() returns
    std::string name_;
};

} // namespace exchange::test
