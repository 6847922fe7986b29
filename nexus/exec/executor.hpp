// The Executor: runs fibers on one thread, cycle by cycle (section 1 of the contract). Public; works without a Runtime.
//
// Defaults: owner thread only, nothing here suspends unless it says so, misuse throws UsageError.
//
// A cycle runs the tasks that were ready when it began, at most `tasks_per_cycle`; what is spawned or woken meanwhile
// runs in a later one (EX-22 to EX-24). Control passes from fiber to fiber directly; the end of a cycle is crossed in
// place while `Boundary` allowances last and nothing asks for the loop.
// Invariants: `current_` is the running fiber or null in the loop; a task whose fiber has ended has no stack;
// nothing is freed in the middle of a cycle; every task that is not completed is in `all_tasks_`.
#pragma once

#include "nexus/exec/cross_wake.hpp"
#include "nexus/exec/ready_queue.hpp"
#include "nexus/exec/shutdown_stats.hpp"
#include "nexus/exec/task.hpp"
#include "nexus/fiber/stack.hpp"
#include "nexus/time/timer_wheel.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace nexus {

template <class T>
class JoinHandle;
class Reactor;

/// Where time comes from: one seam for the real clock and for manual ones (rule 9).
struct ClockSource {
    std::int64_t (*read_ns)(void* context) noexcept;
    void* context;
};

/// Which of `count` ready tasks runs next, for seeded exploration. Must return less than `count`.
struct ChoiceSource {
    std::size_t (*choose)(void* context, std::size_t count) noexcept = nullptr;
    void* context = nullptr;
};

/// An exception left a fiber and nobody will join it. Runs on the fiber or in the loop. If it throws, the failure is
/// treated as if there were no hook.
using UnhandledHook = std::function<void(std::exception_ptr failure, const char* fiber_name)>;

struct ExecutorOptions {
    std::size_t tasks_per_cycle = 64;
    std::size_t stack_size = std::size_t{64} * 1024;
    StackPoolOptions stacks{};
    bool strict_borrows = false;
};

/// How a fiber is made.
struct SpawnOptions {
    const char* name = nullptr; ///< must outlive the fiber; null names it "fiber"
    std::size_t stack_size = 0; ///< usable bytes; 0 takes the executor's default
    const void* site = nullptr; ///< program counter of the spawn, for reports
};

/// One line about a living or abandoned fiber, for reports.
struct FiberInfo {
    std::uint32_t id;
    std::string name;
    std::string spawn_site;
    std::string waiting_for; ///< empty when ready or running
    std::int64_t waiting_ns; ///< how long, by the executor's event time
};

class Executor {
public:
    explicit Executor(ExecutorOptions options = {});
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;
    /// Teardown if it has not run yet (EX-70 to EX-72).
    ~Executor();

    /// Spawns a fiber that runs `body()` (EX-21): never inline, first in the next cycle. Throws UsageError during
    /// teardown and std::system_error when no stack can be mapped. Program counter of the caller becomes the spawn
    /// site.
    template <class F>
    [[nodiscard]] JoinHandle<std::invoke_result_t<std::decay_t<F>&&>> spawn_boxed(F&& body, SpawnOptions options = {});

    /// Takes over a slab for spawn_slab(). Throws UsageError when there is one already, std::system_error when its
    /// stacks cannot be mapped.
    void install_slab(ByteSlab slab);
    [[nodiscard]] ByteSlabStats slab_stats() const noexcept;
    /// As spawn_boxed(), in a slot of the slab: no allocation (SL-4). Throws UsageError without a slab, when it is
    /// full, or when the output does not fit; `body` has not been moved from then.
    template <class F>
    [[nodiscard]] JoinHandle<std::invoke_result_t<std::decay_t<F>&&>> spawn_slab(F&& body, SpawnOptions options = {});

    /// Runs one cycle and returns how many tasks completed in it (EX-22). Must not be called from a fiber.
    std::size_t poll();

