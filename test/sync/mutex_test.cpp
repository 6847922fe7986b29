#include "nexus/sync/mutex.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/select.hpp"
#include "nexus/sync/sync.hpp"
#include "test/sync/fibers.hpp"

#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

/// Locks, notes its number, and keeps the mutex until it is told to let go.
struct Queue {
    Fibers& fibers;
    Mutex& mutex;
    std::vector<int> order;
    Notify next;

    auto enter(int number) {
        return fibers.run([this, number] {
            auto guard = mutex.lock();
            order.push_back(number);
            next.wait();
        });
    }
    void let_go() {
        next.notify_one();
        fibers.settle();
    }
};

TEST(Mutex, one_fiber_at_a_time_through_code_that_waits) {
    Fibers fibers;
    Mutex mutex;
    std::string line;
    for (const char* word : {"one ", "two ", "three "}) {
        (void)fibers.spawn([&, word] {
            auto guard = mutex.lock();
            for (const char* c = word; *c != '\0'; ++c) {
                line += *c;
                yield_now();
            }
        });
    }
    EXPECT_FALSE(mutex.locked());
    fibers.settle();
    EXPECT_EQ(line, "one two three ");
    EXPECT_EQ(fibers.alive(), 0U);
    EXPECT_FALSE(mutex.locked());
}

TEST(Mutex, is_handed_over_in_order_and_nobody_barges_in) {
    Fibers fibers;
    Mutex mutex;
    Queue queue{fibers, mutex, {}, {}};
    for (int i = 0; i < 4; ++i) (void)queue.enter(i);
    EXPECT_EQ(mutex.waiter_count(), 3U);
    // Unlocks with others waiting, and wants it back at once.
    auto greedy = fibers.run([&] {
        for (int i = 0; i < 2; ++i) {
            auto guard = mutex.lock();
            queue.order.push_back(100 + i);
            guard.unlock();
            const bool others_wait = i == 0;
            EXPECT_NE(static_cast<bool>(mutex.try_lock()), others_wait) << "it belongs to the next one already";
        }
    });
    (void)queue.enter(4);
    for (int i = 0; i < 5; ++i) queue.let_go();
    EXPECT_EQ(queue.order, (std::vector{0, 1, 2, 3, 100, 4, 101}));
    EXPECT_TRUE(greedy.is_finished());
}

TEST(Mutex, try_lock_takes_what_is_free_and_works_outside_fibers) {
    Fibers fibers;
    Mutex mutex;
    auto outside = mutex.try_lock();
    EXPECT_TRUE(outside);
    EXPECT_TRUE(mutex.locked());
    EXPECT_FALSE(mutex.try_lock());
    bool in = false;
    auto fiber = fibers.run([&] {
        EXPECT_FALSE(mutex.try_lock());
        auto guard = mutex.lock();
        in = true;
    });
    EXPECT_FALSE(in);
    outside.unlock();
    EXPECT_FALSE(outside);
    outside.unlock(); // nothing to let go of
    fibers.settle();
    EXPECT_TRUE(in);
}

TEST(Mutex, guards_move) {
    Fibers fibers;
    Mutex mutex;
    Mutex other;
    auto fiber = fibers.run([&] {
        Mutex::Guard guard = mutex.lock();
        Mutex::Guard moved = std::move(guard);
        EXPECT_FALSE(guard);
        EXPECT_TRUE(mutex.locked());
        moved = other.lock();
        EXPECT_FALSE(mutex.locked()) << "assignment lets go of what was held";
        EXPECT_TRUE(other.locked());
        Mutex::Guard& same = moved;
        moved = std::move(same);
        EXPECT_TRUE(other.locked());
        moved = Mutex::Guard();
        EXPECT_FALSE(other.locked());
        auto result = timeout(1s, [&] { return mutex.lock(); });
        EXPECT_TRUE(mutex.locked());
    });
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_FALSE(mutex.locked());
}

TEST(Mutex, locking_twice_is_a_mistake) {
    Fibers fibers;
    Mutex mutex;
    auto fiber = fibers.run([&] {
        auto guard = mutex.lock();
        EXPECT_THROW((void)mutex.lock(), UsageError);
        Notify never;
        EXPECT_THROW((void)select(never, mutex), UsageError);
        EXPECT_FALSE(mutex.try_lock());
    });
    fiber.join();
    EXPECT_FALSE(mutex.locked());
    EXPECT_THROW((void)mutex.lock(), UsageError) << "outside a fiber";
}

