// The shared state of a channel whose ends live on one thread.
//
// Invariants: `senders_` counts the Senders; `waiting_` holds the parked send() calls and those who wait for room,
// oldest first; while a send() is linked there, the ring is full or the oldest of the list has been woken to take the
// room; whoever leaves the list passes room on (H-23). `receiver_` is the one fiber that waits for a value (CH-LOC-5: a
// second one is refused). No atomics, no locks: a wake puts a fiber into the ready queue and runs nothing.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/base/intrusive_list.hpp"
#include "nexus/base/ring.hpp"
#include "nexus/base/usage_error.hpp"
#include "nexus/sync/detail/counted.hpp"
#include "nexus/sync/detail/park.hpp"

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace nexus::detail {

[[noreturn]] void throw_second_receiver(const char* operation);

template <class T>
class LocalState : public Counted<LocalState<T>> {
    static_assert(std::is_nothrow_move_constructible_v<T>,
                  "a channel moves its values from fiber to fiber: T needs a move constructor that is noexcept; send a "
                  "std::unique_ptr<T> instead");

public:
    /// One that waits for room: a send() with its value, or with null someone who only wants to know.
    struct RoomWaiter : base::ListNode {
        RoomWaiter(Executor& executor, T* offered) noexcept : who(executor), value(offered) {}
        LocalWaiter who;
        T* value;
        bool served = false; ///< the value is in the ring; not linked any more
    };
    explicit LocalState(std::size_t capacity) : ring_(capacity) {}

    void add_sender() noexcept {
        ++senders_;
        this->add_owner();
    }
    /// The last one lets the receiver see the end (CH-5).
    void drop_sender() noexcept {
        if (--senders_ == 0 && receiver_ != nullptr) receiver_->wake();
        this->drop_owner();
    }
    void add_receiver() noexcept { this->add_owner(); }
    /// Every send fails from here on; what is buffered is destroyed (CH-5).
    void drop_receiver() noexcept {
        receiver_gone_ = true;
        if (receiver_ != nullptr) receiver_->wake(); // another fiber destroys it under a recv()
        for (RoomWaiter* waiter = waiting_.front(); waiter != nullptr; waiter = waiting_.next(*waiter)) {
            waiter->who.wake();
        }
        ring_.clear();
        this->drop_owner();
    }

    [[nodiscard]] bool receiver_gone() const noexcept { return receiver_gone_; }
    [[nodiscard]] bool ended() const noexcept { return senders_ == 0; }
    [[nodiscard]] bool has_value() const noexcept { return !ring_.empty(); }
    [[nodiscard]] bool has_room() const noexcept { return !ring_.full(); }
    [[nodiscard]] bool someone_waits_for_room() noexcept { return !waiting_.empty(); }
    [[nodiscard]] std::size_t depth() const noexcept { return ring_.size(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return high_water_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return ring_.capacity(); }

    /// There is room.
    void push(T&& value) noexcept {
        ring_.push_back(std::move(value));
        if (ring_.size() > high_water_) high_water_ = ring_.size();
        if (receiver_ != nullptr) receiver_->wake();
    }
    /// There is a value.
    [[nodiscard]] T take() noexcept {
        T value = ring_.pop_front();
        if (!waiting_.empty()) [[unlikely]]
            serve();
        return value;
    }

    // --- waiting for room ---

    [[nodiscard]] bool is_oldest(const RoomWaiter& waiter) noexcept { return waiting_.front() == &waiter; }
    void link(RoomWaiter& waiter) noexcept { waiting_.push_back(waiter); }
    /// Hands room to those who wait, oldest first: a send() is done, one who only wants to know is woken.
    void serve() noexcept {
        while (!ring_.full()) {
            RoomWaiter* oldest = waiting_.front();
            if (oldest == nullptr) return;
            if (!oldest->who.running()) oldest->who.wake();
            if (oldest->value == nullptr) return; // the room is for that one to use or to pass on
            oldest->unlink();
            oldest->served = true;
            push(std::move(*oldest->value));
        }
    }
    /// Leaves the list. With `uses_room` the leaver may still fill the room before it suspends, so the next one is
    /// woken to see what is left; otherwise it is served here and now.
    void leave(RoomWaiter& waiter, bool uses_room) noexcept {
        if (!waiter.linked()) return;
        waiter.unlink();
        if (receiver_gone_) return;
        if (!uses_room) {
            serve();
        } else if (RoomWaiter* next = waiting_.front(); next != nullptr && has_room()) {
            next->who.wake();
        }
    }

    // --- waiting for a value ---

    /// Throws UsageError when another fiber receives.
    void check_receiver(const char* operation) const {
        if (receiver_ != nullptr) [[unlikely]]
            throw_second_receiver(operation);
    }
    void set_receiver(const LocalWaiter* waiter) noexcept { receiver_ = waiter; }

private:
    base::Ring<T> ring_;
    const LocalWaiter* receiver_ = nullptr;
    base::IntrusiveList<RoomWaiter> waiting_;
    std::size_t high_water_ = 0;
    std::uint32_t senders_ = 0;
    bool receiver_gone_ = false;
};

} // namespace nexus::detail
