// SocketRecord: what is behind every handle of this module: descriptor, registration, and the loops that wait for
// readiness.
//
// It exists because a registration has a fixed address while a handle moves, and because halves share it. One
// allocation a socket.
// Invariants: `owners_` are the handles that keep the connection open; when the last one goes the descriptor closes.
// `pins_` keep the memory alone: of borrowed halves, and of fibers inside an operation, so that a stream may be
// destroyed while somebody waits on it (errc::closed for whoever waits). The descriptor is -1 exactly when closed, and
// the registration ends before the descriptor does.
//
// `senders_` are the fibers that wait to send a datagram, oldest first; only the first of them waits on the source.
//
// Protocol of readiness (IO-8, H-19): a direction's flag is cleared by EAGAIN, and by a short count where a short count
// means that the kernel has nothing left; the next edge sets it. While it is cleared no system call is tried.
//
// Owner thread only.
#pragma once

#include "nexus/base/intrusive_list.hpp"
#include "nexus/net/connection_state.hpp"
#include "nexus/os/fd.hpp"
#include "nexus/os/socket.hpp"
#include "nexus/reactor/reactor.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace nexus::detail {

/// What a count smaller than asked for says about a socket.
enum class ShortCounts : bool {
    mean_nothing, ///< records, or ancillary data, may have cut it short
    mean_drained  ///< TCP: nothing is left to read, or no room to write
};

/// Whether closing a record closes its descriptor.
enum class Closes : bool {
    nothing, ///< the descriptor is somebody else's
    descriptor
};

[[nodiscard]] inline bool would_block(const Error& error) noexcept { return error.code().value() == EAGAIN; }

/// The place of a fiber that wants to send a datagram; see SendTurn.
struct SendPlace : base::ListNode {
    explicit SendPlace(Task& waits) noexcept : task(waits) {}
    Task& task;
};

class SocketRecord {
public:
    SocketRecord(os::Fd fd, ShortCounts short_counts, Closes closes) noexcept
        : source_(fd.get(), short_counts == ShortCounts::mean_drained ? OutEvents::always : OutEvents::on_demand),
          fd_(std::move(fd)), short_counts_(short_counts), closes_(closes) {}
    SocketRecord(const SocketRecord&) = delete;
    SocketRecord& operator=(const SocketRecord&) = delete;

    [[nodiscard]] IoSource& source() noexcept { return source_; }
    /// -1 when closed.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] bool open() const noexcept { return static_cast<bool>(fd_); }
    /// Fibers that wait fail with errc::closed.
    void close() noexcept {
        source_.forget();
        if (closes_ == Closes::nothing) (void)fd_.release();
        fd_.reset();
    }
    [[nodiscard]] Closes closes() const noexcept { return closes_; }
    /// Like close(), but the descriptor lives on.
    [[nodiscard]] os::Fd release() noexcept {
        source_.forget();
        return std::move(fd_);
    }

    // Suspending; the contracts are those of the public functions of the same name (stream_io.hpp).
    [[nodiscard]] Result<std::size_t> read(std::span<std::byte> buffer);
    [[nodiscard]] Result<std::size_t> read_vectored(std::span<const std::span<std::byte>> buffers);
    [[nodiscard]] Result<void> read_exact(std::span<std::byte> buffer, std::size_t* transferred);
    [[nodiscard]] Result<std::size_t> peek(std::span<std::byte> buffer);
    [[nodiscard]] Result<std::size_t> write(std::span<const std::byte> buffer);
    [[nodiscard]] Result<std::size_t> write_vectored(std::span<const std::span<const std::byte>> buffers);
    [[nodiscard]] Result<void> write_all(std::span<const std::byte> buffer, std::size_t* transferred);
    [[nodiscard]] Result<void> write_all_vectored(std::span<const std::span<const std::byte>> buffers,
                                                  std::size_t* transferred);
    [[nodiscard]] Result<void> wait_ready(Direction direction, const char* operation);

    /// A transfer of no bytes: a wait that is over at once.
    [[nodiscard]] Result<std::size_t> transfer_nothing(const char* operation);

    // Not suspending.
    [[nodiscard]] Result<std::size_t> try_read(std::span<std::byte> buffer);
    [[nodiscard]] Result<std::size_t> try_peek(std::span<std::byte> buffer);
    [[nodiscard]] Result<std::size_t> try_write(std::span<const std::byte> buffer);
    [[nodiscard]] bool is_ready(Direction direction) noexcept { return !open() || source_.probe(direction); }
    [[nodiscard]] Result<void> shutdown(Direction direction);
    [[nodiscard]] Result<ConnectionState> state() noexcept;
    [[nodiscard]] Result<void> take_error() noexcept;

    /// Fibers that wait for their turn to send.
    [[nodiscard]] base::IntrusiveList<SendPlace>& senders() noexcept { return senders_; }
    /// The kernel said EAGAIN in the course of a call that got something: nothing is left (not after errors, of which
    /// no further event may tell).
    void note_drained(Direction direction) noexcept {
        if (!source_.failed()) source_.clear_ready(direction);
    }

