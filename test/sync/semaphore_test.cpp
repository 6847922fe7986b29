#include "nexus/sync/semaphore.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/select.hpp"
#include "nexus/sync/sync.hpp"
#include "test/sync/fibers.hpp"

#include <algorithm>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

TEST(Semaphore, lets_in_as_many_as_it_has_permits) {
    Fibers fibers;
    Semaphore seats(3);
    int inside = 0;
    int most = 0;
    for (int i = 0; i < 10; ++i) {
        (void)fibers.spawn([&] {
            auto permit = seats.acquire();
            most = std::max(most, ++inside);
            yield_now();
            --inside;
        });
    }
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U);
    EXPECT_EQ(most, 3);
    EXPECT_EQ(seats.available(), 3U);
}

TEST(Semaphore, large_requests_are_not_starved_and_small_ones_do_not_overtake) {
    Fibers fibers;
    Semaphore semaphore(4);
    std::vector<int> order;
    auto held = semaphore.try_acquire(4);
    EXPECT_EQ(held.count(), 4U);
    (void)fibers.run([&] {
        auto permit = semaphore.acquire(3);
        order.push_back(3);
        park(); // keeps them
    });
    auto small = fibers.run([&] {
        auto permit = semaphore.acquire();
        order.push_back(1);
        park();
    });
    held.release();
    EXPECT_EQ(semaphore.available(), 0U) << "both were served: 3 and 1";
    fibers.settle();
    EXPECT_EQ(order, (std::vector{3, 1}));
    small.abort();
    fibers.settle();
    // One is free; a request for two waits, and a later one for one behind it.
    (void)fibers.run([&] {
        auto permit = semaphore.acquire(2);
        order.push_back(2);
    });
    (void)fibers.run([&] {
        EXPECT_FALSE(semaphore.try_acquire()) << "one is there, and others wait";
        auto permit = semaphore.acquire();
        order.push_back(11);
    });
    EXPECT_EQ(semaphore.available(), 1U);
    EXPECT_EQ(semaphore.waiter_count(), 2U);
    semaphore.release();
    fibers.settle();
    EXPECT_EQ(order, (std::vector{3, 1, 2, 11}));
    EXPECT_EQ(semaphore.available(), 2U);
    auto four = fibers.run([&] { semaphore.acquire(4).forget(); });
    auto one = fibers.run([&] { semaphore.acquire().forget(); });
    semaphore.release();
    fibers.settle();
    EXPECT_FALSE(four.is_finished() || one.is_finished()) << "three are there, and are kept for the one who wants four";
    semaphore.release();
    fibers.settle();
    EXPECT_TRUE(four.is_finished());
    EXPECT_FALSE(one.is_finished());
    semaphore.release();
    fibers.settle();
}

TEST(Semaphore, permits_move_release_and_forget) {
    Fibers fibers;
    Semaphore semaphore(5);
    auto fiber = fibers.run([&] {
        Semaphore::Permit a = semaphore.acquire(2);
        Semaphore::Permit b = std::move(a);
        EXPECT_FALSE(a);
        EXPECT_EQ(a.count(), 0U);
        EXPECT_EQ(b.count(), 2U);
        b = semaphore.acquire(3);
        EXPECT_EQ(semaphore.available(), 2U) << "what it had came back";
        Semaphore::Permit& same = b;
        b = std::move(same);
        EXPECT_EQ(b.count(), 3U);
        // A permit may be passed on to another fiber.
        auto other = fibers.spawn([permit = std::move(b)]() mutable { permit.release(); });
        other.join();
        EXPECT_EQ(semaphore.available(), 5U);
        EXPECT_EQ(semaphore.acquire(4).forget(), 4U);
        EXPECT_EQ(semaphore.available(), 1U);
        semaphore.release(4);
    });
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(semaphore.available(), 5U);
}

TEST(Semaphore, works_outside_fibers_and_counts_up_from_nothing) {
    Fibers fibers;
    Semaphore done(0);
    EXPECT_FALSE(done.try_acquire());
    int seen = 0;
    (void)fibers.run([&] {
        done.acquire(3).forget();
        seen = 3;
    });
    done.release();
    done.release();
    fibers.settle();
    EXPECT_EQ(seen, 0);
    done.release();
    fibers.settle();
    EXPECT_EQ(seen, 3);
    EXPECT_EQ(done.available(), 0U);
    EXPECT_THROW((void)done.acquire(), UsageError);
}

