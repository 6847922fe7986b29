#include "nexus/net/udp_batch.hpp"

#include "nexus/base/usage_error.hpp"

#include <algorithm>

namespace nexus {
namespace {

std::size_t more_than_nothing(std::size_t count) {
    if (count == 0) throw UsageError("a batch for no datagrams, or for datagrams of no bytes: the least is 1");
    return count;
}

} // namespace

RecvBatch::RecvBatch(std::size_t count, std::size_t bytes_each)
    : bytes_each_(more_than_nothing(bytes_each)), headers_(more_than_nothing(count)), parts_(count), places_(count),
      bytes_(count * bytes_each) {
    for (std::size_t i = 0; i < count; ++i) {
        parts_[i] = {bytes_.data() + i * bytes_each, bytes_each};
        msghdr& message = headers_[i].msg_hdr;
        message.msg_name = &places_[i].from;
        message.msg_iov = &parts_[i];
        message.msg_iovlen = 1;
        message.msg_control = places_[i].control.bytes.data();
    }
    spoilt_.value = count;
}

Result<std::size_t> RecvBatch::receive(int fd) noexcept {
    for (mmsghdr& header : std::span(headers_).first(spoilt_.value)) {
        header.msg_hdr.msg_namelen = sizeof(sockaddr_in6);
        header.msg_hdr.msg_controllen = sizeof(os::DatagramControl::bytes);
    }
    filled_.value = spoilt_.value = 0;
    const auto got = os::receive_many(fd, headers_);
    if (got) filled_.value = spoilt_.value = *got;
    return got;
}

RecvBatch::Datagram RecvBatch::operator[](std::size_t index) const noexcept {
    const mmsghdr& header = headers_[index];
    const os::DatagramFacts facts = os::facts_of(header.msg_hdr);
    // SAFETY: the kernel takes and fills every address as sockaddr.
    const auto* from = reinterpret_cast<const sockaddr*>(&places_[index].from);
    const auto sender = SocketAddress::from_sockaddr(from, header.msg_hdr.msg_namelen);
    const std::size_t kept = std::min<std::size_t>(header.msg_len, bytes_each_);
    return {.bytes = std::span(bytes_).subspan(index * bytes_each_, kept),
            .full_size = header.msg_len,
            .from = sender ? *sender : SocketAddress{},
            .time = facts.time,
            .dropped = facts.dropped};
}

SendBatch::SendBatch(std::size_t capacity)
    : headers_(more_than_nothing(capacity)), parts_(capacity), addresses_(capacity) {
    for (std::size_t i = 0; i < capacity; ++i) {
        headers_[i].msg_hdr.msg_iov = &parts_[i];
        headers_[i].msg_hdr.msg_iovlen = 1;
    }
}

bool SendBatch::push(std::span<const std::byte> bytes) noexcept {
    if (full()) return false;
    const std::size_t index = size_.value++;
    // SAFETY: the kernel only reads them; the interface merely lacks the const.
    parts_[index] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
    headers_[index].msg_hdr.msg_name = nullptr;
    headers_[index].msg_hdr.msg_namelen = 0;
    return true;
}

bool SendBatch::push(std::span<const std::byte> bytes, const SocketAddress& to) noexcept {
    if (!push(bytes)) return false;
    SocketAddress& address = addresses_[size() - 1] = to;
    msghdr& message = headers_[size() - 1].msg_hdr;
    // SAFETY: the kernel only reads it; the interface merely lacks the const.
    message.msg_name = const_cast<sockaddr*>(address.data());
    message.msg_namelen = address.size();
    return true;
}

} // namespace nexus
