#include "nexus/sync/local.hpp"

#include "nexus/base/usage_error.hpp"
#include "test/sync/fibers.hpp"

#include <memory>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

// --- construction and figures ---

// proves: CH-1, CH-2, S-147, S-148
TEST(LocalChannel, ring_buffer_rounds_up_to_power_of_two) {
    EXPECT_EQ(local::channel<int>(1).sender.capacity(), 1U);
    EXPECT_EQ(local::channel<int>(3).sender.capacity(), 4U);
    EXPECT_EQ(local::channel<int>(1000).receiver.capacity(), 1024U);
}

// proves: CH-2, S-134
TEST(LocalChannel, ring_buffer_zero_capacity_throws) { EXPECT_THROW((void)local::channel<int>(0), UsageError); }

// proves: S-157
TEST(LocalChannel, ring_buffer_wrap_around) {
    auto tx_rx = local::channel<int>(2);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(tx.try_send(int{i}));
        ASSERT_EQ(rx.try_recv().value(), i);
    }
}

// proves: CH-9
TEST(LocalChannel, depth_and_high_water) {
    auto tx_rx = local::channel<int>(8);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    EXPECT_EQ(rx.high_water(), 0U);
    for (int i = 0; i < 5; ++i) (void)tx.try_send(int{i});
    EXPECT_EQ(tx.depth(), 5U);
    while (rx.try_recv()) {}
    (void)tx.try_send(1);
    EXPECT_EQ(rx.depth(), 1U);
    EXPECT_EQ(rx.high_water(), 5U);
}

// --- try_ forms ---

// proves: channel, channel::local, S-283
TEST(LocalChannel, send_recv_single) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(4);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    int got = 0;
    (void)fibers.run([&] {
        EXPECT_TRUE(tx.send(42));
        got = rx.recv().value();
    });
    EXPECT_EQ(got, 42);
}

// proves: CH-6
TEST(LocalChannel, fifo_ordering) {
    auto tx_rx = local::channel<int>(16);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    for (int i = 0; i < 16; ++i) ASSERT_TRUE(tx.try_send(int{i}));
    for (int i = 0; i < 16; ++i) EXPECT_EQ(rx.try_recv().value(), i);
}

