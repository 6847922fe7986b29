// Waker: makes one fiber ready, from any thread (EX-13); park(): the primitive under every wait, for building others.
//
// A Waker is a counted reference to the task header. It stays valid, and harmless, after the fiber and its runtime are
// gone (H-26). Waking is remembered: a wake that comes before park() makes that park() return at once.
#pragma once

#include "nexus/exec/executor.hpp"

#include <utility>

namespace nexus {

class Waker {
public:
    /// An empty waker; wake() does nothing.
    Waker() noexcept = default;
    /// The waker of the running fiber. Throws UsageError outside a fiber. Costs the fiber its thread-private
    /// bookkeeping: from here on its flags are changed by locked instructions.
    [[nodiscard]] static Waker of_current();

    Waker(const Waker& other) noexcept : task_(other.task_) {
        if (task_ != nullptr) task_->state.add_reference(Sharing::shared);
    }
    Waker(Waker&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
    Waker& operator=(Waker other) noexcept {
        std::swap(task_, other.task_);
        return *this;
    }
    ~Waker() {
        if (task_ == nullptr) return;
        CrossWake& owner = *task_->owner;
        if (task_->state.drop_reference(Sharing::shared) != FreeAction::retain) owner.dispose(*task_);
    }

    /// Any thread. Makes the fiber ready unless it is already, or has ended. Never runs it inline (rule 2). Returns
    /// false when it has ended or the waker is empty.
    bool wake() const noexcept { // NOLINT(modernize-use-nodiscard): most callers do not care
        return task_ != nullptr && task_->owner->wake(*task_);
    }
    explicit operator bool() const noexcept { return task_ != nullptr; }
    /// True for two wakers of the same fiber.
    friend bool operator==(const Waker& a, const Waker& b) noexcept { return a.task_ == b.task_; }

private:
    explicit Waker(detail::Task& task) noexcept : task_(&task) {}

    detail::Task* task_ = nullptr;
};

/// Suspends the running fiber until its Waker is used. May return without that: call it in a loop over the condition.
/// Throws Aborted, ScopeEnded (rule 5), and UsageError outside a fiber. `what` names the wait in reports; a literal.
void park(const char* what = "park");

/// Lets every other ready fiber run once before this one goes on (TM-35). Throws like park(). Not a way to wait for
/// another thread: use a channel, a Waker or sleep.
inline void yield_now();

namespace detail {
/// yield_now() for a fiber that has to stop, unwinds, or is none.
void yield_slowly();
/// After park() and yield_now(): nothing was handed over, so a reason to stop that came meanwhile is heard at once.
void hear_stop(Executor& executor);
} // namespace detail

// Inline down to the switch: each return executed after it would be mispredicted (docs/decisions/0020).
inline void yield_now() {
    Executor* executor = Executor::current();
    if (executor == nullptr || !executor->may_suspend_plainly()) [[unlikely]] {
        detail::yield_slowly();
        return;
    }
    executor->requeue_current();
    executor->suspend("yield_now");
    if (executor->current_task().stop != 0) [[unlikely]]
        detail::hear_stop(*executor);
}

} // namespace nexus
