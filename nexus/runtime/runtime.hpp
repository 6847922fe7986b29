// The Runtime: one thread, one epoll loop, an Executor and a World (section 3 of the contract).
//
// Defaults: owner thread only, except handle(), ShutdownHandle and what they hand out; misuse throws UsageError.
// It runs only while its owner calls block_on(), run_for() or run_once(). The World must outlive it. One runtime a
// thread at a time (RT-2); many may be made and destroyed one after the other.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/exec/executor.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/fiber/overflow_report.hpp"
#include "nexus/os/timerfd.hpp"
#include "nexus/reactor/reactor.hpp"
#include "nexus/runtime/detail/idle_policy.hpp"
#include "nexus/runtime/options.hpp"
#include "nexus/runtime/shutdown.hpp"
#include "nexus/runtime/signals.hpp"
#include "nexus/world/builder.hpp"
#include "nexus/world/handler.hpp"
#include "nexus/world/world.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace nexus {

class RuntimeBuilder;
class RuntimeHandle;
class SlabClaim;

/// Why run_for() or run_once() came back.
enum class RunStatus : std::uint8_t {
    idle, ///< nothing is ready: there is nothing to do until an event, a timer or another thread brings something
    more  ///< the budget is spent and fibers are still ready
};

/// What shutdown_quiesce() reports when time is up (EX-80).
struct QuiesceTimeout {
    std::vector<FiberInfo> remaining;     ///< fibers that have not ended
    std::size_t remaining_references = 0; ///< completed tasks that a handle or waker still refers to
    std::chrono::nanoseconds elapsed{0};
    /// One line for each of them: name, spawn site, what it waits for, how long.
    [[nodiscard]] std::string message() const;
};

class Runtime {
public:
    /// Throws UsageError when this thread has a runtime, or for options out of range; std::system_error when the kernel
    /// refuses epoll, timerfd or eventfd.
    explicit Runtime(World& world, RuntimeOptions options = {}, std::optional<ByteSlab> slab = std::nullopt);
    /// The same, option by option; nexus/runtime/builder.hpp.
    [[nodiscard]] static RuntimeBuilder builder(World& world);
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;
    /// Unwinds every fiber that is alive, then lets go of everything (EX-70 to EX-72).
    ~Runtime();

    /// Runs `body(args...)` as a fiber, with injection, and the loop until it has ended; returns its value or rethrows
    /// its exception (RT-10). Fibers spawned meanwhile live on in the next call (RT-15). An exception that left another
    /// fiber and that nobody joins is rethrown here too, after the body was aborted. Throws UsageError from a fiber.
    template <class F, class... Args>
    auto block_on(F&& body, Args&&... args);

    /// Runs the loop for at most `budget`; returns early when idle. 0 runs one turn.
    RunStatus run_for(std::chrono::nanoseconds budget);
    /// One turn: what is ready now runs once, events and timers that are due are taken in.
    RunStatus run_once();
    /// A descriptor that is readable, level-triggered, whenever run_once() has something to do; for the host's own
    /// poll loop: also for what the host itself, or another thread, wakes or spawns between two calls. Valid as long as
    /// the runtime; the host must not read it. From the first call on, each return from a call of the loop prepares it,
    /// at the cost of up to two system calls.
    [[nodiscard]] int poll_fd();

    /// Spawns `body(args...)` with injection; also between calls of the loop (rule 4 of World: errors here and now).
    template <class F, class... Args>
    auto spawn(F&& body, Args&&... args);
    template <class F, class... Args>
    auto spawn(SpawnOptions options, F&& body, Args&&... args);

    /// Spawns into the slab (SL-4); nexus/runtime/slab.hpp.
    template <class F, class... Args>
        requires(!std::is_same_v<std::decay_t<F>, SpawnOptions>)
    auto spawn_slab(F&& body, Args&&... args);
    template <class F, class... Args>
    auto spawn_slab(SpawnOptions options, F&& body, Args&&... args);
    /// Reserves a slot of the slab (SL-5): claim_slab() throws UsageError when a bounded one is full.
    [[nodiscard]] SlabClaim claim_slab();
    [[nodiscard]] std::optional<SlabClaim> try_claim_slab();
    [[nodiscard]] ByteSlabStats slab_stats() const noexcept { return executor_.slab_stats(); }

    /// Resolves a handler once, to be called often from fibers of this runtime; unlike world().resolve() it also
    /// injects EventTime, ShutdownSignal and WorldCtx.
    template <class F>
    [[nodiscard]] auto resolve(F&& callable) {
        return resolve_handler(ResolveEnvironment(&world_, identity_.get()), std::forward<F>(callable));
    }