// proves: CH-4, CH-LOC-2, S-138
TEST(LocalChannel, try_send_full_leaves_the_value) {
    auto tx_rx = local::channel<std::unique_ptr<int>>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    ASSERT_TRUE(tx.try_send(std::make_unique<int>(1)));
    auto second = std::make_unique<int>(2);
    const auto sent = tx.try_send(std::move(second));
    EXPECT_EQ(sent.error(), errc::full);
    ASSERT_NE(second, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
    EXPECT_EQ(*second, 2);
}

// proves: CH-4
TEST(LocalChannel, try_recv_empty) {
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    EXPECT_EQ(rx.try_recv().error(), errc::empty);
}

TEST(LocalChannel, sends_lvalues_by_copy) {
    auto tx_rx = local::channel<std::string>(2);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    const std::string text = "kept";
    EXPECT_TRUE(tx.try_send(text));
    EXPECT_EQ(text, "kept");
    EXPECT_EQ(rx.try_recv().value(), "kept");
}

// --- the end ---

// proves: CH-4, S-287
TEST(LocalChannel, sender_drop_signals_closed) {
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    tx = {};
    EXPECT_EQ(rx.try_recv().error(), errc::closed);
}

// proves: CH-4, CH-5, CH-LOC-2
TEST(LocalChannel, send_after_receiver_drop_returns_closed) {
    Fibers fibers;
    auto tx_rx = local::channel<std::unique_ptr<int>>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    rx = {};
    auto value = std::make_unique<int>(3);
    EXPECT_EQ(tx.try_send(std::move(value)).error(), errc::closed);
    (void)fibers.run([&] { EXPECT_EQ(tx.send(std::move(value)).error(), errc::closed); });
    EXPECT_NE(value, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
    EXPECT_TRUE(tx.is_closed());
}

// proves: CH-5, S-141, S-288
TEST(LocalChannel, receiver_drop_is_seen_even_with_room) {
    auto tx_rx = local::channel<int>(8);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    rx = {};
    EXPECT_EQ(tx.try_send(1).error(), errc::closed);
}

// proves: CH-5, CH-LOC-4
TEST(LocalChannel, recv_drains_buffer_after_all_senders_drop) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(4);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    for (int i = 0; i < 3; ++i) (void)tx.try_send(int{i});
    tx = {};
    (void)fibers.run([&] {
        for (int i = 0; i < 3; ++i) EXPECT_EQ(rx.recv().value(), i);
        EXPECT_EQ(rx.recv().error(), errc::closed);
    });
    EXPECT_EQ(fibers.alive(), 0U);
}

// proves: CH-LOC-6
TEST(LocalChannel, clone_sender_increments_count) {
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    auto copy = tx;
    tx = {};
    EXPECT_EQ(rx.try_recv().error(), errc::empty);
    copy = {};
    EXPECT_EQ(rx.try_recv().error(), errc::closed);
}

// proves: CH-LOC-6
TEST(LocalChannel, last_sender_drop_wakes_receiver) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    errc seen{};
    auto copy = tx;
    auto handle = fibers.run([&] {
        const auto got = rx.recv();
        if (got.has_error() && got.error() == errc::closed) seen = errc::closed;
    });
    copy = {};
    fibers.settle();
    EXPECT_FALSE(handle.is_finished());
    tx = {};
    fibers.settle();
    EXPECT_TRUE(handle.is_finished());
    EXPECT_EQ(seen, errc::closed);
}

// proves: CH-5, CH-LOC-3, CH-LOC-6
TEST(LocalChannel, receiver_drop_wakes_blocked_senders) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    (void)tx.try_send(0);
    int closed = 0;
    for (int i = 0; i < 3; ++i) {
        (void)fibers.run([&] { closed += tx.send(7).error() == errc::closed ? 1 : 0; });
    }
    EXPECT_EQ(fibers.alive(), 3U);
    rx = {};
    fibers.settle();
    EXPECT_EQ(closed, 3);
}

// proves: CH-5
TEST(LocalChannel, drop_values_on_channel_close) {
    {
        auto tx_rx = local::channel<Tracked>(8);
        [[maybe_unused]] auto& tx = tx_rx.sender;
        [[maybe_unused]] auto& rx = tx_rx.receiver;
        for (int i = 0; i < 5; ++i) (void)tx.try_send(Tracked(i));
        EXPECT_EQ(Tracked::alive(), 5);
        rx = {};
        EXPECT_EQ(Tracked::alive(), 0) << "nobody can receive them any more";
    }
    {
        auto tx_rx = local::channel<Tracked>(8);
        [[maybe_unused]] auto& tx = tx_rx.sender;
        [[maybe_unused]] auto& rx = tx_rx.receiver;
        (void)tx.try_send(Tracked(1));
        tx = {};
        EXPECT_EQ(Tracked::alive(), 1);
    }
    EXPECT_EQ(Tracked::alive(), 0);
}

TEST(LocalChannel, a_channel_that_contains_its_own_sender_is_freed) {
    struct Knot {
        std::unique_ptr<local::Sender<Knot>> sender;
        Tracked tracked;
    };
    {
        auto tx_rx = local::channel<Knot>(2);
        [[maybe_unused]] auto& tx = tx_rx.sender;
        [[maybe_unused]] auto& rx = tx_rx.receiver;
        Knot knot{std::make_unique<local::Sender<Knot>>(tx), Tracked(1)};
        (void)tx.try_send(std::move(knot));
    }
    EXPECT_EQ(Tracked::alive(), 0);
}

