// TcpSocket: a TCP socket that neither listens nor is connected yet, to be configured before (section 6.5 of the
// contract). Move-only; owner thread only; only connect() suspends.
#pragma once

#include "nexus/net/address.hpp"
#include "nexus/net/socket_options.hpp"
#include "nexus/net/tcp_listener.hpp"
#include "nexus/net/tcp_stream.hpp"

namespace nexus {

class TcpSocket : public SocketOptions<TcpSocket> {
public:
    [[nodiscard]] static Result<TcpSocket> v4() { return open(AF_INET); }
    [[nodiscard]] static Result<TcpSocket> v6() { return open(AF_INET6); }

    [[nodiscard]] Result<void> set_reuse_address(bool on) { return os::set_reuse_address(fd(), on); }
    [[nodiscard]] Result<bool> reuse_address() const { return os::reuse_address(fd()); }
    [[nodiscard]] Result<void> set_reuse_port(bool on) { return os::set_reuse_port(fd(), on); }
    [[nodiscard]] Result<bool> reuse_port() const { return os::reuse_port(fd()); }

    /// The address to listen at, or to connect from.
    [[nodiscard]] Result<void> bind(const SocketAddress& address);
    /// Ends this object when it succeeds.
    [[nodiscard]] Result<TcpListener> listen(int backlog) &&;
    /// Ends this object; as TcpStream::connect() otherwise.
    [[nodiscard]] Result<TcpStream> connect(const SocketAddress& address) &&;

    [[nodiscard]] Result<SocketAddress> local_address() const { return os::local_address(fd()); }
    /// -1 after listen() and connect().
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

private:
    explicit TcpSocket(os::Fd fd) noexcept : fd_(std::move(fd)) {}
    [[nodiscard]] static Result<TcpSocket> open(int family);

    os::Fd fd_;
};

} // namespace nexus
