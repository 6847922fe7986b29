// The inline tests of the seed's lib.rs, under their names, on the public Executor: what a fiber executor must do
// without any runtime. What the seed asks of a future's poll is asked of a fiber's run here.
#include "nexus/exec/executor.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/exec/waker.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <vector>

namespace {

using nexus::Executor;
using nexus::JoinHandle;

[[noreturn]] void never_ready() {
    for (;;) nexus::park();
}

// proves: EX-21, Executor, Executor::new, Executor::spawn_boxed, Executor::task_count
TEST(SeedLib, spawn_and_poll_single_task) {
    Executor executor;
    bool ran = false;
    executor.spawn_boxed([&ran] { ran = true; }).detach();
    EXPECT_EQ(executor.task_count(), 1U);
    EXPECT_FALSE(ran) << "spawn runs nothing inline";
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_TRUE(ran);
    EXPECT_EQ(executor.task_count(), 0U);
}

TEST(SeedLib, spawn_multiple_tasks) {
    Executor executor;
    int runs = 0;
    for (int i = 0; i < 8; ++i) executor.spawn_boxed([&runs] { ++runs; }).detach();
    EXPECT_EQ(executor.poll(), 8U);
    EXPECT_EQ(runs, 8);
    EXPECT_EQ(executor.task_count(), 0U);
}

TEST(SeedLib, pending_task_not_completed) {
    Executor executor;
    executor.spawn_boxed([] { never_ready(); }).detach();
    EXPECT_EQ(executor.poll(), 0U);
    EXPECT_EQ(executor.task_count(), 1U);
    EXPECT_EQ(executor.poll(), 0U);
    EXPECT_EQ(executor.task_count(), 1U);
}

// proves: EX-22
TEST(SeedLib, immediate_task_completes) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 7; });
    EXPECT_FALSE(handle.is_finished());
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_TRUE(handle.is_finished());
    EXPECT_EQ(executor.poll(), 0U) << "counted once";
    EXPECT_EQ(handle.join(), 7);
}

// proves: EX-23
TEST(SeedLib, self_waking_task_polled_again) {
    Executor executor;
    int runs = 0;
    executor
        .spawn_boxed([&runs] {
            ++runs;
            for (int i = 0; i < 3; ++i) {
                nexus::yield_now();
                ++runs;
            }
        })
        .detach();
    std::size_t completed = 0;
    for (int cycle = 1; cycle <= 4; ++cycle) {
        completed += executor.poll();
        EXPECT_EQ(runs, cycle) << "one run a cycle";
    }
    EXPECT_EQ(completed, 1U);
    EXPECT_EQ(executor.poll(), 0U);
    EXPECT_EQ(runs, 4);
}

TEST(SeedLib, abort_task) {
    Executor executor;
    bool ran = false;
    JoinHandle<void> handle = executor.spawn_boxed([&ran] { ran = true; });
    EXPECT_TRUE(handle.abort());
    EXPECT_EQ(executor.task_count(), 1U) << "removed by the next cycle, not by the call";
    executor.poll();
    EXPECT_EQ(executor.task_count(), 0U);
    EXPECT_FALSE(ran);
}

TEST(SeedLib, abort_frees_slot_for_reuse) {
    Executor executor;
    executor.spawn_boxed([] { never_ready(); }).abort();
    executor.poll();
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
    bool ran = false;
    executor.spawn_boxed([&ran] { ran = true; }).detach();
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_TRUE(ran);
    EXPECT_EQ(executor.stacks().stats().in_use, 0U);
}

// proves: EX-22, Executor::poll
TEST(SeedLib, poll_limit_respected) {
    Executor executor({.tasks_per_cycle = 2});
    for (int i = 0; i < 5; ++i) executor.spawn_boxed([] {}).detach();
    EXPECT_EQ(executor.poll(), 2U);
    EXPECT_EQ(executor.poll(), 2U);
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_EQ(executor.poll(), 0U);
}

TEST(SeedLib, cancel_with_stale_ready_entry) {
    Executor executor;
    JoinHandle<void> spinning = executor.spawn_boxed([] {
        for (;;) nexus::yield_now();
    });
    executor.poll();
    EXPECT_TRUE(executor.has_ready()) << "it has made itself ready";
    EXPECT_TRUE(spinning.abort());
    bool ran = false;
    executor.spawn_boxed([&ran] { ran = true; }).detach();
    executor.poll();
    EXPECT_TRUE(ran);
    EXPECT_TRUE(spinning.is_finished());
    executor.poll();
    EXPECT_FALSE(executor.has_ready());
    EXPECT_EQ(executor.outstanding_tasks(), 1U) << "the header is kept by the handle";
    spinning.detach();
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(SeedLib, refcount_starts_at_one) {
    Executor executor;
    auto& task = executor.create_task<void>([] {}, {}, 1, 0);
    EXPECT_EQ(task.state.references(), 1U);
    EXPECT_FALSE(task.state.has_join());
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_EQ(executor.deferred_free_count(), 1U) << "the executor's was the only reference";
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(SeedLib, executor_drop_cleans_up_queued_tasks) {
    int alive = 0;
    struct Guard {
        explicit Guard(int& count) : alive(count) { ++alive; }
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;
        ~Guard() { --alive; }
        int& alive;
    };
    {
        Executor executor;
        for (int i = 0; i < 10; ++i) {
            executor
                .spawn_boxed([&alive] {
                    Guard guard(alive);
                    never_ready();
                })
                .detach();
        }
        executor.poll();
        EXPECT_EQ(alive, 10);
        executor.spawn_boxed([] { ADD_FAILURE() << "a fiber that has not started does not start at teardown"; })
            .detach();
    }
    EXPECT_EQ(alive, 0) << "parked fibers are unwound";
}

// A measurement: run it by hand with --gtest_also_run_disabled_tests.
TEST(SeedLib, DISABLED_dispatch_latency) {
    Executor executor;
    executor
        .spawn_boxed([] {
            for (;;) nexus::yield_now();
        })
        .detach();
    constexpr int rounds = 1'000'000;
    for (int i = 0; i < rounds / 10; ++i) executor.poll();
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < rounds; ++i) executor.poll();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    std::printf("%.1f ns a poll of one self-waking fiber\n", spent.count() / rounds);
}

} // namespace
