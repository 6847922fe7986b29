#include "nexus/net/async_fd.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/net/private/adopt.hpp"

#include <cerrno>

namespace nexus {

Result<AsyncFd::Kind> AsyncFd::kind_of(int fd, const char* operation) {
    struct stat facts {};
    if (os::calls().fstat(fd, &facts) != 0) return Error::from_errno(errno, operation);
    if (S_ISFIFO(facts.st_mode)) return Kind::pipe;
    return S_ISSOCK(facts.st_mode) ? Kind::socket : Kind::other;
}

Result<AsyncFd> AsyncFd::from_fd(os::Fd&& fd) {
    const auto kind = kind_of(fd.get(), "from_fd");
    if (!kind) return kind.error();
    if (auto prepared = detail::make_non_blocking(fd.get()); !prepared) return prepared.error();
    return AsyncFd(std::move(fd), detail::Closes::descriptor, *kind);
}

Result<AsyncFd> AsyncFd::watch(int fd) {
    const auto kind = kind_of(fd, "watch");
    if (!kind) return kind.error();
    return AsyncFd(os::Fd(fd), detail::Closes::nothing, *kind);
}

os::Fd AsyncFd::into_fd() && {
    detail::SocketRecord& mine = record("into_fd");
    if (mine.closes() == detail::Closes::nothing) {
        throw UsageError("into_fd() of a descriptor that is only watched: it belongs to whoever opened it; close() "
                         "lets it go");
    }
    return mine.release();
}

Result<std::size_t> AsyncFd::read(std::span<std::byte> buffer) {
    return record("read").attempt(Direction::in, "read", [&](int fd) { return os::read(fd, buffer); });
}

Result<std::size_t> AsyncFd::try_read(std::span<std::byte> buffer) {
    return record("try_read").attempt_once(Direction::in, "read", [&](int fd) { return os::read(fd, buffer); });
}

Result<std::size_t> AsyncFd::write_to(Kind kind, int fd, std::span<const std::byte> buffer) noexcept {
    switch (kind) {
    case Kind::pipe: return os::write_without_signal(fd, buffer);
    case Kind::socket: return os::send(fd, buffer);
    case Kind::other: break;
    }
    return os::write(fd, buffer);
}

Result<std::size_t> AsyncFd::write(std::span<const std::byte> buffer) {
    const Kind kind = kind_; // this object may be gone when the wait is over
    return record("write").attempt(Direction::out, "write", [&](int fd) { return write_to(kind, fd, buffer); });
}

Result<std::size_t> AsyncFd::try_write(std::span<const std::byte> buffer) {
    return record("try_write").attempt_once(Direction::out, "write", [&](int fd) {
        return write_to(kind_, fd, buffer);
    });
}

Result<void> AsyncFd::flush() {
    if (record("flush").open()) return {};
    return Error(errc::closed, "flush");
}

Result<void> AsyncFd::shutdown_write() {
    detail::SocketRecord& mine = record("shutdown_write");
    if (kind_ == Kind::socket) return mine.shutdown(Direction::out);
    if (!mine.open()) return Error(errc::closed, "shutdown_write");
    if (mine.closes() == detail::Closes::nothing) return Error::from_errno(EOPNOTSUPP, "shutdown_write");
    mine.close();
    return {};
}

} // namespace nexus