    /// For other threads.
    [[nodiscard]] RuntimeHandle handle() noexcept;
    [[nodiscard]] ShutdownHandle shutdown_handle() const noexcept { return identity_->shutdown; }
    /// Starts to listen for SIGINT and SIGTERM; same as the option. No effect when it does already.
    void install_signal_handlers();

    /// Runs what is left, without I/O and timers, until every task is gone or the time is up (EX-80 to EX-83). With
    /// `abort_parked` parked fibers are unwound first. Empty when everything is gone: destruction is clean then.
    [[nodiscard]] std::optional<QuiesceTimeout> shutdown_quiesce(std::chrono::nanoseconds timeout,
                                                                 bool abort_parked = false);

    [[nodiscard]] std::size_t task_count() const noexcept { return executor_.task_count(); }
    [[nodiscard]] std::vector<FiberInfo> fibers() const { return executor_.fibers(); }
    [[nodiscard]] ShutdownStats shutdown_stats() const noexcept { return executor_.shutdown_stats(); }
    /// Readable after the runtime is gone (EX-74).
    [[nodiscard]] std::shared_ptr<const ShutdownStatsAtomics> shutdown_stats_handle() const noexcept {
        return executor_.stats_handle();
    }
    void set_on_unhandled(UnhandledHook hook) { executor_.set_on_unhandled(std::move(hook)); }
    [[nodiscard]] const RuntimeOptions& options() const noexcept { return options_; }
    [[nodiscard]] World& world() noexcept { return world_; }
    [[nodiscard]] Executor& executor() noexcept { return executor_; }
    [[nodiscard]] Reactor& reactor() noexcept { return reactor_; }

    /// For resolving handlers against this runtime.
    [[nodiscard]] const std::shared_ptr<detail::RuntimeIdentity>& identity() const noexcept { return identity_; }

    /// The runtime of this thread while its loop runs, else null.
    [[nodiscard]] static Runtime* current() noexcept;
    /// The same; throws UsageError that names `what` when there is none.
    [[nodiscard]] static Runtime& require(const char* what);

    /// Tests: where the loop goes when it would sleep. Returns true when it brought time forward instead.
    using IdleHook = bool (*)(void* context, std::int64_t next_deadline_ns);
    void set_clock(ClockSource clock);
    void set_idle_hook(IdleHook hook, void* context) noexcept {
        idle_hook_ = hook;
        idle_hook_context_ = context;
    }

private:
    friend class WorldCtx;
    friend class SlabClaim;
    struct Until {
        const detail::Task* root = nullptr; ///< finished when this has completed
        std::int64_t deadline_ns = 0;       ///< without a root: when the budget is spent
        bool once = false;                  ///< one turn only
    };
    class Running;

    template <class Bound>
    auto start_root(Bound&& bound);
    template <class F, class... Args>
    auto spawn_in(detail::SlabSlot& slot, SpawnOptions options, F&& body, Args&&... args);
    void check_can_run(const char* what) const;
    /// Runs the loop until the root has ended, however.
    void run_root(detail::JoinHandleBase& root);
    RunStatus loop(const Until& until);
    void take_in_events(int timeout_ms);
    void advance_time();
    [[nodiscard]] bool has_work() const noexcept;
    [[nodiscard]] std::size_t drain_limit() const noexcept;
    void idle();
    void arm_timer() noexcept;
    void adapt_clock_interval(std::size_t runs, std::int64_t elapsed_ns) noexcept;
    void prepare_poll_fd() noexcept;
    void end_root(detail::Task& root) noexcept;
    static void on_wakeup(void* context) noexcept;
    static void on_timer(void* context) noexcept;

    World& world_;
    RuntimeOptions options_;
    Executor executor_;
    Reactor reactor_;
    os::TimerFd timer_fd_;
    os::EventFd* poker_ = nullptr;
    std::shared_ptr<detail::RuntimeIdentity> identity_;
    std::optional<detail::SignalGuard> signals_;
    detail::IdlePolicy idle_policy_;
    std::int64_t armed_ns_ = time::never;
    std::int64_t last_io_ns_ = 0;
    std::int64_t cycles_to_io_ = 0;
    std::int64_t runs_between_clocks_ = 1;
    bool running_ = false;
    bool host_polls_ = false;
    bool real_time_ = true; ///< the clock is the kernel's: its timers mean what ours mean
    bool world_in_use_ = false;
    std::optional<OverflowReport> overflow_report_;
    IdleHook idle_hook_ = nullptr;
    void* idle_hook_context_ = nullptr;
};

} // namespace nexus

#include "nexus/runtime/detail/runtime_inline.hpp"
#include "nexus/runtime/inject.hpp"
