// Spawning into a slab: section 4 of the contract (SL-1 to SL-10), the seed's slab tests under their names.
#include "nexus/runtime/slab.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/runtime/builder.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/testing/gtest.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using nexus::ByteSlab;
using nexus::JoinHandle;
using nexus::Runtime;
using nexus::SlabClaim;
using nexus::UsageError;
using nexus::World;
using nexus::WorldBuilder;

template <class Body>
std::string usage_error(Body&& body) {
    try {
        body();
    } catch (const UsageError& error) {
        return error.what();
    }
    return "no error";
}

struct Prices {
    int last = 7;
};

struct SlabTest : ::testing::Test {
    World world = [] {
        WorldBuilder builder;
        builder.add<Prices>();
        return builder.build();
    }();
};

class Tracked {
public:
    explicit Tracked(int& alive) : alive_(&alive) { ++alive; }
    Tracked(const Tracked&) = delete;
    Tracked(Tracked&& other) noexcept : alive_(other.alive_) { ++*alive_; }
    Tracked& operator=(const Tracked&) = delete;
    Tracked& operator=(Tracked&&) = delete;
    ~Tracked() { --*alive_; }

private:
    int* alive_;
};

// --- the seed's tests ---

// proves: SL-3, SL-5
TEST_F(SlabTest, spawn_slab_without_slab_panics) {
    Runtime runtime(world);
    runtime.block_on([] {
        EXPECT_NE(usage_error([] { (void)nexus::spawn_slab([] {}); }).find("has no slab"), std::string::npos);
        EXPECT_NE(usage_error([] { (void)nexus::claim_slab(); }).find("claim_slab(): this runtime has no slab"),
                  std::string::npos);
        EXPECT_THROW((void)nexus::try_claim_slab(), UsageError) << "no slab is a mistake, a full one is not";
    });
}

// proves: SL-4, S-264, S-379, spawn_slab
TEST_F(SlabTest, spawn_slab_with_slab) {
    Runtime runtime = Runtime::builder(world).slab(ByteSlab::unbounded({.slots = 4})).build();
    EXPECT_EQ(runtime.block_on([] { return nexus::spawn_slab([] { return 42; }).join(); }), 42);
    EXPECT_EQ(runtime.slab_stats().high_water, 1U);
}

// proves: SL-7
TEST_F(SlabTest, mixed_spawn_and_spawn_slab) {
    Runtime runtime = Runtime::builder(world).slab_unbounded({.slots = 4}).build();
    std::vector<int> order;
    runtime.block_on([&] {
        std::vector<JoinHandle<void>> handles;
        for (int i = 0; i < 10; ++i) {
            handles.push_back(i % 2 == 0 ? nexus::spawn_boxed([&order, i] { order.push_back(i); })
                                         : nexus::spawn_slab([&order, i] { order.push_back(i); }));
        }
        for (auto& handle : handles) handle.join();
    });
    EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

// proves: SL-5, SL-6, EX-3, MIN_SLOT_SIZE, S-266, SlabClaim, claim_slab
TEST_F(SlabTest, claim_slab_spawn_executes) {
    Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 1}).build();
    runtime.block_on([] {
        SlabClaim claim = nexus::claim_slab();
        EXPECT_TRUE(claim.valid());
        EXPECT_NE(claim.as_ptr(), nullptr);
        EXPECT_EQ(claim.slot_size(), nexus::min_slot_size);
        EXPECT_EQ(claim.spawn([](nexus::Res<Prices> prices, int by) { return prices->last + by; }, 3).join(), 10);
        EXPECT_FALSE(claim.valid());
        EXPECT_EQ(claim.as_ptr(), nullptr);
        EXPECT_NE(usage_error([&] { (void)claim.spawn([] {}); }).find("used already"), std::string::npos);
    });
}

// proves: SL-6
TEST_F(SlabTest, claim_slab_drop_returns_slot) {
    Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 1}).build();
    runtime.block_on([&] {
        const void* place = nullptr;
        {
            SlabClaim claim = nexus::claim_slab();
            place = claim.as_ptr();
            EXPECT_EQ(runtime.slab_stats().in_use, 1U);
        }
        EXPECT_EQ(runtime.slab_stats().in_use, 0U);
        EXPECT_EQ(nexus::claim_slab().as_ptr(), place) << "last in, first out (SL-2)";
    });
}

