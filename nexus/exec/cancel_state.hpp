// CancelState: a flag that any thread may raise, once, with waiters and children. What CancellationToken and
// ShutdownSignal are made of (CA-1 to CA-12).
//
// Invariants: the flag never goes back; a waiter is in the list exactly while `linked` and the flag has not been raised
// over it; waiters are woken outside the lock, in order of arrival; a child is born cancelled or is in its
// parent's list before the parent's cancel looks there; a child leaves the list when its last handle goes
// (H-27); cancelling and destroying deep trees loops, it does not recurse (H-27).
// Waiting allocates nothing: the node is the waiter's own.
#pragma once

#include "nexus/base/atomic.hpp"
#include "nexus/base/intrusive_list.hpp"
#include "nexus/exec/waker.hpp"

#include <memory>
#include <mutex>

namespace nexus::detail {

/// One waiting fiber. The lock of the state guards all of it.
struct CancelWaiter : base::ListNode {
    explicit CancelWaiter(Waker who) noexcept : waker(std::move(who)) {}
    Waker waker;
};

class CancelState : public base::ListNode, public std::enable_shared_from_this<CancelState> {
public:
    CancelState() = default;
    CancelState(const CancelState&) = delete;
    CancelState& operator=(const CancelState&) = delete;
    ~CancelState();

    /// A state that is cancelled with `parent`.
    [[nodiscard]] static std::shared_ptr<CancelState> child_of(const std::shared_ptr<CancelState>& parent);

    [[nodiscard]] bool cancelled() const noexcept { return cancelled_.load_acquire(); } // partner: cancel()
    /// Any thread; idempotent. Raises the flag here and in all descendants and wakes their waiters.
    void cancel() noexcept;
    /// False when it is cancelled already: then the waiter is not linked.
    [[nodiscard]] bool add(CancelWaiter& waiter);
    /// Any state of the waiter. Afterwards nobody else touches it.
    void remove(CancelWaiter& waiter) noexcept;
    /// For tests: how many waiters and children are linked.
    [[nodiscard]] std::size_t waiter_count() const;
    [[nodiscard]] std::size_t child_count() const;

private:
    using Ref = std::shared_ptr<CancelState>;
    /// Raises this flag alone; appends the children to `next`.
    void cancel_one(Ref& next) noexcept;
    void take_children(Ref& next) noexcept;
    Ref leave_parent() noexcept;

    // Partners: cancelled() on any thread reads what cancel_one() stored.
    base::Atomic<bool> cancelled_{false};
    mutable std::mutex mutex_; ///< guards waiters_ and children_, never held while waking
    base::IntrusiveList<CancelWaiter> waiters_;
    base::IntrusiveList<CancelState> children_;
    Ref parent_;
    Ref next_to_cancel_; ///< while a cancel of an ancestor is on its way here
};

} // namespace nexus::detail
