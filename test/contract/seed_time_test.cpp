// What section 5 of the contract promises beyond the tests of the wheel and of the waits: how many timers fire, what a
// spurious wake does, and what an interval holds.
#include "nexus/runtime/runtime.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/testing/gtest.hpp"
#include "nexus/time/timer_wheel.hpp"

#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace nexus;

TEST(SeedTimer, TM7_all_that_is_due_fires_in_one_pass) {
    struct Probe : time::TimerNode {
        int* fired = nullptr;
    };
    int fired = 0;
    std::vector<std::unique_ptr<Probe>> probes;
    time::TimerWheel wheel{0};
    for (int i = 0; i < 10'000; ++i) {
        auto& probe = *probes.emplace_back(std::make_unique<Probe>());
        probe.fired = &fired;
        probe.fire = [](time::TimerNode& node) noexcept { ++*static_cast<Probe&>(node).fired; };
        wheel.arm(probe, 1 + i % 7);
    }
    EXPECT_EQ(wheel.advance(7), 10'000U);
    EXPECT_EQ(fired, 10'000);
    EXPECT_TRUE(wheel.empty());
}

// proves: TM-2
TEST(SeedTimer, timer_driver_fire_expired) {
    struct Probe : time::TimerNode {
        bool fired = false;
    };
    Probe due;
    Probe later;
    time::TimerWheel wheel{0};
    for (Probe* probe : {&due, &later}) {
        probe->fire = [](time::TimerNode& node) noexcept { static_cast<Probe&>(node).fired = true; };
    }
    wheel.arm(due, 10);
    wheel.arm(later, 20);
    EXPECT_EQ(wheel.advance(15), 1U);
    EXPECT_TRUE(due.fired);
    EXPECT_FALSE(later.fired);
    EXPECT_TRUE(later.armed());
    EXPECT_EQ(wheel.size(), 1U);
}

TEST(SeedTimer, timer_driver_next_deadline) {
    time::TimerNode one;
    time::TimerNode two;
    time::TimerWheel wheel{0};
    EXPECT_EQ(wheel.next_deadline(), time::never);
    wheel.arm(one, 2'000'000'000);
    wheel.arm(two, 1'000'000'000);
    EXPECT_EQ(wheel.next_deadline(), 1'000'000'000);
}

NEXUS_TEST(SeedSleep, TM11_a_spurious_wake_arms_nothing_and_ends_nothing)
{
    Executor& executor = Runtime::current()->executor();
    const TimePoint start = now();
    auto sleeper = spawn([] { sleep(10ms); });
    yield_now();
    for (int i = 0; i < 5; ++i) {
        executor.wake(sleeper.header());
        yield_now();
        EXPECT_FALSE(sleeper.is_finished());
        EXPECT_EQ(executor.timers().size(), 1U);
    }
    sleeper.join();
    EXPECT_EQ(now() - start, 10ms);
    EXPECT_TRUE(executor.timers().empty());
}

TEST(SeedInterval, TM37_works_in_any_runtime) {
    Interval tick(TimePoint(0ns), 10ms);
    for (int life = 0; life < 2; ++life) {
        nexus::testing::ManualClock clock(TimePoint(std::chrono::hours(1 + life)));
        World world = WorldBuilder{}.build();
        Runtime runtime{world};
        clock.attach(runtime);
        tick.set_missed_tick_behavior(MissedTickBehavior::skip);
        const TimePoint ended = runtime.block_on([&tick] {
            tick.tick(); // missed since long
            tick.tick();
            return now();
        });
        EXPECT_EQ(ended, TimePoint(std::chrono::hours(1 + life)) + 10ms);
    }
}

// proves: H-28
NEXUS_TEST(SeedInterval, TM36_huge_periods_saturate)
{
    Interval tick = interval(Duration::max());
    EXPECT_EQ(timeout(1h, [&tick] { tick.tick(); }).error(), errc::timed_out);
    Interval late = interval_at(now(), Duration::max());
    late.tick();
    EXPECT_EQ(late.next_tick(), TimePoint(Duration::max()));
    late.set_missed_tick_behavior(MissedTickBehavior::delay);
    late.reset();
    EXPECT_EQ(late.next_tick(), TimePoint(Duration::max()));
    Interval skipping = interval_at(now(), Duration::max() / 2);
    skipping.set_missed_tick_behavior(MissedTickBehavior::skip);
    skipping.tick();
    EXPECT_GT(skipping.next_tick(), now() + 24h * 365 * 100);
}

} // namespace
