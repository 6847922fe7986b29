// The shared state of a watch channel: the latest value and how often it has changed. One thread.
//
// Invariants: `version_` counts the changes; a subscriber has seen the value of version `seen_`; those in `waiting_`
// have seen the latest, or were linked again after a wake. The state lives as long as a Sender or a subscriber.
#pragma once

#include "nexus/sync/detail/subscriber.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace nexus::detail {

/// While it lives, suspending the running fiber is a UsageError. No effect outside a fiber.
class NoSuspension {
public:
    NoSuspension() noexcept : task_(Executor::in_fiber() ? &Executor::current()->current_task() : nullptr) {
        if (task_ != nullptr) ++task_->no_suspend;
    }
    NoSuspension(const NoSuspension&) = delete;
    NoSuspension& operator=(const NoSuspension&) = delete;
    ~NoSuspension() {
        if (task_ != nullptr) --task_->no_suspend;
    }

private:
    Task* task_;
};

template <class T>
class WatchState : public Counted<WatchState<T>> {
public:
    explicit WatchState(T&& initial) : value_(std::move(initial)) {}

    void add_sender() noexcept {
        ++senders_;
        this->add_owner();
    }
    /// The last one lets the receivers see the end.
    void drop_sender() noexcept {
        if (--senders_ == 0) waiting_.wake_all();
        this->drop_owner();
    }
    void add_receiver() noexcept { ++receivers_; }
    void drop_receiver() noexcept { --receivers_; }
    [[nodiscard]] bool ended() const noexcept { return senders_ == 0; }
    [[nodiscard]] std::size_t receivers() const noexcept { return receivers_; }

    [[nodiscard]] const T& value() const noexcept { return value_; }
    [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
    void replace(T&& value) {
        using std::swap;
        swap(value_, value); // the old one goes with the caller's: its destructor may use the channel
        publish();
    }
    template <class F>
    void modify(F&& change) {
        using Returned = std::invoke_result_t<F, T&>;
        bool changed = true;
        {
            const NoSuspension guard; // others would see a value that is half changed
            if constexpr (std::is_same_v<Returned, bool>) {
                changed = std::invoke(std::forward<F>(change), value_);
            } else {
                std::invoke(std::forward<F>(change), value_);
            }
        }
        if (changed) publish();
    }
    [[nodiscard]] WaitingSubscribers& waiting() noexcept { return waiting_; }

private:
    void publish() noexcept {
        ++version_;
        waiting_.wake_all();
    }

    T value_;
    std::uint64_t version_ = 0;
    WaitingSubscribers waiting_;
    std::size_t senders_ = 0;
    std::size_t receivers_ = 0;
};

template <class T>
class WatchSubscriber : public SubscriberBase, public Counted<WatchSubscriber<T>> {
public:
    /// Has seen the version `seen` of `state`.
    WatchSubscriber(WatchState<T>& state, std::uint64_t seen) noexcept : state_(state), seen_(seen) {
        state_.add_owner();
        state_.add_receiver();
        this->add_owner(); // the Receiver
    }
    WatchSubscriber(const WatchSubscriber&) = delete;
    WatchSubscriber& operator=(const WatchSubscriber&) = delete;
    ~WatchSubscriber() { state_.drop_owner(); }
    /// Its Receiver is destroyed.
    void drop_receiver() noexcept {
        state_.drop_receiver();
        give_up();
        this->drop_owner();
    }

    [[nodiscard]] WatchState<T>& state() const noexcept { return state_; }
    [[nodiscard]] WaitingSubscribers& waiting() const noexcept { return state_.waiting(); }
    [[nodiscard]] std::uint64_t seen() const noexcept { return seen_; }
    [[nodiscard]] bool has_change() const noexcept { return seen_ != state_.version(); }
    [[nodiscard]] bool readable() const noexcept { return has_change() || state_.ended() || gone(); }
    /// From here on the latest value has been seen.
    void mark_seen() noexcept {
        if (!has_change()) return;
        skipped_ += state_.version() - seen_ - 1;
        seen_ = state_.version();
        received_ = true;
    }
    [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }
    [[nodiscard]] bool received() const noexcept { return received_; }

private:
    WatchState<T>& state_;
    std::uint64_t seen_;
    std::uint64_t skipped_ = 0;
    bool received_ = false;
};

} // namespace nexus::detail
