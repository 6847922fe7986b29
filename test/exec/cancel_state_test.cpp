// CancelState: cancelled once, from any thread, with all its descendants; waiters come and go at any time.
#include "exec_tools.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <new>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;
using detail::CancelState;
using detail::CancelWaiter;
using Ref = detail::CancelRef;

TEST(CancelState, is_raised_once_and_stays) {
    const auto state = CancelState::make();
    EXPECT_FALSE(state->cancelled());
    state->cancel();
    EXPECT_TRUE(state->cancelled());
    state->cancel();
    EXPECT_TRUE(state->cancelled());
}

TEST(CancelState, goes_down_the_tree_and_not_up) {
    const auto root = CancelState::make();
    const Ref child = CancelState::child_of(root);
    const Ref sibling = CancelState::child_of(root);
    const Ref grandchild = CancelState::child_of(child);
    child->cancel();
    EXPECT_TRUE(grandchild->cancelled());
    EXPECT_FALSE(root->cancelled());
    EXPECT_FALSE(sibling->cancelled());
    root->cancel();
    EXPECT_TRUE(sibling->cancelled());
}

TEST(CancelState, a_hundred_children) {
    const auto root = CancelState::make();
    std::vector<Ref> children;
    for (int i = 0; i < 100; ++i) children.push_back(CancelState::child_of(root));
    root->cancel();
    for (const Ref& child : children) EXPECT_TRUE(child->cancelled());
}

TEST(CancelState, A22_a_child_of_a_cancelled_state_is_born_cancelled) {
    const auto root = CancelState::make();
    root->cancel();
    EXPECT_TRUE(CancelState::child_of(root)->cancelled());
    EXPECT_EQ(root->child_count(), 0U);
}

// proves: CA-8
TEST(CancelState, A21_a_child_attached_during_the_cancel_does_not_miss_it) {
    for (int round = 0; round < 300; ++round) {
        const auto root = CancelState::make();
        std::atomic<int> ready{0};
        std::vector<Ref> children;
        std::thread attaching([&] {
            ++ready;
            while (ready < 2) std::this_thread::yield();
            for (int i = 0; i < 20; ++i) children.push_back(CancelState::child_of(root));
        });
        ++ready;
        while (ready < 2) std::this_thread::yield();
        root->cancel();
        attaching.join();
        for (const Ref& child : children) ASSERT_TRUE(child->cancelled());
    }
}

// proves: CA-9
TEST(CancelState, H27_a_child_leaves_its_parent_when_its_last_handle_goes) {
    const auto root = CancelState::make();
    for (int i = 0; i < 1000; ++i) {
        const Ref child = CancelState::child_of(root);
        EXPECT_EQ(root->child_count(), 1U);
    }
    EXPECT_EQ(root->child_count(), 0U);
}

TEST(CancelState, H27_children_that_go_while_the_parent_is_cancelled) {
    for (int round = 0; round < 200; ++round) {
        const auto root = CancelState::make();
        std::vector<Ref> children;
        for (int i = 0; i < 20; ++i) children.push_back(CancelState::child_of(root));
        std::thread dropping([&children] { children.clear(); });
        root->cancel();
        dropping.join();
        ASSERT_EQ(root->child_count(), 0U);
    }
}

/// A chain of `depth` descendants; returns the last. Each holds its parent.
Ref chain(const Ref& root, int depth) {
    Ref last = root;
    for (int i = 0; i < depth; ++i) last = CancelState::child_of(last);
    return last;
}

