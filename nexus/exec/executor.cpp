#include "nexus/exec/executor.hpp"

#include "nexus/base/call_site.hpp"
#include "nexus/base/usage_error.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/exec/wait.hpp"
#include "nexus/os/clock.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace nexus {

using detail::CrossNode;
using detail::Outcome;
using detail::Task;

namespace {

/// Fibers alive at once under TSan, which keeps a full thread state for each and has room for 8,000 or so.
constexpr std::size_t tsan_fiber_cap = 4000;
/// Room that the first frames of a fiber need beside its closure.
constexpr std::size_t minimum_frame_bytes = 4096;

/// Before anything is made that a constructor which throws would leave behind.
std::size_t at_least_one(std::size_t tasks_per_cycle) {
    if (tasks_per_cycle == 0) throw UsageError("Executor: tasks_per_cycle must be at least 1");
    return tasks_per_cycle;
}

std::int64_t read_monotonic(void* /*context*/) noexcept { return os::monotonic_ns(); }

} // namespace

Executor::Executor(ExecutorOptions options)
    : exceptions_(detail::exception_state()), ledger_slot_(ledger_slot()),
      tasks_per_cycle_(at_least_one(options.tasks_per_cycle)), cross_(new CrossWake(*this)), stacks_(options.stacks),
      default_stack_bytes_(options.stack_size),
      strict_borrows_(options.strict_borrows), clock_{&read_monotonic, nullptr}, timers_(os::monotonic_ns()),
      stats_(std::make_shared<ShutdownStatsAtomics>()) {
    default_stack_class_ = stacks_.size_class(default_stack_bytes_);
    detail::adopted(loop_context_.sanitizer);
    event_time_ns_ = now_ns();
}

Executor::~Executor() {
    shutdown();
    cross_->release();
}

Executor::Enter::Enter(Executor& executor) noexcept : previous_(current_executor_) {
    current_executor_ = &executor;
    executor.outer_ledger_ = *executor.ledger_slot_;
}

Executor::Enter::~Enter() { current_executor_ = previous_; }

void Executor::throw_outside_fiber(const char* what) {
    throw UsageError(std::string(what) + "() called outside a fiber: only code that runs inside block_on, or in a "
                                         "fiber spawned there, can wait; call it from there");
}

void Executor::throw_closing() const {
    throw UsageError("spawn during teardown: the runtime is unwinding its fibers and takes no new ones; "
                     "spawn before block_on returns, or check for the shutdown signal first");
}

void Executor::set_tasks_per_cycle(std::size_t limit) {
    if (limit == 0) throw UsageError("set_tasks_per_cycle(0): at least one task has to run in a cycle");
    tasks_per_cycle_ = limit;
}

void Executor::set_clock(ClockSource clock) {
    if (!timers_.empty())
        throw UsageError("set_clock() while timers are armed: replace the clock before the first wait");
    clock_ = clock;
    event_time_ns_ = now_ns();
    std::destroy_at(&timers_);
    std::construct_at(&timers_, event_time_ns_);
}

// --- spawn ---

Stack* Executor::take_stack(std::size_t bytes) {
#if defined(NEXUS_TSAN)
    if (live_count_ >= tsan_fiber_cap) {
        throw UsageError("more than 4,000 living fibers under ThreadSanitizer: it cannot follow that many");
    }
#else
    (void)tsan_fiber_cap;
#endif
    if (bytes > StackPool::max_stack_bytes) [[unlikely]] {
        throw UsageError("SpawnOptions::stack_size is " + std::to_string(bytes) + "; the most is 1 GiB");
    }
    const std::uint32_t size_class = bytes == 0 || bytes == default_stack_bytes_ ? default_stack_class_
                                                                                 : stacks_.size_class(bytes);
    return stacks_.acquire(size_class).value();
}

