// TcpStream: a TCP connection (section 6.3 of the contract). Move-only; owner thread only.
//
// It registers with the runtime at its first wait, so it may be made before the runtime, be kept in the World, and
// outlive the runtime. Reading, writing and their rules are in stream_io.hpp, options in socket_options.hpp, splitting
// in detail/stream_handle.hpp. Using a stream that was moved from is a UsageError; on a closed one everything fails
// (errc::closed; EBADF for options).
#pragma once

#include "nexus/net/address.hpp"
#include "nexus/net/detail/stream_handle.hpp"
#include "nexus/net/socket_options.hpp"
#include "nexus/net/tcp_halves.hpp"

#include <string_view>

namespace nexus {

class TcpStream : public detail::StreamHandle<TcpStream, SocketAddress>, public TcpOptions<TcpStream> {
public:
    /// Suspends until the connection stands, or fails with what the network said (std::errc::connection_refused, ...)
    /// and the address as subject; unlike the seed's, which reports at the first use. `address` as SocketAddress::parse
    /// takes it, else errc::invalid_address. A wait that is ended gives the attempt up.
    [[nodiscard]] static Result<TcpStream> connect(std::string_view address);
    [[nodiscard]] static Result<TcpStream> connect(const SocketAddress& address);

    /// Takes over a connected stream socket and makes it non-blocking and CLOEXEC. Sockets of other kinds than TCP
    /// work. Fails, and leaves `fd` with the caller, when it is no stream socket. Does not suspend.
    [[nodiscard]] static Result<TcpStream> from_fd(os::Fd&& fd);

    // Both bases have it; this one knows of the halves.
    using StreamHandle::take_error;

private:
    friend class detail::StreamHandle<TcpStream, SocketAddress>;
    friend class TcpListener;
    friend class TcpSocket;

    explicit TcpStream(detail::SocketOwner owner) noexcept : StreamHandle(std::move(owner)) {}
    explicit TcpStream(os::Fd fd)
        : StreamHandle(detail::SocketOwner::make(std::move(fd), detail::ShortCounts::mean_drained)) {}
    /// Connects `fd`, an unconnected TCP socket.
    [[nodiscard]] static Result<TcpStream> connect_socket(os::Fd fd, const SocketAddress& address);
};

} // namespace nexus