    /// Tasks that have not completed (EX-26).
    [[nodiscard]] std::size_t task_count() const noexcept { return live_count_; }
    /// Tasks whose header is not freed yet: also completed ones that a handle or waker refers to (EX-26, A-11).
    [[nodiscard]] std::size_t outstanding_tasks() const noexcept { return outstanding_; }
    [[nodiscard]] std::size_t deferred_free_count() const noexcept;
    [[nodiscard]] bool has_ready() const noexcept { return !ready_.empty(); }
    void set_tasks_per_cycle(std::size_t limit);
    /// The callback for exceptions nobody joins. Without one, the next poll() rethrows the first of them.
    void set_on_unhandled(UnhandledHook hook) { on_unhandled_ = std::move(hook); }
    [[nodiscard]] std::vector<FiberInfo> fibers() const;
    [[nodiscard]] ShutdownStats shutdown_stats() const noexcept { return stats_->snapshot(); }
    [[nodiscard]] StackPool& stacks() noexcept { return stacks_; }

    /// Unwinds all fibers and gives up what others still hold; the executor is dead afterwards. Idempotent. Order:
    /// cross queue, deferred free, unwind the living, account for what others hold (EX-70 to EX-72).
    void shutdown() noexcept;

    // --- the loop's interface (runtime module) ---

    /// How far fibers may go before they must come back to the loop.
    struct Boundary {
        std::int64_t runs = 0;   ///< fiber runs
        std::int64_t cycles = 0; ///< cycle ends
    };
    /// Runs ready fibers from one to the next until nothing is ready or the allowance is used up. Returns the runs
    /// made.
    std::size_t run_ready(Boundary allowance);
    /// What run_ready() left of the allowance; negative when the last cycle went beyond it.
    [[nodiscard]] Boundary remaining_allowance() const noexcept { return allowance_; }
    /// Moves what other threads woke into the ready queue; at most `limit`, 0 = all. True when the queue was seen
    /// empty.
    bool drain_cross_queue(std::size_t limit);
    void drain_deferred_free() noexcept;
    /// The first of the exceptions that left a fiber unjoined, if there is no hook; only while has_unhandled(). The
    /// others come out of the next calls.
    [[nodiscard]] std::exception_ptr take_unhandled() noexcept;
    [[nodiscard]] bool has_unhandled() const noexcept { return !unhandled_.empty(); }
    /// Exceptions that could be told to nobody: of teardown without a hook, or for want of memory.
    [[nodiscard]] std::uint64_t lost_failures() const noexcept { return lost_failures_ + unhandled_.size(); }
    [[nodiscard]] bool has_deferred() const noexcept { return deferred_ != nullptr; }
    /// Teardown has begun.
    [[nodiscard]] bool closing() const noexcept { return closing_; }
    /// Replaces the clock. Throws UsageError while timers are armed: their deadlines are in the old one.
    void set_clock(ClockSource clock);
    void set_choice(ChoiceSource choice) noexcept { choice_ = choice; }
    [[nodiscard]] time::TimerWheel& timers() noexcept { return timers_; }
    [[nodiscard]] CrossWake& cross_wake() const noexcept { return *cross_; }
    [[nodiscard]] std::shared_ptr<ShutdownStatsAtomics> stats_handle() const noexcept { return stats_; }
    /// Reads the clock.
    [[nodiscard]] std::int64_t now_ns() const noexcept { return clock_.read_ns(clock_.context); }
    /// The time of this turn (RT-19). Set by the loop.
    [[nodiscard]] std::int64_t event_time_ns() const noexcept { return event_time_ns_; }
    void set_event_time_ns(std::int64_t now) noexcept { event_time_ns_ = now; }
    /// What waits for file descriptors on behalf of this executor's fibers; null for a bare executor.
    [[nodiscard]] Reactor* reactor() const noexcept { return reactor_; }
    void set_reactor(Reactor* reactor) noexcept { reactor_ = reactor; }
    /// While the loop is not running: writes `poker` when the first task becomes ready, so that a host that watches it
    /// comes back. Null ends that.
    void set_poked_when_ready(os::EventFd* poker) noexcept { poked_when_ready_ = poker; }
    /// Fails every fiber of this executor that is parked, as abort does; they stay to be run. Returns how many.
    std::size_t abort_parked() noexcept;

    /// Makes this the executor of the thread for the life of the object; restores what was before.
    class Enter {
    public:
        explicit Enter(Executor& executor) noexcept;
        Enter(const Enter&) = delete;
        Enter& operator=(const Enter&) = delete;
        ~Enter();

    private:
        Executor* previous_;
    };

    // --- the wait points' interface (all modules with waits) ---