// proves: CH-LOC-9
TEST(LocalChannel, ends_may_go_while_a_fiber_waits) {
    Fibers fibers;
    auto channel = std::make_unique<local::Channel<int>>(local::channel<int>(1));
    auto waiting = fibers.run([&] { EXPECT_EQ(channel->receiver.recv().error(), errc::closed); });
    auto sender = std::move(channel->sender);
    channel.reset(); // the receiver under the fiber that is in recv()
    sender = {};
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
}

// --- waiting ---

// proves: CH-LOC-1, CH-LOC-2
TEST(LocalChannel, recv_pending_then_ready) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    int got = 0;
    (void)fibers.run([&] { got = rx.recv().value(); });
    EXPECT_EQ(got, 0);
    (void)tx.try_send(9);
    EXPECT_EQ(got, 0) << "a wake runs nothing inline";
    fibers.settle();
    EXPECT_EQ(got, 9);
}

// proves: CH-LOC-3
TEST(LocalChannel, send_pending_then_ready) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    (void)tx.try_send(1);
    bool sent = false;
    (void)fibers.run([&] { sent = tx.send(2).has_value(); });
    EXPECT_FALSE(sent);
    EXPECT_EQ(rx.try_recv().value(), 1);
    EXPECT_EQ(rx.try_recv().value(), 2) << "handed over before the sender has run";
    fibers.settle();
    EXPECT_TRUE(sent);
}

// proves: CH-LOC-4, S-152
TEST(LocalChannel, multiple_senders_blocked_are_served_in_order) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    (void)tx.try_send(0);
    for (int i = 1; i <= 5; ++i) (void)fibers.run([&, i] { EXPECT_TRUE(tx.send(int{i})); });
    for (int i = 0; i <= 5; ++i) {
        EXPECT_EQ(rx.try_recv().value(), i);
        if (i < 5) {
            EXPECT_EQ(tx.try_send(99).error(), errc::full) << "no barging";
        }
    }
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U);
}

// proves: CH-8, CH-LOC-7
TEST(LocalChannel, send_cancelled_on_drop) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    (void)tx.try_send(0);
    auto first = fibers.run([&] { (void)tx.send(1); });
    auto second = fibers.run([&] { (void)tx.send(2); });
    EXPECT_TRUE(first.abort());
    fibers.settle();
    EXPECT_EQ(rx.try_recv().value(), 0);
    EXPECT_EQ(rx.try_recv().value(), 2);
    EXPECT_EQ(rx.try_recv().error(), errc::empty);
    fibers.settle();
    EXPECT_TRUE(second.is_finished());
}

// proves: CH-LOC-7
TEST(LocalChannel, H23_a_served_sender_that_is_aborted_has_sent) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    (void)tx.try_send(0);
    auto first = fibers.run([&] { (void)tx.send(1); });
    auto second = fibers.run([&] { (void)tx.send(2); });
    EXPECT_EQ(rx.try_recv().value(), 0); // hands the room to the first
    EXPECT_TRUE(first.abort());
    fibers.settle();
    EXPECT_EQ(rx.try_recv().value(), 1);
    EXPECT_EQ(rx.try_recv().value(), 2);
    fibers.settle();
    EXPECT_TRUE(second.is_finished());
}

// proves: CH-LOC-8
TEST(LocalChannel, A20_H17_an_aborted_recv_leaves_nothing_behind) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    {
        auto receiving = fibers.run([&] { (void)rx.recv(); });
        EXPECT_TRUE(receiving.abort());
        fibers.settle();
    }
    fibers.settle();
    EXPECT_EQ(fibers.executor().outstanding_tasks(), 0U);
    EXPECT_TRUE(tx.try_send(5)) << "wakes nobody";
    EXPECT_EQ(rx.try_recv().value(), 5);
}

