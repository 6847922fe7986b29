// BlockingPool: threads for calls that block (files, DNS of the C library, a database driver), awaited by fibers.
//
// The counterpart of the seed's tokio bridge (TK-1 to TK-5). No thread exists until the first job; at most
// `threads` do. A pool is a handle: copies share it, the last one stops it. Any thread may use it; what waits has to be
// a fiber. Invariants: a job runs at most once; one that was aborted before it started never runs; its closure is
// destroyed where it ends.
//
//     builder.add_const(nexus::BlockingPool({.threads = 2}));
//     void load(nexus::ConstRes<nexus::BlockingPool> pool) {
//         auto text = pool->spawn_blocking([] { return read_file("instruments.csv"); });
//         parse(text.join());
//     }
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/base/usage_error.hpp"
#include "nexus/compat/detail/delivery.hpp"
#include "nexus/exec/join_handle.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace nexus {

struct BlockingPoolOptions {
    std::size_t threads = 4;       ///< the most that are started, 1 to 1,024
    std::size_t max_queued = 1024; ///< jobs that wait for a thread; then spawn_blocking() waits too; at least 1
};

struct BlockingPoolStats {
    std::size_t threads = 0; ///< started
    std::size_t queued = 0;
    std::size_t running = 0;
    std::size_t finished = 0; ///< ran to their end, or threw
    std::size_t aborted = 0;  ///< never ran
};

namespace detail {

class BlockingState;
class BlockingOwner;

/// A job in the pool; its closure and its result belong to the derived class.
class BlockingJob {
public:
    BlockingJob() = default;
    BlockingJob(const BlockingJob&) = delete;
    BlockingJob& operator=(const BlockingJob&) = delete;
    virtual ~BlockingJob() = default;
    /// On a thread of the pool.
    virtual void run() noexcept = 0;
    /// It will never run: destroys the closure, settles the delivery.
    virtual void discard() noexcept = 0;

private:
    friend class BlockingState;
    enum class Phase : std::uint8_t { queued, started, ended } phase_ = Phase::queued; // under the pool's lock
};

template <class T, class F, class Arguments>
class TypedBlockingJob final : public BlockingJob {
public:
    template <class G, class A>
    TypedBlockingJob(G&& function, A&& arguments)
        : body_(std::in_place, std::forward<G>(function), std::forward<A>(arguments)) {}

    Delivery<T> delivery;

private:
    void run() noexcept override {
        try {
            if constexpr (std::is_void_v<T>) {
                std::apply(std::move(body_->first), std::move(body_->second));
                body_.reset();
                delivery.deliver({});
            } else {
                T value = std::apply(std::move(body_->first), std::move(body_->second));
                body_.reset();
                delivery.deliver(std::move(value));
            }
        } catch (...) {
            body_.reset();
            delivery.fail(std::current_exception());
        }
    }
    void discard() noexcept override {
        body_.reset();
        delivery.drop();
    }

    std::optional<std::pair<F, Arguments>> body_;
};

/// Queues the job; false when `max_queued` wait already and `exceed` is false.
bool enqueue(BlockingState& state, BlockingOwner& owner, const std::shared_ptr<BlockingJob>& job, bool exceed);
[[nodiscard]] bool has_room(const BlockingState& state);
/// Suspends the running fiber until there is room. False when it may not wait because it unwinds.
bool wait_for_room(BlockingState& state);
/// True when the job had not started: it never will.
bool abort_job(BlockingState& state, const std::shared_ptr<BlockingJob>& job) noexcept;

} // namespace detail

/// What became of a job. Move-only; may outlive the pool and the runtime. Destroying it aborts the job unless that has
/// started (TK-4); what has started runs to its end, so it must not refer to the stack of a fiber that may go before.
template <class T>
class BlockingHandle {
public:
    BlockingHandle() noexcept = default;
    BlockingHandle(BlockingHandle&&) noexcept = default;
    BlockingHandle& operator=(BlockingHandle&& other) noexcept {
        if (this != &other) {
            reset();
            state_ = std::move(other.state_);
            job_ = std::move(other.job_);
            delivery_ = std::exchange(other.delivery_, nullptr);
        }
        return *this;
    }
    ~BlockingHandle() { reset(); }

