#include "nexus/os/multicast.hpp"

#include "nexus/os/calls.hpp"
#include "nexus/os/socket_options.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>

namespace nexus::os {
namespace {

int level_of(const SocketAddress& group) noexcept { return group.family() == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP; }

Result<void> with_subject(const Result<void>& result, const SocketAddress& group) {
    if (result) return {};
    return Error(result.error().code(), result.error().operation(), group.to_string());
}

void copy_address(sockaddr_storage& target, const SocketAddress& address) noexcept {
    std::memcpy(&target, address.data(), address.size());
}

Result<void> change_membership(int fd, int option, const SocketAddress& group, unsigned interface_index,
                               const char* operation) {
    group_req request{};
    request.gr_interface = interface_index;
    copy_address(request.gr_group, group);
    return with_subject(set_option(fd, level_of(group), option, request, operation), group);
}

Result<void> change_membership_v4(int fd, int option, const SocketAddress& group, const SocketAddress& local,
                                  const char* operation) {
    if (group.family() != AF_INET || local.family() != AF_INET) {
        return Error(std::make_error_code(std::errc::address_family_not_supported), operation, group.to_string());
    }
    const auto bytes_of = [](const SocketAddress& address) {
        sockaddr_in raw;
        std::memcpy(&raw, address.data(), sizeof raw);
        return raw.sin_addr;
    };
    const ip_mreqn request{.imr_multiaddr = bytes_of(group), .imr_address = bytes_of(local), .imr_ifindex = 0};
    return with_subject(set_option(fd, IPPROTO_IP, option, request, operation), group);
}

Result<void> change_source(int fd, int option, const SocketAddress& group, const SocketAddress& source,
                           unsigned interface_index, const char* operation) {
    group_source_req request{};
    request.gsr_interface = interface_index;
    copy_address(request.gsr_group, group);
    copy_address(request.gsr_source, source);
    return with_subject(set_option(fd, level_of(group), option, request, operation), group);
}

struct MulticastOption {
    int v4;
    int v6;
};
constexpr MulticastOption loop{IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP};
constexpr MulticastOption hop_limit{IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS};
constexpr MulticastOption all{IP_MULTICAST_ALL, IPV6_MULTICAST_ALL};

Result<void> set(int fd, MulticastOption option, int value, const char* operation) noexcept {
    const auto kind = family(fd, operation);
    if (!kind) return kind.error();
    const bool v6 = *kind == AF_INET6;
    return set_option(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? option.v6 : option.v4, value, operation);
}

Result<int> get(int fd, MulticastOption option, const char* operation) noexcept {
    const auto kind = family(fd, operation);
    if (!kind) return kind.error();
    const bool v6 = *kind == AF_INET6;
    return get_option<int>(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? option.v6 : option.v4, operation);
}

Result<bool> get_flag(int fd, MulticastOption option, const char* operation) noexcept {
    const auto value = get(fd, option, operation);
    if (!value) return value.error();
    return *value != 0;
}

} // namespace

Result<unsigned> interface_index(std::string_view name) noexcept {
    std::array<char, IF_NAMESIZE> text{};
    if (name.size() >= text.size()) return Error::from_errno(ENODEV, "interface_index", name);
    std::copy(name.begin(), name.end(), text.begin());
    const unsigned index = calls().if_nametoindex(text.data());
    if (index == 0) return Error::from_errno(errno, "interface_index", name);
    return index;
}

Result<void> join_multicast(int fd, const SocketAddress& group, unsigned interface_index) {
    return change_membership(fd, MCAST_JOIN_GROUP, group, interface_index, "join_multicast");
}
Result<void> leave_multicast(int fd, const SocketAddress& group, unsigned interface_index) {
    return change_membership(fd, MCAST_LEAVE_GROUP, group, interface_index, "leave_multicast");
}
Result<void> join_multicast(int fd, const SocketAddress& group, const SocketAddress& local) {
    return change_membership_v4(fd, IP_ADD_MEMBERSHIP, group, local, "join_multicast");
}
Result<void> leave_multicast(int fd, const SocketAddress& group, const SocketAddress& local) {
    return change_membership_v4(fd, IP_DROP_MEMBERSHIP, group, local, "leave_multicast");
}
Result<void> join_source(int fd, const SocketAddress& group, const SocketAddress& source, unsigned interface_index) {
    return change_source(fd, MCAST_JOIN_SOURCE_GROUP, group, source, interface_index, "join_source");
}
Result<void> leave_source(int fd, const SocketAddress& group, const SocketAddress& source, unsigned interface_index) {
    return change_source(fd, MCAST_LEAVE_SOURCE_GROUP, group, source, interface_index, "leave_source");
}

Result<void> set_multicast_loop(int fd, bool on) noexcept { return set(fd, loop, int{on}, "set multicast_loop"); }
Result<bool> multicast_loop(int fd) noexcept { return get_flag(fd, loop, "get multicast_loop"); }
Result<void> set_multicast_ttl(int fd, int hops) noexcept { return set(fd, hop_limit, hops, "set multicast_ttl"); }
Result<int> multicast_ttl(int fd) noexcept { return get(fd, hop_limit, "get multicast_ttl"); }
Result<void> set_multicast_all(int fd, bool on) noexcept { return set(fd, all, int{on}, "set multicast_all"); }
Result<bool> multicast_all(int fd) noexcept { return get_flag(fd, all, "get multicast_all"); }

Result<void> set_multicast_interface(int fd, unsigned interface_index) noexcept {
    constexpr const char* operation = "set multicast_interface";
    const auto kind = family(fd, operation);
    if (!kind) return kind.error();
    const int index = static_cast<int>(interface_index);
    if (*kind == AF_INET6) return set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index, operation);
    ip_mreqn wanted{};
    wanted.imr_ifindex = index;
    return set_option(fd, IPPROTO_IP, IP_MULTICAST_IF, wanted, operation);
}

} // namespace nexus::os
