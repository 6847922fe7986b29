#include "nexus/os/socket_options.hpp"

#include "nexus/os/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace nexus::os {
namespace {

Result<void> set_flag(int fd, int level, int name, bool on, const char* operation) noexcept {
    return set_option(fd, level, name, int{on}, operation);
}

Result<bool> get_flag(int fd, int level, int name, const char* operation) noexcept {
    const Result<int> value = get_option<int>(fd, level, name, operation);
    if (!value) return value.error();
    return *value != 0;
}

/// Durations in the int that the kernel takes.
template <class Duration>
int clamped(Duration time) noexcept {
    return static_cast<int>(std::clamp<typename Duration::rep>(time.count(), 0, INT_MAX));
}

struct OptionName {
    int level;
    int name;
};
/// The option of this socket's family.
Result<OptionName> by_family(int fd, OptionName v4, OptionName v6, const char* operation) noexcept {
    const Result<int> value = family(fd, operation);
    if (!value) return value.error();
    return *value == AF_INET6 ? v6 : v4;
}

Result<void> set_by_family(int fd, OptionName v4, OptionName v6, int value, const char* operation) noexcept {
    const auto option = by_family(fd, v4, v6, operation);
    if (!option) return option.error();
    return set_option(fd, option->level, option->name, value, operation);
}

Result<int> get_by_family(int fd, OptionName v4, OptionName v6, const char* operation) noexcept {
    const auto option = by_family(fd, v4, v6, operation);
    if (!option) return option.error();
    return get_option<int>(fd, option->level, option->name, operation);
}

constexpr OptionName ttl_v4{IPPROTO_IP, IP_TTL};
constexpr OptionName ttl_v6{IPPROTO_IPV6, IPV6_UNICAST_HOPS};
constexpr OptionName traffic_class_v4{IPPROTO_IP, IP_TOS};
constexpr OptionName traffic_class_v6{IPPROTO_IPV6, IPV6_TCLASS};

} // namespace

Result<void> set_option_bytes(int fd, int level, int name, const void* value, socklen_t size,
                              const char* operation) noexcept {
    if (calls().setsockopt(fd, level, name, value, size) == 0) return {};
    return Error::from_errno(errno, operation);
}

Result<void> get_option_bytes(int fd, int level, int name, void* value, socklen_t& size,
                              const char* operation) noexcept {
    if (calls().getsockopt(fd, level, name, value, &size) == 0) return {};
    return Error::from_errno(errno, operation);
}

Result<int> family(int fd, const char* operation) noexcept {
    return get_option<int>(fd, SOL_SOCKET, SO_DOMAIN, operation);
}

Result<void> set_reuse_address(int fd, bool on) noexcept {
    return set_flag(fd, SOL_SOCKET, SO_REUSEADDR, on, "set reuse_address");
}
Result<bool> reuse_address(int fd) noexcept { return get_flag(fd, SOL_SOCKET, SO_REUSEADDR, "get reuse_address"); }

Result<void> set_reuse_port(int fd, bool on) noexcept {
    return set_flag(fd, SOL_SOCKET, SO_REUSEPORT, on, "set reuse_port");
}
Result<bool> reuse_port(int fd) noexcept { return get_flag(fd, SOL_SOCKET, SO_REUSEPORT, "get reuse_port"); }

Result<void> set_no_delay(int fd, bool on) noexcept {
    return set_flag(fd, IPPROTO_TCP, TCP_NODELAY, on, "set no_delay");
}
Result<bool> no_delay(int fd) noexcept { return get_flag(fd, IPPROTO_TCP, TCP_NODELAY, "get no_delay"); }

Result<void> set_keepalive(int fd, bool on) noexcept {
    return set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, on, "set keepalive");
}
Result<bool> keepalive(int fd) noexcept { return get_flag(fd, SOL_SOCKET, SO_KEEPALIVE, "get keepalive"); }

Result<void> set_linger(int fd, std::optional<std::chrono::seconds> time) noexcept {
    ::linger wanted{};
    if (time) {
        wanted.l_onoff = 1;
        wanted.l_linger = clamped(*time);
    }
    return set_option(fd, SOL_SOCKET, SO_LINGER, wanted, "set linger");
}
Result<std::optional<std::chrono::seconds>> linger(int fd) noexcept {
    const auto value = get_option<struct ::linger>(fd, SOL_SOCKET, SO_LINGER, "get linger");
    if (!value) return value.error();
    if (value->l_onoff == 0) return std::optional<std::chrono::seconds>{};
    return std::optional{std::chrono::seconds{value->l_linger}};
}

