// TimerWheel, behaviour by behaviour. What random mixtures do is in timer_wheel_model_test.cpp.
#include "nexus/time/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace nexus::time {
namespace {

constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t tick = 1 << 16;
constexpr std::int64_t second = 1'000'000'000;

/// A timer that writes down when it fired, and then does what it was told.
struct Probe : TimerNode {
    explicit Probe(std::vector<int>& log_, int id_ = 0) : log(&log_), id(id_) {
        fire = [](TimerNode& node) noexcept {
            // SAFETY: only Probes get this function.
            auto& self = static_cast<Probe&>(node);
            self.log->push_back(self.id);
            if (self.then) self.then();
        };
    }
    std::vector<int>* log;
    int id;
    std::function<void()> then;
};

class TimerWheelTest : public ::testing::Test {
protected:
    Probe& probe(int id) { return *probes.emplace_back(std::make_unique<Probe>(log, id)); }
    Probe& armed(int id, std::int64_t deadline) {
        Probe& made = probe(id);
        wheel.arm(made, deadline);
        return made;
    }

    std::vector<int> log;
    std::vector<std::unique_ptr<Probe>> probes;
    TimerWheel wheel{0}; // goes first, and unlinks what is armed
};

using Ids = std::vector<int>;

TEST_F(TimerWheelTest, is_empty_at_first) {
    EXPECT_TRUE(wheel.empty());
    EXPECT_EQ(wheel.size(), 0U);
    EXPECT_EQ(wheel.next_deadline(), never);
    EXPECT_EQ(wheel.advance(second), 0U);
    EXPECT_EQ(wheel.advance(never), 0U);
}

// proves: TM-2
TEST_F(TimerWheelTest, fires_once_at_its_deadline) {
    Probe& timer = armed(1, 1000);
    EXPECT_TRUE(timer.armed());
    EXPECT_EQ(wheel.next_deadline(), 1000);
    EXPECT_EQ(wheel.advance(1000), 1U);
    EXPECT_FALSE(timer.armed());
    EXPECT_EQ(log, Ids{1});
    EXPECT_EQ(wheel.next_deadline(), never);
    EXPECT_EQ(wheel.advance(2000), 0U);
    EXPECT_EQ(log, Ids{1});
}

// proves: TM-1, TM-6
TEST_F(TimerWheelTest, H13_never_fires_early) {
    for (unsigned bit = 0; bit < 63; ++bit) {
        for (std::int64_t offset : {-1, 0, 1}) {
            TimerWheel own{0};
            Probe timer{log};
            const std::int64_t deadline = (std::int64_t{1} << bit) + offset;
            own.arm(timer, deadline);
            EXPECT_EQ(own.advance(deadline - 1), 0U) << deadline;
            EXPECT_EQ(own.advance(deadline), 1U) << deadline;
        }
    }
}

TEST_F(TimerWheelTest, H13_never_fires_early_after_time_crept_close) {
    const std::int64_t deadline = 3600 * second + 12345;
    armed(1, deadline);
    Probe& helper = probe(2);
    for (std::int64_t left = deadline; left > 1; left -= left / 3 + 1) {
        wheel.arm(helper, deadline - left); // makes the wheel's own time follow
        EXPECT_EQ(wheel.advance(deadline - left), 1U);
        EXPECT_EQ(wheel.next_deadline(), deadline);
    }
    log.clear();
    EXPECT_EQ(wheel.advance(deadline - 1), 0U);
    EXPECT_EQ(wheel.advance(deadline), 1U);
    EXPECT_EQ(log, Ids{1});
}

// proves: TM-5
TEST_F(TimerWheelTest, fires_in_order_of_deadlines_whatever_the_order_of_arming) {
    armed(4, 3600 * second);
    armed(2, 5);
    armed(3, 70 * tick);
    armed(1, 4);
    armed(5, 3600 * second + 1);
    EXPECT_EQ(wheel.advance(4000 * second), 5U);
    EXPECT_EQ(log, (Ids{1, 2, 3, 4, 5}));
}

TEST_F(TimerWheelTest, equal_deadlines_fire_in_arming_order_within_a_slot) {
    for (int id : {1, 2, 3}) armed(id, 500);
    armed(0, 499);
    for (int id : {4, 5}) armed(id, 500);
    EXPECT_EQ(wheel.advance(second), 6U);
    EXPECT_EQ(log, (Ids{0, 1, 2, 3, 4, 5}));
}

// proves: TM-5
TEST_F(TimerWheelTest, equal_deadlines_keep_arming_order_across_cascades) {
    const std::int64_t deadline = 3600 * second;
    Ids expected;
    int id = 0;
    Probe& helper = probe(-1);
    // Each round arms two at a time that is closer, so that they enter at lower and lower levels.
    for (std::int64_t now = 0; now < deadline - 1; now = deadline - (deadline - now) / 40 - 1) {
        wheel.arm(helper, now);
        EXPECT_EQ(wheel.advance(now), 1U);
        for (int twice = 0; twice < 2; ++twice) {
            expected.push_back(++id);
            armed(id, deadline);
            armed(1000 + id, deadline + 1);
        }
    }
    ASSERT_GT(id, 10);
    log.clear();
    wheel.advance(deadline);
    EXPECT_EQ(log, expected);
}

TEST_F(TimerWheelTest, past_deadlines_fire_at_the_next_advance_in_order) {
    wheel.arm(probe(9), 100 * second);
    wheel.advance(100 * second);
    log.clear();
    armed(3, 100 * second);
    armed(1, -5);
    armed(2, 7);
    EXPECT_EQ(wheel.next_deadline(), -5);
    EXPECT_EQ(wheel.advance(100 * second), 3U);
    EXPECT_EQ(log, (Ids{1, 2, 3}));
}

// proves: TM-2
TEST_F(TimerWheelTest, H12_cancel_unlinks_at_once) {
    Probe& timer = armed(1, second);
    wheel.cancel(timer);
    EXPECT_FALSE(timer.armed());
    EXPECT_TRUE(wheel.empty());
    EXPECT_EQ(wheel.next_deadline(), never);
    EXPECT_EQ(wheel.advance(2 * second), 0U);
    EXPECT_TRUE(log.empty());
}

TEST_F(TimerWheelTest, cancelling_what_is_not_armed_has_no_effect) {
    Probe& timer = probe(1);
    wheel.cancel(timer);
    armed(2, 10);
    wheel.cancel(timer);
    EXPECT_EQ(wheel.size(), 1U);
    wheel.advance(10);
    wheel.cancel(timer);
    EXPECT_EQ(log, Ids{2});
}

// proves: TM-2
TEST_F(TimerWheelTest, arming_an_armed_timer_moves_it) {
    Probe& timer = armed(1, 10);
    wheel.arm(timer, 5 * second);
    EXPECT_EQ(wheel.size(), 1U);
    EXPECT_EQ(wheel.advance(second), 0U);
    wheel.arm(timer, 2 * second);
    EXPECT_EQ(wheel.advance(2 * second), 1U);
    EXPECT_EQ(wheel.advance(6 * second), 0U);
}

// proves: TM-4
TEST_F(TimerWheelTest, next_deadline_is_exact_without_cancelling) {
    for (int i = 0; i < 1000; ++i) armed(i, (i * 7919 % 1000 + 1) * 40 * second);
    for (std::int64_t i = 1; i <= 1000; ++i) {
        ASSERT_EQ(wheel.next_deadline(), i * 40 * second);
        ASSERT_EQ(wheel.advance(i * 40 * second - 1), 0U);
        ASSERT_EQ(wheel.advance(i * 40 * second), 1U);
    }
    EXPECT_EQ(wheel.next_deadline(), never);
}

TEST_F(TimerWheelTest, next_deadline_is_a_lower_bound_after_cancelling_and_corrects_itself) {
    Probe& first = armed(1, 10 * second);
    armed(2, 500 * second);
    wheel.cancel(first);
    EXPECT_LE(wheel.next_deadline(), 500 * second);
    EXPECT_EQ(wheel.advance(10 * second), 0U);
    EXPECT_EQ(wheel.next_deadline(), 500 * second);
    EXPECT_EQ(wheel.advance(500 * second), 1U);
}

// proves: TM-4
TEST_F(TimerWheelTest, stale_lower_bounds_cost_few_wakeups) {
    std::vector<Probe*> many;
    for (int i = 0; i < 1000; ++i) many.push_back(&armed(i, 100 * second + i));
    armed(-1, 200 * second);
    for (Probe* timer : many) wheel.cancel(*timer);
    int wakeups = 0;
    while (log.empty()) {
        ++wakeups;
        wheel.advance(wheel.next_deadline());
    }
    EXPECT_LE(wakeups, 9);
    EXPECT_EQ(log, Ids{-1});
}

TEST_F(TimerWheelTest, a_timer_rearmed_for_now_fires_in_the_next_pass_only) {
    Probe& timer = armed(1, 0);
    timer.then = [&] { wheel.arm(timer, 0); };
    EXPECT_EQ(wheel.advance(0), 1U);
    EXPECT_EQ(wheel.next_deadline(), 0);
    EXPECT_EQ(wheel.advance(0), 1U);
    EXPECT_EQ(wheel.advance(second), 1U);
    EXPECT_EQ(log, (Ids{1, 1, 1}));
    timer.then = nullptr;
}

TEST_F(TimerWheelTest, a_callback_may_cancel_and_move_others_of_the_same_pass) {
    Probe& first = armed(1, 10);
    Probe& cancelled = armed(2, 20);
    Probe& moved = armed(3, 30);
    armed(4, 40);
    first.then = [&] {
        wheel.cancel(cancelled);
        wheel.arm(moved, 15);
        armed(5, 3 * second);
    };
    EXPECT_EQ(wheel.advance(second), 2U);
    EXPECT_EQ(log, (Ids{1, 4}));
    EXPECT_EQ(wheel.next_deadline(), 15);
    EXPECT_EQ(wheel.advance(second), 1U);
    EXPECT_EQ(wheel.next_deadline(), 3 * second);
    EXPECT_EQ(wheel.size(), 1U);
}

TEST_F(TimerWheelTest, a_callback_may_destroy_its_timer) {
    auto timer = std::make_unique<Probe>(log, 1);
    timer->then = [&] { timer->then = nullptr; };
    struct Suicidal : TimerNode {};
    auto* suicidal = new Suicidal;
    suicidal->fire = [](TimerNode& node) noexcept { delete static_cast<Suicidal*>(&node); };
    wheel.arm(*suicidal, 5);
    armed(2, 5);
    EXPECT_EQ(wheel.advance(5), 2U);
    EXPECT_EQ(log, Ids{2});
}

TEST_F(TimerWheelTest, H28_never_is_armed_but_does_not_fire) {
    Probe& timer = armed(1, never);
    EXPECT_TRUE(timer.armed());
    EXPECT_EQ(wheel.size(), 1U);
    EXPECT_EQ(wheel.next_deadline(), never);
    EXPECT_EQ(wheel.advance(never), 0U);
    EXPECT_EQ(wheel.advance(never), 0U);
    EXPECT_TRUE(timer.armed());
    wheel.cancel(timer);
    EXPECT_TRUE(wheel.empty());
}

// proves: TM-1
TEST_F(TimerWheelTest, H28_limits_of_int64) {
    TimerWheel own{lowest};
    Probe first{log, 1};
    Probe second_{log, 2};
    Probe third{log, 3};
    Probe last{log, 4};
    own.arm(last, never - 1);
    own.arm(third, 0);
    own.arm(second_, lowest + 1);
    own.arm(first, lowest);
    EXPECT_EQ(own.next_deadline(), lowest);
    EXPECT_EQ(own.advance(lowest), 1U);
    EXPECT_EQ(own.advance(lowest + 1), 1U);
    EXPECT_EQ(own.advance(-1), 0U);
    EXPECT_EQ(own.advance(0), 1U);
    EXPECT_EQ(own.advance(never - 2), 0U);
    EXPECT_EQ(own.advance(never - 1), 1U);
    EXPECT_EQ(log, (Ids{1, 2, 3, 4}));
}

// proves: TM-36
TEST_F(TimerWheelTest, H28_saturating_add) {
    EXPECT_EQ(saturating_add(1, 2), 3);
    EXPECT_EQ(saturating_add(second, never), never);
    EXPECT_EQ(saturating_add(never - 1, 1), never);
    EXPECT_EQ(saturating_add(never, -5), never);
    EXPECT_EQ(saturating_add(never, lowest), never);
    EXPECT_EQ(saturating_add(lowest, -1), lowest);
    EXPECT_EQ(saturating_add(-1, lowest), lowest);
}

TEST_F(TimerWheelTest, A25_a_1_ms_timer_stays_exact_beyond_49_days) {
    const std::int64_t ms = 1'000'000;
    const std::int64_t start = 50LL * 24 * 3600 * second;
    Probe& timer = probe(1);
    wheel.arm(timer, start);
    EXPECT_EQ(wheel.advance(start), 1U);
    for (std::int64_t period = 1; period <= 1000; ++period) {
        wheel.arm(timer, start + period * ms);
        ASSERT_EQ(wheel.advance(start + period * ms - 1), 0U);
        ASSERT_EQ(wheel.advance(start + period * ms), 1U);
    }
}

TEST_F(TimerWheelTest, time_that_runs_backwards_stands_still) {
    armed(1, 10 * second);
    wheel.advance(10 * second);
    armed(2, 5 * second);
    armed(3, 9 * second);
    EXPECT_EQ(wheel.advance(6 * second), 1U);
    EXPECT_EQ(wheel.next_deadline(), 9 * second);
    EXPECT_EQ(wheel.advance(10 * second), 1U);
    EXPECT_EQ(log, (Ids{1, 2, 3}));
}

TEST_F(TimerWheelTest, destruction_unlinks_what_is_armed) {
    Probe soon{log};
    Probe late{log};
    Probe never_due{log};
    {
        TimerWheel own{0};
        own.arm(soon, 1);
        own.arm(late, 1000 * second);
        own.arm(never_due, never);
    }
    EXPECT_FALSE(soon.armed() || late.armed() || never_due.armed());
    EXPECT_TRUE(log.empty());
}

/// What advance() looks at while a 1 ms timer runs for ten seconds beside `pending` timers that are an hour away.
std::uint64_t work_beside(int pending) {
    std::vector<int> log;
    std::vector<std::unique_ptr<Probe>> far;
    Probe timer{log};
    TimerWheel wheel{0};
    for (int i = 0; i < pending; ++i) {
        wheel.arm(*far.emplace_back(std::make_unique<Probe>(log, i)), 3600 * second + i);
    }
    for (std::int64_t now = 0; now < 10 * second; now += 1'000'000) {
        wheel.arm(timer, now);
        EXPECT_EQ(wheel.advance(now), 1U);
    }
    return wheel.work_done();
}

// proves: TM-8
TEST(TimerWheel, H14_cost_of_advance_does_not_depend_on_what_pends) {
    const std::uint64_t few = work_beside(2'000);
    EXPECT_EQ(work_beside(200'000), few);
    EXPECT_LE(few, 10'000U * 5);
}

// proves: TM-4
TEST(TimerWheel, H14_empty_slots_are_jumped_over) {
    std::vector<int> log;
    Probe timer{log};
    TimerWheel wheel{0};
    wheel.arm(timer, never - 1);
    EXPECT_EQ(wheel.advance(never - 2), 0U);
    EXPECT_EQ(wheel.advance(never - 1), 1U);
    EXPECT_LE(wheel.work_done(), 40U);
}

TEST(TimerWheel, each_timer_moves_at_most_once_a_level) {
    std::vector<int> log;
    std::vector<std::unique_ptr<Probe>> far;
    TimerWheel wheel{0};
    const std::uint64_t count = 10'000;
    for (std::uint64_t i = 0; i < count; ++i) {
        wheel.arm(*far.emplace_back(std::make_unique<Probe>(log)),
                  3600 * second + static_cast<std::int64_t>(i * 7919 % count));
    }
    while (!wheel.empty()) wheel.advance(wheel.next_deadline());
    EXPECT_EQ(log.size(), count);
    EXPECT_LE(wheel.work_done(), count * 10);
}

TEST(TimerWheel, arming_cancelling_a_million_times_leaves_nothing_to_walk) {
    std::vector<int> log;
    Probe timer{log};
    TimerWheel wheel{0};
    for (int i = 0; i < 1'000'000; ++i) {
        wheel.arm(timer, 5 * second + i);
        wheel.cancel(timer);
    }
    wheel.arm(timer, 9 * second);
    EXPECT_EQ(wheel.advance(9 * second), 1U);
    EXPECT_LE(wheel.work_done(), 100U);
}

} // namespace
} // namespace nexus::time
