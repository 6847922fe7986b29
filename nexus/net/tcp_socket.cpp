#include "nexus/net/tcp_socket.hpp"

#include <string>

namespace nexus {

Result<TcpSocket> TcpSocket::open(int family) {
    auto fd = os::open_tcp(family);
    if (!fd) return fd.error();
    return TcpSocket(std::move(*fd));
}

Result<void> TcpSocket::bind(const SocketAddress& address) {
    if (auto bound = os::bind(fd(), address); !bound) return Error(bound.error().code(), "bind", address.to_string());
    return {};
}

Result<void> TcpSocket::bind(std::string_view address) {
    const auto parsed = SocketAddress::parse(address);
    if (!parsed) return Error(parsed.error().code(), "bind", address);
    return bind(*parsed);
}

Result<TcpListener> TcpSocket::listen(int backlog) && {
    if (auto listening = os::listen(fd(), backlog); !listening) return listening.error();
    return TcpListener(std::move(fd_));
}

Result<TcpStream> TcpSocket::connect(const SocketAddress& address) && {
    return TcpStream::connect_socket(std::move(fd_), address);
}

Result<TcpStream> TcpSocket::connect(std::string_view address) && {
    const auto parsed = SocketAddress::parse(address);
    if (!parsed) return Error(parsed.error().code(), "connect", address);
    return std::move(*this).connect(*parsed);
}

} // namespace nexus
