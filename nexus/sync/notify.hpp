// Notify: one fiber tells others that something happened, without saying what. One thread.
//
// notify_one() is never lost: it wakes the one who has waited longest, or is kept, once, for the next who waits.
// notify_all() wakes those who wait now, and nobody else. A notification that reached a wait which then ended otherwise
// (scope, abort, another choice of select) is passed on to the next (H-23).
// Invariants: `waiters_` holds the waits in progress that have not been told, oldest first; while a notification is
// kept the oldest of them, if any, has been woken to take it, which happens only after a select() that did not.
#pragma once

#include "nexus/base/intrusive_list.hpp"
#include "nexus/sync/detail/park.hpp"

#include <cstddef>
#include <cstdint>

namespace nexus {

namespace detail {

/// A wait in progress, on its fiber's stack.
struct NotifyWaiter : base::ListNode {
    enum class Told : std::uint8_t { nothing, by_one, by_all };
    explicit NotifyWaiter(Executor& executor) noexcept : who(executor) {}
    LocalWaiter who;
    Told told = Told::nothing; ///< and not yet used
};

} // namespace detail

class Notify {
public:
    Notify() = default;
    Notify(const Notify&) = delete;
    Notify& operator=(const Notify&) = delete;

    /// Wakes the fiber that has waited longest; when nobody waits, the next wait returns at once (kept once, however
    /// often this is called). Does not suspend.
    void notify_one() noexcept;
    /// Wakes every fiber that waits now; keeps nothing. Does not suspend.
    void notify_all() noexcept;
    /// Suspends until told. Throws at the end of a scope (rule 5); nothing is lost then.
    void wait();
    /// Takes a kept notification, or what select() just promised to this fiber; never suspends. False when there is
    /// none.
    [[nodiscard]] bool try_wait() noexcept;
    /// A notification is kept.
    [[nodiscard]] bool has_permit() const noexcept { return permit_; }
    [[nodiscard]] std::size_t waiter_count() const noexcept { return waiters_.size(); }

    /// For select(): links and unlinks a waiter. `chosen` says that select() returns this source.
    [[gnu::noinline]] void enlist(detail::NotifyWaiter& waiter) noexcept; // inlined, g++ 12 sees a dangling pointer
    void delist(detail::NotifyWaiter& waiter, bool chosen) noexcept;

private:
    [[nodiscard]] bool look(detail::NotifyWaiter& waiter) noexcept;
    void promise(const detail::NotifyWaiter& waiter) noexcept;
    void leave(detail::NotifyWaiter& waiter) noexcept;

    base::IntrusiveList<detail::NotifyWaiter> waiters_;
    /// To whom select() has promised that try_wait() succeeds although nothing is kept for it, and until when: the
    /// promise ends with the next suspension. Null when there is none.
    const detail::Task* promised_ = nullptr;
    std::uint64_t promised_in_ = 0; ///< Executor::run_number()
    bool permit_ = false;
};

} // namespace nexus
