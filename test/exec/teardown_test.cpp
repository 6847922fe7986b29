// Teardown: its order, its four counters, and what may still happen while and after an executor goes (EX-70 to EX-75).
#include "exec_tools.hpp"

#include "nexus/base/usage_error.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;

// proves: ShutdownStats
TEST(Teardown, EX74_a_clean_stop_counts_nothing) {
    const std::int64_t before = blocks_in_use();
    {
        Executor executor;
        const auto stats = executor.stats_handle();
        for (int i = 0; i < 100; ++i) {
            executor
                .spawn_boxed([i] {
                    for (int turn = 0; turn < i % 5; ++turn) yield_now();
                    if (i % 2 == 0) park_for_ever();
                })
                .detach();
        }
        for (int cycle = 0; cycle < 10; ++cycle) executor.poll();
        EXPECT_EQ(executor.task_count(), 50U);
        executor.shutdown();
        EXPECT_EQ(executor.task_count(), 0U);
        EXPECT_EQ(executor.outstanding_tasks(), 0U);
        EXPECT_EQ(executor.stacks().stats().in_use, 0U);
        EXPECT_EQ(stats->snapshot(), ShutdownStats{});
        executor.shutdown(); // idempotent
        EXPECT_EQ(stats->snapshot(), ShutdownStats{});
    }
    EXPECT_EQ(blocks_in_use(), before);
}

// proves: ShutdownStatsAtomics, ShutdownStatsAtomics::snapshot
TEST(Teardown, EX74_the_counters_can_be_read_after_the_executor) {
    std::shared_ptr<ShutdownStatsAtomics> stats;
    Waker waker;
    {
        Executor executor;
        stats = executor.stats_handle();
        executor.spawn_boxed([&waker] { waker = Waker::of_current(); }).detach();
        executor.poll();
        EXPECT_EQ(stats->snapshot(), ShutdownStats{}) << "counted by teardown";
    }
    EXPECT_EQ(stats->snapshot().unbalanced_normal_shutdowns, 1U);
    EXPECT_EQ(stats->snapshot().leaked_box_tasks, 0U);
    EXPECT_EQ(stats->snapshot().aborted_unwinds, 0U);
}

// proves: ShutdownStats::unbalanced_normal_shutdowns
TEST(Teardown, EX72_handles_and_wakers_that_outlive_it_are_counted_each) {
    const std::int64_t before = blocks_in_use();
    {
        JoinHandle<int> ended;
        JoinHandle<void> parked;
        Waker waker;
        std::shared_ptr<ShutdownStatsAtomics> stats;
        {
            Executor executor;
            stats = executor.stats_handle();
            ended = executor.spawn_boxed([] { return 4; });
            parked = executor.spawn_boxed([] { park_for_ever(); });
            executor.spawn_boxed([&waker] { waker = Waker::of_current(); }).detach();
            executor.poll();
        }
        EXPECT_EQ(stats->snapshot().unbalanced_normal_shutdowns, 3U);
        EXPECT_TRUE(parked.is_finished()) << "unwound by teardown";
        EXPECT_FALSE(parked.abort());
        EXPECT_THROW(parked.join(), TaskAborted);
        EXPECT_EQ(ended.join(), 4);
    }
    EXPECT_EQ(blocks_in_use(), before) << "they stay harmless, and give back what they held";
}

// proves: EX-72, ShutdownStats::aborted_unwinds, ShutdownStats::leaked_box_tasks, S-410
TEST(Teardown, A14_while_an_exception_unwinds_survivors_count_as_leaked) {
    std::shared_ptr<ShutdownStatsAtomics> stats;
    Waker waker;
    bool unwound = false;
    try {
        Executor executor;
        stats = executor.stats_handle();
        executor
            .spawn_boxed([&] {
                waker = Waker::of_current();
                const AtExit guard([&unwound] { unwound = true; });
                try {
                    park_for_ever();
                } catch (...) { // the fiber has an exception state of its own
                    EXPECT_EQ(std::uncaught_exceptions(), 0);
                    throw;
                }
            })
            .detach();
        executor.poll();
        throw std::runtime_error("out of main");
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "out of main");
    }
    EXPECT_TRUE(unwound);
    EXPECT_EQ(stats->snapshot().leaked_box_tasks, 1U);
    EXPECT_EQ(stats->snapshot().unbalanced_normal_shutdowns, 0U);
    EXPECT_EQ(stats->snapshot().aborted_unwinds, 0U);
    on_another_thread([&waker] {
        EXPECT_FALSE(waker.wake());
        waker = {};
    });
}

