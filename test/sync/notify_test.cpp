#include "nexus/sync/notify.hpp"

#include "nexus/sync/select.hpp"
#include "test/sync/fibers.hpp"

#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

TEST(Notify, one_permit_is_kept_when_nobody_waits) {
    Fibers fibers;
    Notify notify;
    notify.notify_one();
    notify.notify_one();
    int passed = 0;
    auto fiber = fibers.run([&] {
        notify.wait();
        ++passed;
        notify.wait();
        ++passed;
    });
    EXPECT_EQ(passed, 1) << "kept once, however often it was told";
    notify.notify_one();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(Notify, one_wakes_the_longest_waiting) {
    Fibers fibers;
    Notify notify;
    std::vector<int> order;
    for (int i = 0; i < 3; ++i) {
        (void)fibers.run([&, i] {
            notify.wait();
            order.push_back(i);
        });
    }
    EXPECT_EQ(notify.waiter_count(), 3U);
    notify.notify_one();
    fibers.settle();
    EXPECT_EQ(order, (std::vector{0}));
    notify.notify_one();
    notify.notify_one();
    fibers.settle();
    EXPECT_EQ(order, (std::vector{0, 1, 2}));
    EXPECT_FALSE(notify.has_permit());
}

TEST(Notify, all_wakes_those_who_wait_and_keeps_nothing) {
    Fibers fibers;
    Notify notify;
    notify.notify_all();
    EXPECT_FALSE(notify.try_wait());
    int woken = 0;
    for (int i = 0; i < 5; ++i) {
        (void)fibers.run([&] {
            notify.wait();
            ++woken;
        });
    }
    notify.notify_all();
    auto late = fibers.spawn([&] { notify.wait(); });
    fibers.settle();
    EXPECT_EQ(woken, 5);
    EXPECT_FALSE(late.is_finished());
    late.abort();
    fibers.settle();
}

TEST(Notify, H23_a_cancelled_waiter_passes_the_wake_on) {
    Fibers fibers;
    Notify notify;
    auto first = fibers.run([&] { notify.wait(); });
    bool second_woken = false;
    auto second = fibers.run([&] {
        notify.wait();
        second_woken = true;
    });
    // The first unwinds because of its abort while it is told: abort makes it run, and it is told before it does.
    struct Interfere {
        Notify& notify;
        ~Interfere() { notify.notify_one(); }
    };
    first.abort();
    notify.notify_one();
    fibers.settle();
    EXPECT_TRUE(first.is_finished());
    // It had been told before it ran, so its wait succeeded; the second one still waits for its own.
    EXPECT_FALSE(second_woken);
    notify.notify_one();
    fibers.settle();
    EXPECT_TRUE(second_woken);
}

TEST(Notify, an_aborted_waiter_is_not_told) {
    Fibers fibers;
    Notify notify;
    auto first = fibers.run([&] { notify.wait(); });
    bool second_woken = false;
    auto second = fibers.run([&] {
        notify.wait();
        second_woken = true;
    });
    first.abort();
    fibers.settle();
    notify.notify_one();
    fibers.settle();
    EXPECT_TRUE(second_woken);
}

TEST(Notify, a_scope_ends_the_wait) {
    Fibers fibers;
    Notify notify;
    auto fiber = fibers.run([&] { EXPECT_EQ(timeout(10ms, [&] { notify.wait(); }).error(), errc::timed_out); });
    fibers.advance(11ms);
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(notify.waiter_count(), 0U);
    notify.notify_one();
    EXPECT_TRUE(notify.has_permit());
}

// --- in select() ---

TEST(NotifySelect, tells_and_takes_nothing) {
    Fibers fibers;
    Notify notify;
    Notify other;
    auto fiber = fibers.run([&] {
        EXPECT_EQ(select(other, notify), 1U);
        EXPECT_TRUE(notify.try_wait());
        EXPECT_FALSE(notify.try_wait());
    });
    notify.notify_one();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(other.waiter_count(), 0U);
}

TEST(NotifySelect, notify_all_keeps_its_promise_to_each) {
    Fibers fibers;
    Notify notify;
    int took = 0;
    for (int i = 0; i < 3; ++i) {
        (void)fibers.run([&] {
            EXPECT_EQ(select(notify), 0U);
            took += notify.try_wait() ? 1 : 0;
            EXPECT_FALSE(notify.try_wait());
        });
    }
    notify.notify_all();
    fibers.settle();
    EXPECT_EQ(took, 3);
    EXPECT_FALSE(notify.has_permit());
}

TEST(NotifySelect, two_notifications_reach_two_waiters) {
    Fibers fibers;
    Notify notify;
    int took = 0;
    (void)fibers.run([&] {
        EXPECT_EQ(select(notify), 0U);
        took += notify.try_wait() ? 1 : 0;
    });
    (void)fibers.run([&] {
        EXPECT_EQ(select(notify), 0U);
        took += notify.try_wait() ? 1 : 0;
    });
    bool plain = false;
    (void)fibers.run([&] {
        notify.wait();
        plain = true;
    });
    notify.notify_one();
    notify.notify_one();
    notify.notify_one();
    fibers.settle();
    EXPECT_EQ(took, 2);
    EXPECT_TRUE(plain);
}

TEST(NotifySelect, H23_a_loser_passes_the_notification_on) {
    Fibers fibers;
    Notify first;
    Notify second;
    auto selecting = fibers.run([&] { EXPECT_EQ(select(first, second), 0U); });
    bool woken = false;
    auto waiting = fibers.run([&] {
        second.wait();
        woken = true;
    });
    first.notify_one();
    second.notify_one(); // reaches the select, which takes the other
    fibers.settle();
    EXPECT_TRUE(selecting.is_finished());
    EXPECT_TRUE(woken);
    EXPECT_TRUE(first.has_permit()) << "select took nothing";
    EXPECT_FALSE(second.has_permit());
}

TEST(NotifySelect, what_a_winner_does_not_take_goes_to_the_next) {
    Fibers fibers;
    Notify notify;
    (void)fibers.run([&] { EXPECT_EQ(select(notify), 0U); }); // and leaves it
    bool woken = false;
    (void)fibers.run([&] {
        notify.wait();
        woken = true;
    });
    notify.notify_one();
    fibers.settle();
    EXPECT_TRUE(woken);
    EXPECT_FALSE(notify.has_permit());
}

TEST(NotifySelect, H23_an_aborted_select_passes_the_notification_on) {
    Fibers fibers;
    Notify notify;
    // Told and aborted before it runs: the wait has succeeded. Aborted first and told afterwards: the same.
    auto selecting = fibers.run([&] {
        EXPECT_EQ(select(notify), 0U);
        park();
    });
    bool woken = false;
    (void)fibers.run([&] {
        notify.wait();
        woken = true;
    });
    notify.notify_one();
    selecting.abort();
    fibers.settle();
    EXPECT_TRUE(woken);
}

} // namespace
