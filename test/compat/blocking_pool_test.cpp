// The pool for blocking calls: the counterpart of the seed's tokio bridge (TK-1 to TK-5).
#include "nexus/compat/blocking_pool.hpp"

#include "nexus/exec/waker.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/cancellation_token.hpp"
#include "nexus/testing/gtest.hpp"

#include <condition_variable>
#include <csignal>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using nexus::BlockingHandle;
using nexus::BlockingPool;
using nexus::errc;
using namespace std::chrono_literals;

/// What a job waits at until the test opens it.
class Door {
public:
    void pass() {
        std::unique_lock lock(mutex_);
        ++inside_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    /// Until so many jobs stand at the door.
    void wait_for(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return inside_ >= count; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int inside_ = 0;
    bool open_ = false;
};

NEXUS_TEST(BlockingPool, values_and_exceptions_come_back)
{
    const BlockingPool pool({.threads = 2});
    const auto home = std::this_thread::get_id();
    auto value = pool.spawn_blocking(
        [home](int a, std::unique_ptr<int> b) {
            EXPECT_NE(std::this_thread::get_id(), home);
            return a + *b;
        },
        40, std::make_unique<int>(2));
    EXPECT_EQ(value.join(), 42);
    EXPECT_FALSE(value.valid());
    auto failing = pool.spawn_blocking([]() -> int { throw std::out_of_range("job"); });
    EXPECT_THROW(failing.join(), std::out_of_range);
    pool.spawn_blocking([] {}).join();
    EXPECT_EQ(*pool.spawn_blocking([] { return std::make_unique<int>(9); }).join(), 9);
    EXPECT_THROW((void)value.is_finished(), nexus::UsageError);
    EXPECT_THROW((void)value.join(), nexus::UsageError);
    EXPECT_THROW((void)value.abort(), nexus::UsageError);
}

NEXUS_TEST(BlockingPool, the_loop_goes_on_meanwhile)
{
    const BlockingPool pool({.threads = 1});
    Door door;
    auto job = pool.spawn_blocking([&] { door.pass(); });
    int turns = 0;
    for (; turns < 100; ++turns) nexus::yield_now();
    EXPECT_FALSE(job.is_finished());
    door.open();
    job.join();
    EXPECT_EQ(turns, 100);
}

NEXUS_TEST(BlockingPool, abort_keeps_what_has_not_started_from_running)
{
    const BlockingPool pool({.threads = 1});
    Door door;
    auto busy = pool.spawn_blocking([&] { door.pass(); });
    door.wait_for(1);
    int ran = 0;
    const auto token = std::make_shared<int>(0);
    auto waiting = pool.spawn_blocking([&ran, token] { ++ran; });
    EXPECT_EQ(token.use_count(), 2);
    EXPECT_TRUE(waiting.abort());
    EXPECT_FALSE(waiting.abort()) << "once";
    EXPECT_EQ(token.use_count(), 1) << "its closure is gone at once";
    EXPECT_FALSE(busy.abort()) << "it has started";
    EXPECT_TRUE(waiting.is_finished());
    EXPECT_THROW(waiting.join(), nexus::TaskAborted);
    door.open();
    busy.join();
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(pool.stats().aborted, 1U);
}

NEXUS_TEST(BlockingPool, dropping_the_handle_aborts_and_detaching_does_not)
{
    const BlockingPool pool({.threads = 1});
    Door door;
    auto busy = pool.spawn_blocking([&] { door.pass(); });
    door.wait_for(1);
    nexus::base::Atomic<int> ran{0};
    {
        auto dropped = pool.spawn_blocking([&ran] { ran.fetch_add_relaxed(1); });
    }
    pool.spawn_blocking([&ran] { ran.fetch_add_relaxed(10); }).detach();
    auto last = pool.spawn_blocking([] {});
    last = pool.spawn_blocking([&ran] { ran.fetch_add_relaxed(100); }); // assignment drops the first
    door.open();
    busy.join();
    last.join();
    EXPECT_EQ(ran.load_acquire(), 110);
}

NEXUS_TEST(BlockingPool, a_wait_that_is_ended_keeps_the_job)
{
    const BlockingPool pool({.threads = 1});
    Door door;
    auto job = pool.spawn_blocking([&] {
        door.pass();
        return 3;
    });
    nexus::CancellationToken token;
    token.cancel();
    EXPECT_EQ(nexus::until(token, [&] { return job.join(); }).error(), errc::cancelled);
    EXPECT_TRUE(job.valid());
    door.open();
    EXPECT_EQ(job.join(), 3);
}

NEXUS_TEST(BlockingPool, a_full_queue_makes_spawners_wait_in_turn)
{
    const BlockingPool pool({.threads = 1, .max_queued = 1});
    Door door;
    auto busy = pool.spawn_blocking([&] { door.pass(); });
    door.wait_for(1);
    auto queued = pool.spawn_blocking([] { return 0; });
    const auto refused = pool.try_spawn_blocking([] { return 1; });
    EXPECT_EQ(refused.error(), errc::full);
    std::vector<int> order;
    std::vector<nexus::JoinHandle<void>> spawners;
    for (int i = 1; i <= 3; ++i) {
        spawners.push_back(nexus::spawn([&pool, &order, i] {
            pool.spawn_blocking([&order, i] { order.push_back(i); }).join(); // the one thread of the pool
        }));
    }
    nexus::yield_now();
    EXPECT_TRUE(order.empty());
    door.open();
    for (auto& spawner : spawners) spawner.join();
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
    EXPECT_EQ(queued.join(), 0);
    busy.join();
}

NEXUS_TEST(BlockingPool, H23_a_spawner_that_gives_up_lets_the_next_one_in)
{
    const BlockingPool pool({.threads = 1, .max_queued = 1});
    Door door;
    auto busy = pool.spawn_blocking([&] { door.pass(); });
    door.wait_for(1);
    auto queued = pool.spawn_blocking([] {});
    auto gives_up = nexus::spawn([&] { pool.spawn_blocking([] {}).join(); });
    auto next = nexus::spawn([&] { return pool.spawn_blocking([] { return 5; }).join(); });
    nexus::yield_now();
    gives_up.abort();
    EXPECT_TRUE(queued.abort()); // room for one
    EXPECT_THROW(gives_up.join(), nexus::TaskAborted);
    door.open();
    EXPECT_EQ(next.join(), 5);
    busy.join();
}

TEST(BlockingPoolAlone, options_are_checked) {
    EXPECT_THROW(BlockingPool({.threads = 0}), nexus::UsageError);
    EXPECT_THROW(BlockingPool({.threads = 2000}), nexus::UsageError);
    EXPECT_THROW(BlockingPool({.max_queued = 0}), nexus::UsageError);
    const BlockingPool pool({.threads = 3});
    EXPECT_EQ(pool.stats().threads, 0U) << "no thread before the first job";
    EXPECT_THROW((void)pool.spawn_blocking([] {}), nexus::UsageError) << "it may wait, so it needs a fiber";
    EXPECT_TRUE(pool.try_spawn_blocking([] {}));
}

TEST(BlockingPoolAlone, its_end_aborts_what_waits_and_finishes_what_runs) {
    nexus::base::Atomic<int> ran{0};
    std::optional<BlockingHandle<void>> waiting;
    {
        const BlockingPool pool({.threads = 1});
        Door door;
        auto busy = pool.try_spawn_blocking([&] {
            door.pass();
            ran.fetch_add_relaxed(1);
        });
        door.wait_for(1);
        waiting = pool.try_spawn_blocking([&] { ran.fetch_add_relaxed(10); }).value();
        busy->detach();
        door.open();
    }
    EXPECT_EQ(ran.load_acquire() % 10, 1);
    EXPECT_TRUE(waiting->is_finished());
}

TEST(BlockingPoolAlone, a_job_may_hold_the_last_copy_of_its_pool) {
    const auto door = std::make_shared<Door>(); // the job may be the last to leave
    {
        BlockingPool pool({.threads = 2});
        auto job = pool.try_spawn_blocking([pool, door] { door->pass(); });
        job->detach();
    }
    door->wait_for(1);
    door->open();
}

TEST(BlockingPoolAlone, its_threads_block_signals) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    const bool blocked = runtime.block_on([] {
        const BlockingPool pool({.threads = 1});
        return pool
            .spawn_blocking([] {
                sigset_t mask;
                pthread_sigmask(SIG_SETMASK, nullptr, &mask);
                return sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1;
            })
            .join();
    });
    EXPECT_TRUE(blocked);
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, nullptr, &mine);
    EXPECT_EQ(sigismember(&mine, SIGINT), 0) << "and this one is as it was";
}

