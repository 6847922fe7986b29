// ManualClock: time that moves only when it is told to, or when everybody waits for it.
//
// Attached to a Runtime it replaces the clock, and when the loop would sleep although no event is there, it jumps to
// the next deadline: a test of a day's timeouts runs in milliseconds and gives the same order every time. It must
// outlive the runtime it is attached to.
#pragma once

#include "nexus/runtime/runtime.hpp"
#include "nexus/runtime/time.hpp"

namespace nexus::testing {

class ManualClock {
public:
    /// Starts at `start`: always the same, so that runs can be compared to the nanosecond.
    explicit ManualClock(TimePoint start = TimePoint(std::chrono::hours(1))) noexcept : now_ns_(detail::to_ns(start)) {}
    ManualClock(const ManualClock&) = delete;
    ManualClock& operator=(const ManualClock&) = delete;

    [[nodiscard]] TimePoint now() const noexcept { return detail::from_ns(now_ns_); }
    /// Brings time forward; timers fire when the loop runs next. Negative durations are ignored.
    void advance(Duration by) noexcept;
    /// Whether an idle loop jumps to its next deadline (on by default). Off: the test advances.
    void set_auto_advance(bool on) noexcept { auto_advance_ = on; }
    /// How often an idle loop has jumped.
    [[nodiscard]] std::size_t jumps() const noexcept { return jumps_; }

    /// Before any timer is armed on the runtime; throws UsageError otherwise.
    void attach(Runtime& runtime);
    /// For a bare Executor: executor.set_clock(clock.source()).
    [[nodiscard]] ClockSource source() noexcept;

private:
    static bool on_idle(void* context, std::int64_t next_deadline_ns);

    std::int64_t now_ns_;
    bool auto_advance_ = true;
    std::size_t jumps_ = 0;
};

} // namespace nexus::testing