// --- waits that end ---

TEST(Mutex, deadlines_and_scopes_end_the_wait) {
    Fibers fibers;
    Mutex mutex;
    CancellationToken token;
    auto held = mutex.try_lock();
    auto limited = fibers.run([&] {
        EXPECT_EQ(mutex.lock_for(10ms).error(), errc::timed_out);
        EXPECT_EQ(mutex.lock_until(fibers.now()).error(), errc::timed_out);
        EXPECT_EQ(timeout(10ms, [&] { return mutex.lock(); }).error(), errc::timed_out);
    });
    auto cancelled = fibers.run(
        [&] { EXPECT_EQ(until(token, [&] { return mutex.lock_for(1h); }).error(), errc::cancelled); });
    fibers.advance(10ms);
    fibers.advance(10ms);
    EXPECT_TRUE(limited.is_finished());
    token.cancel();
    fibers.settle();
    EXPECT_TRUE(cancelled.is_finished());
    EXPECT_EQ(mutex.waiter_count(), 0U);
    held.unlock();
    EXPECT_TRUE(fibers.run([&] { EXPECT_TRUE(mutex.lock_for(10ms)); }).is_finished());
    EXPECT_FALSE(mutex.locked());
}

TEST(Mutex, an_ended_scope_takes_nothing) {
    Fibers fibers;
    Mutex mutex;
    CancellationToken token;
    auto fiber = fibers.run([&] {
        until(token, [&] {
            token.cancel();
            EXPECT_THROW((void)mutex.lock(), ScopeEnded);
            EXPECT_FALSE(mutex.locked());
            EXPECT_TRUE(mutex.try_lock()) << "try_ forms do not ask";
        });
    });
    EXPECT_TRUE(fiber.is_finished());
}

TEST(Mutex, H23_a_waiter_that_gives_up_leaves_the_queue) {
    Fibers fibers;
    Mutex mutex;
    Queue queue{fibers, mutex, {}, {}};
    (void)queue.enter(0);
    auto second = queue.enter(1);
    (void)queue.enter(2);
    second.abort();
    fibers.settle();
    queue.let_go();
    EXPECT_EQ(queue.order, (std::vector{0, 2}));
    queue.let_go();
    EXPECT_FALSE(mutex.locked());
}

TEST(Mutex, H23_one_that_was_handed_over_to_an_aborted_fiber_is_not_lost) {
    Fibers fibers;
    Mutex mutex;
    std::vector<std::string> seen;
    auto held = mutex.try_lock();
    auto second = fibers.run([&] {
        auto guard = mutex.lock();
        seen.emplace_back("second"); // it was handed over: the reason comes at the next wait
        yield_now();
        seen.emplace_back("never");
    });
    (void)fibers.run([&] {
        auto guard = mutex.lock();
        seen.emplace_back("third");
    });
    held.unlock();
    second.abort();
    fibers.settle();
    EXPECT_EQ(seen, (std::vector<std::string>{"second", "third"}));
    EXPECT_FALSE(mutex.locked());
}

