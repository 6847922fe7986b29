// shield(): code that finishes what it is at, whatever asks its fiber to stop; and what it cannot keep away.
#include "nexus/exec/shield.hpp"

#include "exec_tools.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;

/// Parks until `done`.
void wait_for(const bool& done) {
    detail::wait_or_throw(Executor::of_current_fiber("wait_for"), "wait_for", [&done] { return done; });
}

struct Flag {
    bool set = false;
    detail::Task* waiter = nullptr;
    void wait() {
        waiter = &Executor::current()->current_task();
        wait_for(set);
    }
    void raise(Executor& executor) {
        set = true;
        executor.wake(*waiter);
    }
};

TEST(Shield, outside_a_fiber_is_a_mistake) {
    EXPECT_THROW(shield([] {}), UsageError);
}

TEST(Shield, returns_what_its_body_returns) {
    Executor executor;
    auto fiber = executor.spawn_boxed([] {
        int here = 1;
        int& same = shield([&here]() -> int& { return here; });
        EXPECT_EQ(&same, &here);
        EXPECT_THROW(shield([] { throw std::runtime_error("x"); }), std::runtime_error);
        return shield([] { return std::make_unique<int>(7); });
    });
    settle(executor);
    EXPECT_EQ(*fiber.join(), 7);
}

TEST(Shield, an_abort_waits_for_the_wait_behind_it) {
    Executor executor;
    Flag flag;
    std::vector<std::string> seen;
    auto fiber = executor.spawn_boxed([&] {
        shield([&] {
            flag.wait();
            yield_now();
            seen.emplace_back("finished");
        });
        seen.emplace_back("behind");
        yield_now();
        seen.emplace_back("never");
    });
    settle(executor);
    EXPECT_TRUE(fiber.abort());
    settle(executor);
    EXPECT_TRUE(seen.empty());
    flag.raise(executor);
    settle(executor);
    EXPECT_EQ(seen, (std::vector<std::string>{"finished", "behind"}));
    EXPECT_THROW(fiber.join(), TaskAborted);
}

TEST(Shield, the_end_of_a_scope_around_it_waits_too) {
    Executor executor;
    ManualClock clock(executor);
    Flag flag;
    auto fiber = executor.spawn_boxed([&] {
        bool finished = false;
        const auto result = with_deadline(clock.now + 10, [&] {
            shield([&] {
                flag.wait();
                finished = true;
            });
            yield_now();
        });
        EXPECT_EQ(result.error(), errc::timed_out);
        EXPECT_TRUE(finished);
        yield_now(); // the scope is left
    });
    settle(executor);
    clock.now += 11;
    settle(executor);
    EXPECT_FALSE(fiber.is_finished());
    flag.raise(executor);
    settle(executor);
    fiber.join();
}

TEST(Shield, a_token_around_it_is_not_heard_inside) {
    Executor executor;
    const auto source = detail::CancelState::make();
    Flag flag;
    bool finished = false;
    auto fiber = executor.spawn_boxed([&] {
        const auto result = with_source(source, [&] {
            shield([&] {
                flag.wait();
                yield_now();
                finished = true;
            });
            yield_now();
        });
        EXPECT_EQ(result.error(), errc::cancelled);
    });
    settle(executor);
    source->cancel();
    settle(executor);
    flag.raise(executor);
    settle(executor);
    EXPECT_TRUE(finished);
    fiber.join();
}

TEST(Shield, scopes_inside_work_as_ever) {
    Executor executor;
    ManualClock clock(executor);
    auto fiber = executor.spawn_boxed([&] {
        const auto outer = with_deadline(clock.now + 5, [&] {
            shield([&] {
                wait_until(clock.now + 6); // the outer one has ended now
                EXPECT_EQ(with_deadline(clock.now + 10, [] { return 3; }).value(), 3);
                const auto inner = with_deadline(clock.now + 10, [&] { wait_until(clock.now + 1000); });
                EXPECT_EQ(inner.error(), errc::timed_out);
                const auto failing = with_deadline(clock.now + 10,
                                                   []() -> Result<void> { return Error(errc::closed, "test"); });
                EXPECT_EQ(failing.error(), errc::closed) << "not the outer scope's reason";
            });
            yield_now();
        });
        EXPECT_EQ(outer.error(), errc::timed_out);
    });
    for (int i = 0; i < 4; ++i) {
        settle(executor);
        clock.now += 10;
    }
    settle(executor);
    fiber.join();
}

