// AsyncFd: waits for any descriptor that epoll knows: pipes, eventfds, terminals, inotify, sockets of libraries.
// Move-only; owner thread only.
//
//     nexus::AsyncFd events = nexus::AsyncFd::from_fd(nexus::os::Fd(inotify_init1(0))).value();
//     while (auto got = events.read(buffer)) handle(std::span(buffer).first(*got));
//
// It registers with the runtime at its first wait, so it may be made before the runtime and outlive it. How waits end,
// and that one fiber may wait for each direction, is as for streams (stream_io.hpp). Files on disks count as ready
// always: nothing waits for them, and reading them blocks the thread.
#pragma once

#include "nexus/net/socket_identity.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace nexus {

class AsyncFd : public SocketIdentity<AsyncFd> {
public:
    /// Takes over `fd` and makes it non-blocking and CLOEXEC. Fails, and leaves it with the caller, when it is no
    /// descriptor. Does not suspend.
    [[nodiscard]] static Result<AsyncFd> from_fd(os::Fd&& fd);
    /// Watches a descriptor that somebody else owns, a library's socket for instance, and changes nothing about it. It
    /// has to be non-blocking if it is to be read or written through this object, and it must not be closed before
    /// this object is. Fails when it is no descriptor. Does not suspend.
    [[nodiscard]] static Result<AsyncFd> watch(int fd);
    /// Gives up the descriptor, which stays open and non-blocking. Fibers that wait fail with errc::closed. UsageError
    /// when it is only watched.
    [[nodiscard]] os::Fd into_fd() &&;

    /// Suspends until an operation in this direction would not block: it succeeds, ends or fails. Asks the kernel, so
    /// it is true at the time when it returns, whatever was read or written past this object.
    [[nodiscard]] Result<void> readable() { return record("readable").wait_ready(Direction::in, "readable"); }
    [[nodiscard]] Result<void> writable() { return record("writable").wait_ready(Direction::out, "writable"); }
    /// The same without waiting, also outside fibers; as far as the loop has heard.
    [[nodiscard]] bool is_readable() { return record("is_readable").is_ready(Direction::in); }
    [[nodiscard]] bool is_writable() { return record("is_writable").is_ready(Direction::out); }

    /// Suspends until there is something. How many bytes; 0 at the end (of a pipe whose writers are gone) or for an
    /// empty buffer.
    [[nodiscard]] Result<std::size_t> read(std::span<std::byte> buffer);
    /// Suspends until there is room. How many bytes were taken. When nobody reads any more std::errc::broken_pipe, and
    /// no SIGPIPE, of pipes too.
    [[nodiscard]] Result<std::size_t> write(std::span<const std::byte> buffer);
    /// Do not suspend, also outside fibers: std::errc::resource_unavailable_try_again where the others would.
    [[nodiscard]] Result<std::size_t> try_read(std::span<std::byte> buffer);
    [[nodiscard]] Result<std::size_t> try_write(std::span<const std::byte> buffer);

    /// Calls `call(fd)` once and returns what it returns, a Result. std::errc::resource_unavailable_try_again means
    /// that it would have blocked, and that the next wait has to wait. Does not suspend, also outside fibers.
    template <std::invocable<int> Call>
    [[nodiscard]] auto try_io(Direction direction, Call&& call) -> std::invoke_result_t<Call&, int> {
        return record("try_io").attempt_once(direction, "try_io", call);
    }
    /// Calls `call(fd)`, and again when the direction is ready, until it returns something else than
    /// std::errc::resource_unavailable_try_again. `call` must try until the kernel says so: if it stops before, with
    /// something left, the next call has it.
    template <std::invocable<int> Call>
    [[nodiscard]] auto io(Direction direction, Call&& call) -> std::invoke_result_t<Call&, int> {
        return record("io").attempt(direction, "io", call);
    }

    /// Nothing to do (AsyncWrite).
    [[nodiscard]] Result<void> flush();
    /// Ends what is written: shuts a socket's sending side down, closes anything else. Of what is only watched and no
    /// socket: std::errc::operation_not_supported. Does not suspend.
    [[nodiscard]] Result<void> shutdown_write();

    /// Closes the descriptor, or stops watching it; fibers that wait fail with errc::closed. Idempotent.
    void close() { record("close").close(); }

private:
    friend struct detail::RecordAccess;
    enum class Kind : std::uint8_t { pipe, socket, other };

    AsyncFd(os::Fd fd, detail::Closes closes, Kind kind)
        : owner_(detail::SocketOwner::make(std::move(fd), detail::ShortCounts::mean_nothing, closes)), kind_(kind) {}
    [[nodiscard]] static Result<Kind> kind_of(int fd, const char* operation);
    [[nodiscard]] static Result<std::size_t> write_to(Kind kind, int fd, std::span<const std::byte> buffer) noexcept;
    [[nodiscard]] detail::SocketRecord& record(const char* operation) const {
        return detail::require_record(owner_.get(), operation);
    }

    detail::SocketOwner owner_;
    Kind kind_;
};

} // namespace nexus
