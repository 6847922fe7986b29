#include "nexus/net/tcp_listener.hpp"

#include "nexus/net/private/accept.hpp"
#include "nexus/net/private/adopt.hpp"
#include "nexus/net/tcp_socket.hpp"

namespace nexus {

Result<TcpListener> TcpListener::bind(std::string_view address, const ListenOptions& options) {
    const auto parsed = SocketAddress::parse(address);
    if (!parsed) return Error(parsed.error().code(), "bind", address);
    return bind(*parsed, options);
}

Result<TcpListener> TcpListener::bind(const SocketAddress& address, const ListenOptions& options) {
    const auto prepare = [&]() -> Result<TcpListener> {
        auto socket = TcpSocket::for_address(address);
        if (!socket) return socket.error();
        if (options.reuse_address) {
            if (auto set = socket->set_reuse_address(true); !set) return set.error();
        }
        if (options.reuse_port) {
            if (auto set = socket->set_reuse_port(true); !set) return set.error();
        }
        if (options.only_v6) {
            if (auto set = socket->set_only_v6(*options.only_v6); !set) return set.error();
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
    auto accepted = detail::accept_patiently<SocketAddress>(record("accept"));
    if (!accepted) return accepted.error();
    return Accepted{TcpStream(std::move(accepted->fd)), accepted->peer};
}

Result<TcpListener::Accepted> TcpListener::try_accept() {
    auto accepted = detail::try_accept<SocketAddress>(record("try_accept"));
    if (!accepted) return accepted.error();
    return Accepted{TcpStream(std::move(accepted->fd)), accepted->peer};
}

} // namespace nexus
