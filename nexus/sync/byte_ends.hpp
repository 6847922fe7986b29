// The ends of a byte channel, and the claims on its records: what spsc_bytes and mpsc_bytes share (CH-BY-1 to CH-BY-8).
//
// A record is written and read where it lies. The sender claims n bytes, writes into them, commits; the receiver is
// lent the oldest record and gives it back. Nothing is copied and nothing allocates. Payloads are aligned to 8.
// Defaults: errors as Result; errc::closed when the other side is gone; std::errc::message_size, at once, for a record
// that could never fit; timed_out or cancelled when a wait was ended (rule 5). try_ forms never suspend and work on
// threads without a runtime; the waiting forms are for fibers and throw UsageError elsewhere. Claiming 0 bytes throws
// UsageError before anything else. What has two names in the seed, full or closed and empty or closed, has two
// here as well (H-24).
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/exec/scope.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/byte_stats.hpp"
#include "nexus/sync/detail/byte_wait.hpp"
#include "nexus/sync/detail/claim_region.hpp"
#include "nexus/sync/detail/receiver_iterator.hpp"

#include <cstddef>
#include <cstring>
#include <iterator>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace nexus {

/// Exclusive access to the bytes of a record that is not there yet. Goes without commit(): then the record never was,
/// and its space comes back. Belongs to the thread on which it was made; ends before its channel does.
template <class State>
class [[nodiscard]] ByteWriteClaim {
public:
    ByteWriteClaim(ByteWriteClaim&& other) noexcept
        : state_(std::exchange(other.state_, nullptr)), record_(other.record_), region_(std::move(other.region_)) {}
    ByteWriteClaim& operator=(ByteWriteClaim&& other) noexcept {
        if (this != &other) {
            abort();
            state_ = std::exchange(other.state_, nullptr);
            record_ = other.record_;
            region_ = std::move(other.region_);
        }
        return *this;
    }
    ~ByteWriteClaim() { abort(); }

    /// What to write. The content is not defined before that.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {record_.data, record_.size}; }
    [[nodiscard]] std::byte* data() const noexcept { return record_.data; }
    [[nodiscard]] std::size_t size() const noexcept { return record_.size; }

    /// Makes the record visible to the receiver. Does not suspend. Throws UsageError when the claim has ended.
    void commit() { commit(record_.size); }
    /// The same with the first `size` bytes, for who does not know beforehand how many it will be. Throws UsageError
    /// for 0 and for more than was claimed; the claim stays open then.
    void commit(std::size_t size) {
        if (state_ == nullptr || size == 0 || size > record_.size) [[unlikely]]
            detail::throw_bad_commit(state_ != nullptr, size, record_.size);
        end(size);
    }
    /// Gives the claim up, as its destructor does. No effect when it has ended.
    void abort() noexcept {
        if (state_ != nullptr) end(0);
    }

private:
    template <class>
    friend class ByteSender;
    using Region = std::conditional_t<State::many_senders, detail::ClaimRegion, detail::NoRegion>;

    ByteWriteClaim(State& state, const typename State::Record& record, Region region) noexcept
        : state_(&state), record_(record), region_(std::move(region)) {}
    void end(std::size_t size) noexcept {
        region_.end();
        std::exchange(state_, nullptr)->end_claim(record_, size);
    }

    State* state_;
    typename State::Record record_;
    [[no_unique_address]] Region region_;
};

/// The oldest record, lent out; its space comes back when this goes. Belongs to the receiver's thread. May be held
/// across waits: it keeps nothing but its space, and the records behind it, waiting.
template <class State>
class [[nodiscard]] ByteReadClaim {
public:
    ByteReadClaim(ByteReadClaim&& other) noexcept
        : state_(std::exchange(other.state_, nullptr)), record_(other.record_) {}
    ByteReadClaim& operator=(ByteReadClaim&& other) noexcept {
        if (this != &other) {
            release();
            state_ = std::exchange(other.state_, nullptr);
            record_ = other.record_;
        }
        return *this;
    }
    ~ByteReadClaim() { release(); }

    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {record_.data, record_.size}; }
    [[nodiscard]] const std::byte* data() const noexcept { return record_.data; }
    /// At least 1.
    [[nodiscard]] std::size_t size() const noexcept { return record_.size; }
    /// Gives the record back, as the destructor does: bytes() must not be used any more. No effect the second time.
    void release() noexcept {
        if (state_ != nullptr) std::exchange(state_, nullptr)->end_reading(record_);
    }

