#include "nexus/os/unix_socket.hpp"

#include "nexus/os/calls.hpp"
#include "nexus/os/socket_options.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace nexus::os {
namespace {

/// What the kernel may put before descriptors, where a socket was asked for it: times of arrival, in the short and in
/// the long form, and who the sender is. Without room for that there would be none for them.
constexpr std::size_t other_facts = CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(3 * sizeof(timespec)) +
                                    CMSG_SPACE(sizeof(ucred));

struct alignas(cmsghdr) DescriptorControl {
    std::array<std::byte, other_facts + CMSG_SPACE(max_descriptors * sizeof(int))> bytes;
};

Result<std::size_t> counted(ssize_t result, const char* operation) noexcept {
    if (result >= 0) return static_cast<std::size_t>(result);
    return Error::from_errno(errno, operation);
}

/// Takes over what came in one part of the ancillary data; what does not fit is closed.
void take_descriptors(const cmsghdr& part, std::span<Fd> room, ReceivedDescriptors& received) noexcept {
    const std::size_t count = (part.cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
        int value = -1;
        std::memcpy(&value, CMSG_DATA(&part) + i * sizeof value, sizeof value);
        Fd descriptor{value};
        if (received.descriptors < room.size()) {
            room[received.descriptors++] = std::move(descriptor);
        } else {
            received.lost = true;
        }
    }
}

void take_descriptors(const msghdr& message, std::span<Fd> room, ReceivedDescriptors& received) noexcept {
    // SAFETY: the macros want a message that is not const, and do not change it.
    auto& all = const_cast<msghdr&>(message);
    for (cmsghdr* at = CMSG_FIRSTHDR(&all); at != nullptr; at = CMSG_NXTHDR(&all, at)) {
        if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_RIGHTS) take_descriptors(*at, room, received);
    }
}

} // namespace

Result<SocketPair> socket_pair(int type) noexcept {
    std::array<int, 2> fds{};
    if (calls().socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) != 0) {
        return Error::from_errno(errno, "socketpair");
    }
    return SocketPair{Fd{fds[0]}, Fd{fds[1]}};
}

Result<PeerCredentials> peer_credentials(int fd) noexcept {
    const auto raw = get_option<ucred>(fd, SOL_SOCKET, SO_PEERCRED, "peer_credentials");
    if (!raw) return raw.error();
    return PeerCredentials{raw->pid, raw->uid, raw->gid};
}

Result<std::size_t> send_with_descriptors(int fd, std::span<const std::byte> bytes, std::span<const int> descriptors,
                                          const sockaddr* to, socklen_t to_size) noexcept {
    constexpr const char* operation = "send_with_descriptors";
    if (descriptors.size() > max_descriptors) return Error::from_errno(EINVAL, operation);
    DescriptorControl control;
    // SAFETY: the kernel only reads both; the interface merely lacks the const.
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_name = const_cast<sockaddr*>(to); // SAFETY: as above
    message.msg_namelen = to_size;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control.bytes.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        std::memset(control.bytes.data(), 0, message.msg_controllen);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }
    return counted(retry_interrupted([&] { return calls().sendmsg(fd, &message, MSG_NOSIGNAL); }), operation);
}

Result<ReceivedDescriptors> receive_with_descriptors(int fd, std::span<std::byte> buffer, std::span<Fd> descriptors,
                                                     int flags, RawAddress* sender) noexcept {
    DescriptorControl control;
    const std::size_t room = other_facts + CMSG_SPACE(std::min(descriptors.size(), max_descriptors) * sizeof(int));
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    const auto got = counted(retry_interrupted([&] {
                                 message = {};
                                 if (sender != nullptr) {
                                     message.msg_name = &sender->storage;
                                     message.msg_namelen = sizeof sender->storage;
                                 }
                                 message.msg_iov = &part;
                                 message.msg_iovlen = 1;
                                 message.msg_control = control.bytes.data();
                                 message.msg_controllen = room;
                                 return calls().recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
                             }),
                             "recv_with_descriptors");
    if (!got) return got.error();
    if (sender != nullptr) sender->size = message.msg_namelen;
    ReceivedDescriptors received{
        .bytes = *got, .descriptors = 0, .lost = (message.msg_flags & MSG_CTRUNC) != 0, .time = facts_of(message).time};
    take_descriptors(message, descriptors, received);
    return received;
}

void close_descriptors(const msghdr& message) noexcept {
    ReceivedDescriptors none{};
    take_descriptors(message, {}, none);
}

} // namespace nexus::os
