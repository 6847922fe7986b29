// Abort: unwinding a fiber wherever it stands, and what its code can do about it.
#include "exec_tools.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;

// proves: EX-27, EX-54, Executor::has_ready
TEST(Abort, H1_a_parked_fiber_is_unwound_in_the_next_cycle) {
    Executor executor;
    bool unwound = false;
    JoinHandle<void> handle = executor.spawn_boxed([&unwound] {
        const AtExit guard([&unwound] { unwound = true; });
        park_for_ever();
    });
    executor.poll();
    EXPECT_FALSE(executor.has_ready());
    EXPECT_TRUE(handle.abort());
    EXPECT_TRUE(executor.has_ready()) << "abort makes it ready";
    EXPECT_FALSE(unwound) << "never on the stack of whoever aborts";
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_TRUE(unwound);
    EXPECT_TRUE(handle.is_finished());
    EXPECT_EQ(executor.stacks().stats().in_use, 0U);
}

// proves: EX-9, EX-52, EX-54, S-74
TEST(Abort, an_unstarted_fiber_never_starts_and_its_closure_goes) {
    Count count;
    Executor executor;
    bool ran = false;
    JoinHandle<void> handle = executor.spawn_boxed([&ran, held = Counted(count)] { ran = true; });
    EXPECT_TRUE(handle.abort());
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_FALSE(ran);
    EXPECT_EQ(count.alive(), 0);
    EXPECT_THROW(handle.join(), TaskAborted);
}

TEST(Abort, a_ready_fiber_stops_at_the_wait_it_comes_back_from) {
    Executor executor;
    int steps = 0;
    JoinHandle<void> handle = executor.spawn_boxed([&steps] {
        for (;;) {
            ++steps;
            yield_now();
        }
    });
    executor.poll();
    EXPECT_TRUE(handle.abort());
    executor.poll();
    EXPECT_TRUE(handle.is_finished());
    EXPECT_LE(steps, 2);
}

// proves: EX-54, S-75
TEST(Abort, a_finished_fiber_cannot_be_aborted) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 8; });
    executor.poll();
    EXPECT_FALSE(handle.abort());
    EXPECT_EQ(handle.join(), 8) << "the value is still there";
}

// proves: EX-55
TEST(Abort, twice_is_as_good_as_once) {
    Executor executor;
    int unwound = 0;
    JoinHandle<void> handle = executor.spawn_boxed([&unwound] {
        const AtExit guard([&unwound] { ++unwound; });
        park_for_ever();
    });
    executor.poll();
    EXPECT_TRUE(handle.abort());
    EXPECT_TRUE(handle.abort());
    executor.poll();
    EXPECT_EQ(unwound, 1);
    EXPECT_FALSE(handle.abort());
}

TEST(Abort, what_was_handed_over_before_is_kept) {
    // A wake that has arrived counts before the abort: the condition is looked at first after a suspension.
    Executor executor;
    bool given = false;
    bool taken = false;
    JoinHandle<void> handle = executor.spawn_boxed([&] {
        Executor& mine = *Executor::current();
        if (detail::wait_or_fail(mine, "a gift", [&given] { return given; }) == detail::WaitEnd::ready) taken = true;
        yield_now(); // here the reason comes out
        ADD_FAILURE() << "the abort was lost";
    });
    executor.poll();
    given = true;
    handle.abort();
    executor.poll();
    EXPECT_TRUE(taken);
    settle(executor);
    EXPECT_TRUE(handle.is_finished());
    EXPECT_THROW(handle.join(), TaskAborted);
}

TEST(Abort, result_waits_throw_aborted_too) {
    Executor executor;
    bool returned = false;
    JoinHandle<void> handle = executor.spawn_boxed([&returned] {
        (void)detail::wait_or_fail(*Executor::current(), "nothing", [] { return false; });
        returned = true;
    });
    executor.poll();
    handle.abort();
    executor.poll();
    EXPECT_FALSE(returned);
    EXPECT_TRUE(handle.is_finished());
}

