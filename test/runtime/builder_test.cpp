// RuntimeBuilder: what each of its functions sets.
#include "nexus/runtime/builder.hpp"

#include "nexus/base/usage_error.hpp"

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using nexus::LoopMode;
using nexus::Runtime;
using nexus::RuntimeOptions;

struct RuntimeBuilderTest : ::testing::Test {
    nexus::World world = nexus::WorldBuilder{}.build();
};

// proves: RT-3
TEST_F(RuntimeBuilderTest, each_function_sets_its_option) {
    Runtime runtime = Runtime::builder(world)
                          .mode(LoopMode::adaptive)
                          .spin_window(7us)
                          .tasks_per_cycle(3)
                          .event_interval(5)
                          .event_capacity(9)
                          .cross_thread_drain_limit(11)
                          .stack_size(32 * 1024)
                          .root_stack_size(96 * 1024)
                          .guard_size(8 * 1024)
                          .preallocated_stacks(2)
                          .prefault_stacks(true)
                          .timer_slack(13us)
                          .signal_handlers(true)
                          .overflow_report(true)
                          .strict_borrows(false)
                          .build();
    const RuntimeOptions& options = runtime.options();
    EXPECT_EQ(options.mode, LoopMode::adaptive);
    EXPECT_EQ(options.spin_window, 7us);
    EXPECT_EQ(options.tasks_per_cycle, 3U);
    EXPECT_EQ(options.event_interval, 5U);
    EXPECT_EQ(options.event_capacity, 9U);
    EXPECT_EQ(options.cross_thread_drain_limit, 11U);
    EXPECT_EQ(options.stack_size, 32U * 1024);
    EXPECT_EQ(options.root_stack_size, 96U * 1024);
    EXPECT_EQ(options.guard_size, 8U * 1024);
    EXPECT_EQ(options.preallocated_stacks, 2U);
    EXPECT_TRUE(options.prefault_stacks);
    EXPECT_EQ(options.timer_slack, 13us);
    EXPECT_TRUE(options.signal_handlers);
    EXPECT_TRUE(options.overflow_report);
    EXPECT_FALSE(options.strict_borrows);
    EXPECT_EQ(runtime.block_on([] { return 42; }), 42);
}

TEST_F(RuntimeBuilderTest, what_is_set_after_all_options_at_once_wins) {
    RuntimeOptions options;
    options.tasks_per_cycle = 3;
    options.event_interval = 5;
    Runtime runtime = Runtime::builder(world).options(options).event_interval(7).build();
    EXPECT_EQ(runtime.options().tasks_per_cycle, 3U);
    EXPECT_EQ(runtime.options().event_interval, 7U);
    EXPECT_EQ(runtime.slab_stats().slots, 0U) << "no slab unless one is given";
}

TEST_F(RuntimeBuilderTest, nothing_is_made_or_checked_before_build) {
    nexus::RuntimeBuilder builder = Runtime::builder(world);
    builder.tasks_per_cycle(0);
    Runtime other{world}; // the thread is free
    EXPECT_THROW((void)builder.build(), nexus::UsageError);
}

} // namespace
