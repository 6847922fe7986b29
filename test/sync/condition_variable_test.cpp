#include "nexus/sync/condition_variable.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/cancellation_token.hpp"
#include "nexus/world/builder.hpp"
#include "test/sync/fibers.hpp"

#include <deque>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

TEST(ConditionVariable, a_queue_whose_changes_take_several_waits) {
    Fibers fibers;
    Mutex mutex;
    ConditionVariable changed;
    std::deque<int> queue;
    int sum = 0;
    auto consumer = fibers.spawn([&] {
        for (int i = 0; i < 10; ++i) {
            auto guard = mutex.lock();
            changed.wait(guard, [&] { return !queue.empty(); });
            EXPECT_TRUE(mutex.locked());
            sum += queue.front();
            yield_now(); // the mutex keeps the others out
            queue.pop_front();
        }
    });
    for (int i = 1; i <= 10; ++i) {
        (void)fibers.spawn([&, i] {
            auto guard = mutex.lock();
            yield_now();
            queue.push_back(i);
            changed.notify_one();
        });
    }
    fibers.settle();
    EXPECT_TRUE(consumer.is_finished());
    EXPECT_EQ(sum, 55);
    EXPECT_FALSE(mutex.locked());
}

TEST(ConditionVariable, tells_the_longest_waiting_or_all) {
    Fibers fibers;
    Mutex mutex;
    ConditionVariable condition;
    std::vector<int> order;
    for (int i = 0; i < 5; ++i) {
        (void)fibers.run([&, i] {
            auto guard = mutex.lock();
            condition.wait(guard);
            order.push_back(i);
        });
    }
    EXPECT_EQ(condition.waiter_count(), 5U);
    EXPECT_FALSE(mutex.locked()) << "the waits have let go of it";
    condition.notify_one();
    condition.notify_one();
    fibers.settle();
    EXPECT_EQ(order, (std::vector{0, 1}));
    condition.notify_all();
    condition.notify_one(); // nobody left
    fibers.settle();
    EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
    EXPECT_FALSE(mutex.locked());
}

TEST(ConditionVariable, who_is_told_runs_when_it_owns_the_mutex_and_not_before) {
    Fibers fibers;
    Mutex mutex;
    ConditionVariable condition;
    std::vector<std::string> log;
    (void)fibers.run([&] {
        auto guard = mutex.lock();
        condition.wait(guard);
        log.emplace_back("waiter");
    });
    auto guard = mutex.try_lock();
    condition.notify_one();
    EXPECT_FALSE(fibers.executor().has_ready()) << "it queues for the mutex";
    EXPECT_EQ(mutex.waiter_count(), 1U);
    (void)fibers.run([&] {
        auto later = mutex.lock();
        log.emplace_back("behind it");
    });
    guard.unlock();
    fibers.settle();
    EXPECT_EQ(log, (std::vector<std::string>{"waiter", "behind it"}));
}

TEST(ConditionVariable, an_empty_guard_is_a_mistake) {
    Fibers fibers;
    ConditionVariable condition;
    auto fiber = fibers.run([&] {
        Mutex::Guard none;
        EXPECT_THROW(condition.wait(none), UsageError);
    });
    fiber.join();
    Mutex::Guard none;
    EXPECT_THROW(condition.wait(none), UsageError) << "outside a fiber";
}

TEST(ConditionVariable, where_suspending_is_forbidden_the_mutex_stays_held) {
    World world = WorldBuilder{}.add<int>().build();
    Fibers fibers;
    Mutex mutex;
    ConditionVariable condition;
    auto fiber = fibers.run([&] {
        auto guard = mutex.lock();
        auto next = fibers.spawn([&] { (void)mutex.lock(); }); // would get it if it were let go
        yield_now();
        world.run([&](ResMut<int> number) {
            auto borrow = number.borrow();
            EXPECT_THROW(condition.wait(guard), UsageError);
        });
        EXPECT_EQ(mutex.waiter_count(), 1U);
    });
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_FALSE(mutex.locked());
}

