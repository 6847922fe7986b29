#include "nexus/net/unix_datagram.hpp"

#include "nexus/net/private/adopt.hpp"
#include "nexus/net/private/bind_unix.hpp"
#include "nexus/net/private/send_turn.hpp"

#include <algorithm>

namespace nexus {

Result<UnixDatagram> UnixDatagram::bind(std::string_view address, const UnixBindOptions& options) {
    const auto parsed = UnixAddress::parse(address);
    if (!parsed) return Error(parsed.error().code(), "bind", address);
    return bind(*parsed, options);
}

Result<UnixDatagram> UnixDatagram::bind(const UnixAddress& address, const UnixBindOptions& options) {
    auto bound = detail::bind_unix(SOCK_DGRAM, address, options);
    if (!bound) return Error(bound.error().code(), bound.error().operation(), address.to_string());
    return UnixDatagram(std::move(bound->fd), std::move(bound->file));
}

Result<UnixDatagram> UnixDatagram::unbound() {
    auto fd = os::open_socket(AF_UNIX, SOCK_DGRAM);
    if (!fd) return fd.error();
    return UnixDatagram(std::move(*fd), {});
}

Result<UnixDatagram::Pair> UnixDatagram::pair() {
    auto fds = os::socket_pair(SOCK_DGRAM);
    if (!fds) return fds.error();
    return Pair{UnixDatagram(std::move(fds->first), {}), UnixDatagram(std::move(fds->second), {})};
}

Result<UnixDatagram> UnixDatagram::from_fd(os::Fd&& fd) {
    if (auto adopted = detail::adopt_unix_datagram(fd.get()); !adopted) return adopted.error();
    return UnixDatagram(std::move(fd), {});
}

Result<void> UnixDatagram::connect(std::string_view address) {
    const auto parsed = UnixAddress::parse(address);
    if (!parsed) return Error(parsed.error().code(), "connect", address);
    return connect(*parsed);
}

Result<std::size_t> UnixDatagram::send_descriptors(std::span<const std::byte> bytes, std::span<const int> descriptors,
                                                   const sockaddr* to, socklen_t to_size) {
    return detail::send_in_turn(record("send_with_descriptors"), "send_with_descriptors",
                                [&](int fd) { return os::send_with_descriptors(fd, bytes, descriptors, to, to_size); });
}

Result<std::size_t> UnixDatagram::send_with_descriptors(std::span<const std::byte> bytes,
                                                        std::span<const int> descriptors) {
    return send_descriptors(bytes, descriptors, nullptr, 0);
}

Result<std::size_t> UnixDatagram::send_with_descriptors(std::span<const std::byte> bytes,
                                                        std::span<const int> descriptors, const UnixAddress& to) {
    return send_descriptors(bytes, descriptors, to.data(), to.size());
}

Result<UnixDatagram::Received> UnixDatagram::recv_with_descriptors(std::span<std::byte> buffer,
                                                                   std::span<os::Fd> descriptors) {
    constexpr const char* operation = "recv_with_descriptors";
    os::RawAddress sender;
    const auto got = record(operation).attempt(Direction::in, operation, [&](int fd) {
        return os::receive_with_descriptors(fd, buffer, descriptors, MSG_TRUNC, &sender);
    });
    if (!got) return got.error();
    const auto from = UnixAddress::from_sockaddr(sender.data(), sender.size);
    if (!from) return from.error();
    return Received{.size = std::min(got->bytes, buffer.size()),
                    .full_size = got->bytes,
                    .from = *from,
                    .descriptors = got->descriptors,
                    .descriptors_lost = got->lost,
                    .time = got->time};
}

} // namespace nexus
