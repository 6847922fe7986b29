// Calls that only Unix sockets have: pairs, who the peer is, and descriptors that travel with bytes.
//
// As in socket.hpp: nothing waits, EAGAIN comes back, interrupted calls are repeated, no SIGPIPE.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/os/datagram.hpp"
#include "nexus/os/fd.hpp"
#include "nexus/os/raw_address.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <sys/types.h>

namespace nexus::os {

struct SocketPair {
    Fd first;
    Fd second;
};
/// Two connected Unix sockets; `type` is SOCK_STREAM or SOCK_DGRAM.
[[nodiscard]] Result<SocketPair> socket_pair(int type) noexcept;

/// Who was at the other end when the connection was made: SO_PEERCRED. The kernel vouches for it.
struct PeerCredentials {
    pid_t pid; ///< 0 when the process is not to be seen from here; it may have ended since
    uid_t uid;
    gid_t gid;
    friend bool operator==(const PeerCredentials&, const PeerCredentials&) = default;
};
[[nodiscard]] Result<PeerCredentials> peer_credentials(int fd) noexcept;

/// Descriptors that can travel with one message (SCM_MAX_FD).
inline constexpr std::size_t max_descriptors = 253;

/// Sends `bytes` and copies of `descriptors`, to `to` unless that is null. Returns how many bytes went; the descriptors
/// went with the first of them. EINVAL when there are more than max_descriptors.
[[nodiscard]] Result<std::size_t> send_with_descriptors(int fd, std::span<const std::byte> bytes,
                                                        std::span<const int> descriptors, const sockaddr* to = nullptr,
                                                        socklen_t to_size = 0) noexcept;

struct ReceivedDescriptors {
    std::size_t bytes;       ///< of a stream: read; of a datagram: its whole length
    std::size_t descriptors; ///< how many were filled in, from the first on
    bool lost;               ///< others came for which there was no room, here or in the process; they are closed
    std::optional<ReceiveTime> time; ///< of arrival, as far as the socket was asked for it
};
/// What is received becomes CLOEXEC. Former contents of the entries that are filled are closed.
[[nodiscard]] Result<ReceivedDescriptors> receive_with_descriptors(int fd, std::span<std::byte> buffer,
                                                                   std::span<Fd> descriptors, int flags,
                                                                   RawAddress* sender = nullptr) noexcept;

/// Closes the descriptors that came with a received message.
void close_descriptors(const msghdr& message) noexcept;

} // namespace nexus::os
