// Semaphore: a number of permits that fibers take, keep while they wait for other things, and give back. One thread.
//
//     nexus::Semaphore requests(8);
//     auto permit = requests.acquire();           // at most eight fibers at once are beyond this line
//     auto answer = ask(upstream);
//
// Defaults: acquire() waits in the order of arrival; permits that come free are collected for the oldest, so a large
// request is not starved by small ones (H-23, docs/decisions/0035); made anywhere, may outlive its runtime; it must
// not go while permits are out or waited for. Fibers of several threads must not share one: a wake across threads fails
// an assertion in debug builds.
// Invariants: whoever waits first wants more than there is, or has been woken to take it, which happens only after a
// select(); `promised_to_` is the task to which select() has just promised one permit though others wait.
#pragma once

#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/turn.hpp"

#include <cstddef>
#include <limits>
#include <utility>

namespace nexus {

class Semaphore {
public:
    class Permit;

    static constexpr std::size_t max_permits = std::numeric_limits<std::size_t>::max() / 2;

    /// Throws UsageError for more than max_permits.
    explicit Semaphore(std::size_t permits);
    Semaphore(const Semaphore&) = delete;
    Semaphore& operator=(const Semaphore&) = delete;

    /// Suspends until `count` permits are this fiber's, all at once. Throws at the end of a scope (rule 5). While an
    /// exception unwinds it does not wait: the permit may be empty. More than there ever will be waits until
    /// release() has added enough. Throws UsageError outside a fiber.
    Permit acquire(std::size_t count = 1);
    /// The same with a limit: fails with errc::timed_out when it has passed, with errc::cancelled when a scope around
    /// it ended.
    [[nodiscard]] Result<Permit> acquire_for(Duration limit, std::size_t count = 1);
    [[nodiscard]] Result<Permit> acquire_until(TimePoint deadline, std::size_t count = 1);
    /// Never suspends; works outside fibers too. The permit is empty when there are too few, or others wait.
    Permit try_acquire(std::size_t count = 1) noexcept;
    /// Adds permits: those that Permit::forget() kept, or new ones. Does not suspend. Throws UsageError when there
    /// would be more than max_permits.
    void release(std::size_t count = 1);

    /// Permits that nobody has.
    [[nodiscard]] std::size_t available() const noexcept { return available_; }
    /// Fibers that wait; O(n).
    [[nodiscard]] std::size_t waiter_count() const noexcept { return waiters_.size(); }

    /// For select(): try_acquire(count) of this task would succeed.
    [[nodiscard]] bool free_for(const detail::Task& task, std::size_t count) const noexcept {
        return count <= available_ && (waiters_.empty() || (promised_to_ == &task && count <= 1));
    }
    void enlist(detail::TurnWaiter& waiter) noexcept;
    /// Whether the waiter has got its permits, possibly just now.
    [[nodiscard]] bool look(detail::TurnWaiter& waiter) noexcept;
    /// Leaves the queue, gives back what was granted; `promise` leaves one to the waiter's fiber until that suspends.
    void delist(detail::TurnWaiter& waiter, bool promise) noexcept;

private:
    class Waiting;

    Permit acquire_later(Executor& executor, std::size_t count);
    [[nodiscard]] Result<Permit> acquire_or_fail(std::size_t count);
    void give_back(std::size_t count) noexcept {
        available_ += count;
        if (!waiters_.empty()) [[unlikely]]
            serve();
    }
    void grant(detail::TurnWaiter& waiter) noexcept;
    /// Gives permits to those who wait, from the oldest on, as far as they go.
    void serve() noexcept;

    std::size_t available_;
    const void* promised_to_ = nullptr;
    base::IntrusiveList<detail::TurnWaiter> waiters_;
};

/// Permits that come back when this goes. Move-only; an empty one has none. May be moved to another fiber of the
/// thread.
class [[nodiscard]] Semaphore::Permit {
public:
    Permit() noexcept = default;
    Permit(Permit&& other) noexcept
        : semaphore_(std::exchange(other.semaphore_, nullptr)), count_(std::exchange(other.count_, 0)) {}
    Permit& operator=(Permit&& other) noexcept {
        if (this != &other) {
            release();
            semaphore_ = std::exchange(other.semaphore_, nullptr);
            count_ = std::exchange(other.count_, 0);
        }
        return *this;
    }
    ~Permit() { release(); }

    [[nodiscard]] explicit operator bool() const noexcept { return semaphore_ != nullptr; }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    /// Gives the permits back now. Does not suspend.
    void release() noexcept {
        if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->give_back(std::exchange(count_, 0));
    }
    /// Keeps them from coming back, until Semaphore::release(); returns how many.
    std::size_t forget() noexcept {
        semaphore_ = nullptr;
        return std::exchange(count_, 0);
    }

private:
    friend class Semaphore;
    Permit(Semaphore& semaphore, std::size_t count) noexcept : semaphore_(&semaphore), count_(count) {}

    Semaphore* semaphore_ = nullptr;
    std::size_t count_ = 0;
};

inline Semaphore::Permit Semaphore::acquire(std::size_t count) {
    Executor& executor = Executor::of_current_fiber("Semaphore::acquire");
    if (!detail::enter_or_throw(executor, "Semaphore::acquire")) [[unlikely]]
        return try_acquire(count);
    if (count > available_ || !waiters_.empty()) [[unlikely]]
        return acquire_later(executor, count);
    available_ -= count;
    return {*this, count};
}

inline Result<Semaphore::Permit> Semaphore::acquire_for(Duration limit, std::size_t count) {
    return timeout(limit, [this, count] { return acquire_or_fail(count); });
}

inline Result<Semaphore::Permit> Semaphore::acquire_until(TimePoint deadline, std::size_t count) {
    return timeout_at(deadline, [this, count] { return acquire_or_fail(count); });
}

} // namespace nexus
