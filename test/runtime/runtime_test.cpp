// The Runtime and its loop: sections 3.1 to 3.3 of the contract, and the seed's runtime tests under their names.
#include "nexus/runtime/runtime.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/runtime/loop_stack.hpp"
#include "nexus/runtime/runtime_handle.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/testing/gtest.hpp"

#include <poll.h>
#include <thread>

namespace {

using namespace std::chrono_literals;
using nexus::RunStatus;
using nexus::Runtime;
using nexus::RuntimeOptions;
using nexus::UsageError;
using nexus::World;
using nexus::WorldBuilder;

struct Counter {
    int value = 0;
};

bool mentions(const std::exception& error, std::string_view text) {
    return std::string_view(error.what()).find(text) != std::string_view::npos;
}

class RuntimeTest : public nexus::testing::RuntimeTest {
protected:
    using nexus::testing::RuntimeTest::configure;
    void configure(WorldBuilder& builder) override { builder.add<Counter>(); }
};

// proves: RT-10, Runtime
TEST_F(RuntimeTest, block_on_returns_value) {
    EXPECT_EQ(runtime().block_on([] { return 42; }), 42);
    EXPECT_EQ(*runtime().block_on([] { return std::make_unique<int>(7); }), 7);
}

// proves: RT-1
TEST_F(RuntimeTest, block_on_with_world_access) {
    runtime().block_on([](nexus::ResMut<Counter> counter) { counter->value = 3; });
    EXPECT_EQ(runtime().block_on([](nexus::Res<Counter> counter) { return counter->value; }), 3);
}

// proves: WC-4
TEST_F(RuntimeTest, block_on_with_pre_resolved_handler) {
    auto handler = runtime().resolve([](nexus::ResMut<Counter> counter, int by) { return counter->value += by; });
    EXPECT_EQ(runtime().block_on([&] { return handler(2) + handler(3); }), 2 + 5);
}

TEST_F(RuntimeTest, block_on_passes_arguments_and_rethrows) {
    EXPECT_EQ(runtime().block_on([](int a, std::string b) { return b + std::to_string(a); }, 4, "n"), "n4");
    EXPECT_THROW(runtime().block_on([] { throw std::out_of_range("body"); }), std::out_of_range);
}

// proves: spawn_boxed
TEST_F(RuntimeTest, spawn_from_root_future) {
    int ran = 0;
    runtime().block_on([&] {
        nexus::spawn([&] { ++ran; }).detach();
        nexus::sleep(1ms);
    });
    EXPECT_EQ(ran, 1);
}

TEST_F(RuntimeTest, spawned_fibers_live_on_in_the_next_block_on_RT15) {
    int ran = 0;
    runtime().block_on([&] {
        nexus::spawn([&] {
            nexus::sleep(1s);
            ++ran;
        }).detach();
    });
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(runtime().task_count(), 1U);
    runtime().block_on([] { nexus::sleep(2s); });
    EXPECT_EQ(ran, 1);
}

// proves: RT-10
TEST_F(RuntimeTest, the_root_is_counted_as_a_fiber_like_any_other) {
    runtime().block_on([] { EXPECT_EQ(Runtime::current()->task_count(), 1U); });
}

// proves: TM-34, event_time
TEST_F(RuntimeTest, event_time_is_set) {
    runtime().block_on([this] {
        EXPECT_EQ(nexus::event_time(), clock().now());
        nexus::sleep(5s);
        EXPECT_EQ(nexus::event_time(), clock().now());
    });
}

// proves: TM-35
TEST_F(RuntimeTest, yield_now_lets_other_tasks_run) {
    runtime().block_on([] {
        bool ran = false;
        auto other = nexus::spawn([&] { ran = true; });
        nexus::yield_now();
        EXPECT_TRUE(ran);
        other.join();
    });
}

TEST_F(RuntimeTest, join_handle_multiple_concurrent) {
    runtime().block_on([] {
        auto a = nexus::spawn([] { return 1; });
        auto b = nexus::spawn([] { return std::string("two"); });
        auto c = nexus::spawn([] {
            nexus::sleep(1ms);
            return 3.0;
        });
        EXPECT_EQ(c.join(), 3.0);
        EXPECT_EQ(a.join(), 1);
        EXPECT_EQ(b.join(), "two");
    });
}

TEST_F(RuntimeTest, join_handle_is_finished) {
    runtime().block_on([] {
        auto task = nexus::spawn([] { return 9; });
        EXPECT_FALSE(task.is_finished());
        nexus::yield_now();
        EXPECT_TRUE(task.is_finished());
        EXPECT_EQ(task.join(), 9);
    });
}

// proves: EX-54, H-12, TM-13
TEST_F(RuntimeTest, abort_of_a_parked_fiber_is_immediate_H1) {
    runtime().block_on([this] {
        bool unwound = false;
        auto sleeper = nexus::spawn([&] {
            struct Mark {
                bool& flag;
                ~Mark() { flag = true; }
            } mark{unwound};
            nexus::sleep(24h);
        });
        nexus::yield_now();
        const auto before = clock().now();
        EXPECT_TRUE(sleeper.abort());
        EXPECT_THROW(sleeper.join(), nexus::TaskAborted);
        EXPECT_TRUE(unwound);
        EXPECT_EQ(clock().now(), before);
        EXPECT_TRUE(nexus::Runtime::current()->executor().timers().empty()); // H-12
    });
}

// --- exceptions that nobody joins ---

TEST_F(RuntimeTest, an_exception_in_a_task_reaches_join_and_the_loop_lives_on) {
    runtime().block_on([] {
        auto failing = nexus::spawn([]() -> int { throw std::runtime_error("deep"); });
        EXPECT_THROW(failing.join(), std::runtime_error);
        EXPECT_EQ(nexus::spawn([] { return 1; }).join(), 1);
    });
}

TEST_F(RuntimeTest, an_exception_nobody_joins_comes_out_of_block_on_and_ends_its_body_first) {
    bool body_unwound = false;
    const auto run = [&] {
        runtime().block_on([&] {
            struct Mark {
                bool& flag;
                ~Mark() { flag = true; }
            } mark{body_unwound};
            nexus::spawn([] { throw std::runtime_error("unjoined"); }).detach();
            nexus::sleep(1h);
        });
    };
    EXPECT_THROW(run(), std::runtime_error);
    EXPECT_TRUE(body_unwound);
    EXPECT_EQ(runtime().block_on([] { return 5; }), 5); // and the runtime goes on
}

TEST_F(RuntimeTest, an_exception_nobody_joins_goes_to_the_hook_when_there_is_one) {
    std::string seen;
    runtime().set_on_unhandled([&](std::exception_ptr failure, const char* fiber) {
        try {
            std::rethrow_exception(std::move(failure));
        } catch (const std::exception& error) {
            seen = std::string(fiber) + ": " + error.what();
        }
    });
    runtime().block_on([] {
        nexus::spawn({.name = "feed"}, [] { throw std::runtime_error("gone"); }).detach();
        nexus::sleep(1ms);
    });
    EXPECT_EQ(seen, "feed: gone");
}

TEST_F(RuntimeTest, a_handle_dropped_after_the_failure_reports_it_too) {
    EXPECT_THROW(runtime().block_on([] {
        auto failing = nexus::spawn([] { throw std::runtime_error("late"); });
        nexus::sleep(1ms);
        { auto dropped = std::move(failing); }
        nexus::sleep(1ms);
    }),
                 std::runtime_error);
}

// --- misuse ---

TEST_F(RuntimeTest, spawn_outside_runtime_panics) {
    try {
        nexus::spawn([] {}).detach();
        FAIL();
    } catch (const UsageError& error) {
        EXPECT_TRUE(mentions(error, "spawn() called outside a runtime")) << error.what();
    }
}

// proves: RT-2, S-381
TEST_F(RuntimeTest, a_second_runtime_on_the_thread_is_refused_and_a_later_one_is_not_A31) {
    World second = WorldBuilder{}.build();
    EXPECT_THROW(Runtime{second}, UsageError);
    EXPECT_EQ(runtime().block_on([] { return 1; }), 1); // the first one is none the worse
    std::thread([] {
        World own = WorldBuilder{}.build();
        for (int i = 0; i < 3; ++i) EXPECT_EQ(Runtime{own}.block_on([i] { return i; }), i);
    }).join();
}

// proves: RT-17
TEST_F(RuntimeTest, reentry_from_a_fiber_is_a_usage_error) {
    runtime().block_on([this] {
        EXPECT_THROW(runtime().block_on([] {}), UsageError);
        EXPECT_THROW(runtime().run_for(1ms), UsageError);
        EXPECT_THROW(runtime().run_once(), UsageError);
        EXPECT_THROW((void)runtime().shutdown_quiesce(1ms), UsageError);
    });
}

// proves: A-31, RT-3, RT-4, RuntimeBuilder
TEST_F(RuntimeTest, options_out_of_range_are_refused) {
    std::thread([] {
        World world = WorldBuilder{}.build();
        const auto refused = [&](auto change) {
            RuntimeOptions options;
            change(options);
            EXPECT_THROW((Runtime{world, options}), UsageError);
        };
        refused([](RuntimeOptions& o) { o.tasks_per_cycle = 0; });
        refused([](RuntimeOptions& o) { o.event_interval = 0; });
        refused([](RuntimeOptions& o) { o.event_capacity = 65537; });
        refused([](RuntimeOptions& o) { o.stack_size = 1024; });
        refused([](RuntimeOptions& o) { o.timer_slack = -1ns; });
        EXPECT_EQ(Runtime{world}.block_on([] { return 1; }), 1); // nothing was left behind
    }).join();
}

// --- the owner drives the loop ---

TEST_F(RuntimeTest, run_once_and_run_for_say_whether_something_is_left) {
    EXPECT_EQ(runtime().run_once(), RunStatus::idle);
    int turns = 0;
    auto spinner = runtime().spawn([&] {
        for (;;) {
            ++turns;
            nexus::yield_now();
        }
    });
    EXPECT_EQ(runtime().run_once(), RunStatus::more);
    EXPECT_GE(turns, 1);
    const auto before = clock().now();
    clock().set_auto_advance(false);
    EXPECT_EQ(runtime().run_for(0ms), RunStatus::more);
    EXPECT_EQ(clock().now(), before);
    EXPECT_TRUE(spinner.abort());
    EXPECT_EQ(runtime().run_once(), RunStatus::idle);
    EXPECT_TRUE(spinner.is_finished());
}

TEST_F(RuntimeTest, run_for_does_not_wait_for_timers) {
    int fired = 0;
    auto sleeper = runtime().spawn([&] {
        nexus::sleep(10ms);
        ++fired;
    });
    EXPECT_EQ(runtime().run_for(1s), RunStatus::idle);
    EXPECT_EQ(fired, 0);
    clock().advance(10ms);
    EXPECT_EQ(runtime().run_for(1s), RunStatus::idle);
    EXPECT_EQ(fired, 1);
    sleeper.join();
}

class HostLoop : public RuntimeTest {
protected:
    [[nodiscard]] bool manual_time() const override { return false; }
    static bool readable(int fd, int timeout_ms) {
        pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
        return ::poll(&wanted, 1, timeout_ms) == 1;
    }
};

// proves: CW-16
TEST_F(HostLoop, poll_fd_is_readable_when_something_is_ready) {
    const int fd = runtime().poll_fd();
    EXPECT_FALSE(readable(fd, 0));
    runtime().spawn([] {}).detach();
    (void)runtime().poll_fd();
    EXPECT_TRUE(readable(fd, 0));
    EXPECT_EQ(runtime().run_for(1s), RunStatus::idle);
    EXPECT_FALSE(readable(fd, 0));
}

TEST_F(HostLoop, poll_fd_is_readable_when_a_timer_is_due) {
    const int fd = runtime().poll_fd();
    bool fired = false;
    runtime()
        .spawn([&] {
            nexus::sleep(2ms);
            fired = true;
        })
        .detach();
    EXPECT_EQ(runtime().run_for(1s), RunStatus::idle);
    EXPECT_TRUE(readable(fd, 1000));
    runtime().run_for(1s);
    EXPECT_TRUE(fired);
    EXPECT_FALSE(readable(fd, 0));
}

TEST_F(HostLoop, poll_fd_is_readable_when_another_thread_sends_something) {
    const int fd = runtime().poll_fd();
    runtime().run_once();
    bool ran = false;
    std::thread([handle = runtime().handle(), &ran] { EXPECT_TRUE(handle.spawn([&ran] { ran = true; })); }).join();
    EXPECT_TRUE(readable(fd, 1000));
    runtime().run_for(1s);
    EXPECT_TRUE(ran);
}

// proves: A-13, CW-13
TEST_F(HostLoop, a_sleeping_block_on_is_woken_by_a_handle) {
    std::jthread other;
    runtime().block_on([&] {
        nexus::Waker waker = nexus::Waker::of_current();
        bool reached = false;
        other = std::jthread([handle = runtime().handle(), &reached, &waker] {
            std::this_thread::sleep_for(2ms); // the loop is parked by then, most of the time
            EXPECT_TRUE(handle.spawn([&reached, &waker] {
                reached = true;
                waker.wake();
            }));
        });
        while (!reached) nexus::park();
    });
}

TEST(RuntimeHandle, outlives_its_runtime_and_says_so) {
    std::optional<nexus::RuntimeHandle> kept;
    {
        World world = WorldBuilder{}.build();
        Runtime runtime{world};
        kept.emplace(runtime.handle());
        EXPECT_TRUE(kept->spawn([] {}));
        runtime.run_once();
    }
    const nexus::RuntimeHandle copy = *kept;
    EXPECT_FALSE(copy.spawn([] {}));
    EXPECT_FALSE(kept->spawn([] { FAIL() << "nothing runs without a runtime"; }));
    copy.stop(); // harmless
}

TEST(RuntimeHandle, what_was_taken_and_never_ran_is_destroyed_and_counted) {
    auto alive = std::make_shared<int>(1);
    std::shared_ptr<const nexus::ShutdownStatsAtomics> stats;
    {
        World world = WorldBuilder{}.build();
        Runtime runtime{world};
        stats = runtime.shutdown_stats_handle();
        EXPECT_TRUE(runtime.handle().spawn([alive] { FAIL() << "the loop never ran"; }));
        EXPECT_EQ(alive.use_count(), 2);
    }
    EXPECT_EQ(alive.use_count(), 1);
    EXPECT_EQ(stats->snapshot().cross_queue_undrained, 1U);
    EXPECT_EQ(stats->snapshot().unbalanced_normal_shutdowns, 0U);
}

TEST(RuntimeHandle, missing_resources_are_reported_to_the_caller) {
    World world = WorldBuilder{}.build();
    Runtime runtime{world};
    EXPECT_THROW((void)runtime.handle().spawn([](nexus::Res<Counter>) {}), UsageError);
}

// --- on_loop_stack ---

NEXUS_TEST(OnLoopStack, returns_values_and_exceptions)
{
    EXPECT_EQ(nexus::on_loop_stack([] { return 17; }), 17);
    EXPECT_THROW(nexus::on_loop_stack([] { throw std::logic_error("there"); }), std::logic_error);
    int local = 0;
    nexus::on_loop_stack([&] { local = 1; });
    EXPECT_EQ(local, 1);
}

NEXUS_TEST(OnLoopStack, has_the_room_of_a_thread)
{
    // Four times the stack of a fiber.
    const auto deep = [] {
        volatile char frame[256 * 1024];
        frame[0] = 1;
        frame[sizeof frame - 1] = 2;
        return frame[0] + frame[sizeof frame - 1];
    };
    EXPECT_EQ(nexus::spawn([&] { return nexus::on_loop_stack(deep); }).join(), 3);
}

NEXUS_TEST(OnLoopStack, must_not_suspend)
{
    EXPECT_THROW(nexus::on_loop_stack([] { nexus::sleep(1ms); }), UsageError);
    EXPECT_THROW(nexus::on_loop_stack([] { nexus::yield_now(); }), UsageError);
    nexus::sleep(1ms); // and afterwards it may again
}

// --- injection ---

TEST_F(RuntimeTest, EventTime_ShutdownSignal_and_WorldCtx_are_injected) {
    runtime().block_on(
        [this](nexus::EventTime now, nexus::ShutdownSignal stop, nexus::WorldCtx world, int argument) {
            EXPECT_EQ(now.time, clock().now());
            EXPECT_FALSE(stop.is_triggered());
            EXPECT_EQ(argument, 8);
            world.with_world([](World& all) { all.res_mut<Counter>()->value = 4; });
            EXPECT_EQ(world.with_world_ref([](const World& all) { return all.res<Counter>()->value; }), 4);
        },
        8);
}

TEST_F(RuntimeTest, a_world_alone_cannot_inject_what_is_the_runtimes) {
    try {
        (void)world().resolve([](nexus::EventTime) {});
        FAIL();
    } catch (const UsageError& error) {
        EXPECT_TRUE(mentions(error, "EventTime, which only a Runtime provides")) << error.what();
    }
}

// proves: WC-2, WC-3
TEST_F(RuntimeTest, with_world_does_not_nest_H21_and_does_not_suspend) {
    runtime().block_on([] {
        nexus::WorldCtx context = nexus::WorldCtx::current();
        EXPECT_THROW(context.with_world([&](World&) { context.with_world([](World&) {}); }), UsageError);
        EXPECT_THROW(context.with_world([&](World&) { context.with_world_ref([](const World&) {}); }), UsageError);
        EXPECT_THROW(context.with_world([](World&) { nexus::sleep(1ms); }), UsageError);
        EXPECT_EQ(context.with_world([](World&) { return 2; }), 2);
    });
    EXPECT_THROW((void)nexus::WorldCtx::current(), UsageError);
}

// --- fairness ---

NEXUS_TEST(Fairness, more_ready_fibers_than_a_cycle_takes_all_run_H3)
{
    constexpr int fibers = 300; // tasks_per_cycle is 64
    std::vector<int> turns(fibers);
    std::vector<nexus::JoinHandle<void>> handles;
    for (int i = 0; i < fibers; ++i) {
        handles.push_back(nexus::spawn([&turns, i] {
            for (;;) {
                ++turns[static_cast<std::size_t>(i)];
                nexus::yield_now();
            }
        }));
    }
    for (int i = 0; i < 100; ++i) nexus::yield_now();
    const auto [least, most] = std::minmax_element(turns.begin(), turns.end());
    EXPECT_GE(*least, 90);
    EXPECT_LE(*most - *least, 2);
    for (auto& handle : handles) handle.abort();
    nexus::yield_now(); // they refer to this frame: an abort takes effect when they run next
}

} // namespace
