// Stacks and their pool: guards that fault, colours, warm reuse, trimming, and how much of a stack was used.
#include "nexus/fiber/stack.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <unistd.h>
#include <vector>

namespace {

using namespace nexus;

constexpr std::size_t kib = 1024;

std::uintptr_t address(const std::byte* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

Stack& take(StackPool& pool, std::size_t bytes = 64 * kib) { return *pool.acquire(pool.size_class(bytes)).value(); }

TEST(StackPool, a_stack_has_at_least_the_size_that_was_asked_for) {
    StackPool pool;
    for (const std::size_t bytes : {std::size_t{1}, 4 * kib, 5 * kib, 64 * kib, 256 * kib, 1024 * kib}) {
        const Stack& stack = take(pool, bytes);
        EXPECT_GE(stack.usable_bytes() + 2 * kib, bytes) << "the colour takes part of the first page";
        EXPECT_EQ(address(stack.limit) % 4096, 0U);
        EXPECT_EQ(address(stack.top) % 64, 0U);
        std::memset(stack.limit, 1, stack.usable_bytes());
    }
}

TEST(StackPool, sizes_are_rounded_to_classes) {
    StackPool pool;
    const std::uint32_t small = pool.size_class(10 * kib);
    EXPECT_EQ(pool.size_class(12 * kib), small);
    EXPECT_NE(pool.size_class(13 * kib), small);
    EXPECT_EQ(pool.size_class(11 * kib), small);
    Stack* one = pool.acquire(small).value();
    Stack* other = pool.acquire(pool.size_class(13 * kib)).value();
    pool.release(one);
    EXPECT_NE(pool.acquire(pool.size_class(13 * kib)).value(), one) << "classes do not mix";
    EXPECT_NE(one, other);
}

TEST(StackPool, the_warmest_stack_comes_back_first) {
    StackPool pool;
    Stack& a = take(pool);
    Stack& b = take(pool);
    Stack& c = take(pool);
    pool.release(&a);
    pool.release(&c);
    pool.release(&b);
    EXPECT_EQ(&take(pool), &b);
    EXPECT_EQ(&take(pool), &c);
    EXPECT_EQ(&take(pool), &a);
    EXPECT_EQ(pool.stats().in_use, 3U);
}

TEST(StackPool, tops_are_coloured_within_their_first_page) {
    StackPool pool;
    std::set<std::uintptr_t> sets;
    for (int i = 0; i < 16; ++i) {
        const Stack& stack = take(pool);
        sets.insert(address(stack.top) % 4096);
        EXPECT_LT(address(stack.limit) + 62 * kib, address(stack.top));
    }
    EXPECT_EQ(sets.size(), 16U) << "no two of sixteen share a cache set";
}

TEST(StackPool, stats_count_what_exists_and_what_is_held) {
    StackPool pool;
    EXPECT_EQ(pool.stats().mapped, 0U) << "nothing is mapped before it is needed";
    Stack& one = take(pool);
    EXPECT_EQ(pool.stats().in_use, 1U);
    EXPECT_GE(pool.stats().mapped, 1U);
    pool.release(&one);
    EXPECT_EQ(pool.stats().in_use, 0U);
}

TEST(StackPool, reserve_maps_and_prefaults) {
    StackPool pool;
    const std::uint32_t cls = pool.size_class(64 * kib);
    ASSERT_TRUE(pool.reserve(cls, 100, true).has_value());
    EXPECT_GE(pool.stats().mapped, 100U);
    EXPECT_EQ(pool.stats().in_use, 0U);
    const std::size_t mapped = pool.stats().mapped;
    std::vector<Stack*> stacks;
    for (int i = 0; i < 100; ++i) {
        stacks.push_back(pool.acquire(cls).value());
        EXPECT_GT(stacks.back()->high_water_bytes(), 0U) << "its top page is there";
    }
    EXPECT_EQ(pool.stats().mapped, mapped);
}

void high_water_is_what_was_touched(StackPool& pool) {
    const Stack& stack = take(pool, 256 * kib);
    EXPECT_EQ(stack.high_water_bytes(), 0U);
    *(stack.top - 1) = std::byte{1};
    EXPECT_LE(stack.high_water_bytes(), 8 * kib);
    EXPECT_GT(stack.high_water_bytes(), 0U);
    *(stack.top - 100 * kib) = std::byte{1};
    EXPECT_GE(stack.high_water_bytes(), 100 * kib);
    EXPECT_LE(stack.high_water_bytes(), 104 * kib);
    *(stack.limit + 100) = std::byte{1};
    EXPECT_GE(stack.high_water_bytes() + 8 * kib, stack.usable_bytes());
}

void trim_gives_the_coldest_back(StackPool& pool) {
    std::vector<Stack*> stacks;
    for (int i = 0; i < 10; ++i) {
        stacks.push_back(&take(pool));
        *(stacks.back()->top - 1) = std::byte{7};
    }
    for (Stack* stack : stacks) pool.release(stack);
    EXPECT_EQ(pool.trim(2), 2U) << "at most the limit";
    EXPECT_EQ(pool.trim(100), 4U);
    EXPECT_EQ(pool.trim(100), 0U) << "each once";
    EXPECT_EQ(pool.stats().trimmed, 6U);
    for (int i = 0; i < 6; ++i) EXPECT_EQ(stacks[static_cast<std::size_t>(i)]->high_water_bytes(), 0U);
    for (int i = 6; i < 10; ++i) EXPECT_GT(stacks[static_cast<std::size_t>(i)]->high_water_bytes(), 0U);
    // They are used again, warm ones first, and then count as used.
    for (int i = 9; i >= 0; --i) EXPECT_EQ(&take(pool), stacks[static_cast<std::size_t>(i)]);
    EXPECT_EQ(pool.stats().trimmed, 0U);
    EXPECT_FALSE(stacks[0]->trimmed);
}

TEST(StackPool, high_water_is_what_was_touched) {
    for (const GuardKind kind : {GuardKind::lightweight, GuardKind::protected_, GuardKind::red_zone}) {
        SCOPED_TRACE(static_cast<int>(kind));
        StackPool pool({.guard_bytes = 16 * kib, .best_guard = kind});
        high_water_is_what_was_touched(pool);
    }
}

TEST(StackPool, trim_gives_the_coldest_back_and_keeps_the_warm_ones) {
    for (const GuardKind kind : {GuardKind::lightweight, GuardKind::red_zone}) {
        SCOPED_TRACE(static_cast<int>(kind));
        StackPool pool({.guard_bytes = 16 * kib, .max_idle_stacks = 4, .best_guard = kind});
        trim_gives_the_coldest_back(pool);
    }
}

TEST(StackPool, find_by_guard_knows_guards_and_nothing_else) {
    StackPool pool({.guard_bytes = 16 * kib});
    Stack& stack = take(pool);
    EXPECT_EQ(pool.find_by_guard(stack.limit - 1), &stack);
    EXPECT_EQ(pool.find_by_guard(stack.limit - pool.guard_bytes()), &stack);
    EXPECT_EQ(pool.find_by_guard(stack.limit), nullptr);
    EXPECT_EQ(pool.find_by_guard(&stack), nullptr);
    EXPECT_EQ(pool.find_by_guard(nullptr), nullptr);
}

TEST(StackPool, a_leaked_stack_stays_mapped_after_the_pool) {
    static Stack* kept = nullptr; // so that no checker calls it lost
    std::byte* place = nullptr;
    {
        StackPool pool;
        Stack& stack = take(pool);
        kept = &stack;
        place = stack.top - 1;
        pool.leak(&stack);
        EXPECT_EQ(pool.stats().in_use, 0U);
    }
    EXPECT_EQ(kept->top, place + 1);
    *place = std::byte{5};
    EXPECT_EQ(*place, std::byte{5});
}

TEST(StackPool, ten_thousand_stacks) {
    StackPool pool;
    std::vector<Stack*> stacks;
    for (int i = 0; i < 10'000; ++i) stacks.push_back(&take(pool, 16 * kib));
    for (Stack* stack : stacks) *(stack->top - 1) = std::byte{1};
    for (Stack* stack : stacks) pool.release(stack);
    EXPECT_EQ(pool.stats().in_use, 0U);
}

// --- what lies below the stack ---

TEST(StackPool, without_a_guard_the_red_zone_is_left) {
    StackPool pool({.guard_bytes = 0});
    EXPECT_EQ(take(pool).guard, GuardKind::red_zone);
    EXPECT_EQ(pool.guard_bytes(), 0U);
}

TEST(StackPool, the_switch_of_the_build_decides_about_guards) {
    StackPool pool;
    const GuardKind kind = take(pool).guard;
    if (NEXUS_GUARDS != 0) {
        EXPECT_TRUE(kind == GuardKind::lightweight || kind == GuardKind::protected_);
    } else {
        EXPECT_EQ(kind, GuardKind::red_zone);
    }
    EXPECT_EQ(pool.guard_kind(), kind);
}

class GuardDeathTest : public ::testing::TestWithParam<GuardKind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, GuardDeathTest, ::testing::Values(GuardKind::lightweight, GuardKind::protected_));

TEST_P(GuardDeathTest, a_write_below_the_stack_faults) {
    StackPool pool({.guard_bytes = 16 * kib, .best_guard = GetParam()});
    Stack& stack = take(pool);
    if (GetParam() == GuardKind::lightweight && stack.guard != GuardKind::lightweight) {
        GTEST_SKIP() << "this kernel has no lightweight guards (Linux 6.13)";
    }
    EXPECT_EQ(stack.guard, GetParam());
    *stack.limit = std::byte{1};
    EXPECT_DEATH(*(stack.limit - 1) = std::byte{1}, "");
    EXPECT_DEATH(*(stack.limit - pool.guard_bytes()) = std::byte{1}, "");
}

TEST(RedZoneDeathTest, an_overflow_is_found_when_the_stack_comes_back) {
    StackPool pool({.best_guard = GuardKind::red_zone});
    Stack& stack = take(pool);
    EXPECT_EQ(stack.guard, GuardKind::red_zone);
    *(stack.top - 1) = std::byte{1};
    pool.release(&stack); // untouched: fine
    EXPECT_EQ(&take(pool), &stack);
    EXPECT_DEATH(
        {
            *(stack.limit + 8) = std::byte{1};
            pool.release(&stack);
        },
        "a fiber ran past the end of its stack .found when it ended.; raise stack_size");
}

TEST(RedZone, survives_reuse_and_trimming) {
    StackPool pool({.max_idle_stacks = 0, .best_guard = GuardKind::red_zone});
    Stack& stack = take(pool);
    pool.release(&stack);
    pool.trim(10);
    Stack& again = take(pool);
    EXPECT_EQ(&again, &stack);
    pool.release(&again);
}

} // namespace
