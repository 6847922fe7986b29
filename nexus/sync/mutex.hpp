// Mutex: one fiber at a time goes through a piece of code that waits in the middle. One thread.
//
//     auto guard = mutex.lock();                  // suspends while another fiber is in here
//     (void)stream.write_all(frame);              // two frames never mix, however often this waits
//
// Code that does not wait needs no mutex: nothing else runs meanwhile. Locking costs a few plain loads and stores.
// Defaults: lock() waits in the order of arrival and is handed the mutex by whoever unlocks, so nobody barges in (H-23,
// docs/decisions/0035); made anywhere, may outlive its runtime; it must not go while it is locked or waited for.
// Fibers of several threads must not share one: a wake across threads fails an assertion in debug builds.
// Invariants: `holder_` is null exactly while the mutex is free; then nobody waits. A mutex that select() has promised
// to a fiber while others wait counts as held by that fiber and `promised_`, until it is taken or the oldest waiter,
// which has been woken, runs.
#pragma once

#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/held.hpp"
#include "nexus/sync/detail/turn.hpp"

#include <cstddef>

namespace nexus {

class Mutex {
    void unlock() noexcept;

public:
    /// Holds the mutex until it goes.
    using Guard = detail::Held<Mutex, &Mutex::unlock>;

    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    /// Suspends until the mutex is this fiber's. Throws at the end of a scope (rule 5). While an exception unwinds it
    /// does not wait: the guard is empty if another fiber is in. Throws UsageError outside a fiber, or when this fiber
    /// holds the mutex already.
    Guard lock() {
        Executor& executor = Executor::of_current_fiber("Mutex::lock");
        if (!detail::enter_or_throw(executor, "Mutex::lock")) [[unlikely]]
            return try_lock();
        if (holder_ != nullptr) [[unlikely]]
            return lock_later(executor);
        holder_ = &executor.current_task();
        return Guard(*this);
    }
    /// The same with a limit: fails with errc::timed_out when it has passed, with errc::cancelled when a scope around
    /// it ended.
    [[nodiscard]] Result<Guard> lock_for(Duration limit) {
        return timeout(limit, [this] { return lock_or_fail(); });
    }
    [[nodiscard]] Result<Guard> lock_until(TimePoint deadline) {
        return timeout_at(deadline, [this] { return lock_or_fail(); });
    }
    /// Never suspends; works outside fibers too. The guard is empty when somebody is in, or waits to get in.
    Guard try_lock() noexcept;

    [[nodiscard]] bool locked() const noexcept { return holder_ != nullptr && !promised_; }
    /// Fibers that wait; O(n).
    [[nodiscard]] std::size_t waiter_count() const noexcept { return waiters_.size(); }

    /// For select(): try_lock() of this task would succeed.
    [[nodiscard]] bool free_for(const detail::Task& task) const noexcept {
        return holder_ == nullptr || (promised_ && holder_ == &task);
    }
    /// For select() and ConditionVariable: queues, or takes the mutex at once. Throws UsageError in its holder.
    void enlist(detail::TurnWaiter& waiter);
    /// Whether the waiter has got it, possibly just now.
    [[nodiscard]] bool look(detail::TurnWaiter& waiter) noexcept;
    /// Leaves the queue, gives back what was granted; `promise` leaves it to the waiter's fiber until that suspends.
    void delist(detail::TurnWaiter& waiter, bool promise) noexcept;

private:
    friend class ConditionVariable;
    class Waiting;

    [[nodiscard]] static Mutex* held_by(const Guard& guard) noexcept { return guard.lock_; }
    Guard lock_later(Executor& executor);
    [[nodiscard]] Result<Guard> lock_or_fail();
    void hand_over() noexcept;
    void grant(detail::TurnWaiter& waiter) noexcept;
    /// Queues behind those who wait, or grants at once and wakes.
    void request(detail::TurnWaiter& waiter) noexcept;

    const void* holder_ = nullptr; ///< the task that locked; something else for code outside fibers
    bool promised_ = false;
    base::IntrusiveList<detail::TurnWaiter> waiters_;
};

inline void Mutex::unlock() noexcept {
    if (waiters_.empty()) [[likely]] {
        holder_ = nullptr;
    } else {
        hand_over();
    }
}

} // namespace nexus
