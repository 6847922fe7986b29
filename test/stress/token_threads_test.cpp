// Cancellation tokens under random use by several threads: waiters of every kind that come and go, children that are
// made and dropped, last handles that go while a cancel is under way.
#include "nexus/sync/cancellation_token.hpp"

#include "nexus/exec/executor.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/select.hpp"
#include "nexus/sync/sync.hpp"
#include "test/stress/seeds.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace nexus;
using namespace std::chrono_literals;
using nexus_stress::Random;

/// A random tree: each token but the first is a child of an earlier one.
std::vector<CancellationToken> make_tree(Random& random, std::size_t size) {
    std::vector<CancellationToken> tree(1);
    while (tree.size() < size) tree.push_back(tree[random.below(tree.size())].child());
    return tree;
}

/// Runs the fibers of a thread to their end; false when they do not come to it.
bool run_to_the_end(Executor& executor) {
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    while (executor.task_count() != 0) {
        executor.poll();
        if (std::chrono::steady_clock::now() > give_up) return false;
        if (!executor.has_ready()) std::this_thread::yield();
    }
    return true;
}

/// One way to wait for `token`; when it says that the token is cancelled, it is.
void wait_somehow(const CancellationToken& token, Random& random, std::atomic<int>& wrong) {
    const Duration limit = std::chrono::microseconds(random.below(200));
    bool cancelled = false;
    switch (random.below(6)) {
    case 0: cancelled = timeout(limit, [&] { token.cancelled(); }).has_value(); break;
    case 1: {
        const auto result = until(token, [&] { return timeout(limit, [] { park("nothing"); }); });
        cancelled = result.error() == errc::cancelled;
        break;
    }
    case 2: {
        Deadline deadline;
        deadline.reset_after(limit);
        cancelled = select(token, deadline) == 0;
        break;
    }
    case 3: {
        const CancellationToken child = token.child();
        cancelled = timeout(limit, [&] { child.cancelled(); }).has_value();
        if (!cancelled && random.one_in(2)) child.cancel(); // must not reach the parent
        break;
    }
    case 4: {
        Notify never;
        const auto result = timeout(limit, [&] { return until(token.child(), [&] { never.wait(); }); });
        cancelled = result.error() == errc::cancelled;
        break;
    }
    default: yield_now(); break;
    }
    if (cancelled && !token.is_cancelled()) ++wrong;
}

TEST(TokenThreadsStress, waiters_come_and_go_while_tokens_are_cancelled) {
    nexus_stress::for_each_seed([](std::uint64_t seed) {
        Random random(seed);
        const std::vector<CancellationToken> tree = make_tree(random, 2 + random.below(12));
        std::atomic<int> wrong = 0;
        std::atomic<int> stuck = 0;
        std::vector<std::jthread> threads;
        for (int t = 0; t < 2; ++t) {
            threads.emplace_back([&, thread_seed = random.seed()] {
                Random mine(thread_seed);
                Executor executor;
                std::vector<JoinHandle<void>> fibers;
                for (int i = 0; i < 16; ++i) {
                    fibers.push_back(executor.spawn_boxed([&, fiber_seed = mine.seed()] {
                        Random draw(fiber_seed);
                        while (!tree[0].is_cancelled()) wait_somehow(tree[draw.below(tree.size())], draw, wrong);
                        tree[draw.below(tree.size())].cancelled(); // all follow their root
                    }));
                }
                for (int i = 0; i < 20; ++i) {
                    executor.poll();
                    if (mine.one_in(4)) (void)fibers[mine.below(fibers.size())].abort();
                }
                if (!run_to_the_end(executor)) ++stuck;
            });
        }
        threads.emplace_back([&, thread_seed = random.seed()] {
            Random mine(thread_seed);
            for (std::uint64_t i = mine.below(6); i > 0; --i) {
                std::this_thread::sleep_for(std::chrono::microseconds(mine.below(300)));
                tree[mine.below(tree.size())].cancel();
            }
            std::this_thread::sleep_for(std::chrono::microseconds(mine.below(1000)));
            tree[0].cancel();
        });
        threads.clear();
        EXPECT_EQ(wrong, 0);
        EXPECT_EQ(stuck, 0);
        for (const CancellationToken& token : tree) {
            EXPECT_TRUE(token.is_cancelled());
            EXPECT_EQ(token.cancel_state()->waiter_count(), 0U);
            EXPECT_EQ(token.cancel_state()->child_count(), 0U);
        }
    });
}

