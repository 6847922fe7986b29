// The seed's tests of cancellation (cancel.rs, cancel_alloc_count, cancel_fuzz, miri_cancel) that the unit tests of the
// token and its state do not have, under their names; those that never polled a waiter there do so here.
#include "nexus/runtime/time.hpp"
#include "nexus/sync/cancellation_token.hpp"
#include "nexus/sync/deadline.hpp"
#include "nexus/sync/select.hpp"
#include "test/exec/exec_tools.hpp"
#include "test/sync/fibers.hpp"
#include "test/system/heap_calls.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace nexus;
using nexus::test::blocks_in_use;
using nexus::test::heap_calls;
using nexus::test::heap_is_counted;
using nexus_test::Fibers;
using namespace std::chrono_literals;

// --- allocations ---

/// Five fibers wait for one token again and again; each wait ends by a deadline. Calls of malloc in 100 rounds.
std::uint64_t heap_calls_of_waiting_again(Fibers& fibers, const CancellationToken& token) {
    bool stop = false;
    for (int i = 0; i < 5; ++i) {
        (void)fibers.spawn([&stop, &token] {
            while (!stop) {
                Deadline soon;
                soon.reset_after(1ms);
                EXPECT_EQ(select(token, soon), 1U);
            }
        });
    }
    for (int i = 0; i < 20; ++i) fibers.advance(1ms);
    const std::uint64_t before = heap_calls();
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(token.cancel_state()->waiter_count(), 5U);
        fibers.advance(1ms);
    }
    const std::uint64_t calls = heap_calls() - before;
    stop = true;
    fibers.advance(1ms);
    return calls;
}

TEST(SeedCancelAllocCount, A5_no_allocation_on_repoll_across_wakers) {
    if (!heap_is_counted()) GTEST_SKIP() << "a sanitizer owns the heap";
    Fibers fibers;
    const CancellationToken token;
    EXPECT_EQ(heap_calls_of_waiting_again(fibers, token), 0U);
    EXPECT_EQ(fibers.alive(), 0U);
}

// Two fibers take turns a thousand times: the token holds one node at a time, and asks for no memory.
TEST(SeedMiriCancel, A5_bug_3_reproduction_high_waker_churn) {
    Fibers fibers;
    const CancellationToken token;
    for (int i = 0; i < 2; ++i) {
        (void)fibers.spawn([&token] {
            while (!token.is_cancelled()) {
                Deadline soon;
                soon.reset_after(1ms);
                (void)select(token, soon);
            }
        });
    }
    fibers.settle();
    const std::uint64_t before = heap_calls();
    for (int i = 0; i < 1000; ++i) {
        fibers.advance(1ms);
        ASSERT_EQ(token.cancel_state()->waiter_count(), 2U);
    }
    EXPECT_EQ(heap_calls(), before);
    token.cancel();
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U);
}

// --- one thread ---

TEST(SeedMiriCancel, A34_cancel_waker_update_on_repoll) {
    Fibers fibers;
    const CancellationToken token;
    std::vector<int> woken;
    // The first waits, gives up, and waits for something else; then the second waits. The cancel reaches the second.
    auto first = fibers.run([&] {
        EXPECT_EQ(timeout(1ms, [&token] { token.cancelled(); }).error(), errc::timed_out);
        park();
        woken.push_back(1);
    });
    fibers.advance(1ms);
    auto second = fibers.run([&] {
        token.cancelled();
        woken.push_back(2);
    });
    EXPECT_EQ(token.cancel_state()->waiter_count(), 1U);
    token.cancel();
    fibers.settle();
    EXPECT_EQ(woken, (std::vector{2}));
    EXPECT_TRUE(first.abort());
    fibers.settle();
    EXPECT_TRUE(second.is_finished());
}

TEST(SeedMiriCancel, cancel_many_waker_changes) {
    Fibers fibers;
    const CancellationToken token;
    for (int i = 0; i < 50; ++i) {
        auto waiter = fibers.run([&token] { token.cancelled(); });
        EXPECT_EQ(token.cancel_state()->waiter_count(), 1U);
        EXPECT_TRUE(waiter.abort());
        fibers.settle();
        EXPECT_EQ(token.cancel_state()->waiter_count(), 0U);
    }
    auto last = fibers.run([&token] { token.cancelled(); });
    token.cancel();
    fibers.settle();
    EXPECT_TRUE(last.is_finished());
}

// proves: CA-9, S-272
TEST(SeedCancel, drop_without_cancel_cleans_up) {
    const std::int64_t before = blocks_in_use();
    {
        Fibers fibers;
        std::optional<CancellationToken> token(std::in_place);
        std::optional<CancellationToken> child(token->child());
        auto waiter = fibers.run([waits_for = *child] { waits_for.cancelled(); });
        const auto state = token->cancel_state();
        EXPECT_EQ(state->child_count(), 1U);
        child.reset();
        EXPECT_EQ(state->child_count(), 1U) << "the waiter has a copy";
        token.reset();
        fibers.settle();
        EXPECT_FALSE(waiter.is_finished()) << "dropping does not cancel";
        waiter.abort();
        fibers.settle();
        EXPECT_EQ(state->child_count(), 0U);
        EXPECT_EQ(state->waiter_count(), 0U);
    }
    EXPECT_EQ(blocks_in_use(), before);
}

