#include "nexus/exec/cancel_state.hpp"

#include <vector>

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

void CancelState::cancel_one(std::vector<Ref>& next) {
    std::vector<Waker> wakers;
    {
        std::lock_guard lock(mutex_);
        if (cancelled_.load_acquire()) return;
        // Room first: if it cannot be had, nothing has happened yet.
        wakers.reserve(waiters_.size());
        next.reserve(next.size() + children_.size());
        cancelled_.store_release(true);
        while (CancelWaiter* waiter = waiters_.pop_front()) wakers.push_back(waiter->waker);
        while (CancelState* child = children_.pop_front()) {
            // Null for a child whose last handle is going away right now: it waits for our lock to leave.
            if (Ref alive = child->weak_from_this().lock(); alive != nullptr) next.push_back(std::move(alive));
        }
    }
    for (const Waker& waker : wakers) waker.wake();
}

void CancelState::cancel() {
    std::vector<Ref> pending;
    cancel_one(pending);
    while (!pending.empty()) {
        const Ref state = std::move(pending.back());
        pending.pop_back();
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
