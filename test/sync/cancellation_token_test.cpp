#include "nexus/sync/cancellation_token.hpp"

#include "nexus/runtime/time.hpp"
#include "nexus/sync/select.hpp"
#include "test/sync/fibers.hpp"

#include <atomic>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

// proves: CA-2
TEST(CancellationToken, not_cancelled_by_default) { EXPECT_FALSE(CancellationToken{}.is_cancelled()); }

// proves: CA-1, CA-3, S-82, S-83, S-84, S-268
TEST(CancellationToken, cancel_is_idempotent_and_clone_shares_state) {
    CancellationToken token;
    const CancellationToken copy = token;
    EXPECT_TRUE(token == copy);
    EXPECT_FALSE(token == CancellationToken{});
    token.cancel();
    token.cancel();
    EXPECT_TRUE(copy.is_cancelled());
}

// proves: CA-8, S-86, S-270
TEST(CancellationToken, child_sees_parent_cancel) {
    CancellationToken root;
    const CancellationToken child = root.child();
    const CancellationToken grandchild = child.child();
    root.cancel();
    EXPECT_TRUE(child.is_cancelled());
    EXPECT_TRUE(grandchild.is_cancelled());
}

// proves: CA-8
TEST(CancellationToken, child_cancel_does_not_affect_parent) {
    CancellationToken root;
    const CancellationToken child = root.child();
    const CancellationToken sibling = root.child();
    child.cancel();
    EXPECT_FALSE(root.is_cancelled());
    EXPECT_FALSE(sibling.is_cancelled());
}

// proves: CA-8
TEST(CancellationToken, A22_child_created_after_parent_cancelled) {
    CancellationToken root;
    root.cancel();
    EXPECT_TRUE(root.child().is_cancelled());
}

// proves: CA-9
TEST(CancellationToken, dropping_does_not_cancel) {
    CancellationToken root;
    CancellationToken child = root.child();
    { const CancellationToken dropped = child; }
    EXPECT_FALSE(child.is_cancelled());
    root = CancellationToken{}; // the last handle of the parent
    EXPECT_FALSE(child.is_cancelled());
}

TEST(CancellationToken, CA1_prints_its_flag) {
    CancellationToken token;
    std::ostringstream text;
    text << token << ' ';
    token.cancel();
    text << token;
    EXPECT_EQ(text.str(), "CancellationToken(live) CancellationToken(cancelled)");
}

TEST(CancellationToken, send_sync) {
    static_assert(std::is_copy_constructible_v<CancellationToken>);
    static_assert(!std::is_copy_constructible_v<DropGuard> && std::is_nothrow_move_constructible_v<DropGuard>);
}

// --- waiting ---

// proves: CA-5
TEST(CancellationToken, cancelled_future_ready_when_cancelled) {
    Fibers fibers;
    CancellationToken token;
    token.cancel();
    EXPECT_TRUE(fibers.run([&] { token.cancelled(); }).is_finished());
}

