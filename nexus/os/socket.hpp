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

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <sys/socket.h>
#include <sys/uio.h>

namespace nexus::os {

/// A TCP socket; `family` is AF_INET or AF_INET6.
[[nodiscard]] Result<Fd> open_tcp(int family) noexcept;

[[nodiscard]] Result<void> bind(int fd, const SocketAddress& address) noexcept;
[[nodiscard]] Result<void> listen(int fd, int backlog) noexcept;
/// Success means connected. EINPROGRESS: wait until writable, then ask take_error(). Interrupted it is not repeated
/// but reported as EINPROGRESS, since the kernel goes on connecting.
[[nodiscard]] Result<void> connect(int fd, const SocketAddress& address) noexcept;

struct Accepted {
    Fd fd;
    SocketAddress peer;
};
/// EAGAIN when no connection waits.
[[nodiscard]] Result<Accepted> accept(int fd) noexcept;

/// How many bytes were read, 0 at the end of the stream (or for an empty buffer).
[[nodiscard]] Result<std::size_t> read(int fd, std::span<std::byte> buffer) noexcept;
/// How many bytes the kernel took. For what is no socket; SIGPIPE is possible here.
[[nodiscard]] Result<std::size_t> write(int fd, std::span<const std::byte> buffer) noexcept;

/// As read() and write(), for sockets. `flags` as of recv(2); MSG_NOSIGNAL is always added when sending.
[[nodiscard]] Result<std::size_t> receive(int fd, std::span<std::byte> buffer, int flags = 0) noexcept;
[[nodiscard]] Result<std::size_t> send(int fd, std::span<const std::byte> buffer, int flags = 0) noexcept;
/// Into, or from, several buffers at once. At most IOV_MAX (1024) are used; the count that comes back says how far.
[[nodiscard]] Result<std::size_t> receive_vectored(int fd, std::span<const iovec> parts) noexcept;
[[nodiscard]] Result<std::size_t> send_vectored(int fd, std::span<const iovec> parts) noexcept;

enum class ShutdownSide : int { read = SHUT_RD, write = SHUT_WR, both = SHUT_RDWR };
/// Ends one direction of a connection, or both. ENOTCONN comes back as it is.
[[nodiscard]] Result<void> shutdown(int fd, ShutdownSide side) noexcept;

[[nodiscard]] Result<SocketAddress> local_address(int fd) noexcept;
[[nodiscard]] Result<SocketAddress> peer_address(int fd) noexcept;
/// Takes the pending error (SO_ERROR) and returns it, as a failure of `operation`; success when there is none.
[[nodiscard]] Result<void> take_error(int fd, const char* operation = "socket") noexcept;

[[nodiscard]] Result<void> set_reuse_address(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> reuse_address(int fd) noexcept;
[[nodiscard]] Result<void> set_reuse_port(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> reuse_port(int fd) noexcept;
[[nodiscard]] Result<void> set_no_delay(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> no_delay(int fd) noexcept;
[[nodiscard]] Result<void> set_keepalive(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> keepalive(int fd) noexcept;
/// How long close() goes on sending in the background; empty: the system's default; 0: close resets the connection.
/// Negative and too large times are brought to what the kernel takes.
[[nodiscard]] Result<void> set_linger(int fd, std::optional<std::chrono::seconds> time) noexcept;
[[nodiscard]] Result<std::optional<std::chrono::seconds>> linger(int fd) noexcept;
/// In bytes. Linux doubles what is set, within limits of its own, and reports the doubled value.
[[nodiscard]] Result<void> set_send_buffer(int fd, int bytes) noexcept;
[[nodiscard]] Result<int> send_buffer(int fd) noexcept;
[[nodiscard]] Result<void> set_receive_buffer(int fd, int bytes) noexcept;
[[nodiscard]] Result<int> receive_buffer(int fd) noexcept;
/// Time to live of IPv4, hop limit of IPv6: 1 to 255.
[[nodiscard]] Result<void> set_ttl(int fd, int hops) noexcept;
[[nodiscard]] Result<int> ttl(int fd) noexcept;

} // namespace nexus::os