TEST(Semaphore, numbers_that_cannot_be_meant_are_mistakes) {
    EXPECT_THROW(Semaphore(static_cast<std::size_t>(-1)), UsageError);
    Semaphore semaphore(1);
    EXPECT_THROW(semaphore.release(static_cast<std::size_t>(-1)), UsageError);
    EXPECT_THROW(semaphore.release(Semaphore::max_permits), UsageError);
    EXPECT_EQ(semaphore.available(), 1U);
}

TEST(Semaphore, nothing_wanted_is_had_at_once) {
    Fibers fibers;
    Semaphore semaphore(0);
    auto fiber = fibers.run([&] {
        auto permit = semaphore.acquire(0);
        EXPECT_TRUE(permit);
        EXPECT_EQ(permit.count(), 0U);
    });
    EXPECT_TRUE(fiber.is_finished());
    (void)fibers.run([&] { semaphore.acquire().forget(); });
    EXPECT_TRUE(fibers.run([&] { EXPECT_TRUE(semaphore.acquire(0)); }).is_finished()) << "though another waits";
    semaphore.release();
    fibers.settle();
}

// --- waits that end ---

TEST(Semaphore, limits_and_scopes) {
    Fibers fibers;
    Semaphore semaphore(1);
    CancellationToken token;
    auto fiber = fibers.run([&] {
        EXPECT_EQ(semaphore.acquire_for(10ms, 2).error(), errc::timed_out);
        EXPECT_EQ(semaphore.acquire_until(fibers.now() + 10ms, 2).error(), errc::timed_out);
        EXPECT_EQ(semaphore.acquire_for(10ms)->count(), 1U);
        EXPECT_EQ(until(token, [&] { return semaphore.acquire_for(1h, 2); }).error(), errc::cancelled);
        until(token, [&] {
            EXPECT_THROW((void)semaphore.acquire(), ScopeEnded);
            EXPECT_TRUE(semaphore.try_acquire());
        });
    });
    fibers.advance(10ms);
    fibers.advance(10ms);
    token.cancel();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(semaphore.available(), 1U);
    EXPECT_EQ(semaphore.waiter_count(), 0U);
}

TEST(Semaphore, H23_a_large_request_that_gives_up_lets_the_small_ones_behind_it_through) {
    Fibers fibers;
    Semaphore semaphore(1);
    auto large = fibers.run([&] { auto permit = semaphore.acquire(2); });
    bool small = false;
    (void)fibers.run([&] {
        auto permit = semaphore.acquire();
        small = true;
    });
    EXPECT_FALSE(small);
    large.abort();
    fibers.settle();
    EXPECT_TRUE(small);
}

TEST(Semaphore, H23_permits_granted_to_an_aborted_fiber_are_not_lost) {
    Fibers fibers;
    Semaphore semaphore(0);
    auto first = fibers.run([&] {
        auto permit = semaphore.acquire();
        yield_now(); // the abort comes out here, and the permit comes back
    });
    bool second = false;
    (void)fibers.run([&] {
        auto permit = semaphore.acquire();
        second = true;
    });
    semaphore.release();
    first.abort();
    fibers.settle();
    EXPECT_TRUE(first.is_finished());
    EXPECT_TRUE(second);
    EXPECT_EQ(semaphore.available(), 1U);
}

TEST(Semaphore, while_an_exception_unwinds_it_does_not_wait) {
    Fibers fibers;
    Semaphore semaphore(1);
    bool checked = false;
    struct Destructor {
        Semaphore& semaphore;
        bool& checked;
        ~Destructor() {
            auto one = semaphore.acquire();
            checked = one && !semaphore.acquire() && semaphore.acquire_for(1s).error() == errc::cancelled;
        }
    };
    auto failing = fibers.run([&] {
        const Destructor destructor{semaphore, checked};
        throw std::runtime_error("x");
    });
    EXPECT_THROW(failing.join(), std::runtime_error);
    EXPECT_TRUE(checked);
    EXPECT_EQ(semaphore.available(), 1U);
}

