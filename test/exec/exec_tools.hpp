// What the tests of the executor share: a clock that is set by hand, a count of living objects, waits on a timer, and
// a watch over the heap that makes a use after free fail at once.
#pragma once

#include "nexus/exec/cancel_state.hpp"
#include "nexus/exec/executor.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/exec/scope.hpp"
#include "nexus/exec/wait.hpp"
#include "nexus/exec/waker.hpp"

#include <cstdint>
#include <stdexcept>
#include <thread>
#include <utility>

namespace nexus::test {

/// Time that moves when it is told to.
struct ManualClock {
    explicit ManualClock(Executor& executor) {
        executor.set_clock({[](void* self) noexcept { return static_cast<ManualClock*>(self)->now; }, this});
    }
    ManualClock(const ManualClock&) = delete;
    ManualClock& operator=(const ManualClock&) = delete;

    std::int64_t now = 1'000'000;
};

/// Counts constructions and destructions of its copies.
struct Count {
    int made = 0;
    int gone = 0;
    [[nodiscard]] int alive() const { return made - gone; }
};

class Counted {
public:
    explicit Counted(Count& count, int what = 0) noexcept : value(what), count_(&count) { ++count.made; }
    Counted(const Counted& other) noexcept : value(other.value), count_(other.count_) { ++count_->made; }
    Counted(Counted&& other) noexcept : value(other.value), count_(other.count_) { ++count_->made; }
    Counted& operator=(const Counted&) = delete;
    ~Counted() { ++count_->gone; }

    int value;

private:
    Count* count_;
};

/// Runs its function when it goes.
template <class F>
struct AtExit {
    explicit AtExit(F action) : function(std::move(action)) {}
    AtExit(const AtExit&) = delete;
    AtExit& operator=(const AtExit&) = delete;
    ~AtExit() { function(); }
    F function;
};

/// Suspends the running fiber until the executor's time has reached `deadline_ns`.
inline void wait_until(std::int64_t deadline_ns) {
    struct Sleeper : time::TimerNode {
        explicit Sleeper(Executor& sleeps_on) : executor(sleeps_on), task(sleeps_on.current_task()) {}
        ~Sleeper() { executor.timers().cancel(*this); }
        Executor& executor;
        detail::Task& task;
        bool fired = false;
    };
    Executor& executor = Executor::of_current_fiber("wait_until");
    Sleeper sleeper(executor);
    sleeper.fire = [](time::TimerNode& node) noexcept {
        auto& self = static_cast<Sleeper&>(node);
        self.fired = true;
        self.executor.wake(self.task);
    };
    executor.timers().arm(sleeper, deadline_ns);
    detail::wait_or_throw(executor, "sleep", [&sleeper] { return sleeper.fired; });
}

/// What timeout() and until() of the runtime module are made of.
template <class Body>
auto with_deadline(std::int64_t deadline_ns, Body&& body) {
    Scope scope(deadline_ns, "timeout");
    return scope.run("timeout", std::forward<Body>(body));
}
template <class Body>
auto with_source(const detail::CancelRef& source, Body&& body) {
    Scope scope(source, "until");
    return scope.run("until", std::forward<Body>(body));
}

/// Suspends for good.
[[noreturn]] inline void park_for_ever() {
    for (;;) park("nothing");
}

/// Runs cycles until nothing is ready and no timer is due. Throws when it does not come to rest.
inline void settle(Executor& executor) {
    const auto has_work = [&executor] {
        return executor.has_ready() || executor.has_deferred() || executor.cross_wake().maybe_nonempty() ||
               executor.timers().next_deadline() <= executor.now_ns();
    };
    for (int cycle = 0; has_work(); ++cycle) {
        if (cycle > 100'000) throw std::runtime_error("the executor does not come to rest");
        executor.poll();
    }
}

/// Calls `function` on another thread and waits for it.
template <class F>
void on_another_thread(F&& function) {
    std::thread(std::forward<F>(function)).join();
}

/// The waker of a fiber that was spawned to hand it out; the fiber parks until `done` is true.
[[nodiscard]] inline JoinHandle<void> spawn_parked(Executor& executor, Waker& waker, bool& done) {
    return executor.spawn_boxed([&waker, &done] {
        waker = Waker::of_current();
        while (!done) park();
    });
}

/// Blocks of memory that operator new gave out and that are not back yet, in this program. Freed blocks are filled with
/// a pattern, so that a pointer read from one leads nowhere. Sanitizers do better: then 0, and nothing is filled.
[[nodiscard]] std::int64_t blocks_in_use() noexcept;

/// The next operator new of this thread throws std::bad_alloc. False where sanitizers own the heap: then nothing fails.
[[nodiscard]] bool fail_next_allocation() noexcept;

} // namespace nexus::test
