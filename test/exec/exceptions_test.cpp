// Exceptions belong to fibers: what one handles or throws is none of another's business, also across suspensions.
#include "exec_tools.hpp"

#include <gtest/gtest.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;

std::string text_of(const std::exception_ptr& failure) {
    try {
        if (failure != nullptr) std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        return error.what();
    }
    return "none";
}

/// Throws and catches exceptions of its own, yielding in between.
void disturb(int rounds) {
    for (int i = 0; i < rounds; ++i) {
        try {
            throw std::logic_error("disturbance");
        } catch (const std::logic_error&) {
            yield_now();
        }
        yield_now();
    }
}

TEST(Exceptions, a_handler_that_suspends_keeps_its_exception) {
    Executor executor;
    int kept = 0;
    for (int fiber = 0; fiber < 10; ++fiber) {
        executor
            .spawn_boxed([fiber, &kept] {
                const std::string mine = "of fiber " + std::to_string(fiber);
                try {
                    throw std::runtime_error(mine);
                } catch (const std::runtime_error& error) {
                    for (int turn = 0; turn <= fiber; ++turn) {
                        yield_now();
                        EXPECT_EQ(error.what(), mine);
                        EXPECT_EQ(text_of(std::current_exception()), mine);
                    }
                    ++kept;
                }
                EXPECT_EQ(std::current_exception(), nullptr);
            })
            .detach();
    }
    executor.spawn_boxed([] { disturb(20); }).detach();
    settle(executor);
    EXPECT_EQ(kept, 10);
}

TEST(Exceptions, a_rethrow_after_a_suspension_throws_what_was_caught) {
    Executor executor;
    std::vector<std::string> caught;
    for (const char* name : {"first", "second", "third"}) {
        executor
            .spawn_boxed([name, &caught] {
                try {
                    try {
                        throw std::runtime_error(name);
                    } catch (const std::runtime_error&) {
                        yield_now();
                        yield_now();
                        throw;
                    }
                } catch (const std::runtime_error& error) {
                    caught.emplace_back(error.what());
                }
            })
            .detach();
    }
    executor.spawn_boxed([] { disturb(5); }).detach();
    settle(executor);
    EXPECT_EQ(caught, (std::vector<std::string>{"first", "second", "third"}));
}

TEST(Exceptions, nested_handlers_unwind_in_order_after_suspensions) {
    Executor executor;
    std::vector<std::string> seen;
    executor
        .spawn_boxed([&seen] {
            try {
                throw std::runtime_error("outer");
            } catch (const std::runtime_error&) {
                yield_now();
                try {
                    throw std::logic_error("inner");
                } catch (const std::logic_error&) {
                    yield_now();
                    seen.push_back(text_of(std::current_exception()));
                }
                yield_now();
                seen.push_back(text_of(std::current_exception()));
            }
            seen.push_back(text_of(std::current_exception()));
        })
        .detach();
    executor.spawn_boxed([] { disturb(10); }).detach();
    settle(executor);
    EXPECT_EQ(seen, (std::vector<std::string>{"inner", "outer", "none"}));
}

TEST(Exceptions, uncaught_exceptions_count_for_each_fiber) {
    Executor executor;
    int while_unwinding = -1;
    int in_the_other = -1;
    executor
        .spawn_boxed([&] {
            try {
                const AtExit guard([&] {
                    while_unwinding = std::uncaught_exceptions();
                    executor.spawn_boxed([&in_the_other] { in_the_other = std::uncaught_exceptions(); }).detach();
                    // A shielded destructor may suspend while the exception is in flight.
                    const detail::Shield shield(executor.current_task());
                    yield_now();
                    EXPECT_EQ(std::uncaught_exceptions(), 1);
                });
                throw std::runtime_error("in flight");
            } catch (const std::runtime_error&) {
                EXPECT_EQ(std::uncaught_exceptions(), 0);
            }
        })
        .detach();
    settle(executor);
    EXPECT_EQ(while_unwinding, 1);
    EXPECT_EQ(in_the_other, 0);
    EXPECT_EQ(std::uncaught_exceptions(), 0);
}

TEST(Exceptions, the_loops_own_exception_is_not_the_fibers) {
    Executor executor;
    std::string inside = "not run";
    executor
        .spawn_boxed([&inside] {
            inside = text_of(std::current_exception());
            yield_now();
            inside += ", " + text_of(std::current_exception());
        })
        .detach();
    try {
        throw std::runtime_error("of the thread");
    } catch (const std::runtime_error&) {
        settle(executor);
        EXPECT_EQ(text_of(std::current_exception()), "of the thread");
    }
    EXPECT_EQ(inside, "none, none");
}

TEST(Exceptions, an_exception_object_may_outlive_its_fiber) {
    Executor executor;
    std::exception_ptr kept;
    executor
        .spawn_boxed([&kept] {
            try {
                throw std::runtime_error("kept");
            } catch (...) {
                kept = std::current_exception();
                yield_now();
                throw;
            }
        })
        .detach();
    EXPECT_THROW(settle(executor), std::runtime_error);
    settle(executor);
    EXPECT_EQ(text_of(kept), "kept");
}

TEST(Exceptions, waits_while_an_exception_unwinds_do_not_throw_a_second) {
    Executor executor;
    ManualClock clock(executor);
    int waits = 0;
    bool caught = false;
    executor
        .spawn_boxed([&] {
            try {
                const AtExit guard([&] {
                    park();
                    ++waits;
                    wait_until(clock.now + 100);
                    ++waits;
                    EXPECT_EQ(detail::wait_or_fail(executor, "data", [] { return false; }), detail::WaitEnd::cancelled);
                    ++waits;
                });
                throw std::runtime_error("ordinary");
            } catch (const std::runtime_error&) {
                caught = true;
            }
            yield_now(); // unwinding is over: waits wait again
        })
        .detach();
    executor.poll();
    EXPECT_EQ(waits, 3);
    EXPECT_TRUE(caught);
    EXPECT_EQ(executor.task_count(), 1U);
    settle(executor);
    EXPECT_EQ(executor.task_count(), 0U);
}

TEST(Exceptions, aborting_a_fiber_inside_a_handler) {
    Executor executor;
    bool cleaned = false;
    JoinHandle<void> handle = executor.spawn_boxed([&cleaned] {
        const AtExit guard([&cleaned] { cleaned = true; });
        try {
            throw std::runtime_error("handled");
        } catch (const std::runtime_error&) {
            park_for_ever();
        }
    });
    executor.poll();
    handle.abort();
    executor.poll();
    EXPECT_TRUE(cleaned);
    EXPECT_TRUE(handle.is_finished());
    EXPECT_EQ(std::current_exception(), nullptr);
}

} // namespace
