// sleep, timeout, until, interval: section 5 of the contract.
#include "nexus/runtime/time.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/runtime/runtime.hpp"
#include "nexus/runtime/timer_handle.hpp"
#include "nexus/testing/gtest.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;
using nexus::errc;
using nexus::Result;
using nexus::UsageError;

// --- sleep ---

// proves: TM-6, TM-10, sleep, Sleep, S-62
NEXUS_TEST(Sleep, completes_at_its_deadline_to_the_nanosecond)
{
    const auto start = nexus::now();
    nexus::sleep(50ms);
    EXPECT_EQ(nexus::now() - start, 50ms);
    nexus::sleep(1ns);
    EXPECT_EQ(nexus::now() - start, 50ms + 1ns);
    EXPECT_EQ(clock().jumps(), 2U);
}

// proves: TM-10, S-64, S-65
NEXUS_TEST(Sleep, zero_and_past_deadlines_return_at_once)
{
    const auto start = nexus::now();
    nexus::sleep(0ns);
    nexus::sleep(-5s);
    nexus::sleep_until(start - 1h);
    EXPECT_EQ(nexus::now(), start);
    EXPECT_EQ(clock().jumps(), 0U);
}

// proves: TM-5, sleep_until
NEXUS_TEST(Sleep, order_is_that_of_deadlines_and_equal_deadlines_keep_their_order)
{
    std::vector<int> order;
    std::vector<nexus::JoinHandle<void>> handles;
    const auto base = nexus::now();
    for (int i = 0; i < 1000; ++i) {
        handles.push_back(nexus::spawn([&order, base, i] {
            nexus::sleep_until(base + std::chrono::microseconds((i * 7919) % 100));
            order.push_back(i);
        }));
    }
    for (auto& handle : handles) handle.join();
    ASSERT_EQ(order.size(), 1000U);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end(), [](int a, int b) {
        const int left = (a * 7919) % 100;
        const int right = (b * 7919) % 100;
        return left != right ? left < right : a < b;
    }));
}

// proves: TM-36
NEXUS_TEST(Sleep, the_longest_durations_saturate_H28)
{
    auto sleeper = nexus::spawn([] { nexus::sleep(nexus::Duration::max()); });
    auto until = nexus::spawn([] { nexus::sleep_until(nexus::TimePoint::max()); });
    nexus::sleep(24h * 365 * 100);
    EXPECT_FALSE(sleeper.is_finished());
    EXPECT_FALSE(until.is_finished());
    EXPECT_EQ(nexus::timeout(nexus::Duration::max(), [] { return 1; }).value(), 1);
    sleeper.abort();
    until.abort();
}

NEXUS_TEST(Sleep, dropping_a_runtime_with_sleepers_is_clean_H12)
{
    nexus::spawn([] { nexus::sleep(1h); }).abort(); // the fixture checks that no timer is left
    nexus::sleep(1ms);
}

// Each mode, real time, beside a fiber that yields for ever: H-13 was an early wake that slept for ever afterwards.
class SleepInMode : public ::testing::TestWithParam<nexus::LoopMode> {};

// proves: RT-10, TM-6
TEST_P(SleepInMode, a_thousand_sleeps_each_return_and_never_early_H13) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::RuntimeOptions options;
    options.mode = GetParam();
    nexus::Runtime runtime{world, options};
    runtime.block_on([] {
        auto spinner = nexus::spawn([] {
            for (;;) nexus::yield_now();
        });
        // All lengths at once: the longest decides how long this takes. TSan cannot follow 5,000 fibers.
#if defined(NEXUS_TSAN)
        constexpr int each = 500;
#else
        constexpr int each = 1000;
#endif
        std::vector<nexus::JoinHandle<int>> sleepers;
        for (const auto length : {100us, 900us, 1500us, 10000us, 50000us}) {
            for (int i = 0; i < each; ++i) {
                sleepers.push_back(nexus::spawn([length] {
                    const auto start = nexus::now();
                    nexus::sleep(length);
                    return nexus::now() - start < length ? 1 : 0;
                }));
            }
        }
        int early = 0;
        for (auto& sleeper : sleepers) early += sleeper.join();
        EXPECT_EQ(early, 0);
        spinner.abort();
    });
}