TEST(Mutex, H23_one_that_is_handed_over_while_its_waiter_fails_goes_on) {
    Fibers fibers;
    Mutex mutex;
    auto held = mutex.try_lock();
    auto stubborn = fibers.run([&] { // fails so often that it loses its turn between two failures
        for (int i = 0; i < 200; ++i) {
            try {
                (void)mutex.lock();
                break;
            } catch (...) {}
        }
        yield_now();
    });
    stubborn.abort();
    bool got = false;
    (void)fibers.spawn([&] {
        held.unlock();
        auto guard = mutex.lock();
        got = true;
    });
    fibers.settle();
    EXPECT_TRUE(got);
    EXPECT_FALSE(mutex.locked());
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(Mutex, while_an_exception_unwinds_it_does_not_wait) {
    Fibers fibers;
    Mutex busy;
    Mutex free;
    auto held = busy.try_lock();
    bool checked = false;
    struct Destructor {
        Mutex& busy;
        Mutex& free;
        bool& checked;
        ~Destructor() {
            checked = !busy.lock() && static_cast<bool>(free.lock());
            checked = checked && busy.lock_for(1s).error() == errc::cancelled;
        }
    };
    auto failing = fibers.run([&] {
        const Destructor destructor{busy, free, checked};
        throw std::runtime_error("x");
    });
    EXPECT_TRUE(checked);
    EXPECT_THROW(failing.join(), std::runtime_error);
    checked = false;
    auto aborted = fibers.run([&] {
        const Destructor destructor{busy, free, checked};
        park();
    });
    aborted.abort();
    fibers.settle();
    EXPECT_TRUE(checked);
    EXPECT_FALSE(free.locked());
}

// --- life ---

TEST(Mutex, lives_longer_than_its_executor_and_serves_the_next) {
    Mutex mutex;
    Mutex::Guard held = mutex.try_lock();
    {
        Fibers fibers;
        (void)fibers.run([&] { auto guard = mutex.lock(); });
        EXPECT_EQ(mutex.waiter_count(), 1U);
    }
    EXPECT_EQ(mutex.waiter_count(), 0U) << "teardown unwound the waiter";
    held.unlock();
    Fibers fibers;
    bool in = false;
    (void)fibers.run([&] {
        auto guard = mutex.lock();
        in = true;
    });
    EXPECT_TRUE(in);
}

TEST(Mutex, fibers_of_two_executors_of_one_thread_take_turns) {
    Fibers here;
    Fibers there;
    Mutex mutex;
    Queue first{here, mutex, {}, {}};
    Queue second{there, mutex, {}, {}};
    (void)first.enter(1);
    (void)second.enter(2);
    first.let_go();
    there.settle();
    EXPECT_EQ(second.order, (std::vector{2}));
    second.let_go();
}

#if !defined(NDEBUG) && defined(GTEST_HAS_DEATH_TEST)
TEST(MutexDeathTest, fibers_of_two_threads_must_not_share_one) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            Mutex mutex;
            auto held = mutex.try_lock();
            std::optional<Fibers> theirs;
            std::thread([&] {
                theirs.emplace();
                (void)theirs->run([&] { (void)mutex.lock(); });
            }).join();
            held.unlock();
        },
        "used on several threads");
}
#endif

// --- in select() ---

TEST(MutexSelect, promises_and_takes_nothing) {
    Fibers fibers;
    Mutex mutex;
    Notify never;
    auto free_one = fibers.run([&] {
        EXPECT_EQ(select(never, mutex), 1U);
        EXPECT_FALSE(mutex.locked());
        EXPECT_EQ(try_select(never, mutex).value(), 1U);
        EXPECT_TRUE(mutex.try_lock());
    });
    EXPECT_TRUE(free_one.is_finished());
    auto held = mutex.try_lock();
    auto waiting = fibers.run([&] {
        EXPECT_FALSE(try_select(never, mutex));
        EXPECT_EQ(select(never, mutex), 1U);
        EXPECT_TRUE(mutex.try_lock());
    });
    held.unlock();
    EXPECT_FALSE(mutex.try_lock()) << "handed over";
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
    EXPECT_FALSE(mutex.locked());
}

TEST(MutexSelect, the_promise_holds_although_others_wait) {
    Fibers fibers;
    Mutex mutex;
    Notify never;
    Notify done;
    std::vector<int> order;
    auto held = mutex.try_lock();
    (void)fibers.run([&] {
        EXPECT_EQ(select(mutex, never), 0U);
        EXPECT_EQ(try_select(mutex, never).value(), 0U) << "and again, until it suspends";
        auto guard = mutex.lock();
        order.push_back(1);
        done.wait();
    });
    (void)fibers.run([&] {
        auto guard = mutex.lock();
        order.push_back(2);
    });
    held.unlock();
    fibers.settle();
    EXPECT_EQ(order, (std::vector{1}));
    done.notify_one();
    fibers.settle();
    EXPECT_EQ(order, (std::vector{1, 2}));
    EXPECT_FALSE(mutex.locked());
}

TEST(MutexSelect, what_a_winner_does_not_take_goes_to_the_next_and_nobody_else) {
    Fibers fibers;
    Mutex mutex;
    Notify never;
    std::vector<int> order;
    auto held = mutex.try_lock();
    (void)fibers.run([&] {
        EXPECT_EQ(select(mutex, never), 0U);
        yield_now(); // and leaves it
        order.push_back(1);
    });
    // Ready before the next waiter is woken, so it runs first.
    Notify go;
    (void)fibers.run([&] {
        go.wait();
        EXPECT_FALSE(mutex.try_lock()) << "others came before";
        auto guard = mutex.lock();
        order.push_back(3);
    });
    (void)fibers.run([&] {
        auto guard = mutex.lock();
        order.push_back(2);
    });
    held.unlock();
    go.notify_one();
    fibers.settle();
    EXPECT_EQ(order, (std::vector{2, 1, 3}));
    EXPECT_FALSE(mutex.locked());
}

