// Backoff. The tests of the seed keep their names.
#include "nexus/sync/backoff.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/cancellation_token.hpp"
#include "test/sync/fibers.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

constexpr Duration longest = Duration::max();

// proves: BO-3
TEST(Backoff, doubles_each_step) {
    Backoff backoff = BackoffBuilder().initial(100ms).max_delay(10s).build();
    for (const Duration expected : {100ms, 200ms, 400ms, 800ms, 1600ms}) {
        EXPECT_EQ(backoff.current_delay(), expected);
        EXPECT_EQ(backoff.next_delay(), expected);
        backoff.advance();
    }
    EXPECT_EQ(backoff.retries(), 5U);
}

// proves: BO-3
TEST(Backoff, caps_at_max) {
    Backoff backoff = BackoffBuilder().initial(100ms).max_delay(350ms).build();
    backoff.advance();
    EXPECT_EQ(backoff.current_delay(), 200ms);
    for (int i = 0; i < 5; ++i) {
        backoff.advance();
        EXPECT_EQ(backoff.current_delay(), 350ms);
    }
}

// proves: BO-2, BO-4, Backoff
TEST(Backoff, exhausted_after_max_retries) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        Backoff backoff = BackoffBuilder().initial(10ms).max_retries(2).build();
        EXPECT_TRUE(backoff.wait(Error(errc::closed, "connect")));
        EXPECT_TRUE(backoff.wait(Error(errc::closed, "connect")));
        EXPECT_TRUE(backoff.is_exhausted());
        auto given_up = backoff.wait(Error(errc::closed, "connect"));
        EXPECT_FALSE(given_up);
        EXPECT_EQ(given_up.error().error, errc::closed) << "the caller's error comes back";
        EXPECT_EQ(backoff.retries(), 2U);
        EXPECT_THROW(given_up.value(), std::runtime_error);
    });
    fibers.advance(9ms);
    EXPECT_EQ(fibers.alive(), 1U);
    fibers.advance(1ms);
    EXPECT_EQ(fibers.alive(), 1U);
    fibers.advance(19ms);
    EXPECT_EQ(fibers.alive(), 1U) << "the second wait is twice as long";
    fibers.advance(1ms);
    fiber.join();
}

