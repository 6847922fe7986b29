// The loop. docs/loop.md describes it with the same numbers.
#include "nexus/runtime/runtime.hpp"

#include "nexus/base/usage_error.hpp"

#include <algorithm>

namespace nexus {
namespace {

/// While fibers are ready, epoll is looked at no later than this after the last time the clock shows it.
constexpr std::int64_t io_time_bound_ns = 200'000;
/// Fiber runs between two looks at the clock: from 1, when runs are long, to this, when they are short.
constexpr std::int64_t max_runs_between_clocks = 16;
/// Runs this long on average halve the interval, runs this short double it.
constexpr std::int64_t long_run_ns = 10'000;
constexpr std::int64_t short_run_ns = 2'000;
/// Idle stacks whose memory is given back before a sleep, at most.
constexpr std::size_t trims_per_sleep = 64;

} // namespace

RunStatus Runtime::loop(const Until& until) {
    for (;;) {
        // 1. Take in what other threads woke or sent.
        executor_.drain_cross_queue(drain_limit());

        // 2. Run fibers, from one to the next, until nothing is ready or it is time for a look around.
        const std::size_t runs = executor_.run_ready({.runs = runs_between_clocks_, .cycles = cycles_to_io_});

        // 3. Free the tasks that ended.
        executor_.drain_deferred_free();

        // 4. An exception that left a fiber and that nobody joins ends this call.
        if (executor_.has_unhandled()) std::rethrow_exception(executor_.take_unhandled());

        // 5. Done?
        if (until.root != nullptr && until.root->state.completed()) return RunStatus::idle;

        // 6. Look at the clock; make ready whose time has come.
        const std::int64_t before_ns = executor_.event_time_ns();
        advance_time();
        const std::int64_t now_ns = executor_.event_time_ns();
        adapt_clock_interval(runs, now_ns - before_ns);

        // 7. Look at the descriptors when their interval is over, in cycles or in time.
        if (runs != 0) idle_policy_.active(now_ns);
        cycles_to_io_ = executor_.remaining_allowance().cycles;
        if (cycles_to_io_ <= 0 || now_ns - last_io_ns_ >= io_time_bound_ns) take_in_events(0);
        if (has_work()) {
            // 8. The owner of the loop gets it back when its budget is spent.
            if (until.root == nullptr && (until.once || now_ns >= until.deadline_ns)) return RunStatus::more;
            continue;
        }

        // 9. Nothing is ready: sleep until an event, a timer or another thread, or look again at once, as the mode
        //    says; an owner that drives the loop itself gets it back.
        if (until.root != nullptr) {
            idle();
        } else if (take_in_events(0); !has_work()) {
            return RunStatus::idle;
        }
    }
}

/// Without a limit of the user's no more than one cycle runs, so that threads that are faster than the loop cannot keep
/// fibers from running.
std::size_t Runtime::drain_limit() const noexcept {
    return options_.cross_thread_drain_limit != 0 ? options_.cross_thread_drain_limit : options_.tasks_per_cycle;
}

bool Runtime::has_work() const noexcept { return executor_.has_ready() || executor_.cross_wake().maybe_nonempty(); }

void Runtime::advance_time() {
    const std::int64_t now_ns = executor_.now_ns();
    executor_.set_event_time_ns(now_ns);
    executor_.timers().advance(now_ns);
}

void Runtime::take_in_events(int timeout_ms) {
    if (reactor_.poll(timeout_ms) > 0) {
        // Events stand for work that came while we slept or ran: the time of this turn starts here (RT-19).
        advance_time();
    }
    last_io_ns_ = executor_.event_time_ns();
    cycles_to_io_ = options_.event_interval;
}

void Runtime::idle() {
    if (idle_hook_ != nullptr) {
        take_in_events(0); // what has arrived comes before what time would bring
        if (has_work() || idle_hook_(idle_hook_context_, executor_.timers().next_deadline())) return;
    }
    const std::int64_t next_ns = executor_.timers().next_deadline();
    if (idle_policy_.spin(executor_.event_time_ns(), next_ns)) {
        take_in_events(0);
        return;
    }
    executor_.stacks().trim(trims_per_sleep);
    // The park protocol: say that we sleep, then look once more (H-7, H-8).
    CrossWake& cross = executor_.cross_wake();
    cross.enter_park();
    if (!cross.maybe_nonempty()) {
        arm_timer();
        take_in_events(-1);
        idle_policy_.active(executor_.event_time_ns());
    }
    cross.leave_park();
}

void Runtime::arm_timer() noexcept {
    if (!real_time_) return; // a deadline of another clock says nothing to the kernel's
    std::int64_t wanted = executor_.timers().next_deadline();
    if (wanted != time::never) {
        wanted = time::saturating_add(idle_policy_.wake_time(wanted), options_.timer_slack.count());
    }
    if (wanted == armed_ns_) return;
    timer_fd_.arm_absolute(wanted);
    armed_ns_ = wanted;
}

void Runtime::adapt_clock_interval(std::size_t runs, std::int64_t elapsed_ns) noexcept {
    if (runs == 0) return;
    const std::int64_t each_ns = elapsed_ns / static_cast<std::int64_t>(runs);
    if (each_ns > long_run_ns) {
        runs_between_clocks_ = std::max<std::int64_t>(1, runs_between_clocks_ / 2);
    } else if (each_ns < short_run_ns) {
        runs_between_clocks_ = std::min(max_runs_between_clocks, runs_between_clocks_ * 2);
    }
}

void Runtime::on_timer(void* context) noexcept {
    auto& runtime = *static_cast<Runtime*>(context);
    runtime.timer_fd_.drain();
    runtime.armed_ns_ = time::never; // it has fired: the next sleep arms it again
}

void Runtime::on_wakeup(void* context) noexcept {
    auto& runtime = *static_cast<Runtime*>(context);
    runtime.poker_->drain();
    if (runtime.signals_ && runtime.signals_->take_pending()) runtime.identity_->shutdown.trigger();
}

} // namespace nexus
