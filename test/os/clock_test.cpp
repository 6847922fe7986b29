#include "nexus/os/clock.hpp"

#include "nexus/os/calls.hpp"

#include <gtest/gtest.h>

#include <ctime>

namespace nexus::os {
namespace {

TEST(Clock, is_the_monotonic_clock_and_does_not_go_back) {
    timespec before{};
    ::clock_gettime(CLOCK_MONOTONIC, &before);
    const std::int64_t first = monotonic_ns();
    const std::int64_t second = monotonic_ns();
    EXPECT_GE(first, before.tv_sec * 1'000'000'000 + before.tv_nsec);
    EXPECT_GE(second, first);
}

TEST(Clock, goes_through_the_table) {
    Calls table = real_calls();
    table.clock_gettime = [](clockid_t clock, timespec* now) {
        EXPECT_EQ(clock, CLOCK_MONOTONIC);
        *now = {12, 345};
        return 0;
    };
    CallsOverride here{table};
    EXPECT_EQ(monotonic_ns(), 12'000'000'345);
}

} // namespace
} // namespace nexus::os
