#include "nexus/net/unix_stream.hpp"

#include "nexus/exec/wait.hpp"
#include "nexus/net/private/adopt.hpp"
#include "nexus/net/private/pause.hpp"

#include <cerrno>

namespace nexus {

Result<UnixStream> UnixStream::connect(std::string_view address) {
    const auto parsed = UnixAddress::parse(address);
    if (!parsed) return Error(parsed.error().code(), "connect", address);
    return connect(*parsed);
}

Result<UnixStream> UnixStream::connect(const UnixAddress& address) {
    Executor& executor = Executor::of_current_fiber("connect");
    const auto failure = [&](const Error& error) { return Error(error.code(), "connect", address.to_string()); };
    if (const auto end = detail::enter_wait(executor, "connect"); end != detail::WaitEnd::ready) {
        return failure({detail::to_errc(end), "connect"});
    }
    auto fd = os::open_socket(AF_UNIX, SOCK_STREAM);
    if (!fd) return failure(fd.error());
    detail::Patience patience(std::chrono::microseconds(50), std::chrono::milliseconds(10));
    for (;;) {
        const auto connected = os::connect(fd->get(), address);
        if (connected) return UnixStream(std::move(*fd));
        if (!detail::would_block(connected.error())) return failure(connected.error());
        auto paused = detail::pause(patience.next(), "connect", "connect: the listener's backlog is full");
        if (!paused) return failure(paused.error());
    }
}

Result<UnixStream::Pair> UnixStream::pair() {
    auto fds = os::socket_pair(SOCK_STREAM);
    if (!fds) return fds.error();
    return Pair{UnixStream(std::move(fds->first)), UnixStream(std::move(fds->second))};
}

Result<UnixStream> UnixStream::from_fd(os::Fd&& fd) {
    if (auto adopted = detail::adopt_unix_stream(fd.get()); !adopted) return adopted.error();
    return UnixStream(std::move(fd));
}

Result<std::size_t> UnixStream::write_with_descriptors(std::span<const std::byte> bytes,
                                                       std::span<const int> descriptors) {
    constexpr const char* operation = "write_with_descriptors";
    detail::SocketRecord& mine = record(operation);
    if (bytes.empty()) return Error::from_errno(EINVAL, operation);
    return mine.attempt(Direction::out, operation, [&](int fd) {
        return mine.note_written(os::send_with_descriptors(fd, bytes, descriptors), bytes.size());
    });
}

Result<UnixStream::Received> UnixStream::read_with_descriptors(std::span<std::byte> buffer,
                                                               std::span<os::Fd> descriptors) {
    constexpr const char* operation = "read_with_descriptors";
    detail::SocketRecord& mine = record(operation);
    if (buffer.empty()) return Error::from_errno(EINVAL, operation);
    const detail::SocketPin pin(mine);
    auto got = mine.attempt(Direction::in, operation,
                            [&](int fd) { return os::receive_with_descriptors(fd, buffer, descriptors, 0); });
    const auto bytes = mine.no_false_end(got ? Result<std::size_t>(got->bytes) : Result<std::size_t>(got.error()));
    if (!bytes) return bytes.error();
    return Received{.bytes = got->bytes, .descriptors = got->descriptors, .descriptors_lost = got->lost};
}

} // namespace nexus