TEST(Abort, destructors_that_wait_neither_throw_nor_park) {
    Executor executor;
    ManualClock clock(executor);
    JoinHandle<int> child;
    std::vector<std::string> seen;
    JoinHandle<void> handle = executor.spawn_boxed([&] {
        child = executor.spawn_boxed([] {
            park_for_ever();
            return 1;
        });
        const AtExit first([&] { seen.emplace_back("last"); });
        const AtExit waits([&] {
            yield_now();
            seen.emplace_back("yielded");
            park();
            seen.emplace_back("parked");
            wait_until(clock.now + 1'000'000);
            seen.emplace_back("slept");
            EXPECT_EQ(detail::wait_or_fail(executor, "data", [] { return false; }), detail::WaitEnd::cancelled);
            seen.emplace_back("read");
            const Result<int> limited = with_deadline(clock.now + 5, [&]() -> Result<int> {
                if (detail::wait_or_fail(executor, "data", [] { return false; }) != detail::WaitEnd::ready) {
                    return Error(errc::cancelled, "read");
                }
                return 1;
            });
            EXPECT_EQ(limited.error(), errc::cancelled);
            try {
                (void)child.join();
                ADD_FAILURE() << "there is no value to return";
            } catch (const TaskAborted&) {
                seen.emplace_back("joined");
            }
        });
        park_for_ever();
    });
    executor.poll();
    executor.poll();
    handle.abort();
    EXPECT_EQ(executor.poll(), 1U) << "one run from abort to end";
    EXPECT_EQ(seen, (std::vector<std::string>{"yielded", "parked", "slept", "read", "joined", "last"}));
    EXPECT_EQ(executor.timers().size(), 0U);
    child.abort();
    settle(executor);
}

TEST(Abort, destructors_may_spawn_and_wake) {
    Executor executor;
    Waker other;
    bool spawned_ran = false;
    bool other_ran = false;
    executor
        .spawn_boxed([&] {
            other = Waker::of_current();
            park();
            other_ran = true;
        })
        .detach();
    JoinHandle<void> handle = executor.spawn_boxed([&] {
        const AtExit guard([&] {
            other.wake();
            executor.spawn_boxed([&spawned_ran] { spawned_ran = true; }).detach();
        });
        park_for_ever();
    });
    executor.poll();
    handle.abort();
    settle(executor);
    EXPECT_TRUE(spawned_ran);
    EXPECT_TRUE(other_ran);
}

TEST(Abort, an_ordinary_handler_does_not_swallow_it) {
    Executor executor;
    bool swallowed = false;
    JoinHandle<void> handle = executor.spawn_boxed([&swallowed] {
        try {
            park_for_ever();
        } catch (const std::exception&) {
            swallowed = true;
        }
    });
    executor.poll();
    handle.abort();
    executor.poll();
    EXPECT_FALSE(swallowed);
    EXPECT_TRUE(handle.is_finished());
}

TEST(Abort, a_swallowed_abort_comes_again) {
    Executor executor;
    int swallowed = 0;
    JoinHandle<void> handle = executor.spawn_boxed([&swallowed] {
        for (int i = 0; i < 5; ++i) {
            try {
                yield_now();
            } catch (...) {
                ++swallowed;
            }
        }
        yield_now();
    });
    executor.poll();
    handle.abort();
    settle(executor);
    EXPECT_EQ(swallowed, 5);
    EXPECT_THROW(handle.join(), TaskAborted);
}