// proves: A-12, ShutdownStats::cross_queue_undrained
TEST(Teardown, EX70_cross_queue_undrained_is_exact) {
    Executor executor;
    std::vector<Waker> wakers(5);
    for (std::size_t i = 0; i < 5; ++i) {
        executor
            .spawn_boxed([&wakers, i] {
                wakers[i] = Waker::of_current();
                if (i != 0) park_for_ever();
            })
            .detach();
    }
    executor.poll();
    on_another_thread([&wakers] {
        wakers[0] = {};   // terminal: to be freed
        wakers[1].wake(); // alive: to be run
        wakers[1].wake(); // no second entry
        wakers[2].wake();
    });
    wakers.clear();
    executor.shutdown();
    EXPECT_EQ(executor.shutdown_stats().cross_queue_undrained, 3U);
    EXPECT_EQ(executor.shutdown_stats().unbalanced_normal_shutdowns, 0U);
}

TEST(Teardown, EX70_jobs_from_other_threads_are_refused) {
    struct Job : detail::CrossNode {
        int refused = 0;
    } job;
    job.deliver = [](detail::CrossNode& node, Executor* executor) noexcept {
        if (executor == nullptr) ++static_cast<Job&>(node).refused;
    };
    Executor executor;
    executor.cross_wake().push(job);
    executor.shutdown();
    EXPECT_EQ(job.refused, 1);
    EXPECT_EQ(executor.shutdown_stats().cross_queue_undrained, 1U);
}

TEST(Teardown, EX72_stacks_are_unwound_before_anything_is_freed) {
    // Fibers that refer to each other, in both orders: the destructor of one uses the other.
    Executor executor;
    std::vector<std::string> seen;
    JoinHandle<void> early;
    JoinHandle<void> late;
    early = executor.spawn_boxed([&] {
        const AtExit guard([&] { seen.push_back(late.is_finished() ? "early, late ended" : "early, late alive"); });
        park_for_ever();
    });
    late = executor.spawn_boxed([&] {
        const AtExit guard([&] { seen.push_back(early.is_finished() ? "late, early ended" : "late, early alive"); });
        park_for_ever();
    });
    executor.poll();
    executor.shutdown();
    EXPECT_EQ(seen, (std::vector<std::string>{"early, late alive", "late, early ended"}));
}

TEST(Teardown, H15_a_parent_that_holds_the_handle_of_its_child) {
    const std::int64_t before = blocks_in_use();
    for (const bool child_first : {false, true}) {
        auto stats = std::make_shared<ShutdownStatsAtomics>();
        Count count;
        {
            Executor executor;
            stats = executor.stats_handle();
            auto body = [&count] {
                const Counted local(count);
                park_for_ever();
            };
            if (child_first) {
                JoinHandle<void> child = executor.spawn_boxed(body);
                executor.spawn_boxed([held = std::move(child)] { park_for_ever(); }).detach();
            } else {
                executor
                    .spawn_boxed([&executor, body] {
                        const JoinHandle<void> held = executor.spawn_boxed(body);
                        park_for_ever();
                    })
                    .detach();
            }
            executor.poll();
            executor.poll();
            EXPECT_EQ(count.alive(), 1);
        }
        EXPECT_EQ(count.alive(), 0);
        EXPECT_EQ(stats->snapshot(), ShutdownStats{}) << "balanced in either order";
    }
    EXPECT_EQ(blocks_in_use(), before);
}

TEST(Teardown, H17_a_waker_kept_by_a_wait_that_was_unwound_is_given_back) {
    const std::int64_t before = blocks_in_use();
    std::shared_ptr<ShutdownStatsAtomics> stats;
    {
        const auto source = detail::CancelState::make();
        {
            Executor executor;
            stats = executor.stats_handle();
            executor.spawn_boxed([&source] { (void)with_source(source, [] { park_for_ever(); }); }).detach();
            executor.poll();
            EXPECT_EQ(source->waiter_count(), 1U);
        }
        EXPECT_EQ(source->waiter_count(), 0U);
        EXPECT_EQ(stats->snapshot(), ShutdownStats{});
    }
    stats.reset();
    EXPECT_EQ(blocks_in_use(), before);
}

