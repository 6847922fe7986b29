// The shared state of a channel whose senders are on any thread.
//
// Values go through a lock-free ring; a lock is taken only where senders wait for room. Invariants: `senders_` counts
// the Senders; `waiting_` (under the lock) holds the parked send() calls, oldest first, and `waiters_` their number;
// whoever makes room while there are any moves their values in (serve), so that none is overtaken; a node leaves the
// list under the lock, and one that was served or told the end is not touched again. `receiving_` belongs to whichever
// thread has the Receiver. Once `closed_` is set the ring is emptied under the lock, by the receiver as it goes and by
// each sender that published meanwhile: of the fences between its publishing and its look at `closed_`, and between the
// receiver's setting that and its look at the ring, one comes first, so one of the two finds the value.
#pragma once

#include "nexus/base/atomic.hpp"
#include "nexus/base/error.hpp"
#include "nexus/base/intrusive_list.hpp"
#include "nexus/sync/detail/mpsc_ring.hpp"
#include "nexus/sync/detail/park.hpp"
#include "nexus/sync/detail/task_reference.hpp"
#include "nexus/sync/detail/waker_slot.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace nexus::detail {

[[noreturn]] void throw_second_receiver(const char* operation);

/// Wakers taken out under a lock, to be woken after it.
template <class Handle>
class WakeBatch {
public:
    [[nodiscard]] bool full() const noexcept { return size_ == wakers_.size(); }
    void add(Handle&& waker) noexcept { wakers_[size_++] = std::move(waker); }
    void wake() noexcept {
        for (std::size_t i = 0; i < size_; ++i) {
            wakers_[i].wake();
            wakers_[i] = Handle{};
        }
        size_ = 0;
    }

private:
    std::array<Handle, 8> wakers_;
    std::size_t size_ = 0;
};

template <class T, class Parking>
class BasicMpscState {
    using Backend = typename Parking::Backend;
    using Mutex = typename Parking::Mutex;
    using Handle = typename Parking::Handle;
    using Pointer = typename Parking::Pointer;
    using Slot = BasicWakerSlot<Backend, Parking>;

public:
    /// A parked send(), on its fiber's stack. The lock guards all of it.
    struct SendWaiter : base::ListNode {
        SendWaiter(T& offered, Handle sender) noexcept : waker(std::move(sender)), value(&offered) {}
        Handle waker;
        T* value;
        bool served = false;  ///< the value is in the ring
        bool refused = false; ///< the receiver is gone
    };

    explicit BasicMpscState(std::size_t capacity) : ring_(capacity) {}

    // --- senders ---

    // SAFETY: relaxed; whoever copies a Sender has one.
    void add_sender() noexcept { senders_.fetch_add_relaxed(1); }
    void drop_sender() noexcept {
        // partner: the acquire in ended(): who sees zero sees all that was pushed
        if (senders_.fetch_sub_acq_rel(1) == 1) receiver_.wake_after_publish();
    }
    [[nodiscard]] bool closed() const noexcept { return closed_.load_acquire(); } // partner: drop_receiver()
    /// Any thread. Refused while others wait for room: they come first.
    [[nodiscard]] bool try_push(T& value) noexcept {
        if (waiters_.any() || !ring_.try_push(value)) {
            found_full_.store_release(true); // partner: high_water()
            return false;
        }
        receiver_.wake_after_publish(); // has the fence that the look below needs, too
        if (closed()) [[unlikely]]
            discard();
        return true;
    }
    void link(SendWaiter& waiter) {
        std::lock_guard<Mutex> lock(mutex_);
        waiting_.push_back(waiter);
        waiters_.add();
    }
    /// The waiter gives up; false. True when it was served, or told the end, before that.
    [[nodiscard]] bool withdraw(SendWaiter& waiter) noexcept {
        std::lock_guard<Mutex> lock(mutex_);
        if (!waiter.linked()) return true;
        remove(waiter); // it held no room: who makes room hands it over in the same step (H-23)
        return false;
    }
    /// The waiter's own look: true when its wait is over.
    [[nodiscard]] bool settle(SendWaiter& waiter) noexcept {
        serve();
        std::lock_guard<Mutex> lock(mutex_);
        if (!waiter.served && closed() && waiter.linked()) {
            remove(waiter);
            waiter.refused = true;
        }
        return waiter.served || waiter.refused;
    }
    /// Any thread. Moves the values of waiting senders into the ring, oldest first, as long as there is room.
    void serve() noexcept {
        WakeBatch<Handle> batch;
        bool again = true;
        while (again) {
            bool pushed = false;
            {
                std::lock_guard<Mutex> lock(mutex_);
                again = false;
                while (SendWaiter* oldest = waiting_.front()) {
                    again = batch.full();
                    if (again || closed() || !ring_.try_push(*oldest->value)) break;
                    pushed = true;
                    remove(*oldest);
                    oldest->served = true;
                    batch.add(std::move(oldest->waker));
                }
            }
            if (pushed) receiver_.wake_after_publish();
            batch.wake();
        }
    }

