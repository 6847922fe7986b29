#include "nexus/testing/seeded_choice.hpp"

#include "nexus/nexus.hpp"
#include "nexus/testing/manual_clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>

namespace {

using namespace std::chrono_literals;
using nexus::testing::SeededChoice;

/// The order in which `fibers` fibers make `steps` steps each, as letters.
std::string order_of(std::uint64_t seed, int fibers, int steps) {
    std::string order;
    SeededChoice choice(seed);
    nexus::Executor executor;
    choice.attach(executor);
    for (int i = 0; i < fibers; ++i) {
        executor
            .spawn_boxed([&order, i, steps] {
                for (int step = 0; step < steps; ++step) {
                    order += static_cast<char>('a' + i);
                    nexus::yield_now();
                }
            })
            .detach();
    }
    while (executor.task_count() != 0) executor.poll();
    return order;
}

TEST(SeededChoice, draws_are_those_of_SplitMix64_everywhere) {
    constexpr std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
    SeededChoice choice(0);
    EXPECT_EQ(choice.below(all), 0xE220'A839'7B1D'CDAFU);
    EXPECT_EQ(choice.below(all), 0x6E78'9E6A'A1B9'65F4U);
    EXPECT_EQ(choice.seed(), 0U);
    for (int i = 0; i < 100; ++i) EXPECT_LT(choice.below(7), 7U);
    EXPECT_EQ(choice.below(1), 0U);
}

TEST(SeededChoice, the_same_seed_gives_the_same_order) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(order_of(seed, 6, 10), order_of(seed, 6, 10)) << seed;
}

TEST(SeededChoice, different_seeds_explore_different_orders) {
    std::set<std::string> orders;
    for (std::uint64_t seed = 0; seed < 100; ++seed) orders.insert(order_of(seed, 6, 10));
    EXPECT_EQ(orders.size(), 100U);
}

TEST(SeededChoice, every_order_of_three_fibers_is_found) {
    std::set<std::string> orders;
    for (std::uint64_t seed = 0; seed < 100; ++seed) orders.insert(order_of(seed, 3, 1));
    EXPECT_EQ(orders, (std::set<std::string>{"abc", "acb", "bac", "bca", "cab", "cba"}));
}

TEST(SeededChoice, without_it_first_come_is_first_served) {
    std::string order;
    nexus::Executor executor;
    for (const char name : {'a', 'b', 'c'}) executor.spawn_boxed([&order, name] { order += name; }).detach();
    executor.poll();
    EXPECT_EQ(order, "abc");
}

TEST(SeededChoice, every_fiber_still_gets_its_turn_in_each_cycle) {
    const std::string order = order_of(4711, 5, 20);
    for (std::size_t cycle = 0; cycle < 20; ++cycle) {
        std::string turns = order.substr(cycle * 5, 5);
        std::sort(turns.begin(), turns.end());
        EXPECT_EQ(turns, "abcde") << "cycle " << cycle;
    }
}

/// Two fibers add to a balance, each in two steps with a wait between them: right in some orders, wrong in others.
int balance_after(std::uint64_t seed) {
    int balance = 0;
    SeededChoice choice(seed);
    nexus::testing::ManualClock clock;
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    clock.attach(runtime);
    choice.attach(runtime.executor());
    runtime.block_on([&] {
        nexus::TaskGroup deposits;
        for (int i = 0; i < 2; ++i) {
            deposits.spawn([&] {
                for (std::uint64_t waits = choice.below(3); waits > 0; --waits) nexus::yield_now();
                const int read = balance;
                nexus::sleep(std::chrono::milliseconds(choice.below(2)));
                balance = read + 1;
            });
        }
        deposits.join_all();
    });
    return balance;
}

TEST(SeededChoice, finds_a_lost_update_and_its_seed_brings_it_back) {
    std::set<std::uint64_t> lost;
    for (std::uint64_t seed = 0; seed < 64; ++seed) {
        if (balance_after(seed) != 2) lost.insert(seed);
    }
    EXPECT_FALSE(lost.empty());
    EXPECT_LT(lost.size(), 64U);
    for (const std::uint64_t seed : lost) EXPECT_EQ(balance_after(seed), 1) << seed;
}

TEST(SeededChoice, the_seed_comes_from_the_environment_when_it_is_a_number) {
    ::unsetenv("NEXUS_SEED");
    EXPECT_EQ(nexus::testing::seed_from_environment(3), 3U);
    ::setenv("NEXUS_SEED", "18446744073709551615", 1);
    EXPECT_EQ(nexus::testing::seed_from_environment(3), std::numeric_limits<std::uint64_t>::max());
    for (const char* wrong : {"", "x", "12x", "-1", "18446744073709551616"}) {
        ::setenv("NEXUS_SEED", wrong, 1);
        EXPECT_EQ(nexus::testing::seed_from_environment(3), 3U) << wrong;
    }
    ::unsetenv("NEXUS_SEED");
}

} // namespace
