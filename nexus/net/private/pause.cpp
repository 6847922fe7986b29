#include "nexus/net/private/pause.hpp"

#include "nexus/exec/wait.hpp"

namespace nexus::detail {
namespace {

/// A timer on the waiting fiber's stack.
struct PauseTimer : time::TimerNode {
    PauseTimer(Executor& waits_on, std::chrono::nanoseconds length)
        : executor(waits_on), task(waits_on.current_task()) {
        fire = [](time::TimerNode& node) noexcept {
            auto& self = static_cast<PauseTimer&>(node);
            self.over = true;
            self.executor.wake(self.task);
        };
        executor.timers().arm(*this, time::saturating_add(executor.now_ns(), length.count()));
    }
    PauseTimer(const PauseTimer&) = delete;
    PauseTimer& operator=(const PauseTimer&) = delete;
    ~PauseTimer() { executor.timers().cancel(*this); }

    Executor& executor;
    Task& task;
    bool over = false;
};

/// Has the fiber woken when the descriptor is closed.
struct CloseWatch {
    CloseWatch(Task& waits, IoSource& watched, Direction side) : task(waits), source(watched), direction(side) {
        // Not having room to register is no reason to give up: only that closing would be noticed later.
        (void)source.enlist(direction, task, "pause");
    }
    CloseWatch(const CloseWatch&) = delete;
    CloseWatch& operator=(const CloseWatch&) = delete;
    ~CloseWatch() { source.delist(direction, task); }

    Task& task;
    IoSource& source;
    Direction direction;
};

} // namespace

Result<void> pause(SocketRecord& record, Direction direction, std::chrono::nanoseconds length, const char* operation,
                   const char* what) {
    Executor& executor = Executor::of_current_fiber(operation);
    const CloseWatch watch(executor.current_task(), record.source(), direction);
    const PauseTimer timer(executor, length);
    const auto end = wait_or_fail(executor, what, [&] { return timer.over || !record.open(); });
    if (end != WaitEnd::ready) return Error(to_errc(end), operation);
    return {};
}

Result<void> pause(std::chrono::nanoseconds length, const char* operation, const char* what) {
    Executor& executor = Executor::of_current_fiber(operation);
    const PauseTimer timer(executor, length);
    const auto end = wait_or_fail(executor, what, [&] { return timer.over; });
    if (end != WaitEnd::ready) return Error(to_errc(end), operation);
    return {};
}

} // namespace nexus::detail