// proves: SL-1, SL-5, try_claim_slab
TEST_F(SlabTest, try_claim_slab_returns_none_when_full) {
    Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 2}).build();
    runtime.block_on([] {
        std::optional<SlabClaim> one = nexus::try_claim_slab();
        std::optional<SlabClaim> two = nexus::try_claim_slab();
        ASSERT_TRUE(one && two);
        EXPECT_FALSE(nexus::try_claim_slab());
        EXPECT_NE(usage_error([] { (void)nexus::claim_slab(); }).find("all 2 slots are in use"), std::string::npos);
        EXPECT_NE(usage_error([] { (void)nexus::spawn_slab([] {}); }).find("spawn_slab(): all 2 slots"),
                  std::string::npos);
        one.reset();
        EXPECT_TRUE(nexus::try_claim_slab());
    });
}

// proves: SL-7
TEST_F(SlabTest, mixed_spawn_boxed_and_claim_slab) {
    Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 8}).build();
    const int sum = runtime.block_on([] {
        std::vector<SlabClaim> claims;
        for (int i = 0; i < 8; ++i) claims.push_back(nexus::claim_slab());
        std::vector<JoinHandle<int>> handles;
        for (int i = 0; i < 8; ++i) {
            handles.push_back(nexus::spawn_boxed([i] { return i; }));
            handles.push_back(claims[static_cast<std::size_t>(i)].spawn([i] { return 100 * i; }));
        }
        int total = 0;
        for (auto& handle : handles) total += handle.join();
        return total;
    });
    EXPECT_EQ(sum, 28 + 2800);
}

// proves: SL-6
TEST_F(SlabTest, slab_spawn_with_drop_tracker) {
    Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 2}).build();
    int alive = 0;
    runtime.block_on([&] {
        nexus::spawn_slab([tracked = Tracked(alive)] {}).join();
        EXPECT_EQ(alive, 0) << "the closure went with the fiber";
        auto never_ran = nexus::spawn_slab([tracked = Tracked(alive)] {});
        EXPECT_EQ(alive, 1);
        never_ran.abort();
        EXPECT_THROW(never_ran.join(), nexus::TaskAborted);
        EXPECT_EQ(alive, 0);
    });
}

// proves: SL-2, SL-8
TEST_F(SlabTest, slab_bounded_reuse_after_free) {
    Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 4}).build();
    runtime.block_on([&] {
        for (int wave = 0; wave < 2; ++wave) {
            std::vector<JoinHandle<int>> handles;
            for (int i = 0; i < 4; ++i) handles.push_back(nexus::spawn_slab([i] { return i; }));
            EXPECT_FALSE(nexus::try_claim_slab());
            for (int i = 0; i < 4; ++i) EXPECT_EQ(handles[static_cast<std::size_t>(i)].join(), i);
            nexus::yield_now(); // slots come back at the end of the cycle (SL-8)
            EXPECT_EQ(runtime.slab_stats().in_use, 0U);
        }
    });
    EXPECT_EQ(runtime.slab_stats().high_water, 4U);
}

// proves: SL-8
TEST_F(SlabTest, a_slot_stays_taken_while_the_handle_lives) {
    Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 1}).build();
    runtime.block_on([] {
        JoinHandle<int> handle = nexus::spawn_slab([] { return 1; });
        nexus::yield_now();
        nexus::yield_now();
        ASSERT_TRUE(handle.is_finished());
        EXPECT_FALSE(nexus::try_claim_slab()) << "the output lives there";
        EXPECT_EQ(handle.join(), 1);
        nexus::yield_now();
        EXPECT_TRUE(nexus::try_claim_slab());
    });
}