// proves: CH-8
TEST(LocalChannel, a_recv_that_is_aborted_after_a_wake_loses_nothing) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(4);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    auto receiving = fibers.run([&] { (void)rx.recv(); });
    (void)tx.try_send(5);
    EXPECT_TRUE(receiving.abort());
    fibers.settle();
    EXPECT_TRUE(receiving.is_finished());
    // It had what it waited for, so the wait succeeded; the abort would have come at the next.
    EXPECT_EQ(rx.try_recv().error(), errc::empty);
}

// proves: CH-LOC-5
TEST(LocalChannel, a_second_receiver_is_refused) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    auto first = fibers.run([&] { (void)rx.recv(); });
    (void)fibers.run([&] { EXPECT_THROW((void)rx.recv(), UsageError); });
    (void)tx.try_send(1);
    fibers.settle();
    EXPECT_TRUE(first.is_finished());
}

TEST(LocalChannel, waiting_outside_a_fiber_is_refused) {
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    EXPECT_THROW((void)rx.recv(), UsageError);
    EXPECT_THROW((void)tx.send(1), UsageError);
}

// --- scopes ---

TEST(LocalChannel, recv_in_a_scope_that_ends) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    auto waiting = fibers.run([&] {
        EXPECT_EQ(rx.recv_for(10ms).error(), errc::timed_out);
        EXPECT_EQ(rx.recv_until(fibers.now()).error(), errc::timed_out);
        EXPECT_EQ(rx.recv_for(10ms).value(), 4);
    });
    fibers.advance(11ms);
    (void)tx.try_send(4);
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
}

// proves: CH-8
TEST(LocalChannel, send_in_a_scope_that_ends_keeps_the_value) {
    Fibers fibers;
    auto tx_rx = local::channel<std::unique_ptr<int>>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    (void)tx.try_send(std::make_unique<int>(0));
    auto waiting = fibers.run([&] {
        auto value = std::make_unique<int>(1);
        EXPECT_EQ(tx.send_for(10ms, std::move(value)).error(), errc::timed_out);
        EXPECT_NE(value, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
        EXPECT_EQ(tx.send_until(fibers.now(), std::move(value)).error(), errc::timed_out);
        EXPECT_NE(value, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
        EXPECT_TRUE(tx.send_for(10ms, std::move(value)));
    });
    fibers.advance(11ms);
    EXPECT_EQ(*rx.try_recv().value(), 0);
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
    EXPECT_EQ(*rx.try_recv().value(), 1);
}

TEST(LocalChannel, an_ended_scope_takes_nothing) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(2);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    (void)tx.try_send(1);
    (void)fibers.run([&] {
        Scope scope(Scope::never_ns, "test");
        scope.end_from_outside();
        EXPECT_EQ(rx.recv().error(), errc::cancelled);
        EXPECT_EQ(tx.send(2).error(), errc::cancelled);
    });
    EXPECT_EQ(rx.depth(), 1U);
}

TEST(LocalChannel, served_and_timed_out_at_once_counts_as_sent) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    (void)tx.try_send(0);
    bool sent = false;
    auto waiting = fibers.run([&] { sent = tx.send_for(10ms, 1).has_value(); });
    (void)rx.try_recv(); // serves it; both reasons to run come before it does
    fibers.advance(20ms);
    EXPECT_TRUE(sent);
    EXPECT_EQ(rx.try_recv().value(), 1);
}

TEST(LocalChannel, destructors_of_an_aborted_fiber_neither_throw_nor_park) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    struct Waits {
        local::Receiver<int>& receiver;
        ~Waits() { EXPECT_EQ(receiver.recv().error(), errc::cancelled); }
    };
    auto fiber = fibers.run([&] {
        Waits waits{rx};
        park();
    });
    EXPECT_TRUE(fiber.abort());
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

// --- loops and traffic ---

