#include "nexus/testing/manual_clock.hpp"

namespace nexus::testing {

void ManualClock::advance(Duration by) noexcept {
    if (by > Duration::zero()) now_ns_ = time::saturating_add(now_ns_, by.count());
}

ClockSource ManualClock::source() noexcept {
    return {[](void* context) noexcept { return static_cast<ManualClock*>(context)->now_ns_; }, this};
}

bool ManualClock::on_idle(void* context, std::int64_t next_deadline_ns) {
    auto& clock = *static_cast<ManualClock*>(context);
    // Without a deadline only another thread or a descriptor can bring something: the loop has to sleep for real.
    if (!clock.auto_advance_ || next_deadline_ns == time::never) return false;
    if (next_deadline_ns > clock.now_ns_) {
        clock.now_ns_ = next_deadline_ns;
        ++clock.jumps_;
    }
    return true;
}

void ManualClock::attach(Runtime& runtime) {
    runtime.set_clock(source());
    runtime.set_idle_hook(&ManualClock::on_idle, this);
}

} // namespace nexus::testing
