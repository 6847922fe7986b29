#include "nexus/runtime/time.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/runtime/runtime.hpp"

namespace nexus {
namespace detail {
namespace {

/// One sleeper: a timer on its fiber's stack.
struct Sleeper : time::TimerNode {
    Sleeper(Executor& sleeps_on, std::int64_t deadline) : executor(sleeps_on), task(sleeps_on.current_task()) {
        fire = [](time::TimerNode& node) noexcept {
            auto& self = static_cast<Sleeper&>(node);
            self.fired = true;
            self.executor.wake(self.task);
        };
        executor.timers().arm(*this, deadline);
    }
    ~Sleeper() { executor.timers().cancel(*this); }

    Executor& executor;
    Task& task;
    bool fired = false;
};

} // namespace

std::int64_t deadline_after(Duration delay, const char* what) {
    return time::saturating_add(Executor::of_current_fiber(what).now_ns(), delay.count());
}

bool sleep_until_ns(std::int64_t deadline_ns) {
    Executor& executor = Executor::of_current_fiber("sleep");
    if (deadline_ns <= executor.now_ns()) {
        return wait_or_throw(executor, "sleep", [] { return true; }); // an ended scope shows here too
    }
    Sleeper sleeper(executor, deadline_ns);
    return wait_or_throw(executor, "sleep", [&sleeper] { return sleeper.fired; });
}

} // namespace detail

TimePoint event_time() { return detail::from_ns(Runtime::require("event_time").executor().event_time_ns()); }

TimePoint now() { return detail::from_ns(Runtime::require("now").executor().now_ns()); }

void sleep(Duration delay) { (void)detail::sleep_until_ns(detail::deadline_after(delay, "sleep")); }

void sleep_until(TimePoint deadline) { (void)detail::sleep_until_ns(detail::to_ns(deadline)); }

Interval::Interval(TimePoint start, Duration period) : start_(start), next_(start), period_(period) {
    if (period <= Duration::zero()) throw UsageError("interval: the period must be more than zero");
}

bool Interval::ready() const { return next_ <= now(); }

void Interval::reset() { next_ = detail::from_ns(detail::deadline_after(period_, "Interval::reset")); }

void Interval::tick() {
    sleep_until(next_);
    if (const TimePoint at = now(); at >= next_) advance(at); // not when the wait was cut short by unwinding
}

void Interval::advance(TimePoint at) {
    const std::int64_t period = period_.count();
    switch (behavior_) {
    case MissedTickBehavior::burst: next_ = detail::from_ns(time::saturating_add(detail::to_ns(next_), period)); break;
    case MissedTickBehavior::delay: next_ = detail::from_ns(time::saturating_add(detail::to_ns(at), period)); break;
    case MissedTickBehavior::skip: {
        // 64-bit nanoseconds throughout; unsigned distances, since the start may be as far back as time goes.
        const auto start_ns = static_cast<std::uint64_t>(detail::to_ns(start_));
        const auto at_ns = static_cast<std::uint64_t>(detail::to_ns(at));
        const auto step = static_cast<std::uint64_t>(period);
        const bool begun = at >= start_;
        const std::uint64_t beyond = (begun ? at_ns - start_ns : start_ns - at_ns) % step;
        const std::uint64_t wait = begun ? step - beyond : beyond == 0 ? step : beyond;
        next_ = detail::from_ns(time::saturating_add(detail::to_ns(at), static_cast<std::int64_t>(wait)));
        break;
    }
    }
}

Interval interval(Duration period) { return {detail::from_ns(detail::deadline_after(period, "interval")), period}; }

Interval interval_at(TimePoint start, Duration period) { return {start, period}; }

} // namespace nexus