TEST(MutexSelect, H23_a_loser_passes_the_mutex_on) {
    Fibers fibers;
    Mutex mutex;
    Notify told;
    bool got = false;
    auto held = mutex.try_lock();
    (void)fibers.run([&] { EXPECT_EQ(select(told, mutex), 0U); });
    (void)fibers.run([&] {
        auto guard = mutex.lock();
        got = true;
    });
    held.unlock();
    told.notify_one();
    fibers.settle();
    EXPECT_TRUE(got);
    EXPECT_FALSE(mutex.locked());
}

TEST(MutexSelect, H23_waiters_that_leave_pass_a_promise_on) {
    Fibers fibers;
    Mutex mutex;
    Notify never;
    Notify told;
    auto held = mutex.try_lock();
    (void)fibers.run([&] {
        EXPECT_EQ(select(mutex, never), 0U);
        never.wait(); // and leaves it
    });
    auto second = fibers.run([&] { EXPECT_EQ(select(told, mutex), 0U); });
    bool third_got = false;
    (void)fibers.run([&] {
        auto guard = mutex.lock();
        third_got = true;
    });
    held.unlock();
    fibers.executor().poll(); // the select wins, the second is woken
    told.notify_one();        // and takes this instead
    fibers.settle();
    EXPECT_TRUE(second.is_finished());
    EXPECT_TRUE(third_got);
    EXPECT_FALSE(mutex.locked());
    never.notify_one();
    fibers.settle();
}

TEST(MutexSelect, the_last_waiter_that_leaves_frees_a_promised_mutex) {
    Fibers fibers;
    Mutex mutex;
    Notify never;
    Notify told;
    auto held = mutex.try_lock();
    (void)fibers.run([&] {
        EXPECT_EQ(select(mutex, never), 0U);
        never.wait();
    });
    auto second = fibers.run([&] { EXPECT_EQ(select(told, mutex), 0U); });
    held.unlock();
    fibers.executor().poll();
    EXPECT_FALSE(mutex.locked());
    EXPECT_FALSE(mutex.try_lock()) << "it is for the second";
    told.notify_one();
    fibers.settle();
    EXPECT_TRUE(second.is_finished());
    EXPECT_TRUE(mutex.try_lock());
    never.notify_all();
    fibers.settle();
}

TEST(MutexSelect, the_same_mutex_twice) {
    Fibers fibers;
    Mutex mutex;
    auto held = mutex.try_lock();
    auto fiber = fibers.run([&] {
        EXPECT_LT(select(mutex, mutex), 2U);
        EXPECT_TRUE(mutex.try_lock());
    });
    held.unlock();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_FALSE(mutex.locked());
    EXPECT_EQ(mutex.waiter_count(), 0U);
}

// --- everything at once ---

TEST(MutexRandom, aborts_limits_and_selects_lose_nothing) {
    for (unsigned seed = 1; seed <= 30; ++seed) {
        std::mt19937 random(seed);
        Fibers fibers;
        Mutex mutex;
        Notify never;
        int inside = 0;
        std::vector<JoinHandle<void>> all;
        for (int i = 0; i < 20; ++i) {
            all.push_back(fibers.spawn([&] {
                for (int round = 0; round < 5; ++round) {
                    Mutex::Guard guard;
                    switch (random() % 3) {
                    case 0: guard = mutex.lock(); break;
                    case 1:
                        if (auto got = mutex.lock_for(Duration(random() % 50))) guard = std::move(*got);
                        break;
                    default:
                        if (select(never, mutex) == 1 && random() % 2 == 0) guard = mutex.try_lock();
                        break;
                    }
                    if (!guard) continue;
                    ASSERT_EQ(++inside, 1) << "seed " << seed;
                    struct Leave {
                        int& count;
                        ~Leave() { --count; }
                    } const leave{inside};
                    if (random() % 2 == 0) yield_now();
                }
            }));
        }
        for (int step = 0; step < 200 && fibers.alive() != 0; ++step) {
            fibers.executor().poll();
            if (random() % 4 == 0) all[random() % all.size()].abort();
            if (random() % 4 == 0) fibers.advance(Duration(random() % 20));
        }
        fibers.advance(1s);
        EXPECT_EQ(fibers.alive(), 0U) << "seed " << seed;
        EXPECT_FALSE(mutex.locked()) << "seed " << seed;
        EXPECT_TRUE(mutex.try_lock()) << "seed " << seed;
    }
}

} // namespace
