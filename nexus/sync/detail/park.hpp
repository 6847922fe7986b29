// What the waits of this module share: whom to wake on this thread, and the part of a wait that follows its entry.
//
// The order of every wait here: enter (reasons to stop, fairness), try, and only then link a node and go on waiting. So
// a fiber that ignores its stop fails before it links anything, and what can be had at once costs no node.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/exec/wait.hpp"

#include <cassert>

namespace nexus::detail {

/// The running fiber, as its own thread wakes it. Part of a node on that fiber's stack.
struct LocalWaiter {
    explicit LocalWaiter(Executor& on) noexcept : executor(on), task(on.current_task()) {}
    void wake() const noexcept {
        assert(executor.cross_wake().on_owner_thread() && "a one-thread object is used on several threads");
        executor.wake(task);
    }
    [[nodiscard]] bool running() const noexcept { return executor.is_current(task); }

    Executor& executor;
    Task& task;
};

/// The errors of channels, out of the way of what is hot. Not marked cold: a full channel is an everyday answer, and
/// the compiler would move whatever callers do after it out of their functions, whose names reports could not tell
/// then.
[[nodiscard]] Error channel_error(errc code, const char* operation) noexcept;
[[nodiscard]] Error channel_error(WaitEnd end, const char* operation) noexcept;

/// The entry of a wait that returns no Result: throws the reason to stop; false when it has to return at once because
/// the fiber unwinds.
[[nodiscard]] inline bool enter_or_throw(Executor& executor, const char* what) {
    Task& me = executor.current_task();
    if (++me.uninterrupted >= uninterrupted_waits) [[unlikely]]
        take_turns(executor, what);
    if (me.stop != 0) [[unlikely]]
        return stopped(executor, false) == WaitEnd::ready;
    return true;
}

/// Suspends until `ready()`, which may be asked again after it said true. The wait has been entered.
template <class Ready>
[[nodiscard]] WaitEnd park_until(Executor& executor, const char* what, bool may_fail, Ready&& ready) {
    Task& me = executor.current_task();
    while (!ready()) {
        if (executor.unwinding()) [[unlikely]]
            return WaitEnd::cancelled;
        executor.suspend(what);
        if (me.stop != 0 && !ready()) [[unlikely]] {
            if (WaitEnd end = stopped(executor, may_fail); end != WaitEnd::ready) return end;
        }
    }
    return WaitEnd::ready;
}

} // namespace nexus::detail