void Executor::install_slab(ByteSlab slab) {
    if (cross_->byte_slab() != nullptr) throw UsageError("install_slab(): this executor has a slab already");
    if (slab.storage_ == nullptr) throw UsageError("install_slab(): the slab was moved from");
    const ByteSlabOptions& options = slab.storage_->options();
    if (options.stack_size > StackPool::max_stack_bytes) {
        throw UsageError("ByteSlabOptions::stack_size is " + std::to_string(options.stack_size) +
                         "; the most is 1 GiB");
    }
    slab_stack_class_ = stacks_.add_class(options.stack_size == 0 ? default_stack_bytes_ : options.stack_size);
    stacks_.reserve(slab_stack_class_, options.slots, options.prefault).value();
    cross_->adopt(std::move(slab.storage_));
}

ByteSlabStats Executor::slab_stats() const noexcept {
    const detail::SlabStorage* slab = cross_->byte_slab();
    return slab == nullptr ? ByteSlabStats{} : slab->stats();
}

detail::SlabSlot Executor::try_claim_slot(const char* what) {
    detail::SlabStorage* slab = cross_->byte_slab();
    if (slab == nullptr) {
        throw UsageError(std::string(what) + "(): this runtime has no slab; hand one to its builder: "
                                             "Runtime::builder(world).slab(nexus::ByteSlab::bounded({.slots = 64}))");
    }
    if (closing_) throw_closing();
    if (slab->available() == 0) {
        if (slab->bounded()) return {};
        const ByteSlabOptions& options = slab->options();
        stacks_.reserve(slab_stack_class_, options.slots, options.prefault).value();
        slab->grow();
    }
    Stack* stack = stacks_.acquire(slab_stack_class_).value(); // there is one for each slot
    return {*cross_, slab->take(), stack};
}

detail::SlabSlot Executor::claim_slot(const char* what) {
    detail::SlabSlot slot = try_claim_slot(what);
    if (!slot.valid()) {
        throw UsageError(std::string(what) + "(): all " + std::to_string(cross_->byte_slab()->stats().slots) +
                         " slots are in use; use try_claim_slab(), which says so without throwing, or more slots. A "
                         "slot comes back at the end of the cycle in which the last handle of its task went");
    }
    return slot;
}

void Executor::check_slot_fits(std::size_t bytes, std::size_t alignment) const {
    const std::size_t room = cross_->byte_slab()->options().slot_bytes;
    if (bytes <= room && alignment <= slot_alignment) return;
    throw UsageError("spawn_slab: this task takes " + std::to_string(bytes) + " bytes aligned to " +
                     std::to_string(alignment) + " (header and output), its slot has " + std::to_string(room) +
                     " aligned to " + std::to_string(slot_alignment) + "; raise slot_bytes, or use spawn_boxed");
}

void Executor::check_closure_fits(const Stack& stack, std::size_t closure_bytes) const {
    constexpr std::size_t base_bytes = sizeof(detail::StackBase) + detail::StackBase::room_bytes;
    if (closure_bytes + base_bytes + minimum_frame_bytes <= stack.usable_bytes()) return;
    throw UsageError("spawn: a closure of " + std::to_string(closure_bytes) + " bytes does not fit into a stack of " +
                     std::to_string(stack.usable_bytes()) +
                     "; hold large state by pointer, or raise SpawnOptions::stack_size");
}

void Executor::admit(Task& task, Stack* stack, std::byte* closure, const detail::TaskOps& ops,
                     SpawnOptions options) noexcept {
    task.stack = stack;
    task.ops = &ops;
    task.owner = cross_;
    task.spawn_site = options.site;
    task.borrows.fiber_name = options.name != nullptr ? options.name : "fiber";
    task.id = next_id_++;
    // SAFETY: the top of the stack is aligned to a cache line, and the closure lies below (FiberBody::address).
    ::new (static_cast<void*>(detail::StackBase::address(stack->top))) detail::StackBase(closure);
    detail::make_context(task.context, stack->limit, closure - detail::StackBase::room_bytes);
    detail::created(task.context.sanitizer, stack->limit, stack->top);
    all_tasks_.push_back(task);
    ++live_count_;
    ++outstanding_;
    wake(task);
}

// --- life of a fiber ---

void detail::enter_fiber() noexcept { Executor::fiber_main(); }