TEST(Shield, an_aborted_fiber_can_say_goodbye_in_a_destructor_within_a_limit) {
    Executor executor;
    ManualClock clock(executor);
    Flag never;
    Flag soon;
    std::vector<std::string> seen;
    auto fiber = executor.spawn_boxed([&] {
        const AtExit goodbye([&] {
            shield([&] {
                soon.wait();
                seen.emplace_back("said");
                const auto result = with_deadline(clock.now + 10, [&] { never.wait(); });
                seen.emplace_back(result.has_value() ? "answered" : "gave up");
            });
            yield_now(); // does not wait: it unwinds again
            seen.emplace_back("left");
        });
        park_for_ever();
    });
    settle(executor);
    fiber.abort();
    settle(executor);
    EXPECT_TRUE(seen.empty());
    soon.raise(executor);
    settle(executor);
    EXPECT_EQ(seen, (std::vector<std::string>{"said"}));
    clock.now += 11;
    settle(executor);
    EXPECT_EQ(seen, (std::vector<std::string>{"said", "gave up", "left"}));
    EXPECT_THROW(fiber.join(), TaskAborted);
}

TEST(Shield, what_unwinds_inside_does_not_park) {
    Executor executor;
    ManualClock clock(executor);
    bool reached = false;
    auto fiber = executor.spawn_boxed([&] {
        shield([&] {
            try {
                const AtExit waits([&] {
                    yield_now();
                    detail::wait_or_throw(executor, "nothing", [] { return false; });
                    reached = true;
                });
                throw std::runtime_error("inside");
            } catch (const std::runtime_error&) {}
            // A scope that has ended inside must not throw out of a destructor either.
            (void)with_deadline(clock.now + 1, [&] {
                clock.now += 5;
                yield_now();
                const AtExit waits([] { yield_now(); });
                yield_now();
            });
        });
    });
    for (int i = 0; i < 3; ++i) settle(executor);
    EXPECT_TRUE(reached);
    EXPECT_TRUE(fiber.is_finished());
}

TEST(Shield, nested_ones_end_one_after_the_other) {
    Executor executor;
    Flag flag;
    int stage = 0;
    auto fiber = executor.spawn_boxed([&] {
        shield([&] {
            shield([&] { flag.wait(); });
            stage = 1;
            yield_now();
            stage = 2;
        });
        yield_now();
        stage = 3;
    });
    settle(executor);
    fiber.abort();
    flag.raise(executor);
    settle(executor);
    EXPECT_EQ(stage, 2);
    EXPECT_TRUE(fiber.is_finished());
}

TEST(Shield, deep_nesting_counts_right) {
    Executor executor;
    int depth = 0;
    struct Recursion {
        int& depth;
        void go(int left) {
            if (left == 0) return;
            ++depth;
            shield([&] { go(left - 1); });
        }
    };
    auto fiber = executor.spawn_boxed(
        [&] {
            Recursion{depth}.go(300);
            shield([&] {
                Executor::current()->request_abort(Executor::current()->current_task());
                yield_now();
            });
            ++depth;
            yield_now();
            ++depth;
        },
        {.stack_size = std::size_t{1024} * 1024});
    settle(executor);
    EXPECT_EQ(depth, 301);
    EXPECT_TRUE(fiber.is_finished());
}

// Nothing comes any more at teardown, neither I/O nor timers: a goodbye would wait for ever.
TEST(Shield, gives_way_at_teardown) {
    std::vector<std::string> seen;
    {
        Executor executor;
        executor
            .spawn_boxed([&] {
                const AtExit left([&seen] { seen.emplace_back("body"); });
                shield([] { park_for_ever(); });
            })
            .detach();
        executor
            .spawn_boxed([&] {
                const AtExit left([&] {
                    shield([&] { detail::wait_or_throw(executor, "nothing", [] { return false; }); });
                    seen.emplace_back("destructor");
                });
                park_for_ever();
            })
            .detach();
        settle(executor);
        executor.shutdown();
        EXPECT_EQ(executor.shutdown_stats(), ShutdownStats{});
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"body", "destructor"}));
}

// A destructor that nothing unwinds must not throw either.
TEST(Shield, at_teardown_waits_with_a_result_fail_instead_of_throwing) {
    std::vector<std::string> seen;
    {
        Executor executor;
        executor
            .spawn_boxed([&] {
                {
                    const AtExit goodbye([&] {
                        shield([&] {
                            const auto end = detail::wait_or_fail(executor, "nothing", [] { return false; });
                            seen.emplace_back(end == detail::WaitEnd::cancelled ? "cut short" : "?");
                        });
                    });
                }
                seen.emplace_back("behind");
                park_for_ever();
                seen.emplace_back("too far");
            })
            .detach();
        settle(executor);
        executor.shutdown();
        EXPECT_EQ(executor.shutdown_stats(), ShutdownStats{});
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"cut short", "behind"}));
}

TEST(Shield, at_teardown_code_that_ignores_failures_comes_to_an_end) {
    int failures = 0;
    {
        Executor executor;
        executor
            .spawn_boxed([&] {
                shield([&] {
                    for (;; ++failures) (void)detail::wait_or_fail(executor, "nothing", [] { return false; });
                });
            })
            .detach();
        settle(executor);
        executor.shutdown();
        EXPECT_EQ(executor.shutdown_stats(), ShutdownStats{});
    }
    EXPECT_LT(failures, 1000);
}

} // namespace