TEST(LocalChannel, range_for_until_every_sender_is_gone) {
    Fibers fibers;
    auto tx_rx = local::channel<std::unique_ptr<int>>(2);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    int sum = 0;
    (void)fibers.spawn([&, sender = std::move(tx)] {
        for (int i = 1; i <= 10; ++i) EXPECT_TRUE(sender.send(std::make_unique<int>(i)));
    });
    (void)fibers.spawn([&] {
        for (std::unique_ptr<int> value : rx) sum += *value;
    });
    fibers.settle();
    EXPECT_EQ(sum, 55);
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(LocalChannel, range_for_ends_with_the_scope) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(2);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    (void)tx.try_send(1);
    int seen = 0;
    auto fiber = fibers.run([&] {
        (void)timeout(10ms, [&] {
            for (int value : rx) seen += value;
        });
    });
    fibers.advance(11ms);
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(seen, 1);
}

TEST(LocalChannel, a_receiver_that_never_runs_dry_starves_nobody) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(4);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    bool other_ran = false;
    bool in_time = false;
    (void)fibers.spawn([&] {
        for (int i = 0; i < 1000; ++i) {
            (void)tx.try_send(1);
            (void)rx.recv();
            if (other_ran && i < 500) in_time = true;
        }
    });
    (void)fibers.spawn([&] { other_ran = true; });
    fibers.settle();
    EXPECT_TRUE(in_time);
}

void ping_pong(std::size_t capacity, int count) {
    Fibers fibers;
    auto tx_rx = local::channel<int>(capacity);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    auto back_replies = local::channel<int>(capacity);
    [[maybe_unused]] auto& back = back_replies.sender;
    [[maybe_unused]] auto& replies = back_replies.receiver;
    int wrong = 0;
    (void)fibers.spawn([&, sender = std::move(tx)] {
        for (int i = 0; i < count; ++i) {
            (void)sender.send(int{i});
            wrong += replies.recv().value() != i + 1 ? 1 : 0;
        }
    });
    (void)fibers.spawn([&, sender = std::move(back)] {
        for (int value : rx) (void)sender.send(value + 1);
    });
    EXPECT_TRUE(fibers.finish(2s));
    EXPECT_EQ(wrong, 0);
}

TEST(LocalChannel, local_backpressure_ping_pong) {
    ping_pong(1, 10'000);
    ping_pong(2, 10'000);
    ping_pong(4, 10'000);
}

// proves: CH-6
TEST(LocalChannel, stress_both_sides_park) {
    for (const std::size_t capacity : {1U, 2U, 16U}) {
        Fibers fibers;
        auto tx_rx = local::channel<int>(capacity);
        [[maybe_unused]] auto& tx = tx_rx.sender;
        [[maybe_unused]] auto& rx = tx_rx.receiver;
        long sum = 0;
        std::vector<int> last(4, -1);
        for (int s = 0; s < 4; ++s) {
            (void)fibers.spawn([sender = tx, s] {
                for (int i = 0; i < 5'000; ++i) EXPECT_TRUE(sender.send(i * 4 + s));
            });
        }
        tx = {};
        (void)fibers.spawn([&] {
            for (int value : rx) {
                sum += value;
                EXPECT_LT(last[static_cast<std::size_t>(value % 4)], value) << "FIFO for each sender (CH-6)";
                last[static_cast<std::size_t>(value % 4)] = value;
            }
        });
        EXPECT_TRUE(fibers.finish());
        EXPECT_EQ(sum, 19'999L * 20'000 / 2);
    }
}

// proves: CH-1
TEST(LocalChannel, outlives_its_executor) {
    auto tx_rx = local::channel<int>(1);
    [[maybe_unused]] auto& tx = tx_rx.sender;
    [[maybe_unused]] auto& rx = tx_rx.receiver;
    {
        Fibers fibers;
        (void)fibers.run([&] { (void)rx.recv(); }); // unwound by the executor's end
    }
    EXPECT_TRUE(tx.try_send(3));
    Fibers again;
    int got = 0;
    (void)again.run([&] { got = rx.recv().value(); });
    EXPECT_EQ(got, 3);
}

} // namespace
