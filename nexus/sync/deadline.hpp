// Deadline: a point in time that can be moved, to wait for and to select on: heartbeats, idle limits. One thread.
//
// Costs nothing while nobody waits: expired() compares with the clock. Moving it re-arms the timers of those who wait.
// Invariant: each wait in progress is in `waiters_`, its timer armed for `at_ns_` unless that is never or has fired.
#pragma once

#include "nexus/base/intrusive_list.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/park.hpp"
#include "nexus/time/timer_wheel.hpp"

namespace nexus {

namespace detail {

/// A wait for a time, in progress: a timer on its fiber's stack.
class TimedWaiter : public base::ListNode {
public:
    explicit TimedWaiter(Executor& executor) noexcept : who_(executor) { timer_.waiter = this; }
    TimedWaiter(const TimedWaiter&) = delete;
    TimedWaiter& operator=(const TimedWaiter&) = delete;
    ~TimedWaiter() {
        who_.executor.timers().cancel(timer_);
        unlink();
    }

    /// True when `at_ns` has come; else sees to it that the fiber is woken then.
    [[nodiscard]] bool due(std::int64_t at_ns) noexcept;
    /// Moves the timer.
    void move_to(std::int64_t at_ns) noexcept;

private:
    struct Timer : time::TimerNode {
        TimedWaiter* waiter = nullptr;
    };
    LocalWaiter who_;
    Timer timer_;
};

} // namespace detail

class Deadline {
public:
    /// Never.
    Deadline() = default;
    explicit Deadline(TimePoint at) noexcept : at_ns_(detail::to_ns(at)) {}
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    /// Moves it, also under those who wait. Does not suspend.
    void reset(TimePoint at) noexcept { move_to(detail::to_ns(at)); }
    /// `delay` from now(), saturating. Throws UsageError outside a fiber.
    void reset_after(Duration delay) { move_to(detail::deadline_after(delay, "Deadline::reset_after")); }
    /// Never, from here on.
    void disarm() noexcept { move_to(time::never); }

    [[nodiscard]] TimePoint at() const noexcept { return detail::from_ns(at_ns_); }
    [[nodiscard]] bool armed() const noexcept { return at_ns_ != time::never; }
    /// Reads the clock of the running fiber's executor; throws UsageError outside a fiber. Does not suspend.
    [[nodiscard]] bool expired() const;
    /// Suspends until it has passed, wherever it is moved meanwhile. Throws at the end of a scope (rule 5).
    void wait();

    /// For select().
    void enlist(detail::TimedWaiter& waiter) noexcept { waiters_.push_back(waiter); }
    [[nodiscard]] std::int64_t at_ns() const noexcept { return at_ns_; }

private:
    void move_to(std::int64_t at_ns) noexcept;

    base::IntrusiveList<detail::TimedWaiter> waiters_;
    std::int64_t at_ns_ = time::never;
};

} // namespace nexus
