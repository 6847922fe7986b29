// How a fiber waits at an end of an spsc channel: the patience of a stream, then the slot.
#pragma once

#include "nexus/sync/detail/park.hpp"
#include "nexus/sync/detail/spsc_state.hpp"

#include <cstdint>
#include <memory>
#include <utility>

namespace nexus::detail {

template <class T>
using SpscState = BasicSpscState<T, TaskReference>;

/// One side's wait in a stream. A side that has moved many values since it last waited is likely to see another one at
/// once, so it lets the others run and looks again a few times before it parks: a wake costs both sides far more.
class Patience {
public:
    explicit Patience(std::uint64_t moved_since_wait) noexcept
        : turns_(moved_since_wait >= stream ? patient_turns : 0) {}
    /// True when the fiber should take a turn instead of parking.
    [[nodiscard]] bool lasts() noexcept {
        if (turns_ == 0) return false;
        --turns_;
        return true;
    }

private:
    static constexpr std::uint64_t stream = 16;
    static constexpr unsigned patient_turns = 64;

    unsigned turns_;
};

/// What a fiber does that has looked in vain: takes a turn while its patience lasts, else arms and looks again. True
/// when it need not wait any more. `arm_and_look` takes a counted reference to the fiber.
template <class ArmAndLook>
[[nodiscard]] bool take_turn_or_arm(Executor& executor, Patience& patience, ArmAndLook&& arm_and_look) {
    if (!patience.lasts()) {
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
        : state_(std::move(state)), patience_(state_->sent_since_wait()) {
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
        : state_(std::move(state)), patience_(state_->received_since_wait()) {
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
