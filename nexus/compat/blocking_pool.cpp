#include "nexus/compat/blocking_pool.hpp"

#include "nexus/base/intrusive_list.hpp"
#include "nexus/compat/detail/quiet_thread.hpp"

#include <algorithm>
#include <condition_variable>
#include <list>
#include <string>
#include <thread>
#include <vector>

namespace nexus {
namespace detail {

/// What the pool's threads, its handles and its jobs share; under one lock.
class BlockingState {
public:
    explicit BlockingState(BlockingPoolOptions options) : options_(options) {}

    /// A fiber that waits for room. On its stack; linked while it lives.
    class Spawner : public base::ListNode {
    public:
        explicit Spawner(BlockingState& state) : state_(state), waker_(Waker::of_current()) {
            const std::lock_guard lock(state_.mutex_);
            state_.spawners_.push_back(*this);
        }
        Spawner(const Spawner&) = delete;
        Spawner& operator=(const Spawner&) = delete;
        ~Spawner() {
            const std::lock_guard lock(state_.mutex_);
            unlink();
            state_.wake_first_spawner(); // who comes next may have room too (H-23)
        }
        [[nodiscard]] bool ready() const {
            const std::lock_guard lock(state_.mutex_);
            return state_.spawners_.front() == this && state_.has_room();
        }
        void wake() const noexcept { waker_.wake(); }

    private:
        BlockingState& state_;
        Waker waker_;
    };

    [[nodiscard]] bool room_for_newcomer() const {
        const std::lock_guard lock(mutex_);
        return spawners_.empty() && has_room();
    }
    enum class Queued : std::uint8_t { full, taken, wants_thread };
    Queued push(const std::shared_ptr<BlockingJob>& job, bool exceed) {
        const std::lock_guard lock(mutex_);
        if (!exceed && !has_room()) return Queued::full;
        queue_.push_back(job);
        if (idle_ >= queue_.size() || stats_.threads >= options_.threads) {
            available_.notify_one();
            return Queued::taken;
        }
        ++stats_.threads;
        return Queued::wants_thread;
    }
    /// The thread that push() asked for could not be started. True when the job was taken back: nobody would run it.
    bool thread_failed(const std::shared_ptr<BlockingJob>& job) {
        const std::lock_guard lock(mutex_);
        if (--stats_.threads > 0) {
            available_.notify_one();
            return false;
        }
        queue_.remove(job);
        return true;
    }
    /// A thread's life.
    void work() {
        std::unique_lock lock(mutex_);
        for (;;) {
            ++idle_;
            available_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
            --idle_;
            if (stopping_) return;
            std::shared_ptr<BlockingJob> job = std::move(queue_.front());
            queue_.pop_front();
            job->phase_ = BlockingJob::Phase::started;
            ++stats_.running;
            wake_first_spawner();
            lock.unlock();
            job->run();
            lock.lock();
            job->phase_ = BlockingJob::Phase::ended;
            --stats_.running;
            ++stats_.finished;
            lock.unlock();
            job.reset(); // the last reference may destroy the value: not under the lock
            lock.lock();
        }
    }
    bool abort(const std::shared_ptr<BlockingJob>& job) noexcept {
        {
            const std::lock_guard lock(mutex_);
            if (job->phase_ != BlockingJob::Phase::queued) return false;
            job->phase_ = BlockingJob::Phase::ended;
            queue_.remove(job);
            ++stats_.aborted;
            wake_first_spawner();
        }
        job->discard();
        return true;
    }
    /// What has not started never will; threads end when they have nothing in hand.
    void stop() noexcept {
        std::list<std::shared_ptr<BlockingJob>> left;
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
            left.swap(queue_);
            for (const auto& job : left) job->phase_ = BlockingJob::Phase::ended;
            stats_.aborted += left.size();
        }
        available_.notify_all();
        for (const auto& job : left) job->discard();
    }
    [[nodiscard]] BlockingPoolStats stats() const {
        const std::lock_guard lock(mutex_);
        BlockingPoolStats stats = stats_;
        stats.queued = queue_.size();
        return stats;
    }

private:
    [[nodiscard]] bool has_room() const noexcept { return queue_.size() < options_.max_queued; }
    void wake_first_spawner() noexcept {
        if (!spawners_.empty() && has_room()) spawners_.front()->wake();
    }

    mutable std::mutex mutex_;
    std::condition_variable available_;
    std::list<std::shared_ptr<BlockingJob>> queue_;
    base::IntrusiveList<Spawner> spawners_;
    BlockingPoolOptions options_;
    BlockingPoolStats stats_;
    std::size_t idle_ = 0;
    bool stopping_ = false;
};

/// The threads. Goes with the last copy of the pool.
class BlockingOwner {
public:
    explicit BlockingOwner(std::shared_ptr<BlockingState> state) : state_(std::move(state)) {}
    BlockingOwner(const BlockingOwner&) = delete;
    BlockingOwner& operator=(const BlockingOwner&) = delete;
    ~BlockingOwner() {
        state_->stop();
        for (std::thread& thread : threads_) {
            // A job that holds the last copy of its own pool destroys it on one of these threads.
            if (thread.get_id() == std::this_thread::get_id()) {
                thread.detach();
            } else {
                thread.join();
            }
        }
    }

    void start_thread() {
        const std::lock_guard lock(mutex_);
        threads_.reserve(threads_.size() + 1);
        threads_.push_back(start_quiet_thread([state = state_] { state->work(); }));
    }

private:
    std::shared_ptr<BlockingState> state_;
    std::mutex mutex_;
    std::vector<std::thread> threads_;
};

bool enqueue(BlockingState& state, BlockingOwner& owner, const std::shared_ptr<BlockingJob>& job, bool exceed) {
    switch (state.push(job, exceed)) {
    case BlockingState::Queued::full: return false;
    case BlockingState::Queued::taken: return true;
    case BlockingState::Queued::wants_thread: break;
    }
    try {
        owner.start_thread();
    } catch (...) {
        if (state.thread_failed(job)) throw;
    }
    return true;
}

bool has_room(const BlockingState& state) { return state.room_for_newcomer(); }

bool wait_for_room(BlockingState& state) {
    Executor& executor = Executor::of_current_fiber("spawn_blocking");
    if (state.room_for_newcomer()) {
        return wait_or_throw(executor, "spawn_blocking", [] { return true; });
    }
    const BlockingState::Spawner spawner(state);
    return wait_or_throw(executor, "spawn_blocking", [&] { return spawner.ready(); });
}

bool abort_job(BlockingState& state, const std::shared_ptr<BlockingJob>& job) noexcept { return state.abort(job); }

} // namespace detail

namespace {

BlockingPoolOptions checked(BlockingPoolOptions options) {
    if (options.threads < 1 || options.threads > 1024) {
        throw UsageError("BlockingPool: threads is " + std::to_string(options.threads) + ", must be from 1 to 1,024");
    }
    if (options.max_queued < 1) throw UsageError("BlockingPool: max_queued must be at least 1");
    return options;
}

} // namespace

BlockingPool::BlockingPool(BlockingPoolOptions options)
    : state_(std::make_shared<detail::BlockingState>(checked(options))),
      owner_(std::make_shared<detail::BlockingOwner>(state_)) {}

BlockingPoolStats BlockingPool::stats() const { return state_->stats(); }

} // namespace nexus
