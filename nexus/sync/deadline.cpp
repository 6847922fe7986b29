#include "nexus/sync/deadline.hpp"

namespace nexus {
namespace detail {

bool TimedWaiter::due(std::int64_t at_ns) noexcept {
    if (at_ns != time::never && at_ns <= who_.executor.now_ns()) return true;
    if (!timer_.armed() || timer_.deadline_ns != at_ns) move_to(at_ns);
    return false;
}

void TimedWaiter::move_to(std::int64_t at_ns) noexcept {
    time::TimerWheel& wheel = who_.executor.timers();
    wheel.cancel(timer_);
    if (at_ns == time::never) return;
    timer_.fire = [](time::TimerNode& node) noexcept { static_cast<Timer&>(node).waiter->who_.wake(); };
    wheel.arm(timer_, at_ns);
}

} // namespace detail

bool Deadline::expired() const { return armed() && at_ns_ <= Executor::of_current_fiber("Deadline::expired").now_ns(); }

void Deadline::wait() {
    Executor& executor = Executor::of_current_fiber("Deadline::wait");
    if (!detail::enter_or_throw(executor, "Deadline::wait") || expired()) return;
    detail::TimedWaiter waiter(executor);
    enlist(waiter);
    (void)detail::park_until(executor, "Deadline::wait", false, [this, &waiter] { return waiter.due(at_ns_); });
}

void Deadline::move_to(std::int64_t at_ns) noexcept {
    at_ns_ = at_ns;
    for (detail::TimedWaiter* waiter = waiters_.front(); waiter != nullptr; waiter = waiters_.next(*waiter)) {
        waiter->move_to(at_ns);
    }
}

} // namespace nexus