TEST(Semaphore, lives_longer_than_its_executor) {
    Semaphore semaphore(0);
    {
        Fibers fibers;
        (void)fibers.run([&] { auto permit = semaphore.acquire(); });
    }
    EXPECT_EQ(semaphore.waiter_count(), 0U);
    semaphore.release();
    Fibers fibers;
    EXPECT_TRUE(fibers.run([&] { auto permit = semaphore.acquire(); }).is_finished());
}

// --- in select() ---

/// Starts two fibers that take a permit each, for good; `got` counts those that have one.
void two_take_one_each(Fibers& fibers, Semaphore& semaphore, int& got) {
    for (int i = 0; i < 2; ++i) {
        (void)fibers.run([&] {
            semaphore.acquire().forget();
            ++got;
        });
    }
}

TEST(SemaphoreSelect, promises_one_and_takes_nothing) {
    Fibers fibers;
    Semaphore semaphore(0);
    Notify never;
    auto fiber = fibers.run([&] {
        EXPECT_EQ(select(never, semaphore), 1U);
        EXPECT_EQ(semaphore.available(), 1U);
        auto permit = semaphore.try_acquire();
        EXPECT_TRUE(permit);
        EXPECT_FALSE(try_select(never, semaphore));
    });
    EXPECT_FALSE(fiber.is_finished());
    semaphore.release();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(semaphore.available(), 1U);
}

TEST(SemaphoreSelect, the_promise_holds_although_others_wait_and_whoever_releases) {
    Fibers fibers;
    Semaphore semaphore(0);
    Notify never;
    std::vector<int> order;
    (void)fibers.run([&] {
        EXPECT_EQ(select(semaphore, never), 0U);
        semaphore.release(); // for the other, and not the one that was promised
        EXPECT_EQ(try_select(semaphore, never).value(), 0U);
        EXPECT_FALSE(semaphore.try_acquire(2)) << "one was promised";
        EXPECT_TRUE(semaphore.try_acquire().forget());
        order.push_back(1);
    });
    (void)fibers.run([&] {
        semaphore.acquire().forget();
        order.push_back(2);
    });
    semaphore.release();
    fibers.settle();
    EXPECT_EQ(order, (std::vector{1, 2}));
    EXPECT_EQ(semaphore.available(), 0U);
}

TEST(SemaphoreSelect, a_large_request_does_not_get_what_was_promised) {
    Fibers fibers;
    Semaphore semaphore(0);
    Notify never;
    bool large = false;
    (void)fibers.run([&] {
        EXPECT_EQ(select(semaphore, never), 0U);
        semaphore.release(); // two are there, and one of them is promised
        EXPECT_TRUE(semaphore.try_acquire().forget());
    });
    (void)fibers.run([&] {
        semaphore.acquire(2).forget();
        large = true;
    });
    semaphore.release();
    fibers.settle();
    EXPECT_FALSE(large);
    semaphore.release();
    fibers.settle();
    EXPECT_TRUE(large);
}

TEST(SemaphoreSelect, a_lapsed_promise_reaches_the_one_behind_whom_a_release_has_served) {
    Fibers fibers;
    Semaphore semaphore(0);
    Notify never;
    (void)fibers.run([&] {
        EXPECT_EQ(select(semaphore, never), 0U);
        semaphore.release(); // for the first; the promised one stays, and is not taken
    });
    int got = 0;
    two_take_one_each(fibers, semaphore, got);
    semaphore.release();
    fibers.settle();
    EXPECT_EQ(got, 2);
}

TEST(SemaphoreSelect, what_a_winner_does_not_take_goes_to_the_next) {
    Fibers fibers;
    Semaphore semaphore(0);
    Notify never;
    (void)fibers.run([&] { EXPECT_EQ(select(semaphore, never), 0U); });
    int got = 0;
    two_take_one_each(fibers, semaphore, got);
    semaphore.release();
    fibers.settle();
    EXPECT_EQ(got, 1);
    semaphore.release();
    fibers.settle();
    EXPECT_EQ(got, 2);
}

