// Calls for datagrams: one at a time with its sender and what the kernel knows of it, and many at once.
//
// As in socket.hpp: nothing waits, EAGAIN comes back, interrupted calls are repeated, no SIGPIPE. A datagram is sent
// whole or not at all. One that is longer than the room for it is cut off; its whole length is reported.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/os/raw_address.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <sys/socket.h>

namespace nexus::os {

/// The kernel's clock for arrivals: CLOCK_REALTIME, in nanoseconds.
using ReceiveTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

/// Room for the ancillary data that facts_of() understands.
struct alignas(cmsghdr) DatagramControl {
    std::array<std::byte, CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(sizeof(std::uint32_t))> bytes;
};

/// What came beside the bytes, as far as the socket was asked for it.
struct DatagramFacts {
    std::optional<ReceiveTime> time; ///< of arrival in this host
    std::uint32_t dropped = 0;       ///< by the socket for want of room, so far; wraps around
};
/// Reads the ancillary data of a received message.
[[nodiscard]] DatagramFacts facts_of(const msghdr& message) noexcept;

/// One datagram. Returns its whole length, which may exceed `buffer`.
[[nodiscard]] Result<std::size_t> receive_datagram(int fd, std::span<std::byte> buffer, int flags) noexcept;
/// The same with its sender and facts. Descriptors that came along uninvited are closed.
[[nodiscard]] Result<std::size_t> receive_datagram(int fd, std::span<std::byte> buffer, int flags, RawAddress& sender,
                                                   DatagramFacts& facts) noexcept;
/// To where the socket is connected when `to` is null.
[[nodiscard]] Result<std::size_t> send_datagram(int fd, std::span<const std::byte> bytes, const sockaddr* to,
                                                socklen_t to_size) noexcept;

/// How many messages were filled: at least one. Fewer than there is room for: there were no more, or an error, which
/// the next call reports.
[[nodiscard]] Result<std::size_t> receive_many(int fd, std::span<mmsghdr> messages) noexcept;
/// How many were sent, from the first on: at least one. The error concerns the first.
[[nodiscard]] Result<std::size_t> send_many(int fd, std::span<mmsghdr> messages) noexcept;

} // namespace nexus::os