// proves: SL-1, ByteSlab
TEST_F(SlabTest, an_unbounded_slab_grows_by_chunks_and_keeps_them) {
    Runtime runtime = Runtime::builder(world).slab_unbounded({.slots = 4}).build();
    runtime.block_on([&] {
        std::vector<SlabClaim> claims;
        for (int i = 0; i < 9; ++i) claims.push_back(nexus::claim_slab());
        EXPECT_EQ(runtime.slab_stats().slots, 12U);
        claims.clear();
    });
    EXPECT_EQ(runtime.slab_stats().slots, 12U);
    EXPECT_EQ(runtime.slab_stats().in_use, 0U);
    EXPECT_EQ(runtime.slab_stats().high_water, 9U);
}

// --- sizes, alignment, mistakes ---

// proves: SL-4, SL-6, EX-3, H-25, TASK_HEADER_SIZE
TEST_F(SlabTest, an_output_that_does_not_fit_is_refused_and_nothing_is_lost) {
    Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 1, .slot_bytes = nexus::task_header_size}).build();
    runtime.block_on([&] {
        using Large = std::array<char, 512>;
        struct alignas(128) Aligned {
            int value;
        };
        SlabClaim claim = nexus::claim_slab();
        const std::string text = usage_error([&] { (void)claim.spawn([] { return Large{}; }); });
        EXPECT_NE(text.find("raise slot_bytes"), std::string::npos) << text;
        EXPECT_THROW((void)claim.spawn([] { return Aligned{1}; }), UsageError);
        EXPECT_TRUE(claim.valid());
        EXPECT_EQ(runtime.slab_stats().in_use, 1U);
        EXPECT_EQ(runtime.task_count(), 1U) << "only the body of block_on";
        claim.spawn([] {}).join();
    });
    runtime.block_on(
        [&] { EXPECT_THROW((void)nexus::spawn_slab([] { return std::array<char, 512>{}; }), UsageError); });
    EXPECT_EQ(runtime.slab_stats().in_use, 0U);
}

// proves: SL-6
TEST_F(SlabTest, a_missing_resource_leaves_the_claim_as_it_was) {
    struct Unknown {};
    Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 1}).build();
    runtime.block_on([] {
        SlabClaim claim = nexus::claim_slab();
        EXPECT_THROW((void)claim.spawn([](nexus::Res<Unknown>) {}), UsageError);
        EXPECT_TRUE(claim.valid());
    });
}

TEST_F(SlabTest, a_closure_that_throws_when_moved_leaves_the_claim_as_it_was) {
    struct Grumpy {
        Grumpy() = default;
        Grumpy(const Grumpy&) { throw std::runtime_error("no copies"); }
        void operator()() const {}
    };
    nexus::Executor executor;
    executor.install_slab(ByteSlab::bounded({.slots = 1}));
    const Grumpy grumpy;
    EXPECT_THROW((void)executor.spawn_slab(grumpy), std::runtime_error);
    EXPECT_EQ(executor.slab_stats().in_use, 0U);
    EXPECT_EQ(executor.task_count(), 0U);
}

// proves: SL-1, EX-3
TEST_F(SlabTest, impossible_slabs_are_refused) {
    EXPECT_NE(usage_error([] { (void)ByteSlab::bounded({.slots = 0}); }).find("slots is 0"), std::string::npos);
    EXPECT_NE(usage_error([] { (void)ByteSlab::bounded({.slot_bytes = 64}); }).find("slot_bytes is 64"),
              std::string::npos);
    EXPECT_EQ(ByteSlab::bounded({.slot_bytes = 257}).slot_bytes(), 320U);
    EXPECT_TRUE(ByteSlab::bounded().is_bounded());
    EXPECT_FALSE(ByteSlab::unbounded().is_bounded());
    nexus::Executor executor;
    EXPECT_NE(usage_error([&] {
                  executor.install_slab(ByteSlab::bounded({.stack_size = std::size_t{1} << 40}));
              }).find("the most is 1 GiB"),
              std::string::npos);
    executor.install_slab(ByteSlab::bounded());
    EXPECT_THROW(executor.install_slab(ByteSlab::bounded()), UsageError);
}

// proves: RT-3, RuntimeBuilder
TEST_F(SlabTest, the_last_slab_given_to_the_builder_wins) {
    Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 3}).slab_bounded({.slots = 5}).build();
    EXPECT_EQ(runtime.slab_stats().slots, 5U);
}