private:
    template <class>
    friend class ByteReceiver;
    ByteReadClaim(State& state, const typename State::Record& record) noexcept : state_(&state), record_(record) {
        state_->begin_reading();
    }

    State* state_;
    typename State::Record record_;
};

/// The sending end. An empty one (default-made or moved from) may only be assigned to and destroyed.
template <class State>
class ByteSender {
public:
    using WriteClaim = ByteWriteClaim<State>;

    ByteSender() noexcept = default;
    /// mpsc only.
    ByteSender(const ByteSender& other) noexcept requires(State::many_senders) : state_(other.state_) {
        if (state_ != nullptr) state_->add_sender();
    }
    ByteSender(ByteSender&& other) noexcept = default;
    ByteSender& operator=(ByteSender other) noexcept {
        state_.swap(other.state_);
        return *this;
    }
    ~ByteSender() {
        if (state_ == nullptr) return;
        if constexpr (!State::many_senders) {
            if (state_->claiming()) {
                State& state = *state_;
                state.keep_for_claim(std::move(state_));
                return;
            }
        }
        state_->drop_sender();
    }

    /// Suspends until there is room for a record of `size` bytes; those who wait are served in turn.
    [[nodiscard]] Result<WriteClaim> claim(std::size_t size) const { return claim_as("claim", size); }
    /// The same with a limit: fails with errc::timed_out when it has passed.
    [[nodiscard]] Result<WriteClaim> claim_for(Duration limit, std::size_t size) const {
        return timeout(limit, [&] { return claim(size); });
    }
    [[nodiscard]] Result<WriteClaim> claim_until(TimePoint deadline, std::size_t size) const {
        return timeout_at(deadline, [&] { return claim(size); });
    }
    /// Never suspends. Fails with errc::full when there is no room, or when others wait for it.
    [[nodiscard]] Result<WriteClaim> try_claim(std::size_t size) const { return try_claim_as("try_claim", size); }

    /// Claims, copies, commits.
    [[nodiscard]] Result<void> send(std::span<const std::byte> record) const {
        return fill(claim_as("send", record.size()), record);
    }
    [[nodiscard]] Result<void> send_for(Duration limit, std::span<const std::byte> record) const {
        return timeout(limit, [&] { return send(record); });
    }
    [[nodiscard]] Result<void> send_until(TimePoint deadline, std::span<const std::byte> record) const {
        return timeout_at(deadline, [&] { return send(record); });
    }
    [[nodiscard]] Result<void> try_send(std::span<const std::byte> record) const {
        return fill(try_claim_as("try_send", record.size()), record);
    }