// --- waits that end ---

TEST(ConditionVariable, limits_end_the_wait_with_the_mutex_held) {
    Fibers fibers;
    Mutex mutex;
    ConditionVariable condition;
    const auto never = [] { return false; };
    auto fiber = fibers.run([&] {
        auto guard = mutex.lock();
        EXPECT_EQ(condition.wait_for(guard, 10ms, never).error(), errc::timed_out);
        EXPECT_TRUE(guard && mutex.locked());
        EXPECT_EQ(condition.wait_until(guard, fibers.now() + 10ms, never).error(), errc::timed_out);
        EXPECT_TRUE(guard && mutex.locked());
        EXPECT_TRUE(condition.wait_for(guard, 10ms, [] { return true; }));
    });
    EXPECT_FALSE(mutex.locked());
    fibers.advance(10ms);
    fibers.advance(10ms);
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(condition.waiter_count(), 0U);
    EXPECT_FALSE(mutex.locked());
}

TEST(ConditionVariable, what_became_true_at_the_last_moment_wins) {
    Fibers fibers;
    Mutex mutex;
    ConditionVariable condition;
    bool ready = false;
    auto fiber = fibers.run([&] {
        auto guard = mutex.lock();
        EXPECT_TRUE(condition.wait_for(guard, 10ms, [&] { return ready; }));
    });
    auto guard = mutex.try_lock();
    fibers.advance(10ms); // it has to wait for the mutex to fail
    EXPECT_FALSE(fiber.is_finished());
    ready = true;
    guard.unlock();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(ConditionVariable, an_aborted_wait_unwinds_with_the_mutex_held) {
    Fibers fibers;
    Mutex mutex;
    ConditionVariable condition;
    bool held_at_the_end = false;
    auto fiber = fibers.run([&] {
        struct AtEnd {
            Mutex& mutex;
            bool& held;
            ~AtEnd() { held = mutex.locked(); }
        };
        auto guard = mutex.lock();
        const AtEnd at_end{mutex, held_at_the_end};
        condition.wait(guard);
    });
    auto guard = mutex.try_lock();
    fiber.abort();
    fibers.settle();
    EXPECT_FALSE(fiber.is_finished()) << "somebody else is in";
    guard.unlock();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_TRUE(held_at_the_end);
    EXPECT_FALSE(mutex.locked());
    EXPECT_EQ(condition.waiter_count(), 0U);
}

TEST(ConditionVariable, a_wait_that_fails_with_the_mutex_free_does_not_suspend_for_it) {
    Fibers fibers;
    Mutex mutex;
    ConditionVariable condition;
    auto fiber = fibers.run([&] {
        auto guard = mutex.lock();
        EXPECT_EQ(timeout(10ms, [&] { condition.wait(guard); }).error(), errc::timed_out);
        EXPECT_FALSE(fibers.executor().has_ready()) << "and is not queued to run again either";
    });
    fibers.advance(10ms);
    EXPECT_TRUE(fiber.is_finished());
}

TEST(ConditionVariable, H23_a_wait_that_was_told_is_done_although_its_fiber_has_to_stop) {
    Fibers fibers;
    Mutex mutex;
    ConditionVariable condition;
    bool told = false;
    auto fiber = fibers.run([&] {
        auto guard = mutex.lock();
        condition.wait(guard);
        told = true;
        yield_now();
        ADD_FAILURE() << "aborted";
    });
    auto guard = mutex.try_lock();
    condition.notify_one();
    fiber.abort();
    fibers.settle();
    EXPECT_FALSE(told);
    guard.unlock();
    fibers.settle();
    EXPECT_TRUE(told);
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_FALSE(mutex.locked());
}

TEST(ConditionVariable, H23_one_that_gave_up_is_not_told) {
    Fibers fibers;
    Mutex mutex;
    ConditionVariable condition;
    auto first = fibers.run([&] {
        auto guard = mutex.lock();
        condition.wait(guard);
    });
    bool second = false;
    (void)fibers.run([&] {
        auto guard = mutex.lock();
        condition.wait(guard);
        second = true;
    });
    first.abort();
    fibers.settle();
    condition.notify_one();
    fibers.settle();
    EXPECT_TRUE(second);
}

TEST(ConditionVariable, while_an_exception_unwinds_it_returns_at_once_with_the_mutex_held) {
    Fibers fibers;
    Mutex mutex;
    ConditionVariable condition;
    int checked = 0;
    struct AtEnd {
        Mutex& mutex;
        ConditionVariable& condition;
        Mutex::Guard& guard;
        int& checked;
        ~AtEnd() {
            condition.wait(guard);
            condition.wait(guard, [] { return false; });
            const auto limited = condition.wait_for(guard, 1s, [] { return false; });
            checked += mutex.locked() && limited.error() == errc::cancelled ? 1 : 0;
        }
    };
    auto failing = fibers.run([&] {
        auto guard = mutex.lock();
        const AtEnd at_end{mutex, condition, guard, checked};
        throw std::runtime_error("x");
    });
    EXPECT_THROW(failing.join(), std::runtime_error);
    auto aborted = fibers.run([&] {
        auto guard = mutex.lock();
        const AtEnd at_end{mutex, condition, guard, checked};
        park();
    });
    aborted.abort();
    fibers.settle();
    EXPECT_EQ(checked, 2);
}

TEST(ConditionVariable, teardown_unwinds_the_waiters) {
    Mutex mutex;
    ConditionVariable condition;
    {
        Fibers fibers;
        for (int i = 0; i < 3; ++i) {
            (void)fibers.run([&] {
                auto guard = mutex.lock();
                condition.wait(guard);
            });
        }
        EXPECT_EQ(condition.waiter_count(), 3U);
        fibers.executor().shutdown();
        EXPECT_EQ(fibers.executor().shutdown_stats(), ShutdownStats{});
    }
    EXPECT_FALSE(mutex.locked());
}

TEST(ConditionVariableRandom, bounded_buffer_with_aborts_and_limits) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::mt19937 random(seed);
        Fibers fibers;
        Mutex mutex;
        ConditionVariable changed;
        std::deque<int> buffer;
        int put = 0;
        int taken = 0;
        bool over = false;
        std::vector<JoinHandle<void>> all;
        for (int i = 0; i < 6; ++i) {
            all.push_back(fibers.spawn([&] {
                for (int k = 0; k < 20; ++k) {
                    auto guard = mutex.lock();
                    changed.wait(guard, [&] { return buffer.size() < 3; });
                    if (random() % 2 == 0) {
                        shield([] { yield_now(); });
                        ASSERT_LT(buffer.size(), 3U) << "seed " << seed;
                    }
                    buffer.push_back(++put);
                    changed.notify_all();
                }
            }));
            all.push_back(fibers.spawn([&] {
                while (!over) {
                    auto guard = mutex.lock();
                    const auto got = changed.wait_for(guard, Duration(random() % 100), [&] { return !buffer.empty(); });
                    if (!got) continue;
                    ++taken;
                    buffer.pop_front();
                    changed.notify_all();
                }
            }));
        }
        for (int step = 0; step < 2000 && fibers.alive() > 0; ++step) {
            fibers.executor().poll();
            if (step == 1500) over = true;
            if (random() % 50 == 0) all[random() % all.size()].abort();
            if (random() % 4 == 0) fibers.advance(Duration(random() % 20));
        }
        over = true;
        for (auto& handle : all) handle.abort();
        fibers.advance(1s);
        EXPECT_EQ(fibers.alive(), 0U) << "seed " << seed;
        EXPECT_EQ(put, taken + static_cast<int>(buffer.size())) << "seed " << seed;
        EXPECT_GT(taken, 20) << "seed " << seed;
        EXPECT_TRUE(mutex.try_lock()) << "seed " << seed;
    }
}

} // namespace
