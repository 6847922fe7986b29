#include "nexus/os/datagram.hpp"

#include "nexus/os/calls.hpp"
#include "nexus/os/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nexus::os {
namespace {

/// The kernel's own limit for one call (UIO_MAXIOV).
constexpr std::size_t most_messages = 1024;

template <class Count>
Result<std::size_t> counted(Count result, const char* operation) noexcept {
    if (result >= 0) [[likely]]
        return static_cast<std::size_t>(result);
    return Error::from_errno(errno, operation);
}

unsigned message_count(std::span<mmsghdr> messages) noexcept {
    return static_cast<unsigned>(std::min(messages.size(), most_messages));
}

} // namespace

DatagramFacts facts_of(const msghdr& message) noexcept {
    DatagramFacts facts;
    // SAFETY: the macros want a message that is not const, and do not change it.
    auto& all = const_cast<msghdr&>(message);
    for (cmsghdr* part = CMSG_FIRSTHDR(&all); part != nullptr; part = CMSG_NXTHDR(&all, part)) {
        if (part->cmsg_level != SOL_SOCKET) continue;
        // One that was cut short for want of room says nothing.
        const auto holds = [&](std::size_t size) { return part->cmsg_len >= CMSG_LEN(size); };
        if (part->cmsg_type == SCM_TIMESTAMPNS && holds(sizeof(timespec))) {
            timespec time;
            std::memcpy(&time, CMSG_DATA(part), sizeof time);
            facts.time = ReceiveTime{std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec}};
        } else if (part->cmsg_type == SO_RXQ_OVFL && holds(sizeof facts.dropped)) {
            std::memcpy(&facts.dropped, CMSG_DATA(part), sizeof facts.dropped);
        }
    }
    return facts;
}

Result<std::size_t> receive_datagram(int fd, std::span<std::byte> buffer, int flags) noexcept {
    return counted(retry_interrupted([&] { return calls().recv(fd, buffer.data(), buffer.size(), flags | MSG_TRUNC); }),
                   "recv");
}

Result<std::size_t> receive_datagram(int fd, std::span<std::byte> buffer, int flags, RawAddress& sender,
                                     DatagramFacts& facts) noexcept {
    DatagramControl control;
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    const auto got = counted(retry_interrupted([&] {
                                 message.msg_name = &sender.storage;
                                 message.msg_namelen = sizeof sender.storage;
                                 message.msg_iov = &part;
                                 message.msg_iovlen = 1;
                                 message.msg_control = control.bytes.data();
                                 message.msg_controllen = control.bytes.size();
                                 return calls().recvmsg(fd, &message, flags | MSG_TRUNC | MSG_CMSG_CLOEXEC);
                             }),
                             "recv_from");
    if (!got) return got;
    sender.size = message.msg_namelen;
    facts = facts_of(message);
    close_descriptors(message); // the kernel puts them where the facts were to go
    return got;
}

Result<std::size_t> send_datagram(int fd, std::span<const std::byte> bytes, const sockaddr* to,
                                  socklen_t to_size) noexcept {
    if (to == nullptr) {
        return counted(retry_interrupted([&] { return calls().send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); }),
                       "send");
    }
    // SAFETY: the kernel only reads both; the interface merely lacks the const.
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_name = const_cast<sockaddr*>(to); // SAFETY: as above
    message.msg_namelen = to_size;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return counted(retry_interrupted([&] { return calls().sendmsg(fd, &message, MSG_NOSIGNAL); }), "send_to");
}

Result<std::size_t> receive_many(int fd, std::span<mmsghdr> messages) noexcept {
    return counted(retry_interrupted([&] {
                       return calls().recvmmsg(fd, messages.data(), message_count(messages), MSG_TRUNC, nullptr);
                   }),
                   "recv_batch");
}

Result<std::size_t> send_many(int fd, std::span<mmsghdr> messages) noexcept {
    return counted(
        retry_interrupted([&] { return calls().sendmmsg(fd, messages.data(), message_count(messages), MSG_NOSIGNAL); }),
        "send_batch");
}

} // namespace nexus::os
