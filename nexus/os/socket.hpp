// Socket calls that return Result: what net is made of.
//
// No function keeps state, waits or looks at readiness: EAGAIN and EINPROGRESS come back as errors for the caller to
// wait on. Interrupted calls are repeated here, so EINTR never comes out. Sockets are CLOEXEC and non-blocking from the
// start. Sending never raises SIGPIPE, whatever the process does with that signal (rule 8): EPIPE comes back instead.
// All calls go through os::calls(), and fail with its errno and their own name as operation.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/os/address.hpp"
#include "nexus/os/fd.hpp"
#include "nexus/os/raw_address.hpp"

#include <cstddef>
#include <span>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>

namespace nexus::os {

/// `family` is AF_INET, AF_INET6 or AF_UNIX, `type` SOCK_STREAM or SOCK_DGRAM.
[[nodiscard]] Result<Fd> open_socket(int family, int type) noexcept;
[[nodiscard]] inline Result<Fd> open_tcp(int family) noexcept { return open_socket(family, SOCK_STREAM); }

// `Address` is SocketAddress or UnixAddress.

[[nodiscard]] Result<void> bind_raw(int fd, const sockaddr* address, socklen_t size) noexcept;
template <class Address>
[[nodiscard]] Result<void> bind(int fd, const Address& address) noexcept {
    return bind_raw(fd, address.data(), address.size());
}
[[nodiscard]] Result<void> listen(int fd, int backlog) noexcept;
/// Success means connected. EINPROGRESS: wait until writable, then ask take_error(). Interrupted it is not repeated
/// but reported as EINPROGRESS, since the kernel goes on connecting.
[[nodiscard]] Result<void> connect_raw(int fd, const sockaddr* address, socklen_t size) noexcept;
template <class Address>
[[nodiscard]] Result<void> connect(int fd, const Address& address) noexcept {
    return connect_raw(fd, address.data(), address.size());
}

/// EAGAIN when no connection waits. `peer` becomes the address of who connected.
[[nodiscard]] Result<Fd> accept(int fd, RawAddress& peer) noexcept;
template <class Address>
struct AcceptedFrom {
    Fd fd;
    Address peer;
};
using Accepted = AcceptedFrom<SocketAddress>;
template <class Address = SocketAddress>
[[nodiscard]] Result<AcceptedFrom<Address>> accept(int fd) noexcept {
    RawAddress raw;
    Result<Fd> accepted = accept(fd, raw);
    if (!accepted) return accepted.error();
    const Result<Address> peer = Address::from_sockaddr(raw.data(), raw.size);
    if (!peer) return peer.error();
    return AcceptedFrom<Address>{std::move(*accepted), *peer};
}

/// How many bytes were read, 0 at the end of the stream (or for an empty buffer).
[[nodiscard]] Result<std::size_t> read(int fd, std::span<std::byte> buffer) noexcept;
/// How many bytes the kernel took. For what is no socket; a pipe whose reader is gone raises SIGPIPE here.
[[nodiscard]] Result<std::size_t> write(int fd, std::span<const std::byte> buffer) noexcept;
/// As write(), but EPIPE comes without the signal: it is held back meanwhile, and taken if it was not pending before.
/// Two system calls more.
[[nodiscard]] Result<std::size_t> write_without_signal(int fd, std::span<const std::byte> buffer) noexcept;

/// As read() and write(), for sockets. `flags` as of recv(2); MSG_NOSIGNAL is always added when sending.
[[nodiscard]] Result<std::size_t> receive(int fd, std::span<std::byte> buffer, int flags = 0) noexcept;
[[nodiscard]] Result<std::size_t> send(int fd, std::span<const std::byte> buffer, int flags = 0) noexcept;
/// Into, or from, several buffers at once. At most IOV_MAX (1024) are used; the count that comes back says how far.
[[nodiscard]] Result<std::size_t> receive_vectored(int fd, std::span<const iovec> parts) noexcept;
[[nodiscard]] Result<std::size_t> send_vectored(int fd, std::span<const iovec> parts) noexcept;

enum class ShutdownSide : int { read = SHUT_RD, write = SHUT_WR, both = SHUT_RDWR };
/// Ends one direction of a connection, or both. ENOTCONN comes back as it is.
[[nodiscard]] Result<void> shutdown(int fd, ShutdownSide side) noexcept;

[[nodiscard]] Result<void> local_address(int fd, RawAddress& address) noexcept;
[[nodiscard]] Result<void> peer_address(int fd, RawAddress& address) noexcept;
template <class Address = SocketAddress>
[[nodiscard]] Result<Address> local_address(int fd) noexcept {
    RawAddress raw;
    if (auto asked = local_address(fd, raw); !asked) return asked.error();
    return Address::from_sockaddr(raw.data(), raw.size);
}
template <class Address = SocketAddress>
[[nodiscard]] Result<Address> peer_address(int fd) noexcept {
    RawAddress raw;
    if (auto asked = peer_address(fd, raw); !asked) return asked.error();
    return Address::from_sockaddr(raw.data(), raw.size);
}
/// Takes the pending error (SO_ERROR) and returns it, as a failure of `operation`; success when there is none.
[[nodiscard]] Result<void> take_error(int fd, const char* operation = "socket") noexcept;

/// What poll() says of the descriptor at this moment (POLLIN, POLLRDHUP, ...), looking for `events`, POLLERR and
/// POLLHUP.
[[nodiscard]] Result<short> poll_now(int fd, short events, const char* operation) noexcept;

} // namespace nexus::os
