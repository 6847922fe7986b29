// Taking over a descriptor that somebody else made: what it is, and making it fit for the loop.
//
// Each of these makes the descriptor non-blocking and CLOEXEC, or fails and leaves it as it was: EPROTOTYPE when it is
// another kind of socket, ENOTSOCK when it is none.
#pragma once

#include "nexus/net/detail/socket_record.hpp"

namespace nexus::detail {

/// A connected stream socket of any family; ENOTCONN when it is not connected. Returns what its short counts say.
[[nodiscard]] Result<ShortCounts> adopt_stream(int fd);
/// A listening socket over IP; EINVAL when it does not listen, EAFNOSUPPORT when it is of another family.
[[nodiscard]] Result<void> adopt_listener(int fd);
[[nodiscard]] Result<void> adopt_udp(int fd);
/// Connected; ENOTCONN otherwise.
[[nodiscard]] Result<void> adopt_unix_stream(int fd);
/// EINVAL when it does not listen.
[[nodiscard]] Result<void> adopt_unix_listener(int fd);
[[nodiscard]] Result<void> adopt_unix_datagram(int fd);
/// Anything that has a descriptor.
[[nodiscard]] Result<void> make_non_blocking(int fd);

} // namespace nexus::detail
