#include "nexus/runtime/timer_handle.hpp"

namespace nexus {

TimerHandle TimerHandle::current() {
    (void)Executor::of_current_fiber("TimerHandle::current");
    return {};
}

TimerHandle inject<TimerHandle>::init(ResolveContext& context) {
    (void)detail::identity_of(context, "TimerHandle");
    return {};
}

} // namespace nexus