    // --- the receiver ---

    /// Every send fails from here on, and a recv() of another fiber of this thread; what is buffered is destroyed.
    void drop_receiver() noexcept {
        closed_.store_release(true);    // partners: closed(); the lock below for those who wait
        receiver_.wake_after_publish(); // has the fence between this and discard(), too
        WakeBatch<Handle> batch;
        bool again = true;
        while (again) {
            {
                std::lock_guard<Mutex> lock(mutex_);
                again = false;
                while (SendWaiter* oldest = waiting_.front()) {
                    again = batch.full();
                    if (again) break;
                    remove(*oldest);
                    oldest->refused = true;
                    batch.add(std::move(oldest->waker));
                }
            }
            batch.wake();
        }
        discard();
    }
    /// No sender is left. What they pushed is visible to a pop after this.
    [[nodiscard]] bool ended() const noexcept { return senders_.load_acquire() == 0; } // partner: drop_sender()
    [[nodiscard]] bool has_value() const noexcept { return ring_.has_value(); }
    /// Puts the oldest value into `value`, which is empty, and makes room for those who wait; false when there is none.
    [[nodiscard]] bool pop(std::optional<T>& value) noexcept {
        if ((ring_.position() & 15U) == 0) note_depth();
        if (!ring_.try_pop([&value](T&& oldest) noexcept { value.emplace(std::move(oldest)); })) return false;
        if (waiters_.any_after_change()) [[unlikely]]
            serve();
        return true;
    }
    /// pop(), and once more when the senders are gone: the last may have sent and left in between (H-35). True when
    /// there is a value, now in `value`, or when `end` has come, or this end has been given up: then the ring is not
    /// the receiver's any more.
    [[nodiscard]] bool try_receive(std::optional<T>& value, bool& end) noexcept {
        if (closed()) [[unlikely]]
            return end = true;
        if (pop(value)) return true;
        if (!ended()) return false;
        end = !pop(value);
        return true;
    }
    /// Arms, then try_receive(): what came before the slot was armed woke nobody (H-22).
    [[nodiscard]] bool receive_after_arming(std::optional<T>& value, bool& end, Pointer me) noexcept {
        receiver_.arm(me);
        return try_receive(value, end);
    }
    /// select(): the same without taking anything.
    [[nodiscard]] bool readable() const noexcept { return closed() || has_value() || ended(); }
    [[nodiscard]] bool readable_after_arming(Pointer me) noexcept {
        receiver_.arm(me);
        return readable();
    }
    /// Throws UsageError when another fiber receives.
    void begin_receiving(const char* operation) {
        if (receiving_) throw_second_receiver(operation);
        receiving_ = true;
    }
    [[nodiscard]] bool receiving() const noexcept { return receiving_; }
    void end_receiving() noexcept {
        receiving_ = false;
        receiver_.disarm();
    }

    // --- figures ---

    [[nodiscard]] std::size_t depth() const noexcept { return ring_.depth(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return ring_.capacity(); }
    [[nodiscard]] std::size_t high_water() const noexcept {
        if (found_full_.load_acquire()) return ring_.capacity(); // partner: try_push()
        return high_water_.load_relaxed();                       // SAFETY: relaxed; a figure for people
    }

private:
    void remove(SendWaiter& waiter) noexcept {
        waiter.unlink();
        waiters_.remove();
    }
    /// After `closed_` has been set: destroys what is buffered, one by one and outside the lock, for a destructor may
    /// do anything.
    void discard() noexcept {
        for (bool more = true; more;) {
            std::optional<T> unread;
            std::lock_guard<Mutex> lock(mutex_);
            more = ring_.try_pop([&unread](T&& value) noexcept { unread.emplace(std::move(value)); });
        }
    }
    void note_depth() noexcept {
        const std::size_t depth = ring_.depth();
        // SAFETY: relaxed; written by the receiver only, a figure for people.
        if (depth > high_water_.load_relaxed()) high_water_.store_relaxed(depth);
    }

    template <class X>
    using Atomic = typename Backend::template Atomic<X>;

    BasicMpscRing<T, Backend> ring_;
    // On a line of their own: read at every send and receive, written rarely.
    alignas(64) Slot receiver_;
    Atomic<bool> closed_{false};     // partners: drop_receiver(), closed()
    Atomic<bool> found_full_{false}; // partners: try_push(), high_water()
    BasicWaiterCount<Backend> waiters_;
    Atomic<std::uint32_t> senders_{0};  // partners: drop_sender(), ended()
    Atomic<std::size_t> high_water_{0}; // partners: note_depth(), high_water()
    bool receiving_ = false;
    Mutex mutex_;
    base::IntrusiveList<SendWaiter> waiting_;
};

template <class T>
using MpscState = BasicMpscState<T, TaskReference>;

} // namespace nexus::detail