TEST(Teardown, H33_EX75_wakes_from_destructors_are_accepted) {
    Executor executor;
    Waker waker;
    bool other_unwound = false;
    executor
        .spawn_boxed([&] {
            const AtExit guard([&waker] {
                waker.wake(); // alive or ended, no matter
                waker.wake();
            });
            park_for_ever();
        })
        .detach();
    executor
        .spawn_boxed([&] {
            waker = Waker::of_current();
            const AtExit guard([&] {
                other_unwound = true;
                waker.wake(); // itself
            });
            park_for_ever();
        })
        .detach();
    executor.poll();
    executor.shutdown();
    EXPECT_TRUE(other_unwound);
    EXPECT_EQ(executor.task_count(), 0U);
    EXPECT_FALSE(waker.wake());
}

TEST(Teardown, spawns_from_destructors_are_refused) {
    Executor executor;
    std::string text;
    executor
        .spawn_boxed([&] {
            const AtExit guard([&] {
                try {
                    executor.spawn_boxed([] {}).detach();
                } catch (const UsageError& error) {
                    text = error.what();
                }
            });
            park_for_ever();
        })
        .detach();
    executor.poll();
    executor.shutdown();
    EXPECT_NE(text.find("takes no new ones"), std::string::npos) << text;
}

TEST(Teardown, shielded_destructors_take_the_turns_they_need) {
    Executor executor;
    std::vector<std::string> order;
    executor
        .spawn_boxed([&] {
            JoinHandle<void> child = executor.spawn_boxed([&order] {
                const AtExit guard([&order] { order.emplace_back("child"); });
                park_for_ever();
            });
            const AtExit group([&] {
                const detail::Shield shield(executor.current_task());
                for (int turn = 0; turn < 3; ++turn) yield_now();
                try {
                    child.join();
                } catch (const TaskAborted&) {
                    order.emplace_back("group");
                }
            });
            park_for_ever();
        })
        .detach();
    executor.poll();
    executor.poll();
    executor.shutdown();
    EXPECT_EQ(order, (std::vector<std::string>{"child", "group"}));
    EXPECT_EQ(executor.shutdown_stats(), ShutdownStats{});
}

TEST(Teardown, a_fiber_that_waits_for_what_never_comes_is_left_where_it_is) {
#if defined(NEXUS_ASAN)
    GTEST_SKIP() << "leaves an exception in flight behind, on purpose";
#endif
    // Shielded, and nobody wakes it: teardown must come to an end, and what the fiber may still use stays.
    JoinHandle<void> handle;
    {
        Executor executor;
        handle = executor.spawn_boxed([&executor] {
            const AtExit guard([&executor] {
                const detail::Shield shield(executor.current_task());
                (void)detail::wait_or_throw(executor, "what never comes", [] { return false; });
            });
            park_for_ever();
        });
        executor.poll();
        executor.shutdown();
        EXPECT_EQ(executor.shutdown_stats().unbalanced_normal_shutdowns, 1U);
    }
    EXPECT_FALSE(handle.is_finished());
    EXPECT_FALSE(handle.abort()) << "nobody is left to unwind it";
}

// proves: TM-3, TM-13
TEST(Teardown, an_armed_timer_of_a_fiber_goes_with_it_H12) {
    Executor executor;
    const ManualClock clock(executor);
    executor.spawn_boxed([&clock] { wait_until(clock.now + 3'600'000'000'000); }).detach();
    executor.poll();
    EXPECT_EQ(executor.timers().size(), 1U);
    executor.shutdown();
    EXPECT_EQ(executor.timers().size(), 0U);
    EXPECT_EQ(executor.shutdown_stats(), ShutdownStats{});
}

TEST(Teardown, a_fiber_that_fails_while_it_unwinds_ends_like_any_other) {
    Executor executor;
    std::string seen;
    executor.set_on_unhandled([&seen](std::exception_ptr failure, const char*) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            seen = error.what();
        }
    });
    executor
        .spawn_boxed([] {
            try {
                park_for_ever();
            } catch (const Aborted&) {
                throw std::runtime_error("while unwinding");
            }
        })
        .detach();
    executor.poll();
    executor.shutdown();
    EXPECT_EQ(seen, "while unwinding");
    EXPECT_EQ(executor.task_count(), 0U);
}

TEST(Teardown, many_executors_in_turn_A31) {
    const std::int64_t before = blocks_in_use();
    for (int i = 0; i < 50; ++i) {
        Executor executor;
        int runs = 0;
        executor.spawn_boxed([&runs] { ++runs; }).detach();
        executor.spawn_boxed([] { park_for_ever(); }).detach();
        executor.poll();
        ASSERT_EQ(runs, 1);
    }
    EXPECT_EQ(Executor::current(), nullptr);
    EXPECT_EQ(blocks_in_use(), before);
}

} // namespace