Result<void> set_send_buffer(int fd, int bytes) noexcept {
    return set_option(fd, SOL_SOCKET, SO_SNDBUF, bytes, "set send_buffer");
}
Result<int> send_buffer(int fd) noexcept { return get_option<int>(fd, SOL_SOCKET, SO_SNDBUF, "get send_buffer"); }

Result<void> set_receive_buffer(int fd, int bytes) noexcept {
    return set_option(fd, SOL_SOCKET, SO_RCVBUF, bytes, "set receive_buffer");
}
Result<int> receive_buffer(int fd) noexcept { return get_option<int>(fd, SOL_SOCKET, SO_RCVBUF, "get receive_buffer"); }

Result<void> set_only_v6(int fd, bool on) noexcept {
    return set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, on, "set only_v6");
}
Result<bool> only_v6(int fd) noexcept { return get_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, "get only_v6"); }

Result<void> set_quick_ack(int fd, bool on) noexcept {
    return set_flag(fd, IPPROTO_TCP, TCP_QUICKACK, on, "set quick_ack");
}
Result<bool> quick_ack(int fd) noexcept { return get_flag(fd, IPPROTO_TCP, TCP_QUICKACK, "get quick_ack"); }

Result<void> set_keepalive_times(int fd, const KeepaliveTimes& times) noexcept {
    constexpr const char* operation = "set keepalive_times";
    if (auto set = set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, clamped(times.idle), operation); !set) return set;
    if (auto set = set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, clamped(times.interval), operation); !set) return set;
    return set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, times.probes, operation);
}
Result<KeepaliveTimes> keepalive_times(int fd) noexcept {
    constexpr const char* operation = "get keepalive_times";
    const auto idle = get_option<int>(fd, IPPROTO_TCP, TCP_KEEPIDLE, operation);
    if (!idle) return idle.error();
    const auto interval = get_option<int>(fd, IPPROTO_TCP, TCP_KEEPINTVL, operation);
    if (!interval) return interval.error();
    const auto probes = get_option<int>(fd, IPPROTO_TCP, TCP_KEEPCNT, operation);
    if (!probes) return probes.error();
    return KeepaliveTimes{std::chrono::seconds{*idle}, std::chrono::seconds{*interval}, *probes};
}

Result<void> set_user_timeout(int fd, std::chrono::milliseconds time) noexcept {
    return set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, clamped(time), "set user_timeout");
}
Result<std::chrono::milliseconds> user_timeout(int fd) noexcept {
    const auto value = get_option<int>(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, "get user_timeout");
    if (!value) return value.error();
    return std::chrono::milliseconds{*value};
}

Result<void> set_ttl(int fd, int hops) noexcept { return set_by_family(fd, ttl_v4, ttl_v6, hops, "set ttl"); }
Result<int> ttl(int fd) noexcept { return get_by_family(fd, ttl_v4, ttl_v6, "get ttl"); }

Result<void> set_traffic_class(int fd, int value) noexcept {
    return set_by_family(fd, traffic_class_v4, traffic_class_v6, value, "set traffic_class");
}
Result<int> traffic_class(int fd) noexcept {
    return get_by_family(fd, traffic_class_v4, traffic_class_v6, "get traffic_class");
}

Result<void> set_busy_poll(int fd, std::chrono::microseconds time) noexcept {
    return set_option(fd, SOL_SOCKET, SO_BUSY_POLL, clamped(time), "set busy_poll");
}
Result<std::chrono::microseconds> busy_poll(int fd) noexcept {
    const auto value = get_option<int>(fd, SOL_SOCKET, SO_BUSY_POLL, "get busy_poll");
    if (!value) return value.error();
    return std::chrono::microseconds{*value};
}

Result<void> set_broadcast(int fd, bool on) noexcept {
    return set_flag(fd, SOL_SOCKET, SO_BROADCAST, on, "set broadcast");
}
Result<bool> broadcast(int fd) noexcept { return get_flag(fd, SOL_SOCKET, SO_BROADCAST, "get broadcast"); }

Result<void> set_receive_timestamps(int fd, bool on) noexcept {
    return set_flag(fd, SOL_SOCKET, SO_TIMESTAMPNS, on, "set receive_timestamps");
}
Result<bool> receive_timestamps(int fd) noexcept {
    return get_flag(fd, SOL_SOCKET, SO_TIMESTAMPNS, "get receive_timestamps");
}

Result<void> set_drop_reports(int fd, bool on) noexcept {
    return set_flag(fd, SOL_SOCKET, SO_RXQ_OVFL, on, "set drop_reports");
}
Result<bool> drop_reports(int fd) noexcept { return get_flag(fd, SOL_SOCKET, SO_RXQ_OVFL, "get drop_reports"); }

} // namespace nexus::os
