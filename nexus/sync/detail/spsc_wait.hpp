// How a fiber waits at an end of an spsc channel: the patience of a stream, then the slot.
#pragma once

#include "nexus/base/relax.hpp"
#include "nexus/sync/detail/park.hpp"
#include "nexus/sync/detail/spsc_state.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

namespace nexus::detail {

template <class T>
using SpscState = BasicSpscState<T, TaskReference>;

/// What a thread does that tries to send into a full channel again and again: pauses more from one try to the next, up
/// to some hundreds of nanoseconds, so that the receiver can work instead of fighting for its own cache line.
class TryAgainLater {
public:
    /// The channel was full after `sent` values.
    void found_full(std::uint64_t sent) noexcept {
        pauses_ = sent - sent_before_ < few ? std::min(2 * pauses_ + 1, most) : 0;
        sent_before_ = sent;
        for (unsigned i = 0; i < pauses_; ++i) base::relax();
    }

private:
    static constexpr std::uint64_t few = 64;
    static constexpr unsigned most = 15;

    std::uint64_t sent_before_ = 0;
    unsigned pauses_ = 0;
};

/// What a fiber does that has looked in vain: takes a turn while its patience lasts, else arms and looks again. True
/// when it need not wait any more. `arm_and_look` takes a counted reference to the fiber.
template <class ArmAndLook>
[[nodiscard]] bool take_turn_or_arm(Executor& executor, Patience& patience, ArmAndLook&& arm_and_look) {
    const bool others_are_ready = executor.has_ready();
    if (patience.lasts(others_are_ready)) {
        if (!others_are_ready) base::relax(); // so as not to tear at the other side's cache line
    } else {
        switch (arm_and_look(TaskReference::of_current(executor))) {
        case Look::done: return true;
        case Look::park: return false;
        case Look::again: break;
        }
    }
    executor.requeue_current();
    return false;
}

/// A send() or a wait for room in progress. Keeps the state, whatever happens to the Sender meanwhile. Throws
/// UsageError when another fiber is at it.
template <class T>
class SpscSending {
public:
    SpscSending(std::shared_ptr<SpscState<T>> state, const char* operation)
        : state_(std::move(state)), patience_(state_->sender_patience()) {
        state_->begin_sending(operation);
    }
    SpscSending(const SpscSending&) = delete;
    SpscSending& operator=(const SpscSending&) = delete;
    ~SpscSending() { state_->end_sending(); }
    [[nodiscard]] SpscState<T>& state() noexcept { return *state_; }
    [[nodiscard]] Patience& patience() noexcept { return patience_; }

private:
    std::shared_ptr<SpscState<T>> state_;
    Patience patience_;
};

/// The same for a recv() or a wait for a value.
template <class T>
class SpscReceiving {
public:
    SpscReceiving(std::shared_ptr<SpscState<T>> state, const char* operation)
        : state_(std::move(state)), patience_(state_->receiver_patience()) {
        state_->begin_receiving(operation);
    }
    SpscReceiving(const SpscReceiving&) = delete;
    SpscReceiving& operator=(const SpscReceiving&) = delete;
    ~SpscReceiving() { state_->end_receiving(); }
    [[nodiscard]] SpscState<T>& state() noexcept { return *state_; }
    [[nodiscard]] Patience& patience() noexcept { return patience_; }

private:
    std::shared_ptr<SpscState<T>> state_;
    Patience patience_;
};

} // namespace nexus::detail
