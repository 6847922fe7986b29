// Cycles of the executor: what runs when, what is freed when, and what it says about misuse.
#include "exec_tools.hpp"

#include "nexus/base/usage_error.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;

/// The text of the UsageError that `action` throws.
template <class F>
std::string usage_error(F&& action) {
    try {
        action();
    } catch (const UsageError& error) {
        return error.what();
    }
    return "no UsageError";
}

TEST(Executor, EX24_what_is_spawned_in_a_cycle_runs_in_a_later_one) {
    Executor executor;
    int cycle = 0;
    std::vector<int> ran_in;
    std::function<void(int)> chain = [&](int depth) {
        ran_in.push_back(cycle);
        if (depth > 0) executor.spawn_boxed([&chain, depth] { chain(depth - 1); }).detach();
    };
    executor.spawn_boxed([&chain] { chain(4); }).detach();
    for (cycle = 1; executor.has_ready(); ++cycle) executor.poll();
    EXPECT_EQ(ran_in, (std::vector{1, 2, 3, 4, 5}));
}

TEST(Executor, EX24_what_is_woken_in_a_cycle_runs_in_a_later_one) {
    Executor executor;
    int cycle = 0;
    std::vector<int> sleeper_ran_in;
    Waker sleeper;
    executor
        .spawn_boxed([&] {
            sleeper = Waker::of_current();
            for (int i = 0; i < 3; ++i) {
                park();
                sleeper_ran_in.push_back(cycle);
            }
        })
        .detach();
    executor
        .spawn_boxed([&] {
            for (int i = 0; i < 3; ++i) {
                sleeper.wake();
                yield_now();
                yield_now();
            }
        })
        .detach();
    for (cycle = 1; executor.has_ready(); ++cycle) executor.poll();
    EXPECT_EQ(sleeper_ran_in, (std::vector{2, 4, 6})) << "woken in 1, 3 and 5";
}

// proves: EX-23
TEST(Executor, EX24_cycle_ends_crossed_in_place_order_runs_as_polls_do) {
    // The same program with a poll a cycle, and with one call that crosses the ends in place.
    const auto run = [](bool in_place) {
        Executor executor({.tasks_per_cycle = 3});
        std::vector<int> order;
        for (int i = 0; i < 5; ++i) {
            executor
                .spawn_boxed([&order, &executor, i] {
                    for (int turn = 0; turn < 4; ++turn) {
                        order.push_back(i * 10 + turn);
                        if (turn == 1) executor.spawn_boxed([&order, i] { order.push_back(1000 + i); }).detach();
                        yield_now();
                    }
                })
                .detach();
        }
        if (in_place) {
            const Executor::Enter enter(executor);
            executor.run_ready({.runs = 1'000, .cycles = 1'000});
        } else {
            while (executor.has_ready()) executor.poll();
        }
        return order;
    };
    EXPECT_EQ(run(true), run(false));
    EXPECT_EQ(run(true).size(), 25U);
}

