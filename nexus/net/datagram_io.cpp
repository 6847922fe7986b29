#include "nexus/net/datagram_io.hpp"

#include "nexus/net/private/send_turn.hpp"

#include <cerrno>

namespace nexus::detail {

Result<std::size_t> receive(SocketRecord& record, std::span<std::byte> buffer, int flags, Waits waits,
                            const char* operation) {
    const auto call = [&](int fd) { return os::receive_datagram(fd, buffer, flags); };
    const auto full_size = waits == Waits::yes ? record.attempt(Direction::in, operation, call)
                                               : record.attempt_once(Direction::in, operation, call);
    if (!full_size || *full_size <= buffer.size()) return full_size;
    if ((flags & MSG_PEEK) != 0) return buffer.size();
    return Error::from_errno(EMSGSIZE, operation);
}

Result<void> receive_from(SocketRecord& record, std::span<std::byte> buffer, int flags, RawDatagram& datagram,
                          Waits waits, const char* operation) {
    const auto call = [&](int fd) { return os::receive_datagram(fd, buffer, flags, datagram.from, datagram.facts); };
    const auto full_size = waits == Waits::yes ? record.attempt(Direction::in, operation, call)
                                               : record.attempt_once(Direction::in, operation, call);
    if (!full_size) return full_size.error();
    datagram.full_size = *full_size;
    return {};
}

Result<std::size_t> send_datagram(SocketRecord& record, std::span<const std::byte> bytes, const sockaddr* to,
                                  socklen_t to_size, Waits waits, const char* operation) {
    const auto call = [&](int fd) { return os::send_datagram(fd, bytes, to, to_size); };
    return waits == Waits::yes ? send_in_turn(record, operation, call) : try_send(record, operation, call);
}

Result<void> wait_writable(SocketRecord& record) {
    constexpr const char* operation = "writable";
    return send_in_turn(record, operation, [&](int) -> Result<void> {
        if (record.source().probe(Direction::out)) return {};
        return Error::from_errno(EAGAIN, operation);
    });
}

} // namespace nexus::detail
