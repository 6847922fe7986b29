// How a fiber waits at an end of a byte channel, and what is cold there.
#pragma once

#include "nexus/sync/detail/mpsc_byte_state.hpp"
#include "nexus/sync/detail/park.hpp"
#include "nexus/sync/detail/spsc_byte_state.hpp"
#include "nexus/sync/detail/spsc_wait.hpp"
#include "nexus/sync/detail/task_reference.hpp"

#include <cstddef>
#include <memory>
#include <utility>

namespace nexus::detail {

using SpscByteState = BasicSpscByteState<TaskReference, RecordMemory>;
using MpscByteState = BasicMpscByteState<TaskReference, RecordMemory>;

[[noreturn]] void throw_empty_claim(const char* operation);
[[noreturn]] void throw_bad_commit(bool open, std::size_t size, std::size_t claimed);
/// std::errc::message_size, with both sizes as its subject.
[[nodiscard, gnu::cold]] Error record_too_large(const char* operation, std::size_t size, std::size_t most) noexcept;

/// A claim() in progress. Keeps the state, whatever happens to the Sender meanwhile. A claim that nobody takes is given
/// up.
template <class State>
class ClaimWait;

template <>
class ClaimWait<SpscByteState> {
public:
    /// Throws UsageError when another fiber of the sender waits or has a claim.
    ClaimWait(std::shared_ptr<SpscByteState> state, Executor& executor, const char* operation, std::size_t size)
        : state_(std::move(state)), executor_(executor), size_(size), patience_(state_->sender_patience()) {
        state_->begin_waiting(operation);
    }
    ClaimWait(const ClaimWait&) = delete;
    ClaimWait& operator=(const ClaimWait&) = delete;
    ~ClaimWait() {
        state_->end_waiting();
        if (record_.size != 0) state_->end_claim(record_, 0);
    }
    /// There is a claim, or the end: then record() is empty.
    [[nodiscard]] bool over() noexcept {
        return record_.size != 0 || state_->try_claim_or_end(size_, record_) ||
               take_turn_or_arm(executor_, patience_,
                                [this](Task* me) { return state_->claim_after_arming(size_, record_, me); });
    }
    [[nodiscard]] SpscByteState& state() noexcept { return *state_; }
    [[nodiscard]] const SpscByteState::Record& record() const noexcept { return record_; }
    [[nodiscard]] SpscByteState::Record take() noexcept { return std::exchange(record_, {}); }

private:
    std::shared_ptr<SpscByteState> state_;
    Executor& executor_;
    std::size_t size_;
    Patience patience_;
    SpscByteState::Record record_;
};

template <>
class ClaimWait<MpscByteState> {
public:
    ClaimWait(std::shared_ptr<MpscByteState> state, Executor& /*executor*/, const char* /*operation*/, std::size_t size)
        : state_(std::move(state)), waiter_(Waker::of_current(), size) {
        state_->add_sender(); // a record may come of it, so this is not the end
        state_->link(waiter_);
    }
    ClaimWait(const ClaimWait&) = delete;
    ClaimWait& operator=(const ClaimWait&) = delete;
    ~ClaimWait() {
        if (!over_) state_->withdraw(waiter_);
        if (record_.size != 0) state_->end_claim(record_, 0);
        state_->drop_sender();
    }
    [[nodiscard]] bool over() noexcept {
        over_ = over_ || state_->settle(waiter_, record_);
        return over_;
    }
    [[nodiscard]] MpscByteState& state() noexcept { return *state_; }
    [[nodiscard]] const MpscByteState::Record& record() const noexcept { return record_; }
    [[nodiscard]] MpscByteState::Record take() noexcept { return std::exchange(record_, {}); }

private:
    std::shared_ptr<MpscByteState> state_;
    MpscByteState::Waiter waiter_;
    MpscByteState::Record record_;
    bool over_ = false; ///< nobody else knows the waiter any more
};

/// A wait for room in an spsc channel that claims nothing.
class RoomWait {
public:
    /// Throws UsageError as ClaimWait does.
    RoomWait(std::shared_ptr<SpscByteState> state, Executor& executor, const char* operation, std::size_t size)
        : state_(std::move(state)), executor_(executor), size_(size), patience_(state_->sender_patience()) {
        state_->begin_waiting(operation);
    }
    RoomWait(const RoomWait&) = delete;
    RoomWait& operator=(const RoomWait&) = delete;
    ~RoomWait() { state_->end_waiting(); }
    [[nodiscard]] bool over() noexcept {
        return state_->writable(size_) || take_turn_or_arm(executor_, patience_, [this](Task* me) {
                   return state_->writable_after_arming(size_, me);
               });
    }

private:
    std::shared_ptr<SpscByteState> state_;
    Executor& executor_;
    std::size_t size_;
    Patience patience_;
};

/// A recv() in progress, likewise.
template <class State>
class ReadWait {
public:
    /// Throws UsageError when another fiber receives.
    ReadWait(std::shared_ptr<State> state, Executor& executor, const char* operation)
        : state_(std::move(state)), executor_(executor), patience_(patience_of(*state_)) {
        state_->begin_receiving(operation);
    }
    ReadWait(const ReadWait&) = delete;
    ReadWait& operator=(const ReadWait&) = delete;
    ~ReadWait() { state_->end_receiving(); }
    /// There is a record, or the end: then record() is empty.
    [[nodiscard]] bool over() noexcept {
        return record_.size != 0 || end_ || state_->try_read_or_end(record_, end_) ||
               take_turn_or_arm(executor_, patience_,
                                [this](Task* me) { return state_->read_after_arming(record_, end_, me); });
    }
    /// The same for who only wants to know.
    [[nodiscard]] bool readable() noexcept {
        return state_->readable() ||
               take_turn_or_arm(executor_, patience_, [this](Task* me) { return state_->readable_after_arming(me); });
    }
    [[nodiscard]] const typename State::Record& record() const noexcept { return record_; }

private:
    /// Only a stream from one sender is waited for with patience.
    [[nodiscard]] static Patience patience_of(State& state) noexcept {
        if constexpr (State::many_senders) return {};
        return state.receiver_patience();
    }

    std::shared_ptr<State> state_;
    Executor& executor_;
    Patience patience_;
    typename State::Record record_;
    bool end_ = false;
};

} // namespace nexus::detail
