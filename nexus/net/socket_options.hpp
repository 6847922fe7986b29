// Options of sockets, each once for everything that has it. Nothing here suspends.
//
// Derived provides `int fd() const`. Errors are the kernel's; EBADF after close(). SocketOptions is for every socket,
// IpOptions for TCP and UDP, TcpOptions for TCP, BindOptions for what is not bound yet.
#pragma once

#include "nexus/os/socket.hpp"
#include "nexus/os/socket_options.hpp"

#include <chrono>
#include <optional>

namespace nexus {

using os::KeepaliveTimes;

template <class Derived>
class SocketOptions {
public:
    /// In bytes. The kernel doubles what is set, within its limits, and reports what it made of it.
    [[nodiscard]] Result<void> set_send_buffer_size(int bytes) { return os::set_send_buffer(descriptor(), bytes); }
    [[nodiscard]] Result<int> send_buffer_size() const { return os::send_buffer(descriptor()); }
    [[nodiscard]] Result<void> set_recv_buffer_size(int bytes) { return os::set_receive_buffer(descriptor(), bytes); }
    [[nodiscard]] Result<int> recv_buffer_size() const { return os::receive_buffer(descriptor()); }

    /// SO_BUSY_POLL: how long a call may spin on the network card's queue for something to arrive; 0: not at all.
    /// Raising it needs CAP_NET_ADMIN (std::errc::operation_not_permitted).
    [[nodiscard]] Result<void> set_busy_poll(std::chrono::microseconds time) {
        return os::set_busy_poll(descriptor(), time);
    }
    [[nodiscard]] Result<std::chrono::microseconds> busy_poll() const { return os::busy_poll(descriptor()); }

    /// Takes the error that is pending on the socket, if any, and fails with it.
    [[nodiscard]] Result<void> take_error() { return os::take_error(descriptor()); }

    /// Any other option, as setsockopt() and getsockopt() take it: set_option(SOL_SOCKET, SO_PRIORITY, 6).
    template <class Value>
    [[nodiscard]] Result<void> set_option(int level, int name, const Value& value) {
        return os::set_option(descriptor(), level, name, value, "set_option");
    }
    template <class Value>
    [[nodiscard]] Result<Value> option(int level, int name) const {
        return os::get_option<Value>(descriptor(), level, name, "option");
    }

protected:
    SocketOptions() = default;
    SocketOptions(const SocketOptions&) = default;
    SocketOptions& operator=(const SocketOptions&) = default;
    ~SocketOptions() = default;

    [[nodiscard]] int descriptor() const { return static_cast<const Derived&>(*this).fd(); }
};

template <class Derived>
class IpOptions : public SocketOptions<Derived> {
public:
    /// Time to live (IPv4) or hop limit (IPv6): 1 to 255.
    [[nodiscard]] Result<void> set_ttl(int hops) { return os::set_ttl(this->descriptor(), hops); }
    [[nodiscard]] Result<int> ttl() const { return os::ttl(this->descriptor()); }

    /// IP_TOS or IPV6_TCLASS: the byte for quality of service, DSCP in its upper six bits.
    [[nodiscard]] Result<void> set_traffic_class(int value) { return os::set_traffic_class(this->descriptor(), value); }
    [[nodiscard]] Result<int> traffic_class() const { return os::traffic_class(this->descriptor()); }
};

template <class Derived>
class TcpOptions : public IpOptions<Derived> {
public:
    /// TCP_NODELAY: small writes go out at once instead of waiting for what was sent before to be acknowledged.
    [[nodiscard]] Result<void> set_nodelay(bool on) { return os::set_no_delay(this->descriptor(), on); }
    [[nodiscard]] Result<bool> nodelay() const { return os::no_delay(this->descriptor()); }

    /// TCP_QUICKACK: acknowledge at once instead of waiting for something to send along. The kernel forgets it when it
    /// sees fit: set it again after reading.
    [[nodiscard]] Result<void> set_quickack(bool on) { return os::set_quick_ack(this->descriptor(), on); }
    [[nodiscard]] Result<bool> quickack() const { return os::quick_ack(this->descriptor()); }

    /// What closing does with unsent bytes. Empty: the kernel sends them in the background. 0: the connection is reset.
    /// More than 0: closing blocks the *thread*, and with it every fiber, for up to that long; shutdown_write() and a
    /// read() of the peer's end are what to do instead.
    [[nodiscard]] Result<void> set_linger(std::optional<std::chrono::seconds> time) {
        return os::set_linger(this->descriptor(), time);
    }
    [[nodiscard]] Result<std::optional<std::chrono::seconds>> linger() const { return os::linger(this->descriptor()); }

    /// Whether a silent connection is probed, so that one whose peer vanished fails at last.
    [[nodiscard]] Result<void> set_keepalive(bool on) { return os::set_keepalive(this->descriptor(), on); }
    [[nodiscard]] Result<bool> keepalive() const { return os::keepalive(this->descriptor()); }
    /// When it is; the system's default is two hours. Does not switch probing on.
    [[nodiscard]] Result<void> set_keepalive_times(const KeepaliveTimes& times) {
        return os::set_keepalive_times(this->descriptor(), times);
    }
    [[nodiscard]] Result<KeepaliveTimes> keepalive_times() const { return os::keepalive_times(this->descriptor()); }
    /// TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged before the connection fails with
    /// std::errc::timed_out; 0: the system's default, a quarter of an hour.
    [[nodiscard]] Result<void> set_user_timeout(std::chrono::milliseconds time) {
        return os::set_user_timeout(this->descriptor(), time);
    }
    [[nodiscard]] Result<std::chrono::milliseconds> user_timeout() const {
        return os::user_timeout(this->descriptor());
    }
};

/// What has to be said before binding.
template <class Derived>
class BindOptions {
public:
    /// SO_REUSEADDR. TCP: a port whose former connections are in TIME_WAIT can be had. UDP: several sockets may have
    /// the port, and each gets what is sent to a group that it joined.
    [[nodiscard]] Result<void> set_reuse_address(bool on) { return os::set_reuse_address(number(), on); }
    [[nodiscard]] Result<bool> reuse_address() const { return os::reuse_address(number()); }
    /// SO_REUSEPORT: several sockets share the port, and the kernel deals what comes out among them.
    [[nodiscard]] Result<void> set_reuse_port(bool on) { return os::set_reuse_port(number(), on); }
    [[nodiscard]] Result<bool> reuse_port() const { return os::reuse_port(number()); }
    /// IPV6_V6ONLY: an IPv6 socket leaves IPv4 to others.
    [[nodiscard]] Result<void> set_only_v6(bool on) { return os::set_only_v6(number(), on); }
    [[nodiscard]] Result<bool> only_v6() const { return os::only_v6(number()); }

protected:
    BindOptions() = default;
    BindOptions(const BindOptions&) = default;
    BindOptions& operator=(const BindOptions&) = default;
    ~BindOptions() = default;

private:
    [[nodiscard]] int number() const { return static_cast<const Derived&>(*this).fd(); }
};

} // namespace nexus
