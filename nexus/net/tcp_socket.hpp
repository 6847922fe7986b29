// TcpSocket: a TCP socket that neither listens nor is connected yet, to be configured before (section 6.5 of the
// contract). Move-only; owner thread only; only connect() suspends.
//
//     auto socket = nexus::TcpSocket::v4().value();
//     socket.set_reuse_port(true).value();
//     socket.bind("0.0.0.0:7000").value();
//     nexus::TcpListener listener = std::move(socket).listen(1024).value();
#pragma once

#include "nexus/net/address.hpp"
#include "nexus/net/socket_options.hpp"
#include "nexus/net/tcp_listener.hpp"
#include "nexus/net/tcp_stream.hpp"

#include <string_view>

namespace nexus {

class TcpSocket : public TcpOptions<TcpSocket>, public BindOptions<TcpSocket> {
public:
    /// Fail with what the system said: too_many_files_open, address_family_not_supported, ...
    [[nodiscard]] static Result<TcpSocket> v4() { return open(AF_INET); }
    [[nodiscard]] static Result<TcpSocket> v6() { return open(AF_INET6); }
    /// Of the family of `address`; does not bind it.
    [[nodiscard]] static Result<TcpSocket> for_address(const SocketAddress& address) { return open(address.family()); }

    /// The address to listen at, or to connect from. Fails with the address as subject.
    [[nodiscard]] Result<void> bind(const SocketAddress& address);
    [[nodiscard]] Result<void> bind(std::string_view address);
    /// Ends this object when it succeeds. `backlog` as in ListenOptions.
    [[nodiscard]] Result<TcpListener> listen(int backlog = ListenOptions{}.backlog) &&;
    /// Ends this object; as TcpStream::connect() otherwise.
    [[nodiscard]] Result<TcpStream> connect(const SocketAddress& address) &&;
    [[nodiscard]] Result<TcpStream> connect(std::string_view address) &&;

    [[nodiscard]] Result<SocketAddress> local_address() const { return os::local_address(fd()); }
    /// -1 after listen() and connect().
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

private:
    explicit TcpSocket(os::Fd fd) noexcept : fd_(std::move(fd)) {}
    [[nodiscard]] static Result<TcpSocket> open(int family);

    os::Fd fd_;
};

} // namespace nexus
