// Options of TCP sockets, once for streams, listeners and sockets that are neither yet. Nothing here suspends.
//
// Derived provides `int fd() const`. Errors are the kernel's; EBADF after close().
#pragma once

#include "nexus/os/socket.hpp"

#include <chrono>
#include <optional>

namespace nexus {

template <class Derived>
class SocketOptions {
public:
    /// TCP_NODELAY: small writes go out at once instead of waiting for what was sent before to be acknowledged.
    [[nodiscard]] Result<void> set_nodelay(bool on) { return os::set_no_delay(descriptor(), on); }
    [[nodiscard]] Result<bool> nodelay() const { return os::no_delay(descriptor()); }

    /// Time to live (IPv4) or hop limit (IPv6): 1 to 255.
    [[nodiscard]] Result<void> set_ttl(int hops) { return os::set_ttl(descriptor(), hops); }
    [[nodiscard]] Result<int> ttl() const { return os::ttl(descriptor()); }

    /// What closing does with unsent bytes. Empty: the kernel sends them in the background. 0: the connection is reset.
    /// More than 0: closing blocks the *thread*, and with it every fiber, for up to that long; shutdown_write() and a
    /// read() of the peer's end are what to do instead.
    [[nodiscard]] Result<void> set_linger(std::optional<std::chrono::seconds> time) {
        return os::set_linger(descriptor(), time);
    }
    [[nodiscard]] Result<std::optional<std::chrono::seconds>> linger() const { return os::linger(descriptor()); }

    [[nodiscard]] Result<void> set_keepalive(bool on) { return os::set_keepalive(descriptor(), on); }
    [[nodiscard]] Result<bool> keepalive() const { return os::keepalive(descriptor()); }

    /// In bytes. The kernel doubles what is set, within its limits, and reports what it made of it.
    [[nodiscard]] Result<void> set_send_buffer_size(int bytes) { return os::set_send_buffer(descriptor(), bytes); }
    [[nodiscard]] Result<int> send_buffer_size() const { return os::send_buffer(descriptor()); }
    [[nodiscard]] Result<void> set_recv_buffer_size(int bytes) { return os::set_receive_buffer(descriptor(), bytes); }
    [[nodiscard]] Result<int> recv_buffer_size() const { return os::receive_buffer(descriptor()); }

    /// Takes the error that is pending on the socket, if any, and fails with it.
    [[nodiscard]] Result<void> take_error() { return os::take_error(descriptor()); }

protected:
    SocketOptions() = default;
    SocketOptions(const SocketOptions&) = default;
    SocketOptions& operator=(const SocketOptions&) = default;
    ~SocketOptions() = default;

private:
    [[nodiscard]] int descriptor() const { return static_cast<const Derived&>(*this).fd(); }
};

} // namespace nexus