// proves: CA-2, CA-5, CancellationToken
TEST(CancellationToken, cancelled_future_pending_then_ready) {
    Fibers fibers;
    CancellationToken token;
    auto fiber = fibers.run([&] { token.cancelled(); });
    EXPECT_FALSE(fiber.is_finished());
    token.cancel();
    EXPECT_FALSE(fiber.is_finished()) << "nothing runs inline";
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(CancellationToken, child_cancelled_future_from_parent) {
    Fibers fibers;
    CancellationToken root;
    auto fiber = fibers.run([child = root.child()] { child.cancelled(); });
    root.cancel();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

// proves: S-269
TEST(CancellationToken, multiple_waiters) {
    Fibers fibers;
    CancellationToken token;
    int woken = 0;
    for (int i = 0; i < 50; ++i) {
        (void)fibers.run([&] {
            token.cancelled();
            ++woken;
        });
    }
    EXPECT_EQ(token.cancel_state()->waiter_count(), 50U);
    token.cancel();
    fibers.settle();
    EXPECT_EQ(woken, 50);
}

// proves: CA-7
TEST(CancellationToken, A6_drop_while_in_list) {
    Fibers fibers;
    CancellationToken token;
    std::vector<JoinHandle<void>> waiting;
    for (int i = 0; i < 5; ++i) waiting.push_back(fibers.run([&] { token.cancelled(); }));
    waiting[0].abort();
    waiting[2].abort();
    fibers.settle();
    EXPECT_EQ(token.cancel_state()->waiter_count(), 3U);
    token.cancel();
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(CancellationToken, A5_waiting_again_and_again_leaves_nothing) {
    Fibers fibers;
    CancellationToken token;
    auto fiber = fibers.run([&] {
        for (int i = 0; i < 100; ++i) {
            EXPECT_EQ(timeout(1ms, [&] { token.cancelled(); }).error(), errc::timed_out);
            EXPECT_EQ(token.cancel_state()->waiter_count(), 0U);
        }
        EXPECT_FALSE(try_select(token));
    });
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(token.cancel_state()->waiter_count(), 1U);
        fibers.advance(1ms);
    }
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(token.cancel_state()->waiter_count(), 0U);
}

TEST(CancellationToken, A7_a_woken_fiber_may_use_the_token) {
    Fibers fibers;
    CancellationToken token;
    auto fiber = fibers.run([&] {
        token.cancelled();
        token.cancel();
        EXPECT_TRUE(token.child().is_cancelled());
    });
    token.cancel();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

// proves: CA-9
TEST(CancellationToken, the_handle_may_go_while_a_fiber_waits) {
    Fibers fibers;
    CancellationToken root;
    auto child = std::make_unique<CancellationToken>(root.child());
    auto fiber = fibers.run([&] { child->cancelled(); });
    child.reset();
    root.cancel();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(CancellationToken, ends_a_scope) {
    Fibers fibers;
    CancellationToken token;
    auto fiber = fibers.run([&] { EXPECT_EQ(until(token, [] { park(); }).error(), errc::cancelled); });
    token.cancel();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

// --- children ---

TEST(CancellationToken, many_children) {
    CancellationToken root;
    std::vector<CancellationToken> children;
    for (int i = 0; i < 100; ++i) children.push_back(root.child());
    root.cancel();
    for (const auto& child : children) EXPECT_TRUE(child.is_cancelled());
}

TEST(CancellationToken, H27_short_lived_children_leave_no_trace) {
    CancellationToken root;
    for (int i = 0; i < 1000; ++i) (void)root.child();
    EXPECT_EQ(root.cancel_state()->child_count(), 0U);
}

TEST(CancellationToken, H27_a_deep_chain_neither_cancels_nor_ends_by_recursion) {
    Fibers fibers;
    auto fiber = fibers.run([] { // on a fiber's small stack
        CancellationToken root;
        CancellationToken leaf = root.child();
        for (int i = 0; i < 100'000; ++i) leaf = leaf.child();
        root.cancel();
        EXPECT_TRUE(leaf.is_cancelled());
        CancellationToken other = CancellationToken{}.child();
        for (int i = 0; i < 100'000; ++i) other = other.child();
    });
    EXPECT_TRUE(fiber.is_finished());
}

TEST(CancellationToken, A21_concurrent_child_creation_and_cancel) {
    for (int round = 0; round < 10; ++round) {
        CancellationToken root;
        std::atomic<int> missed = 0;
        {
            std::vector<std::jthread> makers;
            for (int t = 0; t < 3; ++t) {
                makers.emplace_back([root, &missed] {
                    std::vector<CancellationToken> children;
                    while (!root.is_cancelled()) children.push_back(root.child());
                    while (!children.empty()) {
                        // The flag of the root is set first, its children follow; give cancel() time to reach them.
                        if (children.back().is_cancelled()) {
                            children.pop_back();
                        } else {
                            std::this_thread::yield();
                        }
                    }
                    missed += root.child().is_cancelled() ? 0 : 1;
                });
            }
            root.cancel();
        }
        EXPECT_EQ(missed, 0);
    }
}

// --- guards ---

// proves: CA-10, DropGuard, S-93, S-214
TEST(DropGuard, cancels_on_drop) {
    CancellationToken token;
    { const DropGuard guard = token.drop_guard(); }
    EXPECT_TRUE(token.is_cancelled());
}

// proves: CA-10, S-94, S-216
TEST(DropGuard, disarm) {
    CancellationToken token;
    {
        DropGuard guard = token.drop_guard();
        EXPECT_TRUE(std::move(guard).disarm() == token);
    }
    EXPECT_FALSE(token.is_cancelled());
}

// proves: CA-10, S-95, S-217
TEST(DropGuard, on_exception) {
    CancellationToken token;
    try {
        const DropGuard guard = token.drop_guard();
        throw std::runtime_error("x");
    } catch (const std::runtime_error&) {}
    EXPECT_TRUE(token.is_cancelled());
}

TEST(DropGuard, moving_keeps_one) {
    CancellationToken token;
    DropGuard outer = CancellationToken{}.drop_guard();
    {
        DropGuard inner = token.drop_guard();
        outer = std::move(inner);
    }
    EXPECT_FALSE(token.is_cancelled());
}

// proves: S-215, S-218
TEST(DropGuard, nested_and_children) {
    CancellationToken outer;
    const CancellationToken child = outer.child();
    { const DropGuard inner = outer.child().drop_guard(); }
    EXPECT_FALSE(outer.is_cancelled());
    { const DropGuard guard = outer.drop_guard(); }
    EXPECT_TRUE(child.is_cancelled());
}

// --- threads ---

// proves: CA-1, CA-12, S-92
TEST(CancellationThreads, H9_a_foreign_cancel_wakes_spawned_waiters) {
    Fibers fibers;
    CancellationToken token;
    int woken = 0;
    for (int i = 0; i < 10; ++i) {
        (void)fibers.run([&] {
            token.cancelled();
            ++woken;
        });
    }
    (void)fibers.run([&] {
        Notify never;
        EXPECT_EQ(select(never, token), 1U);
        ++woken;
    });
    (void)fibers.run([&] {
        (void)until(token, [] { park(); });
        ++woken;
    });
    std::jthread canceller([token] { token.cancel(); });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(woken, 12);
}

// proves: CA-5, S-280
TEST(CancellationThreads, concurrent_cancel_and_register) {
    for (int round = 0; round < 200; ++round) {
        CancellationToken token;
        std::jthread canceller([token] { token.cancel(); });
        Fibers fibers;
        for (int i = 0; i < 4; ++i) (void)fibers.spawn([&] { token.cancelled(); });
        ASSERT_TRUE(fibers.finish());
    }
}

// The waiter's node is gone as soon as the fiber has run: the cancelling thread must not touch it any more.
TEST(CancellationThreads, A6_cancel_drain_race_regression) {
    for (int round = 0; round < 200; ++round) {
        CancellationToken token;
        Fibers fibers;
        std::vector<JoinHandle<void>> waiting;
        for (int i = 0; i < 8; ++i) waiting.push_back(fibers.run([&] { token.cancelled(); }));
        std::jthread canceller([token] { token.cancel(); });
        for (std::size_t i = 0; i < waiting.size(); i += 2) waiting[i].abort();
        ASSERT_TRUE(fibers.finish());
    }
}

} // namespace