// proves: BO-4
TEST(Backoff, unlimited_retries) {
    Backoff backoff = BackoffBuilder().build();
    for (int i = 0; i < 10'000; ++i) backoff.advance();
    EXPECT_FALSE(backoff.is_exhausted());
    EXPECT_FALSE(backoff.remaining());
    EXPECT_EQ(backoff.retries(), 10'000U);
}

// proves: BO-4
TEST(Backoff, reset_restores_initial) {
    Backoff backoff = BackoffBuilder().initial(10ms).max_retries(3).build();
    for (int i = 0; i < 3; ++i) backoff.advance();
    EXPECT_TRUE(backoff.is_exhausted());
    backoff.reset();
    EXPECT_FALSE(backoff.is_exhausted());
    EXPECT_EQ(backoff.current_delay(), 10ms);
    EXPECT_EQ(backoff.retries(), 0U);
}

// proves: BO-5
TEST(Backoff, jitter_stays_in_range) {
    for (const Duration max_delay : {Duration(10s), Duration(1s), Duration(1100ms)}) {
        std::set<Duration> different;
        const Duration ceiling = std::min(max_delay, Duration(1250ms));
        for (std::uint64_t seed = 0; seed < 1000; ++seed) {
            Backoff backoff = BackoffBuilder().initial(1s).max_delay(max_delay).jitter(0.25).seed(seed).build();
            const Duration delay = backoff.next_delay();
            EXPECT_EQ(backoff.next_delay(), delay) << "asking does not change it";
            EXPECT_GE(delay, 750ms);
            EXPECT_LE(delay, ceiling) << "never more than max_delay";
            EXPECT_EQ(backoff.current_delay(), 1s);
            different.insert(delay);
        }
        EXPECT_GT(different.size(), 990U) << "spread also where max_delay cuts off";
        EXPECT_LT(*different.begin(), 755ms) << "uses the whole range";
        EXPECT_GT(*different.rbegin(), ceiling - 5ms);
    }
}

// proves: BO-5
TEST(Backoff, jitter_repeats_with_its_seed) {
    const auto delays = [](std::uint64_t seed) {
        Backoff backoff = BackoffBuilder().jitter(1.0).seed(seed).build();
        std::vector<Duration> all;
        for (int i = 0; i < 20; ++i) {
            all.push_back(backoff.next_delay());
            backoff.advance();
        }
        backoff.reset();
        EXPECT_EQ(backoff.next_delay(), all.front());
        return all;
    };
    EXPECT_EQ(delays(1), delays(1));
    EXPECT_NE(delays(1), delays(2));
    EXPECT_NE(delays(0), delays(1));
    Backoff level = BackoffBuilder().initial(1s).max_delay(1s).jitter(1.0).seed(1).build();
    std::set<Duration> drawn;
    for (int i = 0; i < 20; ++i) {
        drawn.insert(level.next_delay());
        level.advance();
    }
    EXPECT_EQ(drawn.size(), 20U) << "each retry draws anew";
}

// proves: BO-1
TEST(Backoff, jitter_out_of_range_panics) {
    EXPECT_THROW((void)BackoffBuilder().jitter(1.001).build(), UsageError);
    EXPECT_THROW((void)BackoffBuilder().jitter(-0.001).build(), UsageError);
    EXPECT_THROW((void)BackoffBuilder().jitter(std::numeric_limits<double>::quiet_NaN()).build(), UsageError);
    (void)BackoffBuilder().jitter(0.0).build();
    (void)BackoffBuilder().jitter(1.0).build();
}

// proves: BO-1
TEST(Backoff, initial_exceeds_max_delay_panics) {
    EXPECT_THROW((void)BackoffBuilder().initial(2s).max_delay(1s).build(), UsageError);
    EXPECT_THROW((void)BackoffBuilder().initial(-1s).build(), UsageError);
    EXPECT_THROW((void)BackoffBuilder().initial(-2s).max_delay(-1s).build(), UsageError);
    (void)BackoffBuilder().initial(1s).max_delay(1s).build();
    (void)BackoffBuilder().initial(0s).max_delay(0s).build();
}

// proves: BO-1, BackoffBuilder
TEST(Backoff, default_values) {
    Backoff backoff = BackoffBuilder().build();
    EXPECT_EQ(backoff.current_delay(), 100ms);
    EXPECT_EQ(backoff.next_delay(), 100ms) << "no jitter";
    EXPECT_EQ(Backoff().current_delay(), 100ms);
    for (int i = 0; i < 100; ++i) backoff.advance();
    EXPECT_EQ(backoff.current_delay(), 30s);
    EXPECT_FALSE(backoff.is_exhausted());
}

// proves: BO-2, BO-4, BO-5
TEST(Backoff, deadline_exhausts) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        Backoff backoff = BackoffBuilder().initial(10ms).deadline(fibers.now() + 25ms).build();
        EXPECT_TRUE(backoff.wait(1)); // 10 ms
        EXPECT_TRUE(backoff.wait(2)); // 15 of 20 ms: up to the deadline
        EXPECT_TRUE(backoff.is_exhausted());
        const TimePoint before = fibers.now();
        EXPECT_EQ(backoff.wait(3).error().error, 3) << "at once";
        EXPECT_EQ(fibers.now(), before);
    });
    fibers.advance(10ms);
    fibers.advance(14ms);
    EXPECT_FALSE(fiber.is_finished());
    fibers.advance(1ms);
    fiber.join();
}

// proves: BO-4
TEST(Backoff, deadline_remaining) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        Backoff backoff = BackoffBuilder().deadline(fibers.now() + 50ms).build();
        EXPECT_EQ(backoff.remaining(), 50ms);
        sleep_until(fibers.now() + 20ms);
        EXPECT_EQ(backoff.remaining(), 30ms);
        sleep_until(fibers.now() + 40ms);
        EXPECT_EQ(backoff.remaining(), 0ms);
        EXPECT_FALSE(BackoffBuilder().build().remaining());
        EXPECT_EQ(BackoffBuilder().deadline(TimePoint::min()).build().remaining(), 0ms);
        EXPECT_FALSE(BackoffBuilder().deadline(TimePoint::max()).build().is_exhausted());
    });
    fibers.advance(20ms);
    fibers.advance(40ms);
    fiber.join();
    EXPECT_THROW((void)BackoffBuilder().deadline(TimePoint()).build().remaining(), UsageError) << "outside a fiber";
}

// proves: BO-5
TEST(Backoff, effective_delay_capped_by_deadline) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        Backoff backoff = BackoffBuilder().initial(10s).deadline(fibers.now() + 3s).jitter(0.5).build();
        EXPECT_EQ(backoff.current_delay(), 10s);
        EXPECT_EQ(backoff.next_delay(), 3s);
    });
    fiber.join();
}

// proves: BO-4
TEST(Backoff, reset_does_not_clear_deadline) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        Backoff backoff = BackoffBuilder().deadline(fibers.now() + 5ms).build();
        sleep_until(fibers.now() + 5ms);
        backoff.reset();
        EXPECT_TRUE(backoff.is_exhausted());
    });
    fibers.advance(5ms);
    fiber.join();
}