void Executor::fiber_main() noexcept {
    Executor& executor = *current_executor_;
    Task& me = *executor.current_;
    try {
        if ((me.stop & detail::stop_bit::abort) != 0) {
            me.ending = true;
            me.ops->discard(me);
            me.outcome = Outcome::aborted;
        } else {
            me.ops->run(me);
            me.outcome = Outcome::value;
        }
    } catch (const Aborted&) {
        me.outcome = Outcome::aborted;
    } catch (...) {
        // A destructor of the closure cannot get here after the output was stored: it would have been noexcept.
        me.outcome = Outcome::failed;
        me.failure = std::current_exception();
    }
    executor.finish_current();
}

void Executor::complete(Task& task) noexcept {
    task.ending = true;
    // Code of the user's, which may still wait, comes first; nothing from here on does. The output may ask for
    // task-locals, and while these go the handle may: then the output goes too.
    do {
        if (!task.state.has_join()) {
            if (task.failure != nullptr) report_unhandled(std::exchange(task.failure, nullptr), task.name());
            if (task.outcome == Outcome::value) task.ops->destroy_output(task);
            task.ops = nullptr;
        }
        detail::StackBase::of(task).destroy_values();
    } while (task.ops != nullptr && !task.state.has_join());
    --live_count_;
    ++completed_in_run_;
    // It stays in place: its destructor unlinks it. Until then nobody else may join.
    if (task.listener != nullptr) task.listener->on_complete(*task.listener, task);
    if (task.state.complete_and_drop(task.sharing) != FreeAction::retain) defer_free(task);
}

void Executor::finish_current() noexcept {
    Task& me = *current_;
    if (me.borrows.live != 0) [[unlikely]]
        close_ledger(me.borrows);
    complete(me);
    // The last switch writes its handle into the graveyard, so that the header may be freed before it.
    detail::destroyed(graveyard_.sanitizer);
    graveyard_.sanitizer = std::exchange(me.context.sanitizer, {});
    stacks_.release(std::exchange(me.stack, nullptr));
    Task* next = next_to_run();
    current_ = next;
    *ledger_slot_ = next != nullptr ? &next->borrows : outer_ledger_;
    detail::switch_context_for_good(graveyard_, next != nullptr ? next->context : loop_context_, exceptions_);
}

void Executor::abandon_current() noexcept {
    Task& me = *current_;
    if (on_loop_stack_) {
        // It stands on the stack of the loop, which cannot be left behind.
        std::fprintf(stderr,
                     "nexus: fiber \"%s\" swallowed its abort a thousand times inside on_loop_stack(), where it cannot "
                     "be suspended: rethrow what catch (...) caught\n",
                     me.name());
        std::abort();
    }
    ++leaked_fibers_;
    me.outcome = Outcome::aborted;
    me.ops = nullptr;
    --live_count_;
    if (me.listener != nullptr) me.listener->on_complete(*me.listener, me);
    // Its frames still refer to the header: one reference more keeps both for ever.
    me.state.add_reference(me.sharing);
    (void)me.state.complete_and_drop(me.sharing);
    stacks_.leak(me.stack);
    detail::left_behind(cross_);
    // Nothing may keep it from being suspended: whoever wants what it has borrowed is told so.
    me.no_suspend = 0;
    if (me.borrows.live != 0) close_ledger(me.borrows);
    for (;;) suspend("nothing: it swallowed its abort a thousand times and was suspended for good");
}

void Executor::drop_stale(Task& task) noexcept {
    if (task.state.clear_queued_completed(task.sharing) != FreeAction::retain) defer_free(task);
}

void Executor::report_unhandled(std::exception_ptr failure, const char* fiber_name) noexcept {
    if (on_unhandled_) {
        try {
            on_unhandled_(failure, fiber_name);
            return;
        } catch (...) {
            // A hook that throws (it spawned during teardown, say) has not handled it.
        }
    }
    try {
        unhandled_.push_back(std::move(failure));
    } catch (...) {
        ++lost_failures_;
    }
}