    /// The executor that is running on this thread, or null.
    [[nodiscard]] static Executor* current() noexcept { return current_executor_; }
    /// The executor whose fiber is running on this thread. Throws UsageError when `what` is called outside a fiber.
    [[nodiscard]] static Executor& of_current_fiber(const char* what) {
        Executor* executor = current_executor_;
        if (executor == nullptr || executor->current_ == nullptr) [[unlikely]]
            throw_outside_fiber(what);
        return *executor;
    }
    [[nodiscard]] static bool in_fiber() noexcept {
        return current_executor_ != nullptr && current_executor_->current_ != nullptr;
    }
    /// The running fiber's task; only while one runs.
    [[nodiscard]] detail::Task& current_task() const noexcept { return *current_; }
    /// The running fiber's task, or null in the loop.
    [[nodiscard]] const detail::Task* running_task() const noexcept { return current_; }
    /// A number for what runs now: the same until the running fiber suspends, and never again.
    [[nodiscard]] std::uint64_t run_number() const noexcept { return runs_; }
    /// True while `task` is the running fiber.
    [[nodiscard]] bool is_current(const detail::Task& task) const noexcept { return current_ == &task; }

    /// Suspends the running fiber until it is woken; may return spuriously. `what` names the wait and must be a
    /// literal. Throws UsageError when a mutable borrow or another region that forbids it is open; does not look at
    /// `stop`: that is what wait.hpp does.
    void suspend(const char* what) {
        detail::Task& me = *current_;
        if (suspension_forbidden(me)) [[unlikely]]
            check_suspension(me, what);
        me.waiting_for = what;
        me.waiting_since_ns = event_time_ns_;
        me.failed_waits = 0;
        me.uninterrupted = 0;
        detail::Task* next = next_to_run();
        if (next != &me) {
            current_ = next;
            *ledger_slot_ = next != nullptr ? &next->borrows : outer_ledger_;
            // SAFETY: `next` came from the ready queue, so its context is suspended or fresh; the loop's context is
            // suspended whenever a fiber runs. `me` stays reachable through the wait that will wake it.
            detail::switch_context(me.context, next != nullptr ? next->context : loop_context_, exceptions_);
        }
        me.waiting_for = nullptr;
    }

    /// Makes a task of this executor ready (EX-14). Owner thread; the task is alive. No effect when it is queued.
    void wake(detail::Task& task) noexcept {
        if (!task.state.try_set_queued(task.sharing)) return;
        ready_.push(task);
        if (poked_when_ready_ != nullptr) [[unlikely]]
            poke_when_ready();
    }
    /// Marks the running fiber ready again, behind all others.
    void requeue_current() noexcept { wake(*current_); }
    /// True while the running fiber unwinds for an exception, inside of its innermost shield if there is one: waits
    /// must not park then.
    [[nodiscard]] bool unwinding() const noexcept {
        return exceptions_->uncaught != 0 && (current_->shields == 0 || unwinding_in_shield());
    }
    /// True while a borrow or a region forbids the task to suspend.
    [[nodiscard]] bool suspension_forbidden(const detail::Task& task) const noexcept;
    /// Runs `call` on the loop's stack (that of the thread) and returns; for deep calls that do not suspend. The call
    /// counts as the running fiber's, which must not suspend in it. Must not throw: the caller wraps it.
    void call_on_loop_stack(void (*call)(void* context) noexcept, void* context) noexcept;
    /// True when a fiber runs that has no reason to stop and does not unwind: the common case of every wait.
    [[nodiscard]] bool may_suspend_plainly() const noexcept {
        return current_ != nullptr && current_->stop == 0 && exceptions_->uncaught == 0;
    }
    /// False when the task had completed; else it will be unwound at its next wait or at once if it is parked (H-1).
    bool request_abort(detail::Task& task) noexcept;
    /// A terminal task of this executor: freed at the next cycle boundary (EX-40).
    void defer_free(detail::Task& task) noexcept;
    /// An exception that nobody will see otherwise.
    void report_unhandled(std::exception_ptr failure, const char* fiber_name) noexcept;
    [[nodiscard]] std::uint64_t leaked_fibers() const noexcept { return leaked_fibers_; }
    /// Suspends the running fiber for good: it ignores its abort.
    [[noreturn]] void abandon_current() noexcept;