// proves: TM-12
TEST_P(SleepInMode, sleeps_in_a_row_all_return_H13) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::RuntimeOptions options;
    options.mode = GetParam();
    nexus::Runtime runtime{world, options};
    const int done = runtime.block_on([] {
        int count = 0;
        for (int i = 0; i < 1000; ++i) {
            const auto start = nexus::now();
            nexus::sleep(100us);
            if (nexus::now() - start >= 100us) ++count;
        }
        for (const auto length : {900us, 1500us}) {
            for (int i = 0; i < 50; ++i) {
                const auto start = nexus::now();
                nexus::sleep(length);
                if (nexus::now() - start >= length) ++count;
            }
        }
        return count;
    });
    EXPECT_EQ(done, 1100);
}

INSTANTIATE_TEST_SUITE_P(Modes, SleepInMode,
                         ::testing::Values(nexus::LoopMode::park, nexus::LoopMode::busy, nexus::LoopMode::adaptive),
                         [](const auto& mode) {
                             return mode.param == nexus::LoopMode::park   ? std::string("park")
                                    : mode.param == nexus::LoopMode::busy ? std::string("busy")
                                                                          : std::string("adaptive");
                         });

// proves: TM-8
NEXUS_TEST(Timers, two_hundred_thousand_that_never_fire_cost_the_same_each_as_two_thousand_H14)
{
    auto& wheel = nexus::Runtime::current()->executor().timers();
    const auto work_for = [&](int count) {
        const std::uint64_t before = wheel.work_done();
        for (int i = 0; i < count; ++i) (void)nexus::timeout(1h, [] { nexus::yield_now(); });
        return static_cast<double>(wheel.work_done() - before) / count;
    };
    const double few = work_for(2'000);
    const double many = work_for(200'000);
    EXPECT_LE(many, few + 1.0);
}

// --- timeout ---

// proves: TM-20, timeout, Timeout, S-66
NEXUS_TEST(Timeout, completes_before_deadline)
{
    EXPECT_EQ(nexus::timeout(1s,
                             [] {
                                 nexus::sleep(1ms);
                                 return 5;
                             })
                  .value(),
              5);
    EXPECT_TRUE(nexus::timeout(1s, [] {}).has_value());
}

// proves: TM-20, TM-23, Elapsed, S-67
NEXUS_TEST(Timeout, expires)
{
    const auto start = nexus::now();
    const Result<int> late = nexus::timeout(10ms, [] {
        nexus::sleep(10s);
        return 1;
    });
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error(), errc::timed_out);
    EXPECT_EQ(late.error(), std::errc::timed_out);
    EXPECT_EQ(nexus::now() - start, 10ms);
}

// proves: timeout_at
NEXUS_TEST(Timeout, zero_does_not_run_its_body_TM21)
{
    bool ran = false;
    EXPECT_EQ(nexus::timeout(0ns, [&] { ran = true; }).error(), errc::timed_out);
    EXPECT_EQ(nexus::timeout_at(nexus::now() - 1s, [&] { ran = true; }).error(), errc::timed_out);
    EXPECT_FALSE(ran);
}

// proves: TM-22
NEXUS_TEST(Timeout, around_join_leaves_the_joined_fiber_alone)
{
    auto slow = nexus::spawn([] {
        nexus::sleep(20ms);
        return 4;
    });
    EXPECT_EQ(nexus::timeout(5ms, [&] { return slow.join(); }).error(), errc::timed_out);
    EXPECT_EQ(slow.join(), 4);
}

NEXUS_TEST(Timeout, nested_the_earliest_deadline_wins_and_each_scope_knows_its_own)
{
    // The inner one expires: the outer goes on.
    const Result<int> outer = nexus::timeout(1s, [] {
        const Result<void> inner = nexus::timeout(1ms, [] { nexus::sleep(1h); });
        EXPECT_EQ(inner.error(), errc::timed_out);
        nexus::sleep(1ms);
        return 3;
    });
    EXPECT_EQ(outer.value(), 3);
    // The outer one expires: it unwinds through the inner one.
    bool inner_returned = false;
    const Result<void> expired = nexus::timeout(1ms, [&] {
        (void)nexus::timeout(1s, [] { nexus::sleep(1h); });
        inner_returned = true;
    });
    EXPECT_EQ(expired.error(), errc::timed_out);
    EXPECT_FALSE(inner_returned);
}

NEXUS_TEST(Timeout, an_expired_outer_scope_fails_every_further_wait)
{
    int waits = 0;
    const Result<void> result = nexus::timeout(1ms, [&] {
        try {
            nexus::sleep(1h);
        } catch (const nexus::ScopeEnded&) {
            ++waits; // swallowed: it comes again
        }
        try {
            nexus::yield_now();
        } catch (const nexus::ScopeEnded&) {
            ++waits;
        }
        nexus::sleep(1ms);
        ++waits;
    });
    EXPECT_EQ(result.error(), errc::timed_out);
    EXPECT_EQ(waits, 2);
}

NEXUS_TEST(Timeout, a_value_that_the_body_returns_wins)
{
    const Result<int> result = nexus::timeout(1ms, [] {
        try {
            nexus::sleep(1h);
        } catch (const nexus::ScopeEnded&) { // NOLINT(bugprone-empty-catch): that is the point
        }
        return 9;
    });
    EXPECT_EQ(result.value(), 9);
}

NEXUS_TEST(Timeout, a_body_with_a_result_keeps_its_own_error_unless_the_scope_ended)
{
    const auto own = nexus::timeout(1s, []() -> Result<int> { return nexus::Error(errc::full, "mine"); });
    EXPECT_EQ(own.error(), errc::full);
    const auto ended = nexus::timeout(1ms, []() -> Result<int> {
        try {
            nexus::sleep(1s);
        } catch (const nexus::ScopeEnded&) { // NOLINT(bugprone-empty-catch): that is the point
        }
        return nexus::Error(errc::full, "mine");
    });
    EXPECT_EQ(ended.error(), errc::timed_out);
}

NEXUS_TEST(Timeout, abort_goes_through_it)
{
    auto fiber = nexus::spawn([] { (void)nexus::timeout(1h, [] { nexus::sleep(2h); }); });
    nexus::yield_now();
    EXPECT_TRUE(fiber.abort());
    EXPECT_THROW(fiber.join(), nexus::TaskAborted);
}

NEXUS_TEST(Timeout, spawned_fibers_do_not_inherit_it)
{
    nexus::JoinHandle<int> child;
    EXPECT_EQ(nexus::timeout(1ms,
                             [&] {
                                 child = nexus::spawn([] {
                                     nexus::sleep(1s);
                                     return 6;
                                 });
                                 nexus::sleep(1h);
                             })
                  .error(),
              errc::timed_out);
    EXPECT_EQ(child.join(), 6);
}

// --- until ---

NEXUS_TEST(Until, ends_when_the_shutdown_is_triggered_by_another_thread)
{
    nexus::ShutdownHandle handle = nexus::Runtime::current()->shutdown_handle();
    std::jthread other([handle] { handle.trigger(); });
    const Result<void> result = nexus::until(handle.signal(), [] {
        for (;;) nexus::yield_now();
    });
    EXPECT_EQ(result.error(), errc::cancelled);
    EXPECT_EQ(nexus::until(handle.signal(), [] { return 1; }).error(), errc::cancelled); // it stays so
    nexus::sleep(1ms); // outside the scope waits work again
}

NEXUS_TEST(Until, a_parked_wait_ends_and_a_scope_within_reports_cancelled)
{
    nexus::ShutdownHandle handle = nexus::Runtime::current()->shutdown_handle();
    auto trigger = nexus::spawn([handle] {
        nexus::sleep(3ms);
        handle.trigger();
    });
    const auto start = nexus::now();
    nexus::until(handle.signal(), [] { (void)nexus::timeout(1h, [] { nexus::sleep(2h); }); });
    EXPECT_EQ(nexus::now() - start, 3ms);
    trigger.join();
}

// --- interval ---

// proves: TM-31, Interval, interval, S-68
NEXUS_TEST(Interval, ticks)
{
    const auto start = nexus::now();
    nexus::Interval tick = nexus::interval(20ms);
    for (int i = 0; i < 3; ++i) tick.tick();
    EXPECT_EQ(nexus::now() - start, 60ms);
    EXPECT_EQ(tick.period(), 20ms);
}

// proves: interval_at
NEXUS_TEST(Interval, at_a_past_start_ticks_at_once_TM31)
{
    nexus::Interval tick = nexus::interval_at(nexus::now() - 5ms, 20ms);
    const auto start = nexus::now();
    tick.tick();
    EXPECT_EQ(nexus::now(), start);
    tick.tick();
    EXPECT_EQ(nexus::now() - start, 15ms);
}

// proves: MissedTickBehavior
NEXUS_TEST(Interval, burst_catches_up_delay_shifts_skip_keeps_the_line_TM32)
{
    const auto behave = [](nexus::MissedTickBehavior behavior) {
        const auto start = nexus::now();
        nexus::Interval tick = nexus::interval(10ms);
        tick.set_missed_tick_behavior(behavior);
        tick.tick();
        nexus::sleep(25ms); // ticks at 20 and 30 are missed
        std::vector<long> at;
        for (int i = 0; i < 4; ++i) {
            tick.tick();
            at.push_back(static_cast<long>((nexus::now() - start) / 1ms));
        }
        return at;
    };
    EXPECT_EQ(behave(nexus::MissedTickBehavior::burst), (std::vector<long>{35, 35, 40, 50}));
    EXPECT_EQ(behave(nexus::MissedTickBehavior::delay), (std::vector<long>{35, 45, 55, 65}));
    EXPECT_EQ(behave(nexus::MissedTickBehavior::skip), (std::vector<long>{35, 40, 50, 60}));
}

NEXUS_TEST(Interval, skip_is_right_after_years_of_milliseconds_A25)
{
    const auto start = nexus::now();
    nexus::Interval tick = nexus::interval(1ms);
    tick.set_missed_tick_behavior(nexus::MissedTickBehavior::skip);
    nexus::sleep(24h * 365 * 10 + 300us);
    tick.tick();
    tick.tick();
    EXPECT_EQ(nexus::now() - start, 24h * 365 * 10 + 1ms);
}

NEXUS_TEST(Interval, reset_and_cancelled_ticks_lose_nothing_TM33)
{
    const auto start = nexus::now();
    nexus::Interval tick = nexus::interval(10ms);
    EXPECT_EQ(nexus::timeout(4ms, [&] { tick.tick(); }).error(), errc::timed_out);
    EXPECT_FALSE(tick.ready());
    tick.tick();
    EXPECT_EQ(nexus::now() - start, 10ms);
    tick.reset();
    tick.tick();
    EXPECT_EQ(nexus::now() - start, 20ms);
    tick.reset_at(nexus::now());
    EXPECT_TRUE(tick.ready());
}

// proves: TM-31
NEXUS_TEST(Interval, a_period_of_zero_is_refused)
{ EXPECT_THROW((void)nexus::interval(0ns), UsageError); }

// proves: after, after_delay
NEXUS_TEST(After, sleeps_first_TM30)
{
    const auto start = nexus::now();
    EXPECT_EQ(nexus::after_delay(2ms, [] { return nexus::now(); }) - start, 2ms);
    EXPECT_EQ(nexus::after(start + 5ms, [] { return nexus::now(); }) - start, 5ms);
}

// proves: TM-10, TimerHandle
NEXUS_TEST(TimerHandle, does_what_the_free_functions_do)
{
    const nexus::TimerHandle timer = nexus::TimerHandle::current();
    const nexus::TimerHandle copy = timer;
    const auto start = timer.now();
    timer.sleep(3ms);
    copy.sleep_until(start + 5ms);
    EXPECT_EQ(timer.now() - start, 5ms);
    EXPECT_EQ(timer.event_time(), nexus::event_time());
    EXPECT_EQ(timer.timeout(1ms, [] { nexus::sleep(1h); }).error(), errc::timed_out);
    EXPECT_EQ(timer.timeout_at(start, [] { return 1; }).error(), errc::timed_out);
    timer.interval(2ms).tick();
    timer.interval_at(start + 9ms, 1ms).tick();
    EXPECT_EQ(timer.now() - start, 9ms);
    nexus::spawn(
        [](nexus::TimerHandle injected, nexus::TimePoint since) {
            injected.sleep(1ms);
            EXPECT_EQ(injected.now() - since, 10ms);
        },
        start)
        .join();
}

// proves: H-20, TM-37
TEST(TimerHandle, H20_outlives_its_runtime) {
    nexus::World world = nexus::WorldBuilder{}.build();
    std::optional<nexus::TimerHandle> timer;
    {
        nexus::Runtime runtime{world};
        timer = runtime.block_on([](nexus::TimerHandle injected) { return injected; });
    }
    EXPECT_THROW(timer->sleep(1ms), UsageError);
    nexus::Runtime runtime{world};
    runtime.block_on([&] { timer->sleep(1ns); });
    EXPECT_THROW((void)nexus::TimerHandle::current(), UsageError);
}

TEST(TimeOutside, is_a_usage_error) {
    EXPECT_THROW(nexus::sleep(1ms), UsageError);
    EXPECT_THROW((void)nexus::timeout(1ms, [] {}), UsageError);
    EXPECT_THROW((void)nexus::interval(1ms), UsageError);
    EXPECT_THROW((void)nexus::event_time(), UsageError);
    EXPECT_THROW(nexus::yield_now(), UsageError);
}

} // namespace