TEST(Abort, a_fiber_that_swallows_for_ever_is_abandoned_counted_and_named) {
    int others = 0;
    std::int64_t swallowed = 0;
    {
        Executor executor;
        JoinHandle<void> handle = executor.spawn_boxed(
            [&swallowed] {
                for (;;) {
                    try {
                        park();
                    } catch (...) {
                        ++swallowed;
                    }
                }
            },
            {.name = "glutton"});
        executor
            .spawn_boxed([&others] {
                for (;;) {
                    ++others;
                    yield_now();
                }
            })
            .detach();
        executor.poll();
        handle.abort();
        for (int cycle = 0; cycle < 100; ++cycle) executor.poll();
        EXPECT_EQ(swallowed, 1000);
        EXPECT_EQ(executor.leaked_fibers(), 1U);
        EXPECT_EQ(executor.task_count(), 1U) << "it does not count as alive";
        EXPECT_GT(others, 100) << "the others live on";
        bool named = false;
        for (const FiberInfo& fiber : executor.fibers()) {
            named = named || (fiber.name == "glutton" && fiber.waiting_for.find("swallowed") != std::string::npos);
        }
        EXPECT_TRUE(named);
        EXPECT_TRUE(handle.is_finished());
        EXPECT_THROW(handle.join(), TaskAborted);
        executor.shutdown();
        EXPECT_EQ(executor.shutdown_stats().unbalanced_normal_shutdowns, 1U) << "its frames still refer to it";
    }
    EXPECT_EQ(swallowed, 1000) << "never resumed";
}

TEST(Abort, a_swallower_whose_borrow_forbids_suspension_is_abandoned_too) {
    Executor executor;
    JoinHandle<void> handle = executor.spawn_boxed([&executor] {
        for (bool first = true;; first = false) {
            try {
                park();
            } catch (...) {
                if (first) ++executor.current_task().no_suspend;
            }
        }
    });
    executor.poll();
    handle.abort();
    for (int cycle = 0; cycle < 20; ++cycle) executor.poll();
    EXPECT_EQ(executor.leaked_fibers(), 1U);
    EXPECT_EQ(executor.task_count(), 0U);
}

TEST(Abort, a_loop_that_ignores_failing_waits_does_not_hang_the_others) {
    Executor executor;
    ManualClock clock(executor);
    std::int64_t failures = 0;
    int others = 0;
    executor
        .spawn_boxed([&] {
            (void)with_deadline(clock.now + 10, [&] {
                // Wrong on purpose: it never looks at the reason.
                while (others < 50) {
                    if (detail::wait_or_fail(executor, "data", [] { return false; }) != detail::WaitEnd::ready) {
                        ++failures;
                    }
                }
            });
        })
        .detach();
    executor
        .spawn_boxed([&others] {
            while (others < 50) {
                ++others;
                yield_now();
            }
        })
        .detach();
    executor.poll();
    clock.now += 100;
    settle(executor);
    EXPECT_EQ(others, 50);
    EXPECT_EQ(executor.task_count(), 0U);
    EXPECT_GT(failures, 50);
}

TEST(Abort, waits_that_never_have_to_wait_give_turns_too) {
    Executor executor;
    std::int64_t waits = 0;
    int others = 0;
    executor
        .spawn_boxed([&] {
            while (others < 10) {
                ++waits;
                ASSERT_EQ(detail::wait_or_fail(executor, "a full channel", [] { return true; }),
                          detail::WaitEnd::ready);
            }
        })
        .detach();
    executor
        .spawn_boxed([&others] {
            for (; others < 10; ++others) yield_now();
        })
        .detach();
    settle(executor);
    EXPECT_EQ(others, 10);
    EXPECT_LE(waits, 13 * 128);
}

TEST(Abort, a_shield_lets_a_destructor_wait_for_its_children) {
    Executor executor;
    std::vector<std::string> order;
    JoinHandle<void> handle = executor.spawn_boxed([&] {
        JoinHandle<void> child = executor.spawn_boxed([&order] {
            const AtExit guard([&order] { order.emplace_back("child"); });
            park_for_ever();
        });
        const AtExit group([&] {
            const detail::Shield shield(executor.current_task());
            child.abort();
            try {
                child.join();
            } catch (const TaskAborted&) {
                order.emplace_back("group");
            }
        });
        park_for_ever();
    });
    executor.poll();
    executor.poll();
    handle.abort();
    settle(executor);
    EXPECT_EQ(order, (std::vector<std::string>{"child", "group"}));
    EXPECT_TRUE(handle.is_finished());
    EXPECT_EQ(executor.task_count(), 0U);
}

} // namespace
