// Options of sockets: typed access to any of them, and the ones that the library knows by name.
//
// Nothing here keeps state or waits. Errors are the kernel's, with the option as operation ("set no_delay"). Options
// that IPv4 and IPv6 have under different names ask the socket for its family first.
#pragma once

#include "nexus/base/error.hpp"

#include <chrono>
#include <optional>
#include <sys/socket.h>
#include <type_traits>

namespace nexus::os {

[[nodiscard]] Result<void> set_option_bytes(int fd, int level, int name, const void* value, socklen_t size,
                                            const char* operation) noexcept;
/// `size` says how much room there is, and then how much was filled.
[[nodiscard]] Result<void> get_option_bytes(int fd, int level, int name, void* value, socklen_t& size,
                                            const char* operation) noexcept;

/// setsockopt() with the bytes of `value`.
template <class Value>
[[nodiscard]] Result<void> set_option(int fd, int level, int name, const Value& value, const char* operation) noexcept {
    static_assert(std::is_trivially_copyable_v<Value> && !std::is_pointer_v<Value>);
    return set_option_bytes(fd, level, name, &value, sizeof value, operation);
}
/// getsockopt() of an option whose value is a `Value`.
template <class Value>
[[nodiscard]] Result<Value> get_option(int fd, int level, int name, const char* operation) noexcept {
    static_assert(std::is_trivially_copyable_v<Value> && !std::is_pointer_v<Value>);
    Value value{};
    socklen_t size = sizeof value;
    if (auto got = get_option_bytes(fd, level, name, &value, size, operation); !got) return got.error();
    return value;
}

/// AF_INET, AF_INET6 or AF_UNIX.
[[nodiscard]] Result<int> family(int fd, const char* operation) noexcept;

[[nodiscard]] Result<void> set_reuse_address(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> reuse_address(int fd) noexcept;
[[nodiscard]] Result<void> set_reuse_port(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> reuse_port(int fd) noexcept;
/// IPv6 sockets: whether they leave IPv4 to others. Before binding.
[[nodiscard]] Result<void> set_only_v6(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> only_v6(int fd) noexcept;
[[nodiscard]] Result<void> set_no_delay(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> no_delay(int fd) noexcept;
[[nodiscard]] Result<void> set_quick_ack(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> quick_ack(int fd) noexcept;
[[nodiscard]] Result<void> set_keepalive(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> keepalive(int fd) noexcept;

/// When a silent TCP connection is probed, and given up.
struct KeepaliveTimes {
    std::chrono::seconds idle;     ///< silence before the first probe
    std::chrono::seconds interval; ///< between probes
    int probes;                    ///< unanswered ones until the connection has failed
    friend bool operator==(const KeepaliveTimes&, const KeepaliveTimes&) = default;
};
/// Does not switch probing on.
[[nodiscard]] Result<void> set_keepalive_times(int fd, const KeepaliveTimes& times) noexcept;
[[nodiscard]] Result<KeepaliveTimes> keepalive_times(int fd) noexcept;
/// How long sent bytes may stay unacknowledged before a TCP connection fails; 0: the system's default.
[[nodiscard]] Result<void> set_user_timeout(int fd, std::chrono::milliseconds time) noexcept;
[[nodiscard]] Result<std::chrono::milliseconds> user_timeout(int fd) noexcept;
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
/// The byte for quality of service: DSCP in its upper six bits.
[[nodiscard]] Result<void> set_traffic_class(int fd, int value) noexcept;
[[nodiscard]] Result<int> traffic_class(int fd) noexcept;
/// How long a system call or poll on the socket may spin on the network card; 0: not at all. EPERM when a process
/// without CAP_NET_ADMIN raises it.
[[nodiscard]] Result<void> set_busy_poll(int fd, std::chrono::microseconds time) noexcept;
[[nodiscard]] Result<std::chrono::microseconds> busy_poll(int fd) noexcept;

[[nodiscard]] Result<void> set_broadcast(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> broadcast(int fd) noexcept;
/// SO_TIMESTAMPNS: the kernel's time of arrival comes with each message.
[[nodiscard]] Result<void> set_receive_timestamps(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> receive_timestamps(int fd) noexcept;
/// SO_RXQ_OVFL: how many messages were dropped for want of room comes with each message.
[[nodiscard]] Result<void> set_drop_reports(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> drop_reports(int fd) noexcept;

} // namespace nexus::os