TEST_F(SlabTest, stacks_of_the_slab_are_its_own) {
    nexus::Executor executor;
    executor.install_slab(ByteSlab::bounded({.slots = 4}));
    const std::size_t mapped = executor.stacks().stats().mapped;
    EXPECT_EQ(mapped, 4U);
    std::vector<JoinHandle<void>> boxed;
    for (int i = 0; i < 3; ++i) boxed.push_back(executor.spawn_boxed([] {}));
    EXPECT_GT(executor.stacks().stats().mapped, mapped) << "others do not take what was reserved";
    const std::size_t before = executor.stacks().stats().mapped;
    for (int i = 0; i < 4; ++i) executor.spawn_slab([] {}).detach();
    EXPECT_EQ(executor.stacks().stats().mapped, before);
    while (executor.task_count() > 0) executor.poll();
}

// --- ends (slab_shutdown_bug of the seed) ---

// proves: A-2, S-375
TEST_F(SlabTest, an_unfinished_slab_task_at_the_end_of_the_runtime) {
    int alive = 0;
    {
        Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 2}).build();
        runtime.block_on([&] {
            nexus::spawn_slab([tracked = Tracked(alive)] { nexus::sleep(std::chrono::hours(1)); }).detach();
            nexus::yield_now();
        });
        EXPECT_EQ(alive, 1);
    }
    EXPECT_EQ(alive, 0);
}

// proves: SL-10
TEST_F(SlabTest, slab_handle_dropped_outside_block_on) {
    JoinHandle<std::string> handle;
    {
        Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 2}).build();
        handle = runtime.block_on(
            [] { return nexus::spawn_slab([] { return std::string("longer than any small buffer"); }); });
        runtime.run_once();
    }
    EXPECT_EQ(handle.join(), "longer than any small buffer") << "the slot outlives the runtime";
}

// proves: SL-10
TEST_F(SlabTest, a_claim_may_outlive_its_runtime) {
    std::optional<SlabClaim> claim;
    {
        Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 2}).build();
        claim = runtime.claim_slab();
    }
    EXPECT_NE(usage_error([&] { (void)claim->spawn([] {}); }).find("is gone"), std::string::npos);
    claim.reset();
}

TEST_F(SlabTest, many_slab_tasks_in_mixed_states) {
    std::vector<JoinHandle<int>> kept;
    Runtime runtime = Runtime::builder(world).slab_unbounded({.slots = 8}).build();
    runtime.block_on([&] {
        for (int i = 0; i < 30; ++i) {
            JoinHandle<int> handle = nexus::spawn_slab([i] {
                if (i % 3 == 0) nexus::sleep(std::chrono::hours(1));
                if (i % 3 == 1) nexus::yield_now();
                return i;
            });
            if (i % 2 == 0) kept.push_back(std::move(handle));
        }
        nexus::yield_now();
        nexus::yield_now(); // those that yielded have ended too
    });
    ASSERT_EQ(kept.size(), 15U);
    for (int i = 0; i < 30; i += 2) {
        JoinHandle<int>& handle = kept[static_cast<std::size_t>(i / 2)];
        EXPECT_EQ(handle.is_finished(), i % 3 != 0) << i;
        if (i % 3 != 0) {
            EXPECT_EQ(handle.join(), i);
        }
    }
    runtime.run_once();
    EXPECT_EQ(runtime.slab_stats().in_use, 10U) << "one slot for each that sleeps";
}

TEST_F(SlabTest, two_block_on_calls_share_the_slab) {
    Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 1}).build();
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(runtime.block_on([i] { return nexus::spawn_slab([i] { return i; }).join(); }), i);
    }
}

// proves: SL-10
TEST_F(SlabTest, a_waker_of_a_slab_task_that_outlives_the_runtime_is_harmless) {
    nexus::Waker waker;
    {
        Runtime runtime = Runtime::builder(world).slab_bounded({.slots = 1}).build();
        runtime.block_on([&] { nexus::spawn_slab([&] { waker = nexus::Waker::of_current(); }).join(); });
    }
    EXPECT_FALSE(waker.wake());
}

} // namespace
