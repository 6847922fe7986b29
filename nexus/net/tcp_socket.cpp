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

Result<TcpListener> TcpSocket::listen(int backlog) && {
    if (auto listening = os::listen(fd(), backlog); !listening) return listening.error();
    return TcpListener(std::move(fd_));
}

Result<TcpStream> TcpSocket::connect(const SocketAddress& address) && {
    return TcpStream::connect_socket(std::move(fd_), address);
}

} // namespace nexus
