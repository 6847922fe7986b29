#include "nexus/net/detail/socket_record.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/net/stream_halves.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace nexus {

ReuniteError::ReuniteError()
    : UsageError("reunite(): these halves are not of the same stream; keep those together that one into_split() "
                 "returned") {}

namespace detail {
namespace {

/// Buffers passed to the kernel at once; what is beyond is left for the next call, as a short count says.
constexpr std::size_t max_parts = 64;

/// Buffers in the kernel's form, without the empty ones and without the first `skip` bytes.
struct Parts {
    template <class Byte>
    explicit Parts(std::span<const std::span<Byte>> buffers, std::size_t skip = 0) noexcept {
        for (std::span<Byte> buffer : buffers) {
            const std::size_t passed = std::min(skip, buffer.size());
            skip -= passed;
            buffer = buffer.subspan(passed);
            if (buffer.empty()) continue;
            if (count == max_parts) {
                complete = false;
                break;
            }
            // SAFETY: the kernel only reads what was const; the interface merely lacks the const.
            list[count++] = {const_cast<std::remove_const_t<Byte>*>(buffer.data()), buffer.size()};
            bytes += buffer.size();
        }
    }
    [[nodiscard]] std::span<const iovec> span() const noexcept { return std::span(list).first(count); }

    std::array<iovec, max_parts> list;
    std::size_t count = 0;
    std::size_t bytes = 0;
    bool complete = true; ///< no buffer was left out for want of room
};

void store(std::size_t* transferred, std::size_t value) noexcept {
    if (transferred != nullptr) *transferred = value;
}

/// The kernel took nothing of something, and did not say why; going on would be an endless loop.
Error nothing_written() noexcept { return {std::make_error_code(std::errc::io_error), "write"}; }

} // namespace

SocketRecord& require_record(SocketRecord* record, const char* operation) {
    if (record == nullptr) {
        throw UsageError(std::string(operation) + "() on a socket that was moved from: use the object it was moved to");
    }
    return *record;
}

void SocketRecord::destroy() noexcept { delete this; }

void SocketRecord::note_count(Direction direction, std::size_t asked, std::size_t done) noexcept {
    if (done == asked || done == 0 || short_counts_ == ShortCounts::mean_nothing) return;
    // After an end or an error no further edge may come, so that the flag has to stay; and a read ends before an urgent
    // byte, whatever lies behind it.
    if (source_.hung_up() || source_.failed()) return;
    if (direction == Direction::in && (source_.peer_closed() || source_.urgent())) return;
    source_.clear_ready(direction);
}

Result<std::size_t> SocketRecord::no_false_end(Result<std::size_t> got) noexcept {
    if (!got) {
        note_failure(got.error());
    } else if (*got == 0 && lost_by_ != 0) [[unlikely]] {
        return Error::from_errno(lost_by_, "read");
    }
    return got;
}

Result<std::size_t> SocketRecord::note_read(Result<std::size_t> got, std::size_t asked) noexcept {
    if (got) note_count(Direction::in, asked, *got);
    return no_false_end(got);
}

Result<std::size_t> SocketRecord::note_written(Result<std::size_t> taken, std::size_t asked) noexcept {
    if (taken) {
        note_count(Direction::out, asked, *taken);
    } else {
        note_failure(taken.error());
    }
    return taken;
}

void SocketRecord::note_failure(const Error& error) noexcept {
    if (error.code().category() != std::generic_category()) return;
    switch (error.code().value()) {
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH: lost_by_ = error.code().value(); break;
    default: break;
    }
}

Result<std::size_t> SocketRecord::transfer_nothing(const char* operation) {
    Executor& executor = Executor::of_current_fiber(operation);
    const SocketPin pin(*this);
    if (WaitEnd end = enter_wait(executor, operation); end != WaitEnd::ready) return Error(to_errc(end), operation);
    if (!open()) return Error(errc::closed, operation);
    return std::size_t{0};
}

// --- reading ---

Result<std::size_t> SocketRecord::read(std::span<std::byte> buffer) {
    if (buffer.empty()) return transfer_nothing("read");
    return attempt(Direction::in, "read", [&](int fd) { return note_read(os::receive(fd, buffer), buffer.size()); });
}

Result<std::size_t> SocketRecord::read_vectored(std::span<const std::span<std::byte>> buffers) {
    const Parts parts(buffers);
    if (parts.count == 0) return transfer_nothing("read");
    return attempt(Direction::in, "read",
                   [&](int fd) { return note_read(os::receive_vectored(fd, parts.span()), parts.bytes); });
}

Result<void> SocketRecord::read_exact(std::span<std::byte> buffer, std::size_t* transferred) {
    const SocketPin pin(*this);
    std::size_t done = 0;
    store(transferred, done);
    do {
        const auto got = read(buffer.subspan(done));
        if (!got) return got.error();
        if (*got == 0 && done != buffer.size()) return Error(errc::end_of_stream, "read");
        done += *got;
        store(transferred, done);
    } while (done != buffer.size());
    return {};
}

Result<std::size_t> SocketRecord::peek(std::span<std::byte> buffer) {
    if (buffer.empty()) return transfer_nothing("peek");
    return attempt(Direction::in, "peek", [&](int fd) { return no_false_end(os::receive(fd, buffer, MSG_PEEK)); });
}

Result<std::size_t> SocketRecord::try_read(std::span<std::byte> buffer) {
    if (open() && buffer.empty()) return std::size_t{0};
    return attempt_once(Direction::in, "read",
                        [&](int fd) { return note_read(os::receive(fd, buffer), buffer.size()); });
}

Result<std::size_t> SocketRecord::try_peek(std::span<std::byte> buffer) {
    if (open() && buffer.empty()) return std::size_t{0};
    return attempt_once(Direction::in, "peek", [&](int fd) { return no_false_end(os::receive(fd, buffer, MSG_PEEK)); });
}

// --- writing ---

Result<std::size_t> SocketRecord::write(std::span<const std::byte> buffer) {
    if (buffer.empty()) return transfer_nothing("write");
    return attempt(Direction::out, "write", [&](int fd) { return note_written(os::send(fd, buffer), buffer.size()); });
}

Result<std::size_t> SocketRecord::write_vectored(std::span<const std::span<const std::byte>> buffers) {
    const Parts parts(buffers);
    return write_parts(parts.span(), parts.bytes);
}

Result<std::size_t> SocketRecord::write_parts(std::span<const iovec> parts, std::size_t bytes) {
    if (parts.empty()) return transfer_nothing("write");
    return attempt(Direction::out, "write", [&](int fd) { return note_written(os::send_vectored(fd, parts), bytes); });
}

Result<void> SocketRecord::write_all(std::span<const std::byte> buffer, std::size_t* transferred) {
    const SocketPin pin(*this);
    std::size_t done = 0;
    store(transferred, done);
    do {
        const auto taken = write(buffer.subspan(done));
        if (!taken) return taken.error();
        if (*taken == 0 && done != buffer.size()) return nothing_written();
        done += *taken;
        store(transferred, done);
    } while (done != buffer.size());
    return {};
}

Result<void> SocketRecord::write_all_vectored(std::span<const std::span<const std::byte>> buffers,
                                              std::size_t* transferred) {
    const SocketPin pin(*this);
    std::size_t done = 0;
    store(transferred, done);
    for (;;) {
        const Parts parts(buffers, done);
        const auto taken = write_parts(parts.span(), parts.bytes);
        if (!taken) return taken.error();
        if (*taken == 0 && parts.bytes != 0) return nothing_written();
        done += *taken;
        store(transferred, done);
        if (*taken == parts.bytes && parts.complete) return {};
    }
}

Result<std::size_t> SocketRecord::try_write(std::span<const std::byte> buffer) {
    if (open() && buffer.empty()) return std::size_t{0};
    return attempt_once(Direction::out, "write",
                        [&](int fd) { return note_written(os::send(fd, buffer), buffer.size()); });
}

// --- both ---

Result<void> SocketRecord::wait_ready(Direction direction, const char* operation) {
    return attempt(direction, operation, [&](int) -> Result<void> {
        if (source_.probe(direction)) return {};
        return Error::from_errno(EAGAIN, operation);
    });
}

Result<void> SocketRecord::shutdown(Direction direction) {
    if (!open()) return Error(errc::closed, "shutdown");
    auto done = os::shutdown(fd_.get(), direction == Direction::in ? os::ShutdownSide::read : os::ShutdownSide::write);
    if (!done && done.error() == std::errc::not_connected) return {}; // the peer was faster
    return done;
}

Result<ConnectionState> SocketRecord::state() noexcept {
    if (!open()) return Error(errc::closed, "state");
    const auto seen = os::poll_now(fd_.get(), POLLRDHUP, "state");
    if (!seen) return seen.error();
    return ConnectionState{.peer_finished = (*seen & POLLRDHUP) != 0,
                           .hung_up = (*seen & POLLHUP) != 0,
                           .failed = (*seen & POLLERR) != 0 || lost_by_ != 0};
}

Result<void> SocketRecord::take_error() noexcept {
    auto pending = os::take_error(fd_.get());
    if (!pending) note_failure(pending.error());
    return pending;
}

} // namespace detail
} // namespace nexus