    /// Makes a task of type T that will run `body` and queues it. The building block of every spawn.
    template <class T, class F>
    detail::TypedTask<T>& create_task(F&& body, SpawnOptions options, unsigned references, StateWord::Word flags);
    /// A slot of the slab and a stack; invalid when a bounded slab is full. Throws UsageError, which names `what`, when
    /// there is no slab (SL-5), std::bad_alloc and std::system_error when one that grows cannot.
    [[nodiscard]] detail::SlabSlot try_claim_slot(const char* what);
    /// The same; throws UsageError when it is full.
    [[nodiscard]] detail::SlabSlot claim_slot(const char* what);
    /// Makes the task in `slot`, which is used up. Throws UsageError when the output does not fit; `slot` and `body`
    /// are as before then (SL-6).
    template <class T, class F>
    detail::TypedTask<T>& create_task_in(detail::SlabSlot& slot, F&& body, SpawnOptions options, unsigned references,
                                         StateWord::Word flags);
    /// create_task_in() as a spawn.
    template <class F>
    [[nodiscard]] JoinHandle<std::invoke_result_t<std::decay_t<F>&&>> spawn_in(detail::SlabSlot& slot, F&& body,
                                                                               SpawnOptions options);

private:
    friend void detail::enter_fiber() noexcept;
    static void fiber_main() noexcept;
    [[noreturn]] static void throw_outside_fiber(const char* what);
    [[noreturn]] void throw_closing() const;
    [[nodiscard]] bool unwinding_in_shield() const noexcept;
    Stack* take_stack(std::size_t bytes);
    void admit(detail::Task& task, Stack* stack, std::byte* closure, const detail::TaskOps& ops,
               SpawnOptions options) noexcept;
    void check_closure_fits(const Stack& stack, std::size_t closure_bytes) const;
    void check_slot_fits(std::size_t bytes, std::size_t alignment) const;
    [[noreturn]] void finish_current() noexcept;
    void complete(detail::Task& task) noexcept;
    /// The next fiber to run, its QUEUED bit cleared; null when the loop has to have a look.
    detail::Task* next_to_run() noexcept;
    bool cross_cycle_in_place() noexcept;
    void begin_cycle() noexcept;
    void drop_stale(detail::Task& task) noexcept;
    void check_suspension(detail::Task& task, const char* what) const;
    void unwind_all() noexcept;
    void poke_when_ready() noexcept;
    void account_for_survivors() noexcept;

    static inline constinit thread_local Executor* current_executor_ = nullptr;

    // Touched by every switch.
    detail::Task* current_ = nullptr;
    detail::ExceptionState* exceptions_;
    BorrowLedger** ledger_slot_;
    BorrowLedger* outer_ledger_ = nullptr;
    detail::ReadyQueue ready_;
    os::EventFd* poked_when_ready_ = nullptr;
    std::size_t cycle_left_ = 0;
    Boundary allowance_{};
    std::size_t tasks_per_cycle_;
    detail::Task* deferred_ = nullptr; ///< linked through Task::link
    CrossWake* cross_;
    std::int64_t event_time_ns_ = 0;
    detail::Context loop_context_;
    detail::Context graveyard_; ///< what fibers that ended leave their last handle in
    // Touched by spawn and completion.
    StackPool stacks_;
    std::size_t default_stack_bytes_;
    std::uint32_t default_stack_class_ = 0;
    std::uint32_t slab_stack_class_ = 0; ///< of the slab's own stacks
    std::uint32_t next_id_ = 1;
    std::size_t live_count_ = 0;
    std::size_t outstanding_ = 0;
    std::size_t completed_in_run_ = 0;
    std::uint64_t runs_ = 0;
    base::IntrusiveList<detail::Task> all_tasks_;
    // Rare.
    bool on_loop_stack_ = false; ///< the running fiber is inside call_on_loop_stack()
    void (*loop_call_)(void* context) noexcept = nullptr;
    void* loop_call_context_ = nullptr;
    bool closing_ = false;
    bool dead_ = false;
    bool strict_borrows_;
    std::uint64_t leaked_fibers_ = 0;
    ChoiceSource choice_{};
    ClockSource clock_;
    time::TimerWheel timers_;
    std::vector<std::exception_ptr> unhandled_; ///< oldest first
    std::uint64_t lost_failures_ = 0;
    UnhandledHook on_unhandled_;
    std::shared_ptr<ShutdownStatsAtomics> stats_;
    Reactor* reactor_ = nullptr;
};

} // namespace nexus

#include "nexus/exec/detail/executor_inline.hpp"
