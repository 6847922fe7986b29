#include "nexus/exec/waker.hpp"

#include "nexus/exec/wait.hpp"

namespace nexus {
Waker Waker::of_current() {
    detail::Task& task = Executor::of_current_fiber("Waker::of_current").current_task();
    task.sharing = Sharing::shared; // before any other thread can learn of the task
    task.state.add_reference(Sharing::shared);
    return Waker(task);
}

void park(const char* what) {
    Executor& executor = Executor::of_current_fiber("park");
    bool parked = false;
    detail::wait_or_throw(executor, what, [&parked] { return std::exchange(parked, true); });
    detail::hear_stop(executor);
}

namespace detail {

void hear_stop(Executor& executor) {
    if (executor.current_task().stop != 0) (void)stopped(executor, false);
}

void yield_slowly() {
    Executor& executor = Executor::of_current_fiber("yield_now");
    bool yielded = false;
    wait_or_throw(executor, "yield_now", [&executor, &yielded] {
        if (std::exchange(yielded, true)) return true;
        executor.requeue_current();
        return false;
    });
    hear_stop(executor);
}

} // namespace detail
} // namespace nexus