    /// The kernel tells one operation that the connection broke, and the others that the stream has ended, which it has
    /// not: they get the failure as well.
    [[nodiscard]] Result<std::size_t> no_false_end(Result<std::size_t> got) noexcept;
    /// What a write brought tells of the connection; the same result again.
    [[nodiscard]] Result<std::size_t> note_written(Result<std::size_t> taken, std::size_t asked) noexcept;

    /// Makes `call(fd)` until it says something else than EAGAIN, waiting for `direction` in between. `call` returns
    /// a Result. An ended scope, or a closed descriptor, fails before the first attempt (rule 5).
    template <class Call>
    [[nodiscard]] auto attempt(Direction direction, const char* operation, Call&& call) -> decltype(call(0));

    /// Makes `call(fd)` once. Does not suspend, also outside fibers.
    template <class Call>
    [[nodiscard]] auto attempt_once(Direction direction, const char* operation, Call&& call) -> decltype(call(0)) {
        if (!open()) return Error(errc::closed, operation);
        auto outcome = call(fd_.get());
        if (!outcome && would_block(outcome.error())) source_.clear_ready(direction);
        return outcome;
    }

private:
    friend class SocketOwner;
    friend class SocketPin;

    [[nodiscard]] Result<std::size_t> write_parts(std::span<const iovec> parts, std::size_t bytes);
    void note_count(Direction direction, std::size_t asked, std::size_t done) noexcept;
    [[nodiscard]] Result<std::size_t> note_read(Result<std::size_t> got, std::size_t asked) noexcept;
    void note_failure(const Error& error) noexcept;
    void drop_owner() noexcept {
        if (--owners_ != 0) return;
        close();
        if (pins_ == 0) destroy();
    }
    void drop_pin() noexcept {
        if (--pins_ == 0 && owners_ == 0) destroy();
    }
    void destroy() noexcept;
    ~SocketRecord() = default;

    IoSource source_;
    os::Fd fd_;
    std::uint32_t owners_ = 0;
    std::uint32_t pins_ = 0;
    int lost_by_ = 0; ///< the errno that ended the connection, once some operation was told
    ShortCounts short_counts_;
    Closes closes_;
    base::IntrusiveList<SendPlace> senders_;
};

/// Keeps a record's memory, not its connection.
class SocketPin {
public:
    explicit SocketPin(SocketRecord& record) noexcept : record_(&record) { ++record.pins_; }
    SocketPin(SocketPin&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
    SocketPin& operator=(SocketPin&& other) noexcept {
        std::swap(record_, other.record_);
        return *this;
    }
    ~SocketPin() {
        if (record_ != nullptr) record_->drop_pin();
    }
    /// Null when moved from.
    [[nodiscard]] SocketRecord* get() const noexcept { return record_; }

private:
    SocketRecord* record_;
};

/// One of the handles that keep a connection open.
class SocketOwner {
public:
    explicit SocketOwner(SocketRecord& record) noexcept : record_(&record) { ++record.owners_; }
    /// Of a new record. Allocates; when that fails a descriptor of ours is closed, and somebody else's is not.
    [[nodiscard]] static SocketOwner make(os::Fd fd, ShortCounts short_counts, Closes closes = Closes::descriptor) {
        struct Spare {
            os::Fd& fd;
            Closes closes;
            ~Spare() {
                if (closes == Closes::nothing) (void)fd.release();
            }
        } const spare{fd, closes};
        return SocketOwner(*new SocketRecord(std::move(fd), short_counts, closes));
    }
    SocketOwner(SocketOwner&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
    SocketOwner& operator=(SocketOwner&& other) noexcept {
        if (this == &other) return *this;
        SocketRecord* previous = std::exchange(record_, std::exchange(other.record_, nullptr));
        if (previous != nullptr) previous->drop_owner();
        return *this;
    }
    ~SocketOwner() {
        if (record_ != nullptr) record_->drop_owner();
    }
    /// Null when moved from.
    [[nodiscard]] SocketRecord* get() const noexcept { return record_; }
    SocketRecord* operator->() const noexcept { return record_; }

private:
    SocketRecord* record_;
};

/// The record of a handle; throws UsageError when the handle was moved from.
[[nodiscard]] SocketRecord& require_record(SocketRecord* record, const char* operation);

/// How the operations get at the record of the handle that they are mixed into; the handles' friend.
struct RecordAccess {
    template <class Handle>
    [[nodiscard]] static SocketRecord& of(const Handle& handle, const char* operation) {
        return handle.record(operation);
    }
};

template <class Call>
auto SocketRecord::attempt(Direction direction, const char* operation, Call&& call) -> decltype(call(0)) {
    Executor& executor = Executor::of_current_fiber(operation);
    SocketPin pin(*this); // before anything that may suspend: whoever owns us may go meanwhile
    if (WaitEnd end = enter_wait(executor, operation); end != WaitEnd::ready) return Error(to_errc(end), operation);
    for (;;) {
        if (!open()) return Error(errc::closed, operation);
        if (source_.ready(direction)) {
            auto outcome = call(fd_.get());
            if (outcome || !would_block(outcome.error())) return outcome;
            source_.clear_ready(direction);
        }
        if (auto waited = source_.wait(direction, operation); !waited) return waited.error();
    }
}

} // namespace nexus::detail