TEST(TokenThreadsStress, a_cancel_reaches_its_descendants_and_nobody_else) {
    nexus_stress::for_each_seed([](std::uint64_t seed) {
        Random random(seed);
        struct Kept {
            CancellationToken token;
            std::size_t family;
        };
        const CancellationToken root;
        std::vector<CancellationToken> heads;
        for (std::size_t i = 0; i < 6; ++i) heads.push_back(root.child());
        std::vector<std::vector<Kept>> kept(3);
        {
            std::vector<std::jthread> threads;
            for (auto& mine : kept) {
                threads.emplace_back([&, thread_seed = random.seed()] {
                    Random draw(thread_seed);
                    for (int i = 0; i < 300; ++i) {
                        switch (draw.below(4)) {
                        case 0: {
                            const std::size_t family = draw.below(heads.size());
                            mine.push_back({heads[family].child(), family});
                            break;
                        }
                        case 1:
                            if (!mine.empty()) { // a grandchild, whose parent may be dropped before it
                                const Kept& of = mine[draw.below(mine.size())];
                                Kept child{of.token.child(), of.family};
                                mine.push_back(std::move(child));
                            }
                            break;
                        case 2: (void)heads[draw.below(heads.size())].child(); break;
                        default:
                            if (!mine.empty()) {
                                std::swap(mine[draw.below(mine.size())], mine.back());
                                mine.pop_back();
                            }
                        }
                    }
                });
            }
            threads.emplace_back([&, delay = random.below(200)] {
                std::this_thread::sleep_for(std::chrono::microseconds(delay));
                for (std::size_t i = 0; i < heads.size(); i += 2) heads[i].cancel();
            });
        }
        for (const auto& mine : kept) {
            for (const Kept& one : mine) EXPECT_EQ(one.token.is_cancelled(), one.family % 2 == 0);
        }
        EXPECT_FALSE(root.is_cancelled());
        kept.clear();
        for (const CancellationToken& head : heads) EXPECT_EQ(head.cancel_state()->child_count(), 0U);
        heads.clear();
        EXPECT_EQ(root.cancel_state()->child_count(), 0U);
    });
}

TEST(TokenThreadsStress, last_handles_go_while_a_cancel_is_under_way) {
    nexus_stress::for_each_seed([](std::uint64_t seed) {
        Random random(seed);
        for (int round = 0; round < 10; ++round) {
            // Chains and bushes, each token held by one of three threads, or only by its children.
            std::vector<std::vector<CancellationToken>> hands(3);
            {
                std::vector<CancellationToken> tree = make_tree(random, 60);
                hands[0].push_back(tree[0]);
                for (CancellationToken& token : tree) {
                    if (!random.one_in(3)) hands[random.below(hands.size())].push_back(std::move(token));
                }
            }
            const bool by_guard = random.one_in(2);
            std::vector<std::jthread> threads;
            for (std::size_t t = 0; t < hands.size(); ++t) {
                threads.emplace_back([&, t, thread_seed = random.seed()] {
                    Random draw(thread_seed);
                    auto& mine = hands[t];
                    std::optional<DropGuard> guard;
                    if (t == 0) {
                        if (by_guard) {
                            guard.emplace(mine[0].drop_guard());
                        } else {
                            mine[0].cancel();
                        }
                    }
                    while (!mine.empty()) {
                        std::swap(mine[draw.below(mine.size())], mine.back());
                        if (draw.one_in(4)) mine.push_back(mine.back().child());
                        mine.pop_back();
                    }
                });
            }
        }
    });
}

} // namespace