    /// The receiver is gone: every claim fails.
    [[nodiscard]] bool is_closed() const noexcept { return state_->receiver_gone(); }
    /// Any thread, true a moment ago. Bytes in use and the most there were, as in ByteStats; bytes in all; and the
    /// largest record: capacity() - 8, wherever in the ring it comes to lie (H-24, H-38).
    [[nodiscard]] std::size_t depth() const noexcept { return state_->used(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return state_->high_water(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return state_->capacity(); }
    [[nodiscard]] std::size_t max_record() const noexcept { return detail::largest_payload(capacity()); }

    /// For select().
    [[nodiscard]] const std::shared_ptr<State>& state() const noexcept { return state_; }
    /// For channel().
    explicit ByteSender(std::shared_ptr<State> state) noexcept : state_(std::move(state)) { state_->add_sender(); }

private:
    using Record = typename State::Record;

    /// Before anything else, also before the look for the other side. False when it can never fit.
    [[nodiscard]] bool check(const char* operation, std::size_t size) const {
        if (size == 0) [[unlikely]]
            detail::throw_empty_claim(operation);
        return size <= max_record();
    }
    [[nodiscard]] Result<WriteClaim> claim_as(const char* operation, std::size_t size) const {
        const bool fits = check(operation, size);
        Executor& executor = Executor::of_current_fiber(operation);
        if (auto end = detail::enter_wait(executor, operation); end != detail::WaitEnd::ready) [[unlikely]] {
            return detail::channel_error(end, operation);
        }
        if (!fits) [[unlikely]]
            return detail::record_too_large(operation, size, max_record());
        state_->check_sender(operation);
        if (state_->receiver_gone()) [[unlikely]]
            return detail::channel_error(errc::closed, operation);
        typename WriteClaim::Region region;
        Record record;
        if (state_->try_claim(size, record)) [[likely]]
            return WriteClaim(*state_, record, std::move(region));
        region.end();
        return claim_later(executor, operation, size);
    }
    [[nodiscard]] Result<WriteClaim> claim_later(Executor& executor, const char* operation, std::size_t size) const {
        detail::ClaimWait<State> wait(state_, executor, operation, size);
        const detail::WaitEnd end = detail::park_until(executor, operation, true, [&wait] { return wait.over(); });
        if (wait.record().size == 0) {
            return detail::channel_error(end == detail::WaitEnd::ready ? errc::closed : detail::to_errc(end),
                                         operation);
        }
        typename WriteClaim::Region region;
        State& state = wait.state(); // whatever happened to this Sender meanwhile
        return WriteClaim(state, wait.take(), std::move(region));
    }
    [[nodiscard]] Result<WriteClaim> try_claim_as(const char* operation, std::size_t size) const {
        if (!check(operation, size)) [[unlikely]]
            return detail::record_too_large(operation, size, max_record());
        if constexpr (!State::many_senders) {
            if (state_->waiting()) return detail::channel_error(errc::full, operation);
        }
        state_->check_sender(operation);
        if (state_->receiver_gone()) [[unlikely]]
            return detail::channel_error(errc::closed, operation);
        typename WriteClaim::Region region;
        Record record;
        if (!state_->try_claim(size, record)) [[unlikely]]
            return detail::channel_error(errc::full, operation);
        return WriteClaim(*state_, record, std::move(region));
    }
    [[nodiscard]] static Result<void> fill(Result<WriteClaim> claim, std::span<const std::byte> record) {
        if (!claim) [[unlikely]]
            return claim.error();
        std::memcpy(claim->data(), record.data(), record.size());
        claim->commit();
        return {};
    }

    std::shared_ptr<State> state_;
};

/// The receiving end. One fiber receives at a time, and one record is lent out at a time: the next recv() while a
/// ReadClaim lives throws UsageError. An empty one (default-made or moved from) may only be assigned to and destroyed.
template <class State>
class ByteReceiver {
public:
    using ReadClaim = ByteReadClaim<State>;

    ByteReceiver() noexcept = default;
    ByteReceiver(ByteReceiver&& other) noexcept = default;
    ByteReceiver& operator=(ByteReceiver other) noexcept {
        state_.swap(other.state_);
        return *this;
    }
    ~ByteReceiver() {
        if (state_ == nullptr) return;
        State& state = *state_;
        state.drop_receiver();
        if (state.reading()) state.keep_for_reading(std::move(state_));
    }

    /// Suspends until there is a record. Fails with errc::closed after the last record of the last sender; a failed
    /// call has taken nothing.
    [[nodiscard]] Result<ReadClaim> recv() {
        State& state = *state_; // there is a record: so it lives, whatever happened to this Receiver meanwhile
        Record record;
        if (Result<void> found = wait_for("recv", record); !found) [[unlikely]]
            return found.error();
        return ReadClaim(state, record);
    }
    [[nodiscard]] Result<ReadClaim> recv_for(Duration limit) {
        return timeout(limit, [this] { return recv(); });
    }
    [[nodiscard]] Result<ReadClaim> recv_until(TimePoint deadline) {
        return timeout_at(deadline, [this] { return recv(); });
    }
    /// Never suspends. Fails with errc::empty or errc::closed.
    [[nodiscard]] Result<ReadClaim> try_recv() {
        Record record;
        if (Result<void> found = look_for("try_recv", record); !found) [[unlikely]]
            return found.error();
        return ReadClaim(*state_, record);
    }

    /// As recv(), and copies the record into `buffer`: how many bytes it had. Fails with std::errc::message_size when
    /// it has more than `buffer`; then it is still the next.
    [[nodiscard]] Result<std::size_t> recv_into(std::span<std::byte> buffer) {
        State& state = *state_; // as in recv()
        Record record;
        if (Result<void> found = wait_for("recv_into", record); !found) [[unlikely]]
            return found.error();
        return copy_out("recv_into", state, record, buffer);
    }
    [[nodiscard]] Result<std::size_t> try_recv_into(std::span<std::byte> buffer) {
        Record record;
        if (Result<void> found = look_for("try_recv_into", record); !found) [[unlikely]]
            return found.error();
        return copy_out("try_recv_into", *state_, record, buffer);
    }

    /// for (auto&& record : receiver): until every sender is gone or the scope ends. Each step gives the record back
    /// and is a recv().
    [[nodiscard]] auto begin() { return detail::ReceiverIterator<ByteReceiver, ReadClaim>(*this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// As in ByteSender.
    [[nodiscard]] std::size_t depth() const noexcept { return state_->used(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return state_->high_water(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return state_->capacity(); }
    [[nodiscard]] std::size_t max_record() const noexcept { return detail::largest_payload(capacity()); }
    /// What is in the channel: with pending_claims and held_up a sender is found that holds up the others. The
    /// receiver's thread only. Looks at every record.
    [[nodiscard]] ByteStats stats() const { return state_->stats(); }

    /// For select().
    [[nodiscard]] const std::shared_ptr<State>& state() const noexcept { return state_; }
    /// For channel().
    explicit ByteReceiver(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

private:
    using Record = typename State::Record;

    [[nodiscard]] Result<void> wait_for(const char* operation, Record& record) {
        Executor& executor = Executor::of_current_fiber(operation);
        if (auto end = detail::enter_wait(executor, operation); end != detail::WaitEnd::ready) [[unlikely]] {
            return detail::channel_error(end, operation);
        }
        state_->check_receiver(operation);
        if (state_->try_read(record)) [[likely]]
            return {};
        return wait_longer(executor, operation, record);
    }
    [[nodiscard]] Result<void> wait_longer(Executor& executor, const char* operation, Record& record) {
        detail::ReadWait<State> wait(state_, executor, operation);
        const detail::WaitEnd end = detail::park_until(executor, operation, true, [&wait] { return wait.over(); });
        record = wait.record();
        if (record.size != 0) return {};
        return detail::channel_error(end == detail::WaitEnd::ready ? errc::closed : detail::to_errc(end), operation);
    }
    [[nodiscard]] Result<void> look_for(const char* operation, Record& record) {
        state_->check_receiver(operation);
        bool end = false;
        if (state_->try_read_or_end(record, end) && !end) [[likely]]
            return {};
        return detail::channel_error(end ? errc::closed : errc::empty, operation);
    }
    [[nodiscard]] static Result<std::size_t> copy_out(const char* operation, State& state, const Record& record,
                                                      std::span<std::byte> buffer) {
        if (record.size > buffer.size()) [[unlikely]]
            return detail::record_too_large(operation, record.size, buffer.size());
        std::memcpy(buffer.data(), record.data, record.size);
        state.end_reading(record);
        return record.size;
    }

    std::shared_ptr<State> state_;
};

} // namespace nexus
