// CancelState: a flag that any thread may raise, once, with waiters and children. What CancellationToken and
// ShutdownSignal are made of (CA-1 to CA-12).
//
// Invariants: the flag never goes back; a waiter is in the list exactly while it has been added, not removed, and the
// flag has not been raised over it; waiters are woken outside the lock, in order of arrival; a child is born
// cancelled or is in its parent's list before the parent's cancel looks there; a child holds a reference
// to its parent and leaves the parent's list before it is destroyed (H-27); cancelling and destroying deep trees loops,
// it does not recurse (H-27). Waiting allocates nothing: the node is the waiter's own.
//
// The protocol is a template, so that a model checker can run it: Backend is a backend of atomic.hpp that also has
// Mutex, Waker (regular, with wake()), wakers_at_once, and create<T>() and destroy(T*).
#pragma once

#include "nexus/base/atomic.hpp"
#include "nexus/base/intrusive_list.hpp"
#include "nexus/exec/waker.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace nexus::detail {

/// One waiting fiber. The lock of the state guards all of it while it is linked.
template <class Backend>
struct BasicCancelWaiter : base::ListNode {
    explicit BasicCancelWaiter(typename Backend::Waker who) noexcept : waker(std::move(who)) {}
    typename Backend::Waker waker;
};

template <class Backend>
class BasicCancelState;

/// A counted reference to a state, or null.
template <class Backend>
class BasicCancelRef {
public:
    using State = BasicCancelState<Backend>;