TEST(Executor, allowances_bring_control_back) {
    Executor executor;
    int runs = 0;
    for (int i = 0; i < 4; ++i) {
        executor
            .spawn_boxed([&runs] {
                for (;;) {
                    ++runs;
                    yield_now();
                }
            })
            .detach();
    }
    const Executor::Enter enter(executor);
    EXPECT_EQ(executor.run_ready({.runs = 0, .cycles = 0}), 4U) << "at least one cycle";
    EXPECT_EQ(executor.run_ready({.runs = 1'000, .cycles = 3}), 12U);
    EXPECT_EQ(executor.run_ready({.runs = 9, .cycles = 1'000}), 12U) << "cycles are not cut";
    EXPECT_EQ(runs, 28);
}

TEST(Executor, EX23_ready_tasks_run_in_order) {
    Executor executor;
    std::vector<int> order;
    for (int i = 0; i < 10; ++i) executor.spawn_boxed([&order, i] { order.push_back(i); }).detach();
    executor.poll();
    EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

// proves: EX-23
TEST(Executor, H3_everyone_gets_a_turn_beyond_the_limit_of_a_cycle) {
    Executor executor({.tasks_per_cycle = 4});
    std::vector<int> turns(20, 0);
    for (int& mine : turns) {
        executor
            .spawn_boxed([&mine] {
                for (;;) {
                    ++mine;
                    yield_now();
                }
            })
            .detach();
    }
    for (int cycle = 0; cycle < 50; ++cycle) executor.poll(); // 200 runs for 20 fibers
    for (const int mine : turns) EXPECT_EQ(mine, 10);
}

TEST(Executor, H2_self_wake_then_completion_leaves_nothing) {
    Executor executor;
    executor.spawn_boxed([&executor] { executor.requeue_current(); }).detach();
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_EQ(executor.task_count(), 0U);
    EXPECT_EQ(executor.outstanding_tasks(), 1U) << "the ready queue still points at it";
    EXPECT_EQ(executor.poll(), 0U) << "not run again";
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
    EXPECT_FALSE(executor.has_ready());
}

// proves: EX-22, EX-26, EX-42
TEST(Executor, EX40_nothing_is_freed_in_the_middle_of_a_cycle) {
    Executor executor;
    JoinHandle<int> held = executor.spawn_boxed([] { return 1; });
    executor.poll();
    std::vector<std::size_t> outstanding;
    std::vector<std::size_t> deferred;
    const auto look = [&] {
        outstanding.push_back(executor.outstanding_tasks());
        deferred.push_back(executor.deferred_free_count());
    };
    executor.spawn_boxed([&] { look(); }).detach(); // completes detached: its header is deferred
    executor
        .spawn_boxed([&] {
            look();
            held.detach(); // the last reference of a completed task
            look();
        })
        .detach();
    executor.spawn_boxed([&] { look(); }).detach();
    executor.poll();
    EXPECT_EQ(outstanding, (std::vector<std::size_t>{4, 4, 4, 4})) << "EX-26: none is released during the cycle";
    EXPECT_EQ(deferred, (std::vector<std::size_t>{0, 1, 2, 3}));
    EXPECT_EQ(executor.deferred_free_count(), 4U);
    executor.poll();
    EXPECT_EQ(executor.deferred_free_count(), 0U);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(Executor, EX40_cycle_ends_crossed_in_place_free_too) {
    Executor executor;
    std::vector<std::size_t> outstanding;
    executor.spawn_boxed([] {}).detach();
    executor
        .spawn_boxed([&] {
            outstanding.push_back(executor.outstanding_tasks());
            yield_now();
            outstanding.push_back(executor.outstanding_tasks());
        })
        .detach();
    const Executor::Enter enter(executor);
    executor.run_ready({.runs = 100, .cycles = 100});
    EXPECT_EQ(outstanding, (std::vector<std::size_t>{2, 1}));
}

// proves: A-11
TEST(Executor, EX26_task_count_and_outstanding_tasks_differ_by_who_is_referred_to) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 1; });
    executor.poll();
    executor.poll();
    EXPECT_EQ(executor.task_count(), 0U);
    EXPECT_EQ(executor.outstanding_tasks(), 1U) << "A-11: quiesce has to look at this one";
    EXPECT_EQ(handle.join(), 1);
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// proves: EX-29
TEST(Executor, H32_an_exception_out_of_poll_leaves_the_queue_in_order) {
    Executor executor;
    std::vector<int> order;
    executor.spawn_boxed([&order] { order.push_back(1); }).detach();
    executor.spawn_boxed([]() -> void { throw std::runtime_error("nobody joins me"); }).detach();
    executor.spawn_boxed([&order] { order.push_back(2); }).detach();
    executor
        .spawn_boxed([&order] {
            yield_now();
            order.push_back(3);
        })
        .detach();
    try {
        executor.poll();
        FAIL() << "an exception that nobody joins is never silent";
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "nobody joins me");
    }
    EXPECT_EQ(order, (std::vector{1, 2})) << "the cycle was finished";
    executor.poll();
    EXPECT_EQ(order, (std::vector{1, 2, 3})) << "each entry ran once";
    settle(executor);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(Executor, EX29_each_of_several_failures_is_rethrown) {
    Executor executor;
    for (const char* text : {"first", "second"}) {
        executor.spawn_boxed([text]() -> void { throw std::runtime_error(text); }).detach();
    }
    for (const char* text : {"first", "second"}) {
        try {
            executor.poll();
            FAIL();
        } catch (const std::runtime_error& error) {
            EXPECT_STREQ(error.what(), text);
        }
    }
    EXPECT_EQ(executor.poll(), 0U) << "reported once";
}

TEST(Executor, unhandled_hook_gets_every_failure_with_its_name) {
    Executor executor;
    std::vector<std::string> seen;
    executor.set_on_unhandled([&seen](std::exception_ptr failure, const char* fiber) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            seen.push_back(std::string(fiber) + ": " + error.what());
        }
    });
    executor.spawn_boxed([]() -> void { throw std::runtime_error("a"); }, {.name = "one"}).detach();
    executor.spawn_boxed([]() -> void { throw std::runtime_error("b"); }, {.name = "two"}).detach();
    EXPECT_EQ(executor.poll(), 2U) << "nothing is rethrown";
    EXPECT_EQ(seen, (std::vector<std::string>{"one: a", "two: b"}));
}

// proves: EX-27, Executor::set_tasks_per_cycle
TEST(Executor, set_tasks_per_cycle_counts_at_once) {
    Executor executor;
    for (int i = 0; i < 5; ++i) executor.spawn_boxed([] {}).detach();
    executor.set_tasks_per_cycle(3);
    EXPECT_EQ(executor.poll(), 3U);
    executor.set_tasks_per_cycle(1);
    EXPECT_EQ(executor.poll(), 1U);
}

TEST(Executor, a_seeded_choice_decides_who_runs_next) {
    Executor executor;
    executor.set_choice({[](void*, std::size_t count) noexcept { return count - 1; }, nullptr});
    std::vector<int> order;
    for (int i = 0; i < 4; ++i) executor.spawn_boxed([&order, i] { order.push_back(i); }).detach();
    executor.poll();
    EXPECT_EQ(order, (std::vector{3, 2, 1, 0}));
    EXPECT_FALSE(executor.has_ready());
    for (int i = 0; i < 2; ++i) executor.spawn_boxed([&order, i] { order.push_back(10 + i); }).detach();
    EXPECT_EQ(executor.poll(), 2U) << "the tail of the queue was kept in order";
}

// proves: RT-16
TEST(Executor, A30_an_executor_inside_a_fiber_of_another) {
    Executor outer;
    std::vector<std::string> seen;
    outer
        .spawn_boxed([&] {
            Executor inner;
            inner
                .spawn_boxed([&] {
                    EXPECT_EQ(Executor::current(), &inner);
                    seen.push_back("inner 1");
                    yield_now();
                    seen.push_back("inner 2");
                })
                .detach();
            inner.poll();
            EXPECT_EQ(Executor::current(), &outer) << "what was current is current again";
            seen.push_back("outer");
            yield_now();
            inner.poll();
        })
        .detach();
    outer
        .spawn_boxed([&] {
            EXPECT_EQ(Executor::current(), &outer);
            seen.push_back("other");
        })
        .detach();
    settle(outer);
    EXPECT_EQ(seen, (std::vector<std::string>{"inner 1", "outer", "other", "inner 2"}));
    EXPECT_EQ(Executor::current(), nullptr);
}

TEST(Executor, an_executor_polled_on_one_stack_and_then_on_another) {
    Executor inner;
    int runs = 0;
    inner
        .spawn_boxed([&runs] {
            for (;;) {
                ++runs;
                yield_now();
            }
        })
        .detach();
    inner.poll(); // on the thread's own stack
    Executor outer;
    outer
        .spawn_boxed([&inner] {
            inner.poll(); // on a fiber's
            yield_now();
            inner.poll();
        })
        .detach();
    outer.poll();
    inner.poll();
    outer.poll();
    EXPECT_EQ(runs, 4);
}

TEST(Executor, fibers_lists_who_lives_and_what_they_wait_for) {
    Executor executor;
    ManualClock clock(executor);
    executor.spawn_boxed([] { park_for_ever(); }, {.name = "parked"}).detach();
    executor.poll();
    executor.spawn_boxed([] {}, {.name = "fresh"}).detach();
    clock.now += 5'000;
    executor.set_event_time_ns(clock.now);
    const std::vector<FiberInfo> fibers = executor.fibers();
    ASSERT_EQ(fibers.size(), 2U);
    EXPECT_EQ(fibers[0].name, "parked");
    EXPECT_EQ(fibers[0].waiting_for, "nothing");
    EXPECT_EQ(fibers[0].waiting_ns, 5'000);
    EXPECT_FALSE(fibers[0].spawn_site.empty());
    EXPECT_EQ(fibers[1].name, "fresh");
    EXPECT_EQ(fibers[1].waiting_for, "");
}

TEST(Executor, a_closure_is_destroyed_once_wherever_it_lives) {
    Count count;
    {
        Executor executor;
        executor.spawn_boxed([held = Counted(count)] { EXPECT_EQ(held.value, 0); }).detach();
        EXPECT_EQ(count.alive(), 1);
        executor.poll();
        EXPECT_EQ(count.alive(), 0) << "with the body, not with the header";
        executor.spawn_boxed([held = Counted(count)] {}).detach();
    }
    EXPECT_EQ(count.alive(), 0) << "a fiber that never started";
}

TEST(Executor, a_closure_that_cannot_be_made_leaves_nothing) {
    struct Refuses {
        Refuses() = default;
        Refuses(const Refuses&) { throw std::runtime_error("no copy"); }
        Refuses& operator=(const Refuses&) = delete;
        ~Refuses() = default;
        void operator()() const {}
    };
    Executor executor;
    const Refuses refuses;
    EXPECT_THROW((void)executor.spawn_boxed(refuses), std::runtime_error);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
    EXPECT_EQ(executor.stacks().stats().in_use, 0U);
}

TEST(Executor, over_aligned_and_large_closures) {
    struct alignas(1024) Wide {
        char bytes[1024] = {};
    };
    Executor executor;
    bool aligned = false;
    executor.spawn_boxed([wide = Wide{}, &aligned] { aligned = reinterpret_cast<std::uintptr_t>(&wide) % 1024 == 0; })
        .detach();
    executor.poll();
    EXPECT_TRUE(aligned);
}

TEST(Executor, stack_size_of_one_fiber) {
    Executor executor;
    bool fits = false;
    executor
        .spawn_boxed(
            [&fits] {
                volatile char big[600 * 1024];
                for (std::size_t i = 0; i < sizeof(big); i += 4096) big[i] = 1;
                fits = true;
            },
            {.stack_size = std::size_t{1024} * 1024})
        .detach();
    executor.poll();
    EXPECT_TRUE(fits);
}

TEST(Executor, suspension_is_refused_in_a_region_that_forbids_it) {
    Executor executor;
    std::string text;
    executor
        .spawn_boxed([&] {
            ++executor.current_task().no_suspend;
            text = usage_error([] { park("a message"); });
            --executor.current_task().no_suspend;
            yield_now();
        })
        .detach();
    settle(executor);
    EXPECT_NE(text.find("waiting for a message where suspending is forbidden"), std::string::npos) << text;
}

TEST(Executor, call_on_loop_stack_runs_on_the_threads_stack) {
    Executor executor;
    struct Call {
        std::uintptr_t stack = 0;
        bool in_fiber = false;
    } call;
    std::uintptr_t mine = 0;
    executor
        .spawn_boxed([&] {
            char here = 0;
            mine = reinterpret_cast<std::uintptr_t>(&here);
            executor.call_on_loop_stack(
                [](void* context) noexcept {
                    char there = 0;
                    static_cast<Call*>(context)->stack = reinterpret_cast<std::uintptr_t>(&there);
                    static_cast<Call*>(context)->in_fiber = Executor::in_fiber();
                },
                &call);
            yield_now();
        })
        .detach();
    settle(executor);
    EXPECT_TRUE(call.in_fiber) << "it counts as the fiber's";
    EXPECT_GT(call.stack > mine ? call.stack - mine : mine - call.stack, 64U * 1024);
    EXPECT_EQ(executor.task_count(), 0U);
}

// --- misuse ---

TEST(ExecutorMisuse, says_what_to_do_instead) {
    EXPECT_NE(usage_error([] { Executor({.tasks_per_cycle = 0}); }).find("tasks_per_cycle must be at least 1"),
              std::string::npos);
    Executor executor;
    EXPECT_NE(usage_error([&] { executor.set_tasks_per_cycle(0); }).find("at least one task"), std::string::npos);
    EXPECT_NE(usage_error([] { yield_now(); }).find("yield_now() called outside a fiber"), std::string::npos);
    EXPECT_NE(usage_error([] { park(); }).find("call it from there"), std::string::npos);
    EXPECT_NE(usage_error([] { (void)Waker::of_current(); }).find("Waker::of_current() called outside a fiber"),
              std::string::npos);
}

TEST(ExecutorMisuse, a_poll_inside_a_fiber_is_refused) {
    Executor executor;
    std::string text;
    executor.spawn_boxed([&] { text = usage_error([&] { executor.poll(); }); }).detach();
    executor.poll();
    EXPECT_NE(text.find("called from a fiber"), std::string::npos) << text;
}

TEST(ExecutorMisuse, a_poll_after_shutdown_is_refused) {
    Executor executor;
    executor.shutdown();
    EXPECT_NE(usage_error([&] { executor.poll(); }).find("after shutdown"), std::string::npos);
    EXPECT_NE(usage_error([&] { (void)executor.spawn_boxed([] {}); }).find("spawn during teardown"), std::string::npos);
}

TEST(ExecutorMisuse, a_closure_that_does_not_fit_is_refused) {
    struct Big {
        char bytes[62 * 1024] = {};
    };
    Executor executor;
    const std::string text = usage_error([&] { (void)executor.spawn_boxed([big = Big{}] { (void)big; }); });
    EXPECT_NE(text.find("hold large state by pointer, or raise SpawnOptions::stack_size"), std::string::npos) << text;
    EXPECT_EQ(executor.stacks().stats().in_use, 0U);
}

} // namespace
