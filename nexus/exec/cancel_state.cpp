#include "nexus/exec/cancel_state.hpp"

#include <array>

namespace nexus::detail {

CancelState::~CancelState() {
    // Each step lets go of one ancestor whose only owner we are, so that a long chain does not recurse.
    for (Ref parent = leave_parent(); parent != nullptr && parent.use_count() == 1;) {
        parent = parent->leave_parent();
    }
}

CancelState::Ref CancelState::leave_parent() noexcept {
    if (parent_ == nullptr) return nullptr;
    {
        std::lock_guard lock(parent_->mutex_);
        unlink();
    }
    return std::move(parent_);
}

std::shared_ptr<CancelState> CancelState::child_of(const Ref& parent) {
    auto child = std::make_shared<CancelState>();
    {
        std::lock_guard lock(parent->mutex_);
        if (!parent->cancelled_.load_acquire()) {
            parent->children_.push_back(*child);
            child->parent_ = parent;
            return child;
        }
    }
    // SAFETY: nobody else knows the child yet.
    child->cancelled_.store_release(true);
    return child;
}

void CancelState::cancel_one(Ref& next) noexcept {
    bool more = true;
    for (bool first = true; more; first = false) {
        // Woken outside the lock, a handful at a time: no memory has to be had, so a cancel cannot fail.
        std::array<Waker, 16> wakers;
        std::size_t count = 0;
        {
            std::lock_guard lock(mutex_);
            if (first) {
                if (cancelled_.load_acquire()) return;
                cancelled_.store_release(true); // from here on nobody links anything any more
                take_children(next);
            }
            while (count < wakers.size()) {
                CancelWaiter* waiter = waiters_.pop_front();
                if (waiter == nullptr) break;
                wakers[count++] = waiter->waker;
            }
            more = !waiters_.empty();
        }
        for (std::size_t i = 0; i < count; ++i) wakers[i].wake();
    }
}

/// Under the lock. Whoever takes a child off the list alone writes its `next_to_cancel_`.
void CancelState::take_children(Ref& next) noexcept {
    while (CancelState* child = children_.pop_front()) {
        // Null for a child whose last handle is going away right now: it waits for our lock to leave.
        Ref alive = child->weak_from_this().lock();
        if (alive == nullptr) continue;
        child->next_to_cancel_ = std::move(next);
        next = std::move(alive);
    }
}

void CancelState::cancel() noexcept {
    Ref pending;
    cancel_one(pending);
    while (pending != nullptr) {
        const Ref state = std::move(pending);
        pending = std::move(state->next_to_cancel_);
        state->cancel_one(pending);
    }
}

bool CancelState::add(CancelWaiter& waiter) {
    if (cancelled()) return false;
    std::lock_guard lock(mutex_);
    if (cancelled()) return false; // cancelled between the look and the lock
    waiters_.push_back(waiter);
    return true;
}

void CancelState::remove(CancelWaiter& waiter) noexcept {
    std::lock_guard lock(mutex_);
    waiter.unlink();
}

std::size_t CancelState::waiter_count() const {
    std::lock_guard lock(mutex_);
    return waiters_.size();
}

std::size_t CancelState::child_count() const {
    std::lock_guard lock(mutex_);
    return children_.size();
}

} // namespace nexus::detail
