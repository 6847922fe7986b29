// Membership in multicast groups, and how a socket sends to them. IPv4 and IPv6 alike: the group's family decides.
//
// An interface is named by its index; 0 leaves the choice to the kernel's routes. Errors are the kernel's:
// std::errc::invalid_argument for what is no group, no_such_device, address_in_use for a second join,
// address_not_available for leaving what was not joined; the group is the subject.
#pragma once

#include "nexus/os/address.hpp"

#include <string_view>

namespace nexus::os {

/// The index of the network interface of that name ("eth0"). Fails with what the kernel says, the name as subject.
[[nodiscard]] Result<unsigned> interface_index(std::string_view name) noexcept;

[[nodiscard]] Result<void> join_multicast(int fd, const SocketAddress& group, unsigned interface_index);
[[nodiscard]] Result<void> leave_multicast(int fd, const SocketAddress& group, unsigned interface_index);
/// IPv4: on the interface that has the address `local` (its port is ignored).
[[nodiscard]] Result<void> join_multicast(int fd, const SocketAddress& group, const SocketAddress& local);
[[nodiscard]] Result<void> leave_multicast(int fd, const SocketAddress& group, const SocketAddress& local);
/// Only what `source` sends to the group. Joins of several sources add up.
[[nodiscard]] Result<void> join_source(int fd, const SocketAddress& group, const SocketAddress& source,
                                       unsigned interface_index);
[[nodiscard]] Result<void> leave_source(int fd, const SocketAddress& group, const SocketAddress& source,
                                        unsigned interface_index);

/// Whether this host gets what the socket sends to groups.
[[nodiscard]] Result<void> set_multicast_loop(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> multicast_loop(int fd) noexcept;
/// Hops that what is sent to groups may take: 0 (this host) to 255; 1 at first.
[[nodiscard]] Result<void> set_multicast_ttl(int fd, int hops) noexcept;
[[nodiscard]] Result<int> multicast_ttl(int fd) noexcept;
/// The interface to send to groups from.
[[nodiscard]] Result<void> set_multicast_interface(int fd, unsigned interface_index) noexcept;
/// Whether the socket gets what is sent to groups that only other sockets of this host joined: Linux's default. IPv4
/// and IPv6.
[[nodiscard]] Result<void> set_multicast_all(int fd, bool on) noexcept;
[[nodiscard]] Result<bool> multicast_all(int fd) noexcept;

} // namespace nexus::os
