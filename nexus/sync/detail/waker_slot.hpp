// Two small protocols by which threads that meet at a queue never miss each other (H-7, H-22).
//
// Both have the same shape. One side publishes that it waits, then looks at the queue once more; the other changes the
// queue, then looks whether somebody waits. A sequentially consistent fence stands between the two steps on each side,
// so at least one of them sees the other.
#pragma once

#include "nexus/base/atomic.hpp"

#include <cstdint>

namespace nexus::detail {

/// Room for one waiter: a counted reference in one word, so that taking it out and owning it are the same step. There
/// is no state in which two sides could touch it (H-11), whoever takes the reference out releases it, and it
/// keeps the task alive until the wake is done. `Reference` has a `Pointer` type and static wake(Pointer) and
/// release(Pointer).
template <class Backend, class Reference>
class BasicWakerSlot {
public:
    using Pointer = typename Reference::Pointer;

    BasicWakerSlot() noexcept = default;
    BasicWakerSlot(const BasicWakerSlot&) = delete;
    BasicWakerSlot& operator=(const BasicWakerSlot&) = delete;
    ~BasicWakerSlot() { disarm(); }

    /// Waiter only. Takes over the reference. Look at the queue afterwards, before suspending.
    void arm(Pointer waiter) noexcept {
        release(word_.exchange_acq_rel(waiter));
        Backend::fence_seq_cst(); // partner: the fence in wake_after_publish()
    }
    /// Waiter only. Afterwards nobody holds the reference (H-17, A-20); a wake may have been sent before.
    void disarm() noexcept {
        // SAFETY: relaxed; null stays null unless the waiter itself arms.
        if (word_.load_relaxed() != nullptr) release(word_.exchange_acq_rel(nullptr));
    }
    /// Any thread, after it has changed the queue. Wakes who waits, if anybody does.
    void wake_after_publish() noexcept {
        Backend::fence_seq_cst(); // partner: the fence in arm()
        // SAFETY: relaxed; a guess that the fences make good enough, settled by the exchange.
        if (word_.load_relaxed() == nullptr) return;
        const Pointer waiter = word_.exchange_acq_rel(nullptr);
        if (waiter == nullptr) return;
        Reference::wake(waiter);
        Reference::release(waiter);
    }

private:
    static void release(Pointer waiter) noexcept {
        if (waiter != nullptr) Reference::release(waiter);
    }

    // Partners: arm() and disarm() on the waiter's thread, wake_after_publish() on any.
    typename Backend::template Atomic<Pointer> word_{nullptr};
};

/// How many wait in a list that a lock guards, readable without the lock.
template <class Backend>
class BasicWaiterCount {
public:
    /// With the lock, after linking. Look at the queue afterwards.
    void add() noexcept {
        count_.fetch_add_acq_rel(1);
        Backend::fence_seq_cst(); // partner: the fence in any_after_change()
    }
    /// With the lock.
    void remove() noexcept { count_.fetch_sub_acq_rel(1); }
    /// Any thread, after it has changed the queue.
    [[nodiscard]] bool any_after_change() const noexcept {
        Backend::fence_seq_cst(); // partner: the fence in add()
        return any();
    }
    /// A guess.
    [[nodiscard]] bool any() const noexcept {
        return count_.load_relaxed() != 0; // SAFETY: relaxed; whoever acts on it takes the lock
    }

private:
    // Partners: add() of one thread, any_after_change() of another.
    typename Backend::template Atomic<std::uint32_t> count_{0};
};

} // namespace nexus::detail