std::exception_ptr Executor::take_unhandled() noexcept {
    std::exception_ptr first = std::move(unhandled_.front());
    unhandled_.erase(unhandled_.begin());
    return first;
}

bool Executor::request_abort(Task& task) noexcept {
    if (!task.state.set_aborted(task.sharing)) return false;
    task.stop |= detail::stop_bit::abort;
    if (&task != current_) wake(task);
    return true;
}

// --- cycles ---

std::size_t Executor::run_ready(Boundary allowance) {
    allowance_ = allowance;
    const std::uint64_t runs_before = runs_;
    cycle_left_ = 0;
    if (ready_.empty()) return 0;
    begin_cycle();
    detail::adopted(loop_context_.sanitizer); // the loop may run on another stack each time
    if (Task* first = next_to_run(); first != nullptr) {
        current_ = first;
        *ledger_slot_ = &first->borrows;
        // SAFETY: `first` came from the ready queue; the loop's context is continued when nothing is left to run, or
        // for a call on its stack.
        detail::switch_context(loop_context_, first->context, exceptions_);
        while (loop_call_ != nullptr) {
            // The call is the fiber's: what it handles or unwinds for is so here too.
            const detail::ExceptionState of_loop = std::exchange(*exceptions_, current_->context.exceptions);
            std::exchange(loop_call_, nullptr)(loop_call_context_);
            current_->context.exceptions = std::exchange(*exceptions_, of_loop);
            // SAFETY: the fiber that asked is suspended in call_on_loop_stack() and still current.
            detail::switch_context(loop_context_, current_->context, exceptions_);
        }
    }
    return static_cast<std::size_t>(runs_ - runs_before);
}

void Executor::call_on_loop_stack(void (*call)(void* context) noexcept, void* context) noexcept {
    Task& me = *current_;
    if (on_loop_stack_) { // we are there already; the loop's context is stale until that call returns
        call(context);
        return;
    }
    loop_call_ = call;
    loop_call_context_ = context;
    on_loop_stack_ = true;
    ++me.no_suspend;
    // SAFETY: the loop's context is suspended whenever a fiber runs on its own stack; it comes straight back.
    detail::switch_context(me.context, loop_context_, exceptions_);
    --me.no_suspend;
    on_loop_stack_ = false;
}

void Executor::poke_when_ready() noexcept { std::exchange(poked_when_ready_, nullptr)->signal(); }

std::size_t Executor::poll() {
    if (current_ != nullptr) {
        throw UsageError("Executor::poll() called from a fiber: the loop is running already; return to it by waiting");
    }
    if (dead_) throw UsageError("Executor::poll() after shutdown(): it runs nothing any more; make a new Executor");
    Enter enter(*this);
    drain_deferred_free();
    event_time_ns_ = now_ns();
    timers_.advance(event_time_ns_);
    // No more than run in a cycle, or the ready queue would grow under threads that wake faster than fibers run.
    drain_cross_queue(tasks_per_cycle_);
    completed_in_run_ = 0;
    run_ready({.runs = 0, .cycles = 0});
    if (has_unhandled()) std::rethrow_exception(take_unhandled());
    return completed_in_run_;
}

bool Executor::drain_cross_queue(std::size_t limit) {
    for (std::size_t taken = 0; limit == 0 || taken < limit; ++taken) {
        CrossNode* node = cross_->pop();
        if (node == nullptr) return !cross_->maybe_nonempty();
        if (node->deliver != nullptr) {
            node->deliver(*node, closing_ ? nullptr : this);
            continue;
        }
        // QUEUED stays set while the task moves over to the ready queue (H-5). Completed ones are dropped there.
        ready_.push(static_cast<Task&>(*node));
    }
    return !cross_->maybe_nonempty();
}

void Executor::defer_free(Task& task) noexcept {
    task.link = deferred_;
    deferred_ = &task;
}

void Executor::drain_deferred_free() noexcept {
    while (deferred_ != nullptr) {
        Task* task = deferred_;
        deferred_ = task->link;
        --outstanding_;
        cross_->free_task(*task);
    }
}