    BasicCancelRef() noexcept = default;
    BasicCancelRef(const BasicCancelRef& other) noexcept : state_(other.state_) {
        if (state_ != nullptr) state_->add_reference();
    }
    BasicCancelRef(BasicCancelRef&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    BasicCancelRef& operator=(BasicCancelRef other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~BasicCancelRef() { State::release(state_); }

    [[nodiscard]] State* operator->() const noexcept { return state_; }
    [[nodiscard]] State& operator*() const noexcept { return *state_; }
    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
    friend bool operator==(const BasicCancelRef& a, const BasicCancelRef& b) noexcept = default;

private:
    friend State;
    /// Takes over a reference that has been counted.
    explicit BasicCancelRef(State* state) noexcept : state_(state) {}

    State* state_ = nullptr;
};

template <class Backend>
class BasicCancelState : public base::ListNode {
public:
    using Ref = BasicCancelRef<Backend>;
    using Waiter = BasicCancelWaiter<Backend>;

    BasicCancelState() noexcept = default;
    BasicCancelState(const BasicCancelState&) = delete;
    BasicCancelState& operator=(const BasicCancelState&) = delete;
    ~BasicCancelState() = default;

    /// A state of its own. Allocates.
    [[nodiscard]] static Ref make() { return Ref(Backend::template create<BasicCancelState>()); }
    /// A state that is cancelled with `parent`, which it keeps alive. Allocates.
    [[nodiscard]] static Ref child_of(const Ref& parent);

    [[nodiscard]] bool cancelled() const noexcept { return cancelled_.load_acquire(); } // partner: cancel_one()
    /// Any thread; idempotent. Raises the flag here and in all descendants and wakes their waiters.
    void cancel() noexcept;
    /// False when it is cancelled already: then the waiter is not linked.
    [[nodiscard]] bool add(Waiter& waiter);
    /// Any state of the waiter. Afterwards nobody else touches it.
    void remove(Waiter& waiter) noexcept;
    /// For tests: how many waiters and children are linked.
    [[nodiscard]] std::size_t waiter_count() const;
    [[nodiscard]] std::size_t child_count() const;

private:
    friend Ref;
    using Lock = std::lock_guard<typename Backend::Mutex>;

    // SAFETY: relaxed; the caller holds a reference.
    void add_reference() noexcept { references_.fetch_add_relaxed(1); }
    /// False when the last reference is gone: its owner waits for the parent's lock, to leave the list.
    [[nodiscard]] bool try_add_reference() noexcept;
    static void release(BasicCancelState* state) noexcept;
    /// Raises this flag alone; puts the children in front of `next`.
    void cancel_one(Ref& next) noexcept;
    void take_children(Ref& next) noexcept;

    // Partners: cancelled() on any thread reads what cancel_one() stored.
    typename Backend::template Atomic<bool> cancelled_{false};
    // Partners: release() on one thread, add_reference() and try_add_reference() on others.
    typename Backend::template Atomic<std::uint32_t> references_{1};
    mutable typename Backend::Mutex mutex_; ///< guards waiters_ and children_; never held while waking
    base::IntrusiveList<Waiter> waiters_;
    base::IntrusiveList<BasicCancelState> children_;
    BasicCancelState* parent_ = nullptr; ///< holds a reference; never changes once the state is known to others
    Ref next_to_cancel_;                 ///< while a cancel of an ancestor is on its way here
};

template <class Backend>
bool BasicCancelState<Backend>::try_add_reference() noexcept {
    std::uint32_t seen = references_.load_relaxed(); // SAFETY: relaxed; a guess that the exchange settles
    while (seen != 0) {
        if (references_.compare_exchange_acq_rel(seen, seen + 1)) return true;
    }
    return false;
}

template <class Backend>
void BasicCancelState<Backend>::release(BasicCancelState* state) noexcept {
    // Each turn destroys a state and goes on with the reference that it held on its parent.
    while (state != nullptr && state->references_.fetch_sub_acq_rel(1) == 1) {
        BasicCancelState* parent = state->parent_;
        if (parent != nullptr) {
            const Lock lock(parent->mutex_);
            state->unlink();
        }
        Backend::destroy(state);
        state = parent;
    }
}

template <class Backend>
auto BasicCancelState<Backend>::child_of(const Ref& parent) -> Ref {
    Ref child = make();
    {
        const Lock lock(parent->mutex_);
        if (!parent->cancelled()) {
            parent->children_.push_back(*child);
            parent->add_reference();
            child->parent_ = parent.state_;
            return child;
        }
    }
    child->cancelled_.store_release(true); // partner: cancelled(); born cancelled
    return child;
}

template <class Backend>
void BasicCancelState<Backend>::cancel_one(Ref& next) noexcept {
    bool more = true;
    for (bool first = true; more; first = false) {
        // Woken outside the lock, a handful at a time: no memory has to be had, so a cancel cannot fail.
        std::array<typename Backend::Waker, Backend::wakers_at_once> wakers;
        std::size_t count = 0;
        {
            const Lock lock(mutex_);
            if (first) {
                if (cancelled()) return;
                cancelled_.store_release(true); // partner: cancelled(); from here on nobody links anything any more
                take_children(next);
            }
            while (count < wakers.size()) {
                Waiter* waiter = waiters_.pop_front();
                if (waiter == nullptr) break;
                wakers[count++] = waiter->waker;
            }
            more = !waiters_.empty();
        }
        for (std::size_t i = 0; i < count; ++i) wakers[i].wake();
    }
}

/// Under the lock. Whoever takes a child off the list alone writes its `next_to_cancel_`.
template <class Backend>
void BasicCancelState<Backend>::take_children(Ref& next) noexcept {
    while (BasicCancelState* child = children_.pop_front()) {
        if (!child->try_add_reference()) continue;
        Ref alive(child);
        child->next_to_cancel_ = std::move(next);
        next = std::move(alive);
    }
}

template <class Backend>
void BasicCancelState<Backend>::cancel() noexcept {
    Ref pending;
    cancel_one(pending);
    while (pending) {
        const Ref state = std::move(pending);
        pending = std::move(state->next_to_cancel_);
        state->cancel_one(pending);
    }
}

template <class Backend>
bool BasicCancelState<Backend>::add(Waiter& waiter) {
    if (cancelled()) return false;
    const Lock lock(mutex_);
    if (cancelled()) return false; // cancelled between the look and the lock
    waiters_.push_back(waiter);
    return true;
}

template <class Backend>
void BasicCancelState<Backend>::remove(Waiter& waiter) noexcept {
    const Lock lock(mutex_);
    waiter.unlink();
}

template <class Backend>
std::size_t BasicCancelState<Backend>::waiter_count() const {
    const Lock lock(mutex_);
    return waiters_.size();
}

template <class Backend>
std::size_t BasicCancelState<Backend>::child_count() const {
    const Lock lock(mutex_);
    return children_.size();
}

/// What ships.
struct CancelBackend : base::StdAtomics {
    using Mutex = std::mutex;
    using Waker = nexus::Waker;
    static constexpr std::size_t wakers_at_once = 16;
    template <class T>
    [[nodiscard]] static T* create() {
        return new T();
    }
    template <class T>
    static void destroy(T* object) noexcept {
        delete object;
    }
};

using CancelState = BasicCancelState<CancelBackend>;
using CancelRef = BasicCancelRef<CancelBackend>;
using CancelWaiter = BasicCancelWaiter<CancelBackend>;

extern template class BasicCancelState<CancelBackend>;

} // namespace nexus::detail
