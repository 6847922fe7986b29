// The macros and the fixture of nexus/testing/gtest.hpp, used as docs/testing.md shows them.
#include "nexus/testing/gtest.hpp"

#include "nexus/nexus.hpp"

using namespace std::chrono_literals;

namespace {

NEXUS_TEST(Heartbeat, comes_every_second_and_takes_no_time)
{
    const nexus::TimePoint start = nexus::now();
    nexus::Interval heartbeat = nexus::interval(1s);
    for (int beat = 1; beat <= 3600; ++beat) heartbeat.tick();
    EXPECT_EQ(nexus::now() - start, 1h);
}

struct Session {
    int logons = 0;
};

class SessionTest : public nexus::testing::RuntimeTest {
protected:
    using RuntimeTest::configure;
    void configure(nexus::WorldBuilder& builder) override { builder.add<Session>(); }
};

NEXUS_TEST_F(SessionTest, reaches_the_world_of_the_fixture) {
    nexus::spawn([](nexus::ResMut<Session> session) { ++session->logons; }).join();
    EXPECT_EQ(world().res<Session>()->logons, 1);
    EXPECT_TRUE(runtime().options().strict_borrows);
    EXPECT_EQ(nexus::now(), clock().now());
}

NEXUS_TEST_F(SessionTest, each_test_has_a_world_of_its_own) { EXPECT_EQ(world().res<Session>()->logons, 0); }

class RealTime : public nexus::testing::RuntimeTest {
protected:
    using RuntimeTest::configure;
    void configure(nexus::RuntimeOptions& options) override { options.tasks_per_cycle = 7; }
    [[nodiscard]] bool manual_time() const override { return false; }
};

NEXUS_TEST_F(RealTime, is_there_for_tests_that_need_it) {
    EXPECT_EQ(runtime().options().tasks_per_cycle, 7U);
    const auto before = std::chrono::steady_clock::now();
    EXPECT_GE(nexus::now(), before);
    EXPECT_EQ(clock().jumps(), 0U);
}

} // namespace