TEST(SeedMiriCancel, cancel_child_drop_before_parent) {
    Fibers fibers;
    const CancellationToken root;
    std::optional<CancellationToken> child(root.child());
    auto waiter = fibers.run([waits_for = *child] { waits_for.cancelled(); });
    child.reset();
    root.cancel();
    fibers.settle();
    EXPECT_TRUE(waiter.is_finished());
}

TEST(SeedMiriCancel, drop_while_in_list) {
    Fibers fibers;
    const CancellationToken token;
    std::vector<JoinHandle<void>> waiters;
    for (int i = 0; i < 5; ++i) waiters.push_back(fibers.run([&token] { token.cancelled(); }));
    for (const std::size_t gone : {2U, 0U, 4U}) { // middle, head, tail
        EXPECT_TRUE(waiters[gone].abort());
        fibers.settle();
    }
    EXPECT_EQ(token.cancel_state()->waiter_count(), 2U);
    token.cancel();
    fibers.settle();
    EXPECT_NO_THROW(waiters[1].join());
    EXPECT_NO_THROW(waiters[3].join());
}

TEST(SeedMiriCancel, stress_many_awaiters_mixed_drop_and_cancel) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::mt19937 random(seed);
        Fibers fibers;
        const CancellationToken token;
        std::size_t aborted = 0;
        int heard = 0;
        std::vector<JoinHandle<void>> waiters;
        for (int i = 0; i < 100; ++i) {
            waiters.push_back(fibers.spawn([&] {
                token.cancelled();
                ++heard;
            }));
            if (random() % 3 == 0) fibers.settle();
            if (random() % 4 == 0) aborted += waiters[random() % waiters.size()].abort() ? 1U : 0U;
        }
        fibers.settle();
        const std::size_t left = token.cancel_state()->waiter_count();
        EXPECT_EQ(left, fibers.alive());
        EXPECT_GE(left + aborted, 100U);
        token.cancel();
        fibers.settle();
        EXPECT_EQ(heard, static_cast<int>(left));
        EXPECT_EQ(fibers.alive(), 0U);
    }
}

TEST(SeedCancelFuzz, deep_hierarchy_cancel) {
    Fibers fibers;
    const CancellationToken root;
    CancellationToken last = root;
    int heard = 0;
    for (int depth = 0; depth < 100; ++depth) {
        last = last.child();
        (void)fibers.run([&heard, token = last] {
            token.cancelled();
            ++heard;
        });
    }
    root.cancel();
    fibers.settle();
    EXPECT_EQ(heard, 100);
}

// --- threads ---

TEST(SeedCancelFuzz, drop_guard_cross_thread) {
    Fibers fibers;
    const CancellationToken token;
    auto waiter = fibers.run([&token] { token.cancelled(); });
    std::jthread other([guard = token.drop_guard()]() mutable { const DropGuard mine = std::move(guard); });
    EXPECT_TRUE(fibers.finish());
    EXPECT_TRUE(waiter.is_finished());
    EXPECT_TRUE(token.is_cancelled());
}

TEST(SeedCancelFuzz, cancelled_future_cross_thread_race) {
    for (int round = 0; round < 50; ++round) {
        const CancellationToken token;
        int heard = 0;
        Fibers fibers;
        std::vector<std::jthread> others;
        for (int i = 0; i < 2; ++i) {
            others.emplace_back([&token] { // loops of their own, each with a waiter
                Fibers mine;
                auto waiter = mine.spawn([&token] { token.cancelled(); });
                EXPECT_TRUE(mine.finish());
            });
        }
        for (int i = 0; i < 4; ++i) {
            (void)fibers.spawn([&] {
                token.cancelled();
                ++heard;
            });
        }
        others.emplace_back([token] { token.cancel(); });
        ASSERT_TRUE(fibers.finish());
        EXPECT_EQ(heard, 4);
    }
}

TEST(SeedCancelFuzz, stress_many_tokens_concurrent) {
    const CancellationToken root;
    std::vector<std::vector<CancellationToken>> children(8);
    {
        std::vector<std::jthread> makers;
        for (auto& mine : children) {
            makers.emplace_back([&root, &mine] {
                for (int i = 0; i < 500; ++i) {
                    mine.push_back(root.child());
                    if (i % 3 == 0) mine.push_back(mine.back().child());
                }
            });
        }
        root.cancel();
    }
    for (const auto& mine : children) {
        EXPECT_GE(mine.size(), 500U);
        for (const CancellationToken& child : mine) ASSERT_TRUE(child.is_cancelled());
    }
    EXPECT_EQ(root.cancel_state()->child_count(), 0U);
}

} // namespace
