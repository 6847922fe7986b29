// Waiting for time: sleep, timeout, until, interval, and what time it is (section 5 of the contract).
//
// Defaults: to be called from a fiber of a Runtime, else UsageError; they suspend unless they say otherwise. Deadlines
// saturate at "never" (H-28); nothing ever fires early (H-13); a wait that ends cancels its timer (H-12).
#pragma once

#include "nexus/exec/scope.hpp"
#include "nexus/exec/waker.hpp"
#include "nexus/runtime/shutdown.hpp"

#include <chrono>
#include <utility>

namespace nexus {

using Clock = std::chrono::steady_clock;
using Duration = std::chrono::nanoseconds;
using TimePoint = Clock::time_point;

namespace detail {

[[nodiscard]] constexpr std::int64_t to_ns(TimePoint time) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}
[[nodiscard]] constexpr TimePoint from_ns(std::int64_t ns) noexcept { return TimePoint(Duration(ns)); }
/// now() of the running fiber's executor plus `delay`, saturating.
[[nodiscard]] std::int64_t deadline_after(Duration delay, const char* what);
/// False when it was cut short without throwing: the fiber unwinds, or ends and has to stop.
bool sleep_until_ns(std::int64_t deadline_ns);

} // namespace detail

/// The time of this turn of the loop; costs a load (TM-34, RT-19). Does not suspend.
[[nodiscard]] TimePoint event_time();
/// Reads the clock. Does not suspend.
[[nodiscard]] TimePoint now();

/// Suspends for at least `delay`, counted from now() (TM-10). Zero or less returns at once, without letting others run.
void sleep(Duration delay);
void sleep_until(TimePoint deadline);

/// Runs `body` on this fiber; its waits end at the deadline (TM-20 to TM-23, rule 5). The body's value wins; else
/// errc::timed_out when the deadline passed, errc::cancelled when a scope around it ended, else the body's own error.
/// With a deadline that has passed the body does not run (TM-21). A body that never waits cannot be timed out.
template <class Body>
[[nodiscard]] auto timeout(Duration limit, Body&& body) {
    Scope scope(detail::deadline_after(limit, "timeout"), "timeout");
    return scope.run("timeout", std::forward<Body>(body));
}
template <class Body>
[[nodiscard]] auto timeout_at(TimePoint deadline, Body&& body) {
    Scope scope(detail::to_ns(deadline), "timeout_at");
    return scope.run("timeout_at", std::forward<Body>(body));
}

/// Runs `body` on this fiber; its waits end when `source` (a ShutdownSignal, a CancellationToken) is cancelled, on any
/// thread. Returns like timeout(), with errc::cancelled. The result may be ignored: often that is all there is to know.
template <class Source, class Body>
auto until(const Source& source, Body&& body) {
    Scope scope(source.cancel_state(), "until");
    return scope.run("until", std::forward<Body>(body));
}

/// Sleeps first, then runs `body` (TM-30).
template <class Body>
auto after(TimePoint start, Body&& body) {
    sleep_until(start);
    return std::forward<Body>(body)();
}
template <class Body>
auto after_delay(Duration delay, Body&& body) {
    sleep(delay);
    return std::forward<Body>(body)();
}

/// What tick() does after ticks were missed (TM-32).
enum class MissedTickBehavior : std::uint8_t {
    burst, ///< every missed tick, back to back, until it has caught up
    delay, ///< the next tick one period after this one
    skip   ///< the next multiple of the period, in line with the start
};

/// Ticks at a fixed period. Owner thread; one fiber waits at a time. Not tied to a runtime until tick() is called.
class Interval {
public:
    /// First tick at `start`; a start that has passed ticks at once (TM-31). Throws UsageError for a period of 0 or
    /// less.
    Interval(TimePoint start, Duration period);

    /// Suspends until the next tick is due, then advances (TM-32). Throws at the end of a scope; no tick is lost then.
    void tick();
    /// True when tick() will not suspend. Does not suspend; reads the clock.
    [[nodiscard]] bool ready() const;
    [[nodiscard]] Duration period() const noexcept { return period_; }
    [[nodiscard]] MissedTickBehavior missed_tick_behavior() const noexcept { return behavior_; }
    void set_missed_tick_behavior(MissedTickBehavior behavior) noexcept { behavior_ = behavior; }
    /// The next tick comes one period from now (TM-33); Skip keeps its line.
    void reset();
    void reset_at(TimePoint next) noexcept { next_ = next; }
    [[nodiscard]] TimePoint next_tick() const noexcept { return next_; }

private:
    void advance(TimePoint at);

    TimePoint start_;
    TimePoint next_;
    Duration period_;
    MissedTickBehavior behavior_ = MissedTickBehavior::burst;
};

/// First tick one period from now (TM-31).
[[nodiscard]] Interval interval(Duration period);
[[nodiscard]] Interval interval_at(TimePoint start, Duration period);

} // namespace nexus