std::size_t Executor::deferred_free_count() const noexcept {
    std::size_t count = 0;
    for (const Task* task = deferred_; task != nullptr; task = task->link) ++count;
    return count;
}

void Executor::check_suspension(Task& task, const char* what) const {
    if (task.no_suspend != 0) {
        throw UsageError(std::string("waiting for ") + what +
                         " where suspending is forbidden (inside with_world, on_loop_stack, modify() of a watch, "
                         "a log sink or a write claim): leave that region first");
    }
    nexus::check_suspension(task.borrows, what, strict_borrows_);
}

// --- reports ---

std::vector<FiberInfo> Executor::fibers() const {
    std::vector<FiberInfo> list;
    auto& tasks = const_cast<base::IntrusiveList<Task>&>(all_tasks_); // SAFETY: only walked
    for (Task* task = tasks.front(); task != nullptr; task = tasks.next(*task)) {
        if (task->stack == nullptr) continue; // ended; an abandoned fiber still has its stack
        const bool waits = task->waiting_for != nullptr && !task->state.queued();
        list.push_back({task->id, task->name(), base::describe_address(task->spawn_site),
                        waits ? task->waiting_for : "", waits ? event_time_ns_ - task->waiting_since_ns : 0});
    }
    return list;
}

// --- teardown ---

std::size_t Executor::abort_parked() noexcept {
    std::size_t count = 0;
    for (Task* task = all_tasks_.front(); task != nullptr; task = all_tasks_.next(*task)) {
        if (!task->state.completed() && request_abort(*task)) ++count;
    }
    return count;
}

void Executor::unwind_all() noexcept {
    // A fiber may need several turns: a shielded destructor waits for its children, which unwind in later cycles. When
    // nothing is ready although all were asked again, and none has ended since, what is left waits for something that
    // will not come; it stays where it is, leaked.
    std::size_t living = live_count_;
    abort_parked();
    for (int rounds_without_progress = 0; live_count_ > 0 && rounds_without_progress < 3;) {
        if (ready_.empty()) {
            abort_parked();
            ++rounds_without_progress;
        }
        run_ready({.runs = 0, .cycles = 0});
        drain_cross_queue(0);
        if (live_count_ != living) rounds_without_progress = 0;
        living = live_count_;
    }
}

void Executor::account_for_survivors() noexcept {
    const bool unwinding = std::uncaught_exceptions() > 0;
    std::size_t survivors = 0;
    while (Task* task = all_tasks_.pop_front()) {
        ++survivors;
        if (!task->state.completed()) {
            stacks_.leak(task->stack);
            detail::left_behind(cross_);
        }
        // SAFETY: relaxed; independent counters (see ShutdownStatsAtomics).
        (unwinding ? stats_->leaked_box_tasks : stats_->unbalanced_normal_shutdowns).fetch_add_relaxed(1);
    }
    outstanding_ = 0;
    cross_->close(survivors);
}

void Executor::shutdown() noexcept {
    if (dead_) return;
    if (current_ != nullptr) {
        std::fprintf(stderr,
                     "nexus: fiber \"%s\" shuts its own executor or runtime down, on whose stack it stands: let the "
                     "fiber return, and do it where the loop was called\n",
                     current_->name());
        std::abort();
    }
    closing_ = true;
    cross_->refuse_jobs();
    {
        Enter enter(*this);
        std::uint64_t undrained = 0;
        while (CrossNode* node = cross_->pop()) {
            ++undrained;
            if (node->deliver != nullptr) {
                node->deliver(*node, nullptr);
            } else {
                ready_.push(static_cast<Task&>(*node));
            }
        }
        // SAFETY: relaxed; independent counter.
        stats_->cross_queue_undrained.fetch_add_relaxed(undrained);
        drain_deferred_free();
        unwind_all();
        while (!ready_.empty()) drop_stale(*ready_.pop());
        drain_deferred_free();
    }
    dead_ = true;
    detail::destroyed(graveyard_.sanitizer);
    account_for_survivors();
}

} // namespace nexus
