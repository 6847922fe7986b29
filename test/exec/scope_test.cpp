// Scopes: what ends the waits of a stretch of code, and what comes out of it (rule 5 of the design).
#include "exec_tools.hpp"

#include "nexus/base/usage_error.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;

class ScopeTest : public ::testing::Test {
protected:
    /// Runs `body` as a fiber; time moves on from timer to timer until it has ended.
    template <class F>
    void in_fiber(F&& body) {
        JoinHandle<void> handle = executor.spawn_boxed(std::forward<F>(body));
        for (int turns = 0; !handle.is_finished(); ++turns) {
            ASSERT_LT(turns, 10'000) << "it waits for something that does not come";
            settle(executor);
            if (const std::int64_t next = executor.timers().next_deadline(); next != time::never) {
                clock.now = std::max(clock.now, next);
            }
        }
        handle.join();
        settle(executor);
        EXPECT_EQ(executor.timers().size(), 0U) << "H-12: no timer is left behind";
    }
    [[nodiscard]] std::int64_t in(std::int64_t ns) const { return clock.now + ns; }

    /// A wait with a Result that never succeeds.
    Result<int> receive() {
        ++receives;
        const detail::WaitEnd end = detail::wait_or_fail(executor, "receive", [] { return false; });
        return Error(detail::to_errc(end), "receive");
    }

    Executor executor;
    ManualClock clock{executor};
    int receives = 0;
};

TEST_F(ScopeTest, a_body_in_time_gives_its_value) {
    in_fiber([this] {
        const Result<int> result = with_deadline(in(100), [this] {
            wait_until(in(50));
            return 7;
        });
        EXPECT_EQ(result.value(), 7);
    });
}

TEST_F(ScopeTest, a_body_of_every_type_becomes_a_result) {
    in_fiber([this] {
        static_assert(std::is_same_v<decltype(with_deadline(0, [] {})), Result<void>>);
        static_assert(std::is_same_v<decltype(with_deadline(0, [] { return 1; })), Result<int>>);
        static_assert(std::is_same_v<decltype(with_deadline(0, [] { return Result<int>(1); })), Result<int>>);
        static_assert(std::is_same_v<decltype(with_deadline(0, [] { return Result<void>(); })), Result<void>>);
        EXPECT_TRUE(with_deadline(in(10), [] {}).has_value());
        EXPECT_TRUE(with_deadline(in(10), [] { return Result<void>(); }).has_value());
        auto unique = with_deadline(in(10), [] { return std::make_unique<int>(3); });
        EXPECT_EQ(*unique.value(), 3);
    });
}

TEST_F(ScopeTest, a_deadline_ends_a_throwing_wait) {
    in_fiber([this] {
        bool unwound = false;
        const std::int64_t start = clock.now;
        const Result<void> result = with_deadline(in(100), [&] {
            const AtExit guard([&unwound] { unwound = true; });
            park_for_ever();
        });
        EXPECT_EQ(result.error(), errc::timed_out);
        EXPECT_EQ(result.error(), std::errc::timed_out);
        EXPECT_STREQ(result.error().operation(), "timeout");
        EXPECT_TRUE(unwound);
        EXPECT_EQ(clock.now, start + 100);
        yield_now(); // outside the scope waits work again
    });
}

TEST_F(ScopeTest, a_deadline_fails_a_result_wait) {
    in_fiber([this] {
        const Result<int> result = with_deadline(in(100), [this] { return receive(); });
        EXPECT_EQ(result.error(), errc::timed_out);
    });
}

TEST_F(ScopeTest, a_value_that_the_body_returns_wins) {
    in_fiber([this] {
        const Result<int> plain = with_deadline(in(100), [this] {
            EXPECT_EQ(receive().error(), errc::timed_out);
            return 5; // it found another way
        });
        EXPECT_EQ(plain.value(), 5);
        const Result<int> result = with_deadline(in(100), [this]() -> Result<int> {
            (void)receive();
            return 6;
        });
        EXPECT_EQ(result.value(), 6);
    });
}

TEST_F(ScopeTest, an_error_of_the_body_in_time_is_its_own) {
    in_fiber([this] {
        const Result<int> result = with_deadline(in(100), []() -> Result<int> { return Error(errc::closed, "read"); });
        EXPECT_EQ(result.error(), errc::closed);
        EXPECT_STREQ(result.error().operation(), "read");
    });
}

TEST_F(ScopeTest, TM21_a_zero_or_past_deadline_does_not_run_its_body) {
    in_fiber([this] {
        bool ran = false;
        const auto body = [&ran] { ran = true; };
        EXPECT_EQ(with_deadline(in(0), body).error(), errc::timed_out);
        EXPECT_EQ(with_deadline(in(-5), body).error(), errc::timed_out);
        EXPECT_FALSE(ran);
    });
}

TEST_F(ScopeTest, a_deadline_that_never_comes_arms_nothing) {
    in_fiber([this] {
        (void)with_deadline(Scope::never_ns, [this] {
            EXPECT_EQ(executor.timers().size(), 0U);
            yield_now();
        });
    });
}

TEST_F(ScopeTest, an_ended_scope_stays_ended_until_it_is_left) {
    in_fiber([this] {
        bool open = true; // a wait that could be satisfied is refused as well
        const Result<void> result = with_deadline(in(10), [&] {
            EXPECT_EQ(receive().error(), errc::timed_out);
            for (int i = 0; i < 300; ++i) {
                EXPECT_EQ(detail::wait_or_fail(executor, "data", [&open] { return open; }), detail::WaitEnd::timed_out);
            }
            for (int i = 0; i < 3; ++i) EXPECT_THROW(yield_now(), ScopeEnded);
        });
        EXPECT_TRUE(result.has_value()) << "the body returned";
        EXPECT_EQ(detail::wait_or_fail(executor, "data", [&open] { return open; }), detail::WaitEnd::ready);
    });
}

TEST_F(ScopeTest, after_a_suspension_the_condition_comes_first) {
    in_fiber([this] {
        // The gift and the deadline come in the same turn: the gift is kept, the deadline shows at the next wait.
        bool given = false;
        struct Giver : time::TimerNode {
            bool* given = nullptr;
            Executor* executor = nullptr;
            detail::Task* task = nullptr;
        } giver;
        giver.given = &given;
        giver.executor = &executor;
        giver.task = &executor.current_task();
        giver.fire = [](time::TimerNode& node) noexcept {
            auto& self = static_cast<Giver&>(node);
            *self.given = true;
            self.executor->wake(*self.task);
        };
        executor.timers().arm(giver, in(10));
        const Result<int> result = with_deadline(in(10), [&]() -> Result<int> {
            EXPECT_EQ(detail::wait_or_fail(executor, "a gift", [&given] { return given; }), detail::WaitEnd::ready);
            EXPECT_EQ(receive().error(), errc::timed_out);
            return 1;
        });
        EXPECT_EQ(result.value(), 1);
    });
}

// --- nesting ---

TEST_F(ScopeTest, the_earliest_deadline_wins) {
    in_fiber([this] {
        Result<void> inner;
        const Result<void> outer = with_deadline(in(200), [&] {
            inner = with_deadline(in(100), [] { park_for_ever(); });
            yield_now(); // the outer one is still open
        });
        EXPECT_EQ(inner.error(), errc::timed_out);
        EXPECT_TRUE(outer.has_value());
    });
}

TEST_F(ScopeTest, ScopeEnded_is_caught_by_its_owner_only) {
    in_fiber([this] {
        bool inner_returned = false;
        const Result<void> outer = with_deadline(in(100), [&] {
            (void)with_deadline(in(200), [] { park_for_ever(); });
            inner_returned = true;
        });
        EXPECT_EQ(outer.error(), errc::timed_out);
        EXPECT_FALSE(inner_returned) << "the outer one ended: nothing of it goes on";
    });
}

TEST_F(ScopeTest, an_inner_result_says_cancelled_when_an_outer_scope_ended) {
    in_fiber([this] {
        Result<int> inner = 0;
        const Result<int> outer = with_deadline(in(100), [&] {
            inner = with_deadline(in(200), [this] { return receive(); });
            return inner;
        });
        EXPECT_EQ(inner.error(), errc::cancelled) << "its own deadline did not pass";
        EXPECT_EQ(outer.error(), errc::timed_out);
    });
}

TEST_F(ScopeTest, both_ended_the_outer_reason_wins_where_waits_throw) {
    in_fiber([this] {
        bool inner_returned = false;
        const Result<void> outer = with_deadline(in(100), [&] {
            (void)with_deadline(in(100), [] { park_for_ever(); });
            inner_returned = true;
        });
        EXPECT_EQ(outer.error(), errc::timed_out);
        EXPECT_FALSE(inner_returned);
    });
}

TEST_F(ScopeTest, an_expired_outer_scope_refuses_the_waits_of_a_new_inner_one) {
    in_fiber([this] {
        bool inner_ran = false;
        const Result<int> outer = with_deadline(in(10), [&]() -> Result<int> {
            (void)receive(); // ends the outer scope
            return with_deadline(in(1000), [&]() -> Result<int> {
                inner_ran = true;
                Result<int> got = receive();
                EXPECT_EQ(got.error(), errc::timed_out) << "the reason is the outer scope's";
                return got;
            });
        });
        EXPECT_TRUE(inner_ran);
        EXPECT_EQ(outer.error(), errc::timed_out);
        EXPECT_EQ(receives, 2);
    });
}

TEST_F(ScopeTest, twenty_nested_scopes) {
    in_fiber([this] {
        std::vector<std::string> ends;
        auto nest = [&](auto& self, int depth) -> void {
            const Result<void> result = with_deadline(in(1000 - depth), [&] {
                if (depth < 20) {
                    self(self, depth + 1);
                } else {
                    park_for_ever();
                }
            });
            ends.push_back(result ? "value" : result.error() == errc::timed_out ? "timed out" : "cancelled");
        };
        nest(nest, 1);
        ASSERT_EQ(ends.size(), 20U);
        EXPECT_EQ(ends[0], "timed out") << "the innermost had the earliest deadline";
        for (std::size_t i = 1; i < 20; ++i) EXPECT_EQ(ends[i], "value");
    });
}

TEST_F(ScopeTest, spawned_fibers_do_not_inherit_a_scope) {
    in_fiber([this] {
        bool child_done = false;
        JoinHandle<void> child;
        const Result<void> result = with_deadline(in(10), [&] {
            child = executor.spawn_boxed([&] {
                wait_until(in(500));
                child_done = true;
            });
            park_for_ever();
        });
        EXPECT_EQ(result.error(), errc::timed_out);
        child.join();
        EXPECT_TRUE(child_done);
    });
}

// --- ended from outside ---

TEST_F(ScopeTest, end_from_outside_by_another_fiber) {
    in_fiber([this] {
        Scope* scope_of_the_other = nullptr;
        Result<void> result;
        JoinHandle<void> other = executor.spawn_boxed([&] {
            Scope scope(Scope::never_ns, "guarded");
            scope_of_the_other = &scope;
            result = scope.run("guarded", [] { park_for_ever(); });
        });
        yield_now();
        scope_of_the_other->end_from_outside();
        scope_of_the_other->end_from_outside();
        other.join();
        EXPECT_EQ(result.error(), errc::cancelled);
        EXPECT_EQ(result.error(), std::errc::operation_canceled);
    });
}

TEST_F(ScopeTest, until_a_source_is_cancelled_on_this_thread) {
    const auto source = detail::CancelState::make();
    in_fiber([&] {
        JoinHandle<void> canceller = executor.spawn_boxed([&source] { source->cancel(); });
        const Result<void> result = with_source(source, [] { park_for_ever(); });
        EXPECT_EQ(result.error(), errc::cancelled);
        EXPECT_STREQ(result.error().operation(), "until");
        EXPECT_EQ(source->waiter_count(), 0U);
        canceller.join();
    });
}

// proves: H-9
TEST_F(ScopeTest, until_a_source_is_cancelled_on_another_thread) {
    const auto source = detail::CancelState::make();
    Result<void> result;
    JoinHandle<void> handle = executor.spawn_boxed([&] { result = with_source(source, [] { park_for_ever(); }); });
    executor.poll();
    on_another_thread([&source] { source->cancel(); });
    executor.poll();
    ASSERT_TRUE(handle.is_finished()) << "H-9: a cancel elsewhere wakes a spawned fiber";
    EXPECT_EQ(result.error(), errc::cancelled);
}

TEST_F(ScopeTest, until_sees_a_cancel_while_it_runs) {
    const auto source = detail::CancelState::make();
    in_fiber([&] {
        const Result<int> result = with_source(source, [&] {
            on_another_thread([&source] { source->cancel(); });
            return receive();
        });
        EXPECT_EQ(result.error(), errc::cancelled);
    });
}

TEST_F(ScopeTest, until_a_source_that_is_cancelled_does_not_run_its_body) {
    const auto source = detail::CancelState::make();
    source->cancel();
    in_fiber([&] {
        bool ran = false;
        EXPECT_EQ(with_source(source, [&ran] { ran = true; }).error(), errc::cancelled);
        EXPECT_FALSE(ran);
    });
}

TEST_F(ScopeTest, a_timeout_inside_until_and_the_other_way_round) {
    const auto source = detail::CancelState::make();
    in_fiber([&] {
        Result<void> inner;
        Result<void> outer = with_source(source, [&] {
            inner = with_deadline(in(10), [] { park_for_ever(); });
            yield_now();
        });
        EXPECT_EQ(inner.error(), errc::timed_out);
        EXPECT_TRUE(outer.has_value());
        outer = with_deadline(in(10), [&] {
            source->cancel();
            inner = with_source(source, [] { park_for_ever(); });
            park_for_ever();
        });
        EXPECT_EQ(inner.error(), errc::cancelled);
        EXPECT_EQ(outer.error(), errc::timed_out);
    });
}

// --- abort ---

TEST_F(ScopeTest, an_abort_inside_a_scope_goes_through_it) {
    bool left = false;
    JoinHandle<void> handle = executor.spawn_boxed([&] {
        (void)with_deadline(in(1000), [] { park_for_ever(); });
        left = true;
    });
    executor.poll();
    EXPECT_EQ(executor.timers().size(), 1U);
    handle.abort();
    executor.poll();
    EXPECT_TRUE(handle.is_finished());
    EXPECT_FALSE(left);
    EXPECT_EQ(executor.timers().size(), 0U);
}

TEST_F(ScopeTest, an_abort_in_an_ended_scope_is_stronger) {
    bool timed_out = false;
    JoinHandle<void> handle = executor.spawn_boxed([&] {
        const Result<void> result = with_deadline(in(10), [] { park_for_ever(); });
        timed_out = !result.has_value();
        yield_now();
    });
    executor.poll();
    clock.now += 100;
    handle.abort();
    executor.poll(); // both reasons are there when it runs
    settle(executor);
    EXPECT_FALSE(timed_out);
    EXPECT_THROW(handle.join(), TaskAborted);
}

TEST_F(ScopeTest, an_exception_of_the_body_goes_through) {
    in_fiber([this] {
        EXPECT_THROW((void)with_deadline(in(10), []() -> int { throw std::runtime_error("mine"); }),
                     std::runtime_error);
    });
}

// proves: TM-3
TEST_F(ScopeTest, H12_a_million_timeouts_that_never_fire_leave_nothing) {
    in_fiber([this] {
        for (int i = 0; i < 100'000; ++i) (void)with_deadline(in(3'600'000'000'000), [] {});
        EXPECT_EQ(executor.timers().size(), 0U);
    });
}

TEST_F(ScopeTest, outside_a_fiber_it_says_so) {
    try {
        const Scope scope(1, "timeout");
        FAIL();
    } catch (const UsageError& error) {
        EXPECT_NE(std::string(error.what()).find("timeout() called outside a fiber"), std::string::npos);
    }
}

} // namespace
