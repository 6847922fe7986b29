// park() and Waker: the primitive under every wait. A wake is never lost, whenever and wherever it comes from.
#include "exec_tools.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;

// proves: EX-14
TEST(Park, suspends_until_the_waker_is_used) {
    Executor executor;
    Waker waker;
    int steps = 0;
    executor
        .spawn_boxed([&] {
            waker = Waker::of_current();
            for (;;) {
                ++steps;
                park();
            }
        })
        .detach();
    executor.poll();
    executor.poll();
    EXPECT_EQ(steps, 1);
    EXPECT_TRUE(waker.wake());
    EXPECT_EQ(steps, 1) << "never inline";
    executor.poll();
    EXPECT_EQ(steps, 2);
}

// proves: EX-14
TEST(Park, a_wake_that_comes_first_is_remembered) {
    Executor executor;
    bool through = false;
    executor
        .spawn_boxed([&through] {
            const Waker waker = Waker::of_current();
            waker.wake();
            waker.wake();
            park(); // returns in the next cycle at the latest
            through = true;
            park();
            ADD_FAILURE() << "two wakes before one park are one";
        })
        .detach();
    executor.poll();
    executor.poll();
    executor.poll();
    EXPECT_TRUE(through);
}

TEST(Park, a_wake_from_another_thread_that_comes_first_is_remembered) {
    Executor executor;
    bool through = false;
    executor
        .spawn_boxed([&through] {
            const Waker waker = Waker::of_current();
            on_another_thread([&waker] { waker.wake(); });
            park();
            through = true;
        })
        .detach();
    executor.poll();
    executor.poll();
    EXPECT_TRUE(through);
}

TEST(Park, is_named_in_reports) {
    Executor executor;
    executor.spawn_boxed([] { park("the moon"); }).detach();
    executor.poll();
    ASSERT_EQ(executor.fibers().size(), 1U);
    EXPECT_EQ(executor.fibers()[0].waiting_for, "the moon");
}

// proves: TM-35, yield_now, YieldNow
TEST(Yield, lets_every_other_ready_fiber_run_once) {
    Executor executor;
    std::vector<int> order;
    for (int i = 0; i < 3; ++i) {
        executor
            .spawn_boxed([&order, i] {
                order.push_back(i);
                yield_now();
                order.push_back(10 + i);
            })
            .detach();
    }
    settle(executor);
    EXPECT_EQ(order, (std::vector{0, 1, 2, 10, 11, 12}));
}

TEST(Yield, alone_it_comes_straight_back) {
    Executor executor;
    int turns = 0;
    executor
        .spawn_boxed([&turns] {
            for (; turns < 1000; ++turns) yield_now();
        })
        .detach();
    const Executor::Enter enter(executor);
    executor.run_ready({.runs = 10'000, .cycles = 10'000});
    EXPECT_EQ(turns, 1000);
}

// proves: EX-14
TEST(Waker, of_an_ended_fiber_says_so) {
    Executor executor;
    Waker waker;
    executor.spawn_boxed([&waker] { waker = Waker::of_current(); }).detach();
    executor.poll();
    EXPECT_FALSE(waker.wake());
    EXPECT_FALSE(executor.has_ready());
    EXPECT_EQ(executor.outstanding_tasks(), 1U);
    waker = {};
    settle(executor);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// proves: EX-10, EX-12, EX-13, S-208
TEST(Waker, copies_count_and_moves_do_not) {
    Executor executor;
    Waker waker;
    JoinHandle<void> handle = executor.spawn_boxed([&waker] {
        waker = Waker::of_current();
        park_for_ever();
    });
    executor.poll();
    const auto& state = handle.header().state;
    EXPECT_EQ(state.references(), 3U) << "executor, handle, waker";
    {
        const Waker copy = waker; // NOLINT(performance-unnecessary-copy-initialization)
        EXPECT_EQ(state.references(), 4U);
        const Waker moved = std::move(waker);
        EXPECT_EQ(state.references(), 4U);
        EXPECT_FALSE(static_cast<bool>(waker)); // NOLINT(bugprone-use-after-move): that is the question
        waker = moved;
        EXPECT_EQ(state.references(), 5U);
        waker = std::move(waker);
        EXPECT_EQ(state.references(), 5U);
    }
    EXPECT_EQ(state.references(), 3U);
}

// proves: CW-2
TEST(Waker, of_one_executor_used_by_a_fiber_of_another) {
    Executor one;
    Executor two;
    Waker waker;
    bool done = false;
    spawn_parked(one, waker, done).detach();
    one.poll();
    two.spawn_boxed([&] {
           done = true;
           EXPECT_TRUE(waker.wake());
       })
        .detach();
    two.poll();
    EXPECT_EQ(one.poll(), 1U);
}

} // namespace