TEST(CancelState, H27_a_chain_of_a_hundred_thousand_on_a_fiber_stack) {
    // 64 KiB of stack: one frame a level, in cancelling or in destroying, would not fit.
    Executor executor;
    executor.spawn_boxed([] {}).detach();
    settle(executor); // it has its stacks and headers now
    const std::int64_t before = blocks_in_use();
    bool cancelled = false;
    executor
        .spawn_boxed([&cancelled] {
            auto root = CancelState::make();
            Ref last = chain(root, 100'000);
            root->cancel();
            cancelled = last->cancelled();
            root = Ref();
            last = Ref();
        })
        .detach();
    executor.poll();
    EXPECT_TRUE(cancelled);
    settle(executor);
    EXPECT_EQ(blocks_in_use(), before);
}

TEST(CancelState, H27_a_chain_that_is_destroyed_without_a_cancel) {
    Executor executor;
    executor.spawn_boxed([] {}).detach();
    settle(executor); // it has its stacks and headers now
    const std::int64_t before = blocks_in_use();
    executor
        .spawn_boxed([] {
            auto root = CancelState::make();
            Ref last = chain(root, 100'000);
            root = Ref();
            last = Ref();
        })
        .detach();
    settle(executor);
    EXPECT_EQ(blocks_in_use(), before);
}

// --- waiters ---

/// Runs `body` as a fiber and gives it a waiter of its own.
template <class F>
void with_waiter(F&& body) {
    Executor executor;
    bool ran = false;
    executor
        .spawn_boxed([&] {
            CancelWaiter waiter{Waker::of_current()};
            body(waiter);
            ran = true;
        })
        .detach();
    settle(executor);
    EXPECT_TRUE(ran);
}

// proves: CA-4, CA-6, CA-7, S-100, S-271, S-275, S-279
TEST(CancelState, a_waiter_is_linked_until_it_leaves_or_the_flag_is_raised) {
    with_waiter([](CancelWaiter& waiter) {
        const auto state = CancelState::make();
        EXPECT_TRUE(state->add(waiter));
        EXPECT_EQ(state->waiter_count(), 1U);
        state->remove(waiter);
        EXPECT_EQ(state->waiter_count(), 0U);
        state->remove(waiter); // any state is fine
        EXPECT_TRUE(state->add(waiter));
        state->cancel();
        EXPECT_EQ(state->waiter_count(), 0U);
        EXPECT_FALSE(state->add(waiter)) << "too late: it is not linked";
        state->remove(waiter);
    });
}

// proves: CA-3
TEST(CancelState, waiters_are_woken_in_order_of_arrival) {
    Executor executor;
    const auto state = CancelState::make();
    std::vector<int> order;
    for (int i = 0; i < 3; ++i) {
        executor
            .spawn_boxed([&, i] {
                (void)with_source(state, [] { park_for_ever(); });
                order.push_back(i);
            })
            .detach();
    }
    executor.poll();
    EXPECT_EQ(state->waiter_count(), 3U);
    state->cancel();
    executor.poll();
    EXPECT_EQ(order, (std::vector{0, 1, 2}));
}

// proves: S-277
TEST(CancelState, A5_waiting_again_and_again_allocates_nothing) {
    with_waiter([](CancelWaiter& waiter) {
        const auto state = CancelState::make();
        ASSERT_TRUE(state->add(waiter));
        state->remove(waiter);
        const std::int64_t before = blocks_in_use();
        for (int i = 0; i < 100; ++i) {
            ASSERT_TRUE(state->add(waiter));
            state->remove(waiter);
        }
        EXPECT_EQ(blocks_in_use(), before);
    });
}

// proves: CA-7
TEST(CancelState, A6_a_waiter_may_go_as_soon_as_it_sees_the_flag) {
    // The fiber's waiter lies on its stack and goes the moment the flag is up, while the cancel is still under way.
    for (int round = 0; round < 200; ++round) {
        Executor executor;
        const auto state = CancelState::make();
        for (int i = 0; i < 4; ++i) {
            executor
                .spawn_boxed([&state] {
                    (void)with_source(state, [&state] {
                        while (!state->cancelled()) yield_now();
                    });
                })
                .detach();
        }
        executor.poll();
        std::thread other([&state] { state->cancel(); });
        while (executor.task_count() != 0) executor.poll();
        other.join();
        ASSERT_EQ(state->waiter_count(), 0U);
    }
}

// proves: CA-3
TEST(CancelState, A7_what_a_cancel_wakes_may_use_the_same_state) {
    // Waking holds no lock: a fiber of this thread is only queued, but the state can be used at any moment after.
    Executor executor;
    const auto state = CancelState::make();
    bool nested = false;
    executor
        .spawn_boxed([&] {
            (void)with_source(state, [] { park_for_ever(); });
            state->cancel();
            const Ref child = CancelState::child_of(state);
            nested = child->cancelled();
        })
        .detach();
    executor.poll();
    state->cancel();
    executor.poll();
    EXPECT_TRUE(nested);
}

TEST(CancelState, A8_a_cancel_needs_no_memory) {
    // Nothing can throw between the lock and the flag, so neither is ever left half done.
    static_assert(noexcept(std::declval<CancelState&>().cancel()));
    with_waiter([](CancelWaiter& waiter) {
        const auto state = CancelState::make();
        const auto child = CancelState::child_of(state);
        ASSERT_TRUE(state->add(waiter));
        const bool watched = fail_next_allocation();
        state->cancel();
        if (watched) {
            EXPECT_THROW(::operator delete(::operator new(1)), std::bad_alloc) << "the next allocation is this one";
        }
        EXPECT_TRUE(state->cancelled());
        EXPECT_TRUE(child->cancelled());
        EXPECT_EQ(state->waiter_count(), 0U);
    });
}

} // namespace
