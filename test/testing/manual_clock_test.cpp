#include "nexus/testing/manual_clock.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/nexus.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using nexus::TimePoint;
using nexus::testing::ManualClock;

class ManualClockTest : public ::testing::Test {
protected:
    void SetUp() override { clock.attach(runtime); }

    ManualClock clock;
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
};

TEST(ManualClock, starts_at_the_same_time_always_and_moves_only_forward) {
    ManualClock clock;
    EXPECT_EQ(clock.now(), TimePoint(1h));
    clock.advance(3ns);
    EXPECT_EQ(clock.now(), TimePoint(1h + 3ns));
    clock.advance(-5s);
    clock.advance(0s);
    EXPECT_EQ(clock.now(), TimePoint(1h + 3ns));
    clock.advance(nexus::Duration::max());
    EXPECT_EQ(clock.now().time_since_epoch(), nexus::Duration::max()) << "saturates";
    EXPECT_EQ(ManualClock(TimePoint(7s)).now(), TimePoint(7s));
}

TEST_F(ManualClockTest, a_day_of_waiting_takes_no_time) {
    const auto real = std::chrono::steady_clock::now();
    runtime.block_on([] {
        for (int hour = 0; hour < 24; ++hour) nexus::sleep(1h);
    });
    EXPECT_EQ(clock.now(), TimePoint(25h));
    EXPECT_EQ(clock.jumps(), 24U);
    EXPECT_LT(std::chrono::steady_clock::now() - real, 1h);
}

TEST_F(ManualClockTest, sleepers_wake_in_the_order_of_their_deadlines_exactly_on_time) {
    std::vector<int> delays_ms;
    for (int delay = 1; delay <= 200; ++delay) delays_ms.push_back(delay * 7);
    std::shuffle(delays_ms.begin(), delays_ms.end(), std::mt19937(4711));
    std::vector<int> woke;
    runtime.block_on([&] {
        nexus::TaskGroup sleepers;
        for (const int delay : delays_ms) {
            sleepers.spawn([&woke, delay] {
                const TimePoint due = nexus::now() + std::chrono::milliseconds(delay);
                nexus::sleep(std::chrono::milliseconds(delay));
                EXPECT_EQ(nexus::now(), due);
                EXPECT_EQ(nexus::event_time(), due);
                woke.push_back(delay);
            });
        }
        sleepers.join_all();
    });
    std::sort(delays_ms.begin(), delays_ms.end());
    EXPECT_EQ(woke, delays_ms);
    EXPECT_EQ(clock.jumps(), 200U);
}

TEST_F(ManualClockTest, equal_deadlines_wake_in_the_order_of_arming_with_one_jump) {
    std::vector<int> woke;
    runtime.block_on([&] {
        nexus::TaskGroup sleepers;
        for (int i = 0; i < 10; ++i) {
            sleepers.spawn([&woke, i] {
                nexus::sleep(5ms);
                woke.push_back(i);
            });
        }
        sleepers.join_all();
    });
    EXPECT_EQ(woke, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
    EXPECT_EQ(clock.jumps(), 1U);
}

TEST_F(ManualClockTest, work_never_moves_time) {
    runtime.block_on([] {
        for (int i = 0; i < 10'000; ++i) nexus::yield_now();
    });
    EXPECT_EQ(clock.now(), TimePoint(1h));
    EXPECT_EQ(clock.jumps(), 0U);
}

TEST_F(ManualClockTest, without_auto_advance_the_test_moves_time_and_nothing_is_early) {
    clock.set_auto_advance(false);
    bool woke = false;
    auto sleeper = runtime.spawn([&woke] {
        nexus::sleep(10ms);
        woke = true;
    });
    EXPECT_EQ(runtime.run_for(0ns), nexus::RunStatus::idle);
    clock.advance(10ms - 1ns);
    EXPECT_EQ(runtime.run_once(), nexus::RunStatus::idle);
    EXPECT_FALSE(woke);
    clock.advance(1ns);
    runtime.run_once();
    runtime.run_once();
    EXPECT_TRUE(woke);
    EXPECT_EQ(clock.jumps(), 0U);
    EXPECT_TRUE(sleeper.is_finished());
}

TEST_F(ManualClockTest, what_a_descriptor_has_comes_before_what_time_would_bring) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    auto here = nexus::TcpStream::from_fd(nexus::os::Fd(ends[0])).value();
    auto there = nexus::TcpStream::from_fd(nexus::os::Fd(ends[1])).value();
    runtime.block_on([&] {
        auto echo = nexus::spawn([&there] {
            std::array<std::byte, 4> bytes{};
            while (auto n = there.read(bytes)) {
                if (*n == 0 || !there.write_all(std::span(bytes).first(*n))) return;
            }
        });
        for (int i = 0; i < 100; ++i) {
            const auto answered = nexus::timeout(1ms, [&] {
                std::array<std::byte, 4> bytes{};
                EXPECT_TRUE(here.write_all("ping"));
                return here.read_exact(bytes);
            });
            ASSERT_TRUE(answered.has_value()) << "the timeout overtook the answer";
        }
        here.close();
        echo.join();
    });
    EXPECT_EQ(clock.now(), TimePoint(1h));
}

TEST_F(ManualClockTest, with_nothing_to_jump_to_the_loop_sleeps_for_real_until_another_thread_wakes_it) {
    auto [tx, rx] = nexus::mpsc::channel<int>(1);
    std::jthread other([tx = std::move(tx)] { (void)tx.try_send(7); });
    EXPECT_EQ(runtime.block_on([&in = rx] { return in.recv().value(); }), 7);
    EXPECT_EQ(clock.jumps(), 0U);
}

TEST_F(ManualClockTest, without_auto_advance_an_idle_loop_does_not_jump) {
    clock.set_auto_advance(false);
    for (int round = 0; round < 30; ++round) { // the loop is idle before the message comes, most of the time
        auto [tx, rx] = nexus::mpsc::channel<int>(1);
        auto sleeper = runtime.spawn([] { nexus::sleep(10ms); });
        std::jthread other([tx = std::move(tx)] { (void)tx.try_send(7); });
        EXPECT_EQ(runtime.block_on([&in = rx] { return in.recv().value(); }), 7);
        EXPECT_FALSE(sleeper.is_finished());
        EXPECT_TRUE(sleeper.abort());
        sleeper.detach();
    }
    EXPECT_EQ(clock.now(), TimePoint(1h));
}

TEST(ManualClock, cannot_be_attached_while_timers_are_armed) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    auto sleeper = runtime.spawn([] { nexus::sleep(1h); });
    runtime.run_once();
    ManualClock clock;
    EXPECT_THROW(clock.attach(runtime), nexus::UsageError);
    EXPECT_TRUE(sleeper.abort());
}

TEST(ManualClock, drives_a_bare_executor) {
    ManualClock clock;
    nexus::Executor executor;
    executor.set_clock(clock.source());
    auto sleeper = executor.spawn_boxed([] { nexus::sleep(5ms); });
    executor.poll();
    clock.advance(5ms - 1ns);
    executor.poll();
    EXPECT_FALSE(sleeper.is_finished());
    clock.advance(1ns);
    executor.poll();
    EXPECT_TRUE(sleeper.is_finished());
}

} // namespace
