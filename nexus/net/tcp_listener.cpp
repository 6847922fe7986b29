#include "nexus/net/tcp_listener.hpp"

#include "nexus/exec/wait.hpp"
#include "nexus/net/private/adopt.hpp"
#include "nexus/net/tcp_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace nexus {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr nanoseconds shortest_pause = milliseconds(1);
constexpr nanoseconds longest_pause = milliseconds(100);

/// What accept() reports of a connection that is gone already, or of the network: the next one may be well.
bool concerns_one_connection(const Error& error) noexcept {
    if (error.code().category() != std::generic_category()) return false;
    switch (error.code().value()) {
    case ECONNABORTED:
    case EPROTO:
    case EPERM: // a firewall's word
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH: return true;
    default: return false;
    }
}

bool passes_with_time(const Error& error) noexcept {
    if (error.code().category() != std::generic_category()) return false;
    const int value = error.code().value();
    return value == EMFILE || value == ENFILE || value == ENOBUFS || value == ENOMEM;
}

/// A timer on the waiting fiber's stack; the wait also ends when the listener is closed.
struct Pause : time::TimerNode {
    Pause(Executor& waits_on, IoSource& listened, nanoseconds length)
        : executor(waits_on), task(waits_on.current_task()), source(listened) {
        fire = [](time::TimerNode& node) noexcept {
            auto& self = static_cast<Pause&>(node);
            self.over = true;
            self.executor.wake(self.task);
        };
        // Not having room to register is no reason to give up: only that closing would be noticed later.
        (void)source.enlist(Direction::in, task, "accept");
        executor.timers().arm(*this, time::saturating_add(executor.now_ns(), length.count()));
    }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    ~Pause() {
        executor.timers().cancel(*this);
        source.delist(Direction::in, task);
    }

    Executor& executor;
    detail::Task& task;
    IoSource& source;
    bool over = false;
};

Result<void> pause(detail::SocketRecord& record, nanoseconds length) {
    Executor& executor = Executor::of_current_fiber("accept");
    Pause pause(executor, record.source(), length);
    const auto end = detail::wait_or_fail(executor, "accept: out of descriptors or memory",
                                          [&] { return pause.over || !record.open(); });
    if (end != detail::WaitEnd::ready) return Error(detail::to_errc(end), "accept");
    return {};
}

} // namespace

Result<TcpListener> TcpListener::bind(std::string_view address, const ListenOptions& options) {
    const auto parsed = SocketAddress::parse(address);
    if (!parsed) return Error(parsed.error().code(), "bind", address);
    return bind(*parsed, options);
}

Result<TcpListener> TcpListener::bind(const SocketAddress& address, const ListenOptions& options) {
    const auto prepare = [&]() -> Result<TcpListener> {
        auto socket = address.family() == AF_INET ? TcpSocket::v4() : TcpSocket::v6();
        if (!socket) return socket.error();
        if (options.reuse_address) {
            if (auto set = socket->set_reuse_address(true); !set) return set.error();
        }
        if (options.reuse_port) {
            if (auto set = socket->set_reuse_port(true); !set) return set.error();
        }
        if (auto bound = socket->bind(address); !bound) return bound.error();
        return std::move(*socket).listen(options.backlog);
    };
    auto listener = prepare();
    if (!listener) return Error(listener.error().code(), listener.error().operation(), address.to_string());
    return listener;
}

Result<TcpListener> TcpListener::from_fd(os::Fd&& fd) {
    if (auto adopted = detail::adopt_listener(fd.get()); !adopted) return adopted.error();
    return TcpListener(std::move(fd));
}

Result<TcpListener::Accepted> TcpListener::accept() {
    detail::SocketRecord& listening = record("accept");
    const detail::SocketPin pin(listening);
    nanoseconds length = shortest_pause;
    for (;;) {
        // Each round is a wait of its own, so that a storm of broken connections lets others run and can be stopped.
        auto accepted = listening.attempt(Direction::in, "accept", [](int fd) { return os::accept(fd); });
        if (accepted) return Accepted{TcpStream(std::move(accepted->fd)), accepted->peer};
        if (concerns_one_connection(accepted.error())) continue;
        if (!passes_with_time(accepted.error())) return accepted.error();
        if (auto paused = pause(listening, length); !paused) return paused.error();
        length = std::min(2 * length, longest_pause);
    }
}

Result<TcpListener::Accepted> TcpListener::try_accept() {
    detail::SocketRecord& listening = record("try_accept");
    for (;;) {
        if (!listening.open()) return Error(errc::closed, "accept");
        auto accepted = os::accept(listening.fd());
        if (accepted) return Accepted{TcpStream(std::move(accepted->fd)), accepted->peer};
        if (detail::would_block(accepted.error())) listening.source().clear_ready(Direction::in);
        if (!concerns_one_connection(accepted.error())) return accepted.error();
    }
}

} // namespace nexus
