// Taking over a descriptor that somebody else made: what it is, and making it fit for the loop.
#pragma once

#include "nexus/net/detail/socket_record.hpp"

namespace nexus::detail {

/// Makes a connected stream socket non-blocking and CLOEXEC. EPROTOTYPE when it is no stream socket, ENOTCONN when it
/// is not connected. Returns what its short counts say.
[[nodiscard]] Result<ShortCounts> adopt_stream(int fd);
/// The same for a listening one; EINVAL when it does not listen.
[[nodiscard]] Result<void> adopt_listener(int fd);

} // namespace nexus::detail