    /// Suspends until the job has ended; returns its value, rethrows its exception, throws TaskAborted when it never
    /// ran. The handle is empty afterwards, but keeps the job when the *wait* is ended (ScopeEnded, Aborted). While an
    /// exception unwinds it does not wait: see JoinHandle::join(). Throws UsageError for an empty handle.
    T join() {
        if (job_ == nullptr) throw UsageError("BlockingHandle::join() on an empty handle: it was joined or moved from");
        Executor& executor = Executor::of_current_fiber("join a blocking job");
        {
            detail::DeliveryWait<T> wait(*delivery_);
            if (!detail::wait_or_throw(executor, "join a blocking job", [&] { return wait.ready(); })) {
                if constexpr (std::is_void_v<T>) {
                    return;
                } else {
                    throw TaskAborted{};
                }
            }
        }
        const auto keep = std::move(job_);
        if (delivery_->settled() == detail::Settled::dropped) throw TaskAborted{};
        return delivery_->take();
    }
    /// True when it ended, or will never run.
    [[nodiscard]] bool is_finished() const {
        if (job_ == nullptr) throw UsageError("BlockingHandle::is_finished() on an empty handle");
        return delivery_->settled() != detail::Settled::no;
    }
    /// Keeps a job that has not started from running, and says whether that worked. join() throws TaskAborted then.
    bool abort() {
        if (job_ == nullptr) throw UsageError("BlockingHandle::abort() on an empty handle");
        return detail::abort_job(*state_, job_);
    }
    /// Lets the job run by itself; an exception it throws is lost.
    void detach() noexcept { job_ = nullptr; }
    [[nodiscard]] bool valid() const noexcept { return job_ != nullptr; }

private:
    friend class BlockingPool;
    BlockingHandle(std::shared_ptr<detail::BlockingState> state, std::shared_ptr<detail::BlockingJob> job,
                   detail::Delivery<T>& delivery) noexcept
        : state_(std::move(state)), job_(std::move(job)), delivery_(&delivery) {}
    void reset() noexcept {
        if (job_ != nullptr) detail::abort_job(*state_, job_);
        job_ = nullptr;
    }

    std::shared_ptr<detail::BlockingState> state_;
    std::shared_ptr<detail::BlockingJob> job_;
    detail::Delivery<T>* delivery_ = nullptr; ///< inside *job_
};

class BlockingPool {
public:
    /// Throws UsageError for options out of range.
    explicit BlockingPool(BlockingPoolOptions options = {});

    /// Runs `function(args...)`, decayed copies as for std::thread, on a thread of the pool. Suspends while
    /// `max_queued` jobs wait, first come, first served; in an ended scope it throws. Throws std::system_error when not
    /// even one thread can be started. Allocates. The threads block all signals.
    template <class F, class... Args>
    [[nodiscard]] auto spawn_blocking(F&& function, Args&&... args) const {
        auto made = make(std::forward<F>(function), std::forward<Args>(args)...);
        for (;;) {
            const bool exceed = !detail::wait_for_room(*state_); // it unwinds: nothing is lost for want of a wait
            if (detail::enqueue(*state_, *owner_, made.job_, exceed)) return made;
        }
    }
    /// The same from anywhere, without suspending. Errors: errc::full, and nothing has been moved from then.
    template <class F, class... Args>
    [[nodiscard]] auto try_spawn_blocking(F&& function, Args&&... args) const {
        using Handle = decltype(make(std::forward<F>(function), std::forward<Args>(args)...));
        if (!detail::has_room(*state_)) return Result<Handle>(Error(errc::full, "spawn_blocking"));
        Handle made = make(std::forward<F>(function), std::forward<Args>(args)...);
        // Threads that ask at the same moment may exceed the bound by one each.
        detail::enqueue(*state_, *owner_, made.job_, true);
        return Result<Handle>(std::move(made));
    }

    [[nodiscard]] BlockingPoolStats stats() const;

private:
    template <class F, class... Args>
    auto make(F&& function, Args&&... args) const {
        using Function = std::decay_t<F>;
        using Arguments = std::tuple<std::unwrap_ref_decay_t<Args>...>;
        using T = std::invoke_result_t<Function&&, std::unwrap_ref_decay_t<Args>&&...>;
        static_assert(!std::is_reference_v<T>, "a job cannot return a reference: return a value or a pointer");
        auto job = std::make_shared<detail::TypedBlockingJob<T, Function, Arguments>>(
            std::forward<F>(function), Arguments(std::forward<Args>(args)...));
        detail::Delivery<T>& delivery = job->delivery;
        return BlockingHandle<T>(state_, std::move(job), delivery);
    }

    std::shared_ptr<detail::BlockingState> state_;
    std::shared_ptr<detail::BlockingOwner> owner_;
};

} // namespace nexus
