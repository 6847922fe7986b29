#include "nexus/net/detail/socket_record.hpp"

#include "nexus/base/usage_error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace nexus::detail {
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
    return attempt(Direction::in, "read", [&](int fd) -> Result<std::size_t> {
        auto got = os::receive(fd, buffer);
        if (got) note_count(Direction::in, buffer.size(), *got);
        return got;
    });
}

Result<std::size_t> SocketRecord::read_vectored(std::span<const std::span<std::byte>> buffers) {
    const Parts parts(buffers);
    if (parts.count == 0) return transfer_nothing("read");
    return attempt(Direction::in, "read", [&](int fd) -> Result<std::size_t> {
        auto got = os::receive_vectored(fd, parts.span());
        if (got) note_count(Direction::in, parts.bytes, *got);
        return got;
    });
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
    return attempt(Direction::in, "peek",
                   [&](int fd) -> Result<std::size_t> { return os::receive(fd, buffer, MSG_PEEK); });
}

Result<std::size_t> SocketRecord::try_read(std::span<std::byte> buffer) {
    if (!open()) return Error(errc::closed, "read");
    if (buffer.empty()) return std::size_t{0};
    auto got = os::receive(fd_.get(), buffer);
    if (got) {
        note_count(Direction::in, buffer.size(), *got);
    } else if (would_block(got.error())) {
        source_.clear_ready(Direction::in);
    }
    return got;
}

Result<std::size_t> SocketRecord::try_peek(std::span<std::byte> buffer) {
    if (!open()) return Error(errc::closed, "peek");
    if (buffer.empty()) return std::size_t{0};
    auto seen = os::receive(fd_.get(), buffer, MSG_PEEK);
    if (!seen && would_block(seen.error())) source_.clear_ready(Direction::in);
    return seen;
}

// --- writing ---

Result<std::size_t> SocketRecord::write(std::span<const std::byte> buffer) {
    if (buffer.empty()) return transfer_nothing("write");
    return attempt(Direction::out, "write", [&](int fd) -> Result<std::size_t> {
        auto taken = os::send(fd, buffer);
        if (taken) note_count(Direction::out, buffer.size(), *taken);
        return taken;
    });
}

Result<std::size_t> SocketRecord::write_vectored(std::span<const std::span<const std::byte>> buffers) {
    const Parts parts(buffers);
    return write_parts(parts.span(), parts.bytes);
}

Result<std::size_t> SocketRecord::write_parts(std::span<const iovec> parts, std::size_t bytes) {
    if (parts.empty()) return transfer_nothing("write");
    return attempt(Direction::out, "write", [&](int fd) -> Result<std::size_t> {
        auto taken = os::send_vectored(fd, parts);
        if (taken) note_count(Direction::out, bytes, *taken);
        return taken;
    });
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
    if (!open()) return Error(errc::closed, "write");
    if (buffer.empty()) return std::size_t{0};
    auto taken = os::send(fd_.get(), buffer);
    if (taken) {
        note_count(Direction::out, buffer.size(), *taken);
    } else if (would_block(taken.error())) {
        source_.clear_ready(Direction::out);
    }
    return taken;
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

} // namespace nexus::detail