TEST(SemaphoreSelect, a_promise_that_was_not_kept_keeps_nothing_from_others_later) {
    Fibers fibers;
    Semaphore semaphore(0);
    Notify never;
    Notify go;
    bool large = false;
    (void)fibers.run([&] {
        EXPECT_EQ(select(semaphore, never), 0U); // one; leaves it
        go.wait();
        semaphore.release(); // two: the promise has lapsed
        go.wait();
    });
    (void)fibers.run([&] {
        auto permits = semaphore.acquire(2);
        large = true;
    });
    semaphore.release();
    fibers.settle();
    EXPECT_FALSE(large);
    go.notify_one();
    fibers.settle();
    EXPECT_TRUE(large);
    go.notify_one();
    fibers.settle();
}

TEST(SemaphoreSelect, H23_a_loser_passes_its_permit_on) {
    Fibers fibers;
    Semaphore semaphore(0);
    Notify told;
    auto selecting = fibers.run([&] { EXPECT_EQ(select(told, semaphore), 0U); });
    bool got = false;
    (void)fibers.run([&] {
        auto permit = semaphore.acquire();
        got = true;
    });
    semaphore.release();
    told.notify_one();
    fibers.settle();
    EXPECT_TRUE(got);
    EXPECT_EQ(semaphore.available(), 1U);
}

TEST(SemaphoreSelect, H23_an_aborted_select_passes_its_permit_on) {
    Fibers fibers;
    Semaphore semaphore(0);
    Notify never;
    auto selecting = fibers.run([&] {
        EXPECT_EQ(select(semaphore, never), 0U); // granted before the abort
        park();
    });
    bool got = false;
    (void)fibers.run([&] {
        auto permit = semaphore.acquire();
        got = true;
    });
    semaphore.release();
    selecting.abort();
    fibers.settle();
    EXPECT_TRUE(got);
}

TEST(SemaphoreRandom, nothing_is_lost_or_handed_out_twice) {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        std::mt19937 random(seed);
        Fibers fibers;
        std::size_t total = 5;
        Semaphore semaphore(total);
        Notify never;
        std::size_t out = 0;
        const auto one_round = [&] {
            Semaphore::Permit permit;
            const std::size_t wanted = 1 + random() % total;
            switch (random() % 3) {
            case 0: permit = semaphore.acquire(wanted); break;
            case 1:
                if (auto got = semaphore.acquire_for(Duration(random() % 50), wanted)) permit = std::move(*got);
                break;
            default:
                if (select(never, semaphore) != 1) break;
                if (random() % 3 == 0) {
                    semaphore.release(); // one more, while one is promised
                    ++total;
                }
                if (random() % 2 == 0) {
                    permit = semaphore.try_acquire();
                    ASSERT_TRUE(permit) << "a broken promise, seed " << seed;
                }
                break;
            }
            struct Count {
                std::size_t& out;
                std::size_t count;
                ~Count() { out -= count; }
            } const count{out, permit.count()};
            out += permit.count();
            ASSERT_LE(out + semaphore.available(), total) << "seed " << seed;
            if (random() % 2 == 0) yield_now();
        };
        std::vector<JoinHandle<void>> all;
        for (int i = 0; i < 20; ++i) {
            all.push_back(fibers.spawn([&] {
                for (int round = 0; round < 6; ++round) one_round();
            }));
        }
        for (int step = 0; step < 300 && fibers.alive() != 0; ++step) {
            fibers.executor().poll();
            if (random() % 4 == 0) all[random() % all.size()].abort();
            if (random() % 4 == 0) fibers.advance(Duration(random() % 20));
        }
        fibers.advance(1s);
        ASSERT_EQ(fibers.alive(), 0U) << "seed " << seed;
        EXPECT_EQ(semaphore.available(), total) << "seed " << seed;
    }
}

TEST(Semaphore, more_than_there_can_be_waits_whatever_select_has_promised) {
    Fibers fibers;
    Semaphore semaphore(0);
    Notify never;
    auto chooser = fibers.run([&] {
        EXPECT_EQ(select(semaphore, never), 0U);
        semaphore.release(1); // not for the one who waits
        EXPECT_TRUE(semaphore.try_acquire());
    });
    auto greedy = fibers.run([&] { (void)semaphore.acquire(std::numeric_limits<std::size_t>::max()); });
    semaphore.release(1);
    fibers.settle();
    EXPECT_TRUE(chooser.is_finished());
    EXPECT_FALSE(greedy.is_finished());
    EXPECT_EQ(semaphore.available(), 2U);
    greedy.abort();
    fibers.settle();
}

} // namespace
