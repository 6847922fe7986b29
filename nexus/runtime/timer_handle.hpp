// TimerHandle: the timers of one runtime as a small value, for code that is handed what it may use (TM-10).
//
// The free functions of time.hpp do the same through the running fiber; a handle makes the dependency visible in a
// signature, and can be injected. Copyable; unlike the seed's it holds no driver, so it outlives the runtime harmlessly
// (H-20). To be called from a fiber, else UsageError; the waits suspend and end as those of time.hpp do.
#pragma once

#include "nexus/runtime/inject.hpp"
#include "nexus/runtime/time.hpp"

#include <utility>

namespace nexus {

class TimerHandle {
public:
    /// Throws UsageError outside a fiber.
    [[nodiscard]] static TimerHandle current();

    void sleep(Duration delay) const { nexus::sleep(delay); }
    void sleep_until(TimePoint deadline) const { nexus::sleep_until(deadline); }
    template <class Body>
    [[nodiscard]] auto timeout(Duration limit, Body&& body) const {
        return nexus::timeout(limit, std::forward<Body>(body));
    }
    template <class Body>
    [[nodiscard]] auto timeout_at(TimePoint deadline, Body&& body) const {
        return nexus::timeout_at(deadline, std::forward<Body>(body));
    }
    [[nodiscard]] Interval interval(Duration period) const { return nexus::interval(period); }
    [[nodiscard]] Interval interval_at(TimePoint start, Duration period) const {
        return nexus::interval_at(start, period);
    }
    [[nodiscard]] TimePoint now() const { return nexus::now(); }
    [[nodiscard]] TimePoint event_time() const { return nexus::event_time(); }

private:
    friend struct inject<TimerHandle>;
    TimerHandle() = default;
};

template <>
struct inject<TimerHandle> {
    using State = TimerHandle;
    static void describe(Access& /*access*/) {}
    static State init(ResolveContext& context);
    static TimerHandle fetch(State& state) noexcept { return state; }
};

} // namespace nexus
