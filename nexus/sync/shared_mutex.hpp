// SharedMutex: many readers or one writer, in code that waits in the middle. One thread.
//
//     auto reading = table.lock_shared();         // any number of fibers, while none writes
//     auto writing = table.lock();                // alone
//
// Defaults: as those of Mutex. Everybody queues in the order of arrival: a reader that comes while a writer waits goes
// behind it, so a stream of readers does not starve writers, nor the other way round. Readers that are next to each
// other in the queue are let in together. So a fiber that holds it shared and asks for it shared again waits for ever
// when a writer came in between, and one that asks for it alone always does: hold one guard.
// Invariants: `writer_` is set or `readers_` is not 0, or nobody waits; whoever waits first could not be let in.
#pragma once

#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/held.hpp"
#include "nexus/sync/detail/turn.hpp"

#include <cstddef>

namespace nexus {

class SharedMutex {
    void unlock() noexcept;
    void unlock_shared() noexcept;

public:
    /// Holds the mutex alone until it goes.
    using Guard = detail::Held<SharedMutex, &SharedMutex::unlock>;
    /// Holds the mutex with others until it goes.
    using SharedGuard = detail::Held<SharedMutex, &SharedMutex::unlock_shared>;

    SharedMutex() = default;
    SharedMutex(const SharedMutex&) = delete;
    SharedMutex& operator=(const SharedMutex&) = delete;

    /// Suspends until nobody else is in. Throws at the end of a scope (rule 5). While an exception unwinds it does not
    /// wait: the guard may be empty. Throws UsageError outside a fiber, or when this fiber holds it alone already.
    Guard lock() {
        Executor& executor = Executor::of_current_fiber("SharedMutex::lock");
        if (!detail::enter_or_throw(executor, "SharedMutex::lock")) [[unlikely]]
            return try_lock();
        if (writer_ != nullptr || readers_ != 0) [[unlikely]]
            return wait_alone(executor);
        writer_ = &executor.current_task();
        return Guard(*this);
    }
    /// Suspends until no writer is in and none came before. Otherwise as lock().
    SharedGuard lock_shared() {
        Executor& executor = Executor::of_current_fiber("SharedMutex::lock_shared");
        if (!detail::enter_or_throw(executor, "SharedMutex::lock_shared")) [[unlikely]]
            return try_lock_shared();
        if (writer_ != nullptr || !waiters_.empty()) [[unlikely]]
            return wait_shared(executor);
        ++readers_;
        return SharedGuard(*this);
    }
    /// The same with a limit: fail with errc::timed_out when it has passed, with errc::cancelled when a scope around it
    /// ended.
    [[nodiscard]] Result<Guard> lock_for(Duration limit) {
        return timeout(limit, [this] { return lock_or_fail(); });
    }
    [[nodiscard]] Result<Guard> lock_until(TimePoint deadline) {
        return timeout_at(deadline, [this] { return lock_or_fail(); });
    }
    [[nodiscard]] Result<SharedGuard> lock_shared_for(Duration limit) {
        return timeout(limit, [this] { return lock_shared_or_fail(); });
    }
    [[nodiscard]] Result<SharedGuard> lock_shared_until(TimePoint deadline) {
        return timeout_at(deadline, [this] { return lock_shared_or_fail(); });
    }
    /// Never suspend; work outside fibers too. The guard is empty when lock() or lock_shared() would wait.
    Guard try_lock() noexcept;
    SharedGuard try_lock_shared() noexcept;

    [[nodiscard]] bool locked() const noexcept { return writer_ != nullptr; }
    [[nodiscard]] std::size_t reader_count() const noexcept { return readers_; }
    /// Fibers that wait; O(n).
    [[nodiscard]] std::size_t waiter_count() const noexcept { return waiters_.size(); }

private:
    enum class Access : std::uint8_t { alone, shared };
    struct Waiter;

    Guard wait_alone(Executor& executor);
    SharedGuard wait_shared(Executor& executor);
    /// True when the running fiber has been let in.
    bool wait(Executor& executor, Access access, const char* what);
    [[nodiscard]] Result<Guard> lock_or_fail();
    [[nodiscard]] Result<SharedGuard> lock_shared_or_fail();
    void leave(Waiter& waiter) noexcept;
    /// Lets in who waits, from the oldest on, as far as possible.
    void serve() noexcept;

    const void* writer_ = nullptr; ///< the task that holds it alone; something else for code outside fibers
    std::size_t readers_ = 0;
    base::IntrusiveList<detail::TurnWaiter> waiters_;
};

inline void SharedMutex::unlock() noexcept {
    writer_ = nullptr;
    if (!waiters_.empty()) [[unlikely]]
        serve();
}

inline void SharedMutex::unlock_shared() noexcept {
    if (--readers_ == 0 && !waiters_.empty()) [[unlikely]]
        serve();
}

} // namespace nexus