// proves: BO-3
TEST(Backoff, H28_advance_does_not_overflow_large_delay) {
    Backoff backoff = BackoffBuilder().initial(longest / 2 + 1ns).max_delay(longest).jitter(1.0).build();
    for (int i = 0; i < 4; ++i) {
        EXPECT_GE(backoff.next_delay(), Duration::zero());
        backoff.advance();
        EXPECT_EQ(backoff.current_delay(), longest);
    }
    // It sleeps for ever, and neither fails nor returns.
    Fibers fibers;
    auto fiber = fibers.run([&] {
        Backoff endless = BackoffBuilder().initial(longest).max_delay(longest).build();
        (void)endless.wait(0);
    });
    fibers.advance(24h * 365);
    EXPECT_FALSE(fiber.is_finished());
}

// proves: BO-5
TEST(Backoff, different_instances_different_jitter) {
    std::set<Duration> first_delays;
    for (int i = 0; i < 100; ++i) first_delays.insert(BackoffBuilder().jitter(1.0).build().next_delay());
    EXPECT_GT(first_delays.size(), 95U);
    Fibers fibers; // at the same time on the same clock
    auto fiber = fibers.run([&] {
        EXPECT_NE(BackoffBuilder().jitter(1.0).build().next_delay(), BackoffBuilder().jitter(1.0).build().next_delay());
    });
    fiber.join();
}

// proves: BO-6
TEST(Backoff, a_cancelled_wait_has_not_advanced) {
    Fibers fibers;
    CancellationToken stop;
    auto fiber = fibers.run([&] {
        Backoff backoff = BackoffBuilder().initial(10ms).max_retries(5).build();
        EXPECT_EQ(until(stop, [&] { return backoff.wait(1).has_value(); }).error(), errc::cancelled);
        EXPECT_EQ(backoff.retries(), 0U);
        EXPECT_EQ(backoff.current_delay(), 10ms);
        EXPECT_EQ(timeout(1ms, [&] { return backoff.wait(1).has_value(); }).error(), errc::timed_out);
        EXPECT_EQ(backoff.retries(), 0U);
    });
    stop.cancel();
    fibers.settle();
    fibers.advance(1ms);
    fiber.join();
}

// proves: BO-6
TEST(Backoff, needs_a_fiber_to_wait) {
    Backoff backoff;
    EXPECT_THROW((void)backoff.wait(1), UsageError);
    EXPECT_EQ(backoff.retries(), 0U);
}

TEST(Backoff, while_an_exception_unwinds_it_gives_up) {
    Fibers fibers;
    Backoff backoff; // without a limit
    int tries = 0;
    struct Destructor {
        Backoff& backoff;
        int& tries;
        ~Destructor() {
            do ++tries;
            while (backoff.wait("refused").has_value() && tries < 1000);
        }
    };
    auto aborted = fibers.run([&] {
        const Destructor at_end{backoff, tries};
        park("its abort");
    });
    aborted.abort();
    fibers.settle();
    EXPECT_TRUE(aborted.is_finished());
    EXPECT_EQ(tries, 1);
    EXPECT_EQ(backoff.retries(), 0U);
}

// proves: BO-2, Exhausted
TEST(Backoff, exhausted_prints_its_error) {
    EXPECT_EQ(Exhausted<Error>{Error(errc::closed, "connect", "127.0.0.1:80")}.message(),
              "retries exhausted: " + Error(errc::closed, "connect", "127.0.0.1:80").message());
    EXPECT_EQ(Exhausted<std::string>{"no answer"}.message(), "retries exhausted: no answer");
    EXPECT_EQ(Exhausted<int>{3}.message(), "retries exhausted");
    Fibers fibers;
    auto fiber = fibers.run([] {
        Backoff none = BackoffBuilder().max_retries(0).build();
        try {
            none.wait(std::string("no answer")).value();
            ADD_FAILURE();
        } catch (const std::runtime_error& error) {
            EXPECT_STREQ(error.what(), "retries exhausted: no answer");
        }
    });
    fiber.join();
}

TEST(Backoff, a_fiber_that_has_to_stop_and_ends_gives_up) {
    Fibers fibers;
    int tries = 0;
    struct Destructor {
        explicit Destructor(int& count) noexcept : tries(&count) {}
        Destructor(Destructor&& other) noexcept : tries(std::exchange(other.tries, nullptr)) {}
        ~Destructor() {
            if (tries == nullptr) return;
            Backoff backoff; // without a limit
            do ++*tries;
            while (backoff.wait("refused").has_value() && *tries < 1000);
            EXPECT_EQ(backoff.retries(), 0U);
        }
        int* tries;
    };
    auto aborted = fibers.spawn([at_end = Destructor(tries)] {});
    aborted.abort(); // before it began: its closure is destroyed in it
    fibers.settle();
    EXPECT_TRUE(aborted.is_finished());
    EXPECT_EQ(tries, 1);
    auto later = fibers.run([at_end = Destructor(tries)] {});
    EXPECT_FALSE(later.is_finished()) << "it may wait as long as nobody stops it";
    later.abort();
    fibers.settle();
    EXPECT_TRUE(later.is_finished());
    EXPECT_EQ(tries, 2);
}

} // namespace