/// TK-5.
TEST(BlockingPoolAlone, fifty_fibers_with_a_hundred_jobs_each) {
    nexus::WorldBuilder builder;
    builder.add_const(BlockingPool({.threads = 2, .max_queued = 16}));
    nexus::World world = builder.build();
    nexus::Runtime runtime{world};
    int sum = 0;
    runtime.block_on([&] {
        std::vector<nexus::JoinHandle<void>> fibers;
        for (int i = 0; i < 50; ++i) {
            fibers.push_back(nexus::spawn([&sum](nexus::ConstRes<BlockingPool> pool) {
                for (int job = 0; job < 100; ++job) sum += pool->spawn_blocking([] { return 1; }).join();
            }));
        }
        for (auto& fiber : fibers) fiber.join();
    });
    EXPECT_EQ(sum, 5000);
}

TEST(BlockingPoolAlone, teardown_of_the_runtime_with_jobs_under_way) {
    Door door;
    const BlockingPool pool({.threads = 1}); // goes first: its thread may still be at the door
    {
        nexus::World world = nexus::WorldBuilder{}.build();
        nexus::Runtime runtime{world};
        runtime.block_on([&] {
            nexus::spawn([&] { pool.spawn_blocking([&door] { door.pass(); }).join(); }).detach();
            nexus::yield_now();
            door.wait_for(1);
        });
    }
    door.open(); // its waker is the only thing left of the fiber
}

} // namespace
