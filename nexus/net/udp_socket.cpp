#include "nexus/net/udp_socket.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/net/private/adopt.hpp"
#include "nexus/net/private/send_turn.hpp"

#include <algorithm>
#include <string>

namespace nexus {
namespace {

/// What the kernel looks at in one call of recvmmsg.
constexpr std::size_t most_at_once = 1024;

Result<void> apply(int fd, const UdpOptions& options) {
    if (options.reuse_address) {
        if (auto set = os::set_reuse_address(fd, true); !set) return set;
    }
    if (options.reuse_port) {
        if (auto set = os::set_reuse_port(fd, true); !set) return set;
    }
    if (options.only_v6) return os::set_only_v6(fd, *options.only_v6);
    return {};
}

/// With no room there would never be anything to report.
void require_room(const RecvBatch& batch, const char* operation) {
    if (batch.capacity() != 0) return;
    throw UsageError(std::string(operation) + "() into a batch that was moved from: use the object it was moved to");
}

} // namespace

Result<UdpSocket> UdpSocket::open(int family) {
    auto fd = os::open_socket(family, SOCK_DGRAM);
    if (!fd) return fd.error();
    return UdpSocket(std::move(*fd));
}

Result<UdpSocket> UdpSocket::bind(std::string_view address, const UdpOptions& options) {
    const auto parsed = SocketAddress::parse(address);
    if (!parsed) return Error(parsed.error().code(), "bind", address);
    return bind(*parsed, options);
}

Result<UdpSocket> UdpSocket::bind(const SocketAddress& address, const UdpOptions& options) {
    const auto prepare = [&]() -> Result<os::Fd> {
        auto fd = os::open_socket(address.family(), SOCK_DGRAM);
        if (!fd) return fd;
        if (auto applied = apply(fd->get(), options); !applied) return applied.error();
        if (auto bound = os::bind(fd->get(), address); !bound) return bound.error();
        return fd;
    };
    auto fd = prepare();
    if (!fd) return Error(fd.error().code(), fd.error().operation(), address.to_string());
    return UdpSocket(std::move(*fd));
}

Result<UdpSocket> UdpSocket::from_fd(os::Fd&& fd) {
    if (auto adopted = detail::adopt_udp(fd.get()); !adopted) return adopted.error();
    return UdpSocket(std::move(fd));
}

Result<void> UdpSocket::connect(std::string_view address) {
    const auto parsed = SocketAddress::parse(address);
    if (!parsed) return Error(parsed.error().code(), "connect", address);
    return connect(*parsed);
}

Result<void> UdpSocket::disconnect() {
    constexpr sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
    return os::connect_raw(record("disconnect").fd(), &nowhere, sizeof nowhere);
}

Result<std::size_t> UdpSocket::recv_batch(RecvBatch& batch) {
    detail::SocketRecord& mine = record("recv_batch");
    const detail::SocketPin pin(mine);
    require_room(batch, "recv_batch");
    batch.filled_.value = 0;
    auto got = mine.attempt(Direction::in, "recv_batch", [&](int fd) { return batch.receive(fd); });
    if (got && *got < std::min(batch.capacity(), most_at_once)) mine.note_drained(Direction::in);
    return got;
}

Result<std::size_t> UdpSocket::try_recv_batch(RecvBatch& batch) {
    detail::SocketRecord& mine = record("try_recv_batch");
    require_room(batch, "try_recv_batch");
    batch.filled_.value = 0;
    auto got = mine.attempt_once(Direction::in, "recv_batch", [&](int fd) { return batch.receive(fd); });
    if (got && *got < std::min(batch.capacity(), most_at_once)) mine.note_drained(Direction::in);
    return got;
}

Result<void> UdpSocket::send_batch(SendBatch& batch) {
    detail::SocketRecord& mine = record("send_batch");
    const detail::SocketPin pin(mine);
    if (batch.done()) {
        if (auto nothing = mine.transfer_nothing("send_batch"); !nothing) return nothing.error();
    }
    while (!batch.done()) {
        auto sent = detail::send_in_turn(mine, "send_batch", [&](int fd) { return os::send_many(fd, batch.rest()); });
        if (!sent) return sent.error();
        batch.sent_.value += *sent;
    }
    return {};
}

Result<std::size_t> UdpSocket::try_send_batch(SendBatch& batch) {
    detail::SocketRecord& mine = record("try_send_batch");
    if (mine.open() && batch.done()) return std::size_t{0};
    auto sent = detail::try_send(mine, "send_batch", [&](int fd) { return os::send_many(fd, batch.rest()); });
    if (sent) batch.sent_.value += *sent;
    return sent;
}

} // namespace nexus
