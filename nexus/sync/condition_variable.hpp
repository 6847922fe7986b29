// ConditionVariable: waiting, with a Mutex let go meanwhile, until something that the mutex guards has become true.
//
//     auto guard = mutex.lock();
//     changed.wait(guard, [&] { return !queue.empty(); });     // the mutex is held again from here on
//
// Needed only where the condition is guarded by a Mutex, because changing it takes several waits. Otherwise Notify says
// the same with less.
// Defaults: one thread; the mutex is held again whenever a wait returns, also when it throws: that part of it is
// shielded, so a fiber that has to stop waits until the mutex is free. Who waited longest is told first. Telling puts
// the waiter into the mutex's queue, and the fiber runs when it owns the mutex, not before. A wait that was told counts
// as done: it returns, and the reason to stop comes at the next wait (H-23). Made anywhere, may outlive its runtime;
// but code outside fibers must not hold the mutex while a runtime goes whose fibers wait here: they could not end.
// Invariant: `waiters_` holds the waits that have not been told, oldest first.
#pragma once

#include "nexus/sync/mutex.hpp"

#include <cstddef>
#include <utility>

namespace nexus {

class ConditionVariable {
public:
    ConditionVariable() = default;
    ConditionVariable(const ConditionVariable&) = delete;
    ConditionVariable& operator=(const ConditionVariable&) = delete;

    /// Suspends until told. Throws at the end of a scope (rule 5). While an exception unwinds it returns at once, with
    /// the mutex held throughout. Throws UsageError for an empty guard.
    void wait(Mutex::Guard& guard) { (void)wait_once(guard); }
    /// Suspends until `ready()`, which is asked with the mutex held, now and whenever this is told. While an exception
    /// unwinds it returns at once, ready or not.
    template <class Ready>
    void wait(Mutex::Guard& guard, Ready&& ready) {
        (void)wait_until_ready(guard, ready);
    }
    /// The same with a limit: fail with errc::timed_out when it has passed, with errc::cancelled when a scope around it
    /// ended. What became true by then wins.
    template <class Ready>
    [[nodiscard]] Result<void> wait_for(Mutex::Guard& guard, Duration limit, Ready&& ready) {
        return timeout(limit, [&] { return to_result(wait_until_ready(guard, ready)); });
    }
    template <class Ready>
    [[nodiscard]] Result<void> wait_until(Mutex::Guard& guard, TimePoint deadline, Ready&& ready) {
        return timeout_at(deadline, [&] { return to_result(wait_until_ready(guard, ready)); });
    }

    /// Tells the fiber that has waited longest; nobody, when none waits. With or without the mutex held. Does not
    /// suspend.
    void notify_one() noexcept;
    /// Tells everybody who waits now. Does not suspend.
    void notify_all() noexcept;
    /// Waits that have not been told; O(n).
    [[nodiscard]] std::size_t waiter_count() const noexcept { return waiters_.size(); }

private:
    class Waiting;

    /// False when it returned because the fiber unwinds.
    bool wait_once(Mutex::Guard& guard);
    template <class Ready>
    bool wait_until_ready(Mutex::Guard& guard, Ready& ready) {
        while (!ready()) {
            try {
                if (!wait_once(guard)) return false;
            } catch (const ScopeEnded&) {
                if (!ready()) throw;
                return true;
            }
        }
        return true;
    }
    [[nodiscard]] static Result<void> to_result(bool waited) noexcept {
        if (!waited) return Error(errc::cancelled, "ConditionVariable::wait");
        return {};
    }

    base::IntrusiveList<Waiting> waiters_;
};

} // namespace nexus
