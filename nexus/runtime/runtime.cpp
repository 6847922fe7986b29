#include "nexus/runtime/runtime.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/runtime/runtime_handle.hpp"

#include <string>
#include <thread>

namespace nexus {
namespace {

// The runtime that lives on this thread, and whether its loop runs; the one runtime-wide thread_local (RT-2).
constinit thread_local Runtime* living = nullptr;
constinit thread_local Runtime* looping = nullptr;

RuntimeOptions checked(const RuntimeOptions& options) {
    const auto require = [](bool holds, const char* text) {
        if (!holds) throw UsageError(std::string("RuntimeOptions: ") + text);
    };
    constexpr std::size_t kib = 1024;
    require(options.tasks_per_cycle >= 1 && options.tasks_per_cycle <= 1'000'000,
            "tasks_per_cycle must be from 1 to 1,000,000");
    require(options.event_interval >= 1 && options.event_interval <= 1'000'000,
            "event_interval must be from 1 to 1,000,000");
    require(options.event_capacity >= 1 && options.event_capacity <= 65'536, "event_capacity must be from 1 to 65,536");
    require(options.stack_size >= 16 * kib && options.stack_size <= 64 * kib * kib,
            "stack_size must be from 16 KiB to 64 MiB");
    require(options.root_stack_size >= 16 * kib && options.root_stack_size <= 64 * kib * kib,
            "root_stack_size must be from 16 KiB to 64 MiB");
    require(options.guard_size <= kib * kib, "guard_size must be at most 1 MiB");
    require(options.spin_window.count() >= 0 && options.timer_slack.count() >= 0,
            "spin_window and timer_slack must not be negative");
    if (living != nullptr) {
        throw UsageError("a second Runtime on this thread: one thread runs one runtime; destroy the other one first, "
                         "or make this one on a thread of its own");
    }
    return options;
}

ExecutorOptions executor_options(const RuntimeOptions& options) {
    return {.tasks_per_cycle = options.tasks_per_cycle,
            .stack_size = options.stack_size,
            .stacks = {.guard_bytes = options.guard_size},
            .strict_borrows = options.strict_borrows};
}

} // namespace

/// Makes the runtime the running one for the time of a call of the loop.
class Runtime::Running {
public:
    Running(Runtime& runtime, const char* what) : runtime_(runtime) {
        runtime.check_can_run(what);
        runtime_.executor_.cross_wake().leave_park();
        runtime_.executor_.set_poked_when_ready(nullptr);
        looping = &runtime_;
        runtime_.running_ = true;
        enter_.emplace(runtime_.executor_);
        runtime_.executor_.set_event_time_ns(runtime_.executor_.now_ns());
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
        enter_.reset();
        runtime_.running_ = false;
        looping = nullptr;
        if (runtime_.host_polls_) runtime_.prepare_poll_fd(); // also when an exception ends the call
    }

private:
    Runtime& runtime_;
    std::optional<Executor::Enter> enter_;
};

Runtime::Runtime(World& world, RuntimeOptions options, std::optional<ByteSlab> slab)
    : world_(world), options_(checked(options)), executor_(executor_options(options_)),
      reactor_(executor_, options_.event_capacity), timer_fd_(os::TimerFd::create().value()),
      identity_(std::make_shared<detail::RuntimeIdentity>(detail::RuntimeIdentity{this, &executor_, ShutdownHandle()})),
      idle_policy_(options_) {
    poker_ = executor_.cross_wake().poker().value();
    reactor_.add_wakeup(timer_fd_.fd(), &Runtime::on_timer, this).value();
    reactor_.add_wakeup(poker_->fd(), &Runtime::on_wakeup, this).value();
    executor_.set_reactor(&reactor_);
    if (options_.preallocated_stacks > 0) {
        StackPool& stacks = executor_.stacks();
        stacks.reserve(stacks.size_class(options_.stack_size), options_.preallocated_stacks, options_.prefault_stacks)
            .value();
    }
    if (slab.has_value()) executor_.install_slab(std::move(*slab));
    if (options_.signal_handlers) install_signal_handlers();
    if (options_.overflow_report) {
        overflow_report_.emplace(
            executor_.stacks(),
            [](void* context) noexcept -> OverflowReport::Fiber {
                const detail::Task* task = static_cast<Executor*>(context)->running_task();
                if (task == nullptr) return {};
                return {task->name(), task->spawn_site};
            },
            &executor_);
    }
    cycles_to_io_ = options_.event_interval;
    living = this; // last: a constructor that throws leaves the thread free
}

Runtime::~Runtime() {
    signals_.reset();
    looping = this; // destructors of fibers may ask for the runtime
    executor_.shutdown();
    looping = nullptr;
    executor_.set_reactor(nullptr);
    living = nullptr;
}

Runtime* Runtime::current() noexcept { return looping; }

Runtime& Runtime::require(const char* what) {
    if (looping == nullptr) {
        throw UsageError(std::string(what) + "() called outside a runtime: call it from inside block_on, or from a "
                                             "fiber; between calls of the loop use the Runtime's own members");
    }
    return *looping;
}

void Runtime::install_signal_handlers() {
    if (!signals_) signals_.emplace(poker_->fd());
}

void Runtime::check_can_run(const char* what) const {
    if (Executor::in_fiber() || running_) {
        throw UsageError(std::string(what) + "() called from a fiber or from within the loop: the loop is running "
                                             "already; spawn a fiber and join it instead");
    }
    if (looping != nullptr) {
        throw UsageError(std::string(what) + "(): another runtime runs on this thread; let its call of the loop return "
                                             "first");
    }
}

void Runtime::run_root(detail::JoinHandleBase& root) {
    Running running(*this, "block_on");
    detail::Task& task = root.header();
    try {
        loop({.root = &task, .deadline_ns = 0, .once = false});
    } catch (...) {
        end_root(task);
        throw;
    }
}

RunStatus Runtime::run_for(std::chrono::nanoseconds budget) {
    Running running(*this, "run_for");
    return loop({.root = nullptr,
                 .deadline_ns = time::saturating_add(executor_.event_time_ns(), budget.count()),
                 .once = false});
}

RunStatus Runtime::run_once() {
    Running running(*this, "run_once");
    return loop({.root = nullptr, .deadline_ns = 0, .once = true});
}

int Runtime::poll_fd() {
    host_polls_ = true;
    prepare_poll_fd();
    return reactor_.fd();
}

void Runtime::prepare_poll_fd() noexcept {
    // As before a sleep, except that the host sleeps: other threads have to poke, the timer has to be armed, and what
    // is ready already must make the descriptor readable.
    CrossWake& cross = executor_.cross_wake();
    cross.enter_park();
    arm_timer();
    if (executor_.has_ready() || cross.maybe_nonempty()) {
        poker_->signal();
    } else {
        executor_.set_poked_when_ready(poker_); // what this thread makes ready between two calls
    }
}

void Runtime::end_root(detail::Task& root) noexcept {
    // The body may refer to the frame of whoever called block_on: it must end before we leave that frame.
    executor_.request_abort(root);
    for (int turn = 0; turn < 1'000'000 && !root.state.completed(); ++turn) {
        executor_.drain_cross_queue(0);
        executor_.run_ready({.runs = 0, .cycles = 0});
        if (!executor_.has_ready()) executor_.request_abort(root);
    }
    executor_.drain_deferred_free();
}

void Runtime::set_clock(ClockSource clock) {
    executor_.set_clock(clock);
    real_time_ = false;
    last_io_ns_ = executor_.event_time_ns();
}

std::optional<QuiesceTimeout> Runtime::shutdown_quiesce(std::chrono::nanoseconds timeout, bool abort_parked) {
    Running running(*this, "shutdown_quiesce");
    const std::int64_t start_ns = executor_.now_ns();
    if (abort_parked) executor_.abort_parked();
    for (;;) {
        executor_.drain_cross_queue(drain_limit());
        executor_.run_ready({.runs = 0, .cycles = 0});
        executor_.drain_deferred_free();
        if (executor_.outstanding_tasks() == 0 && !executor_.has_ready() && !executor_.cross_wake().maybe_nonempty()) {
            return std::nullopt;
        }
        const std::int64_t elapsed_ns = executor_.now_ns() - start_ns;
        executor_.set_event_time_ns(start_ns + elapsed_ns);
        if (elapsed_ns >= timeout.count()) {
            const std::size_t completed = executor_.outstanding_tasks() - executor_.task_count();
            return QuiesceTimeout{executor_.fibers(), completed, std::chrono::nanoseconds(elapsed_ns)};
        }
        if (!executor_.has_ready()) std::this_thread::yield(); // for the threads whose wakes we wait for
    }
}

std::string QuiesceTimeout::message() const {
    std::string text;
    for (const FiberInfo& fiber : remaining) {
        text += "fiber " + std::to_string(fiber.id) + " \"" + fiber.name + "\" spawned at " + fiber.spawn_site;
        text += fiber.waiting_for.empty() ? std::string(" is ready")
                                          : " waits for " + fiber.waiting_for + " since " +
                                                std::to_string(fiber.waiting_ns / 1'000'000) + " ms";
        text += '\n';
    }
    if (remaining_references > 0) {
        text += std::to_string(remaining_references) + " ended fibers are still referred to by handles or wakers\n";
    }
    return text;
}

ShutdownSignal ShutdownSignal::current() {
    return Runtime::require("ShutdownSignal::current").shutdown_handle().signal();
}

void ShutdownSignal::wait() const { detail::wait_cancelled(*state_, "shutdown signal"); }

namespace detail {

void wait_cancelled(CancelState& state, const char* what) {
    Executor& executor = Executor::of_current_fiber(what);
    struct Waiter : CancelWaiter {
        explicit Waiter(CancelState& watched) : CancelWaiter(Waker::of_current()), state(watched) {}
        ~Waiter() { state.remove(*this); }
        CancelState& state;
    };
    if (state.cancelled()) {
        wait_or_throw(executor, what, [] { return true; });
        return;
    }
    Waiter waiter(state);
    if (!state.add(waiter)) return;
    wait_or_throw(executor, what, [&state] { return state.cancelled(); });
}

} // namespace detail
} // namespace nexus
