// The channel tests of the seed under their names (section 11 of the contract), as far as test/sync does not have them
// under the same names already. What the seed asks of a future's poll is asked of a fiber's run here; what it asks of
// the compiler ("is Send") of two threads.
#include "nexus/base/ring.hpp"
#include "nexus/base/usage_error.hpp"
#include "nexus/nexus.hpp"
#include "nexus/sync/sync.hpp"
#include "test/sync/fibers.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

struct Local {
    template <class T>
    static auto channel(std::size_t capacity) {
        return local::channel<T>(capacity);
    }
};
struct Mpsc {
    template <class T>
    static auto channel(std::size_t capacity) {
        return mpsc::channel<T>(capacity);
    }
};
struct Spsc {
    template <class T>
    static auto channel(std::size_t capacity) {
        return spsc::channel<T>(capacity);
    }
};

// --- what several kinds share ---

template <class Kind>
void expect_send_recv_basic() {
    Fibers fibers;
    auto ch = Kind::template channel<int>(4);
    std::vector<int> got;
    (void)fibers.run([&] {
        for (int i = 0; i < 3; ++i) EXPECT_TRUE(ch.sender.send(i));
        for (int i = 0; i < 3; ++i) got.push_back(ch.receiver.recv().value());
    });
    EXPECT_EQ(got, (std::vector<int>{0, 1, 2}));
}

template <class Kind>
void expect_fill_and_drain() {
    auto ch = Kind::template channel<int>(4);
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 4; ++i) EXPECT_TRUE(ch.sender.try_send(round * 4 + i));
        EXPECT_EQ(ch.sender.try_send(-1).error(), errc::full);
        for (int i = 0; i < 4; ++i) EXPECT_EQ(ch.receiver.try_recv().value(), round * 4 + i);
        EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    }
}

template <class Kind>
void expect_every_value_destroyed_once() {
    {
        auto ch = Kind::template channel<Tracked>(8);
        for (int i = 0; i < 5; ++i) EXPECT_TRUE(ch.sender.try_send(Tracked(i)));
        EXPECT_EQ(ch.receiver.try_recv()->value, 0);
        EXPECT_EQ(ch.receiver.try_recv()->value, 1);
        EXPECT_EQ(Tracked::alive(), 3);
    }
    EXPECT_EQ(Tracked::alive(), 0);
}

template <class Kind>
void expect_sender_closes() {
    auto ch = Kind::template channel<int>(4);
    EXPECT_TRUE(ch.sender.try_send(1));
    ch.sender = {};
    EXPECT_EQ(ch.receiver.try_recv().value(), 1);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed);
}

template <class Kind>
void expect_receiver_closes() {
    auto ch = Kind::template channel<std::unique_ptr<int>>(4);
    ch.receiver = {};
    auto value = std::make_unique<int>(1);
    EXPECT_EQ(ch.sender.try_send(std::move(value)).error(), errc::closed);
    EXPECT_NE(value, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
}

template <class Kind>
void expect_multiple_senders() {
    Fibers fibers;
    auto ch = Kind::template channel<int>(8);
    auto second = ch.sender;
    auto third = second;
    (void)fibers.run([&] {
        EXPECT_TRUE(ch.sender.send(1));
        EXPECT_TRUE(second.send(2));
        EXPECT_TRUE(third.send(3));
        for (int i = 1; i <= 3; ++i) EXPECT_EQ(ch.receiver.recv().value(), i);
    });
    EXPECT_EQ(fibers.alive(), 0U);
}

template <class Kind>
void expect_full_gives_the_value_back() {
    auto ch = Kind::template channel<std::unique_ptr<int>>(1);
    EXPECT_TRUE(ch.sender.try_send(std::make_unique<int>(1)));
    auto second = std::make_unique<int>(2);
    EXPECT_EQ(ch.sender.try_send(std::move(second)).error(), errc::full);
    ASSERT_NE(second, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
    EXPECT_EQ(*second, 2);
}

template <class Kind>
void expect_an_aborted_recv_leaves_nothing() {
    Fibers fibers;
    auto ch = Kind::template channel<int>(1);
    {
        auto receiving = fibers.run([&] { (void)ch.receiver.recv(); });
        EXPECT_TRUE(receiving.abort());
        fibers.settle();
    }
    fibers.settle();
    EXPECT_EQ(fibers.executor().outstanding_tasks(), 0U);
    EXPECT_TRUE(ch.sender.try_send(1));
    EXPECT_EQ(ch.receiver.try_recv().value(), 1);
}

// --- channel/local.rs: the ring ---

TEST(SeedLocalChannel, ring_buffer_push_pop) {
    base::Ring<int> ring(4);
    for (int i = 0; i < 3; ++i) ring.push_back(i);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(ring.pop_front(), i);
    EXPECT_TRUE(ring.empty());
}
TEST(SeedLocalChannel, ring_buffer_full) {
    base::Ring<int> ring(2);
    ring.push_back(1);
    EXPECT_FALSE(ring.full());
    ring.push_back(2);
    EXPECT_TRUE(ring.full());
    (void)ring.pop_front();
    EXPECT_FALSE(ring.full());
}
TEST(SeedLocalChannel, ring_buffer_zero_capacity_panics) {
    EXPECT_THROW(base::Ring<int>(0), UsageError);
    EXPECT_THROW((void)local::channel<int>(0), UsageError);
}
TEST(SeedLocalChannel, ring_buffer_drop_remaining) {
    {
        base::Ring<Tracked> ring(4);
        for (int i = 0; i < 3; ++i) ring.push_back(Tracked(i));
        EXPECT_EQ(Tracked::alive(), 3);
    }
    EXPECT_EQ(Tracked::alive(), 0);
}

// --- channel/local.rs: the channel ---

TEST(SeedLocalChannel, try_send_full) { expect_full_gives_the_value_back<Local>(); }
TEST(SeedLocalChannel, receiver_drop_signals_closed) { expect_receiver_closes<Local>(); }
TEST(SeedLocalChannel, multiple_senders) { expect_multiple_senders<Local>(); }
TEST(SeedLocalChannel, capacity_one) {
    Fibers fibers;
    auto ch = local::channel<int>(1);
    int sum = 0;
    (void)fibers.spawn([sender = std::move(ch.sender)] {
        for (int i = 1; i <= 10; ++i) EXPECT_TRUE(sender.send(i));
    });
    (void)fibers.run([&] {
        for (int value : ch.receiver) {
            sum += value;
            EXPECT_LE(ch.receiver.depth(), 1U);
        }
    });
    EXPECT_EQ(sum, 55);
    EXPECT_EQ(ch.receiver.high_water(), 1U);
}
TEST(SeedLocalChannel, non_power_of_two_rounds_up) {
    auto ch = local::channel<int>(3);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(ch.sender.try_send(i));
    EXPECT_EQ(ch.sender.try_send(4).error(), errc::full);
}
TEST(SeedLocalChannel, multiple_senders_blocked_then_unblocked) {
    Fibers fibers;
    auto ch = local::channel<int>(1);
    EXPECT_TRUE(ch.sender.try_send(0));
    for (int i = 1; i <= 3; ++i) (void)fibers.run([&, i] { EXPECT_TRUE(ch.sender.send(int{i})); });
    EXPECT_EQ(fibers.alive(), 3U);
    for (int i = 0; i <= 3; ++i) {
        EXPECT_EQ(ch.receiver.try_recv().value(), i);
        fibers.settle();
    }
    EXPECT_EQ(fibers.alive(), 0U);
}
TEST(SeedLocalChannel, stress_sequential_send_recv) {
    auto ch = local::channel<int>(16);
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_TRUE(ch.sender.try_send(i));
        ASSERT_EQ(ch.receiver.try_recv().value(), i);
    }
}
TEST(SeedLocalChannel, stress_fill_drain_cycles) {
    auto ch = local::channel<int>(64);
    for (int cycle = 0; cycle < 100; ++cycle) {
        int sent = 0;
        while (ch.sender.try_send(sent)) ++sent;
        ASSERT_EQ(sent, 64);
        for (int i = 0; i < 64; ++i) ASSERT_EQ(ch.receiver.try_recv().value(), i);
    }
}
TEST(SeedLocalChannel, stress_interleaved_small_buffer) {
    auto ch = local::channel<int>(4);
    int sent = 0;
    int received = 0;
    while (received < 10'000) {
        for (int i = 0; i < 3; ++i) sent += ch.sender.try_send(sent) ? 1 : 0;
        for (int i = 0; i < 2; ++i) {
            if (auto value = ch.receiver.try_recv()) {
                ASSERT_EQ(*value, received++);
            }
        }
    }
    EXPECT_EQ(ch.receiver.high_water(), 4U);
}

// --- channel/mpsc.rs and spsc.rs ---

/// Both ends are used, waited at and destroyed on a thread that did not make them.
template <class Kind>
void expect_ends_go_to_other_threads() {
    auto ch = Kind::template channel<int>(2);
    int sum = 0;
    std::jthread receiving([&sum, receiver = std::move(ch.receiver)]() mutable {
        Fibers fibers;
        (void)fibers.spawn([&] {
            for (int value : receiver) sum += value;
            receiver = {};
        });
        EXPECT_TRUE(fibers.finish());
    });
    std::jthread sending([sender = std::move(ch.sender)]() mutable {
        Fibers fibers;
        (void)fibers.spawn([&] {
            for (int i = 1; i <= 100; ++i) EXPECT_TRUE(sender.send(i));
            sender = {};
        });
        EXPECT_TRUE(fibers.finish());
    });
    sending.join();
    receiving.join();
    EXPECT_EQ(sum, 5050);
}

TEST(SeedMpscChannel, try_send_full) { expect_full_gives_the_value_back<Mpsc>(); }
TEST(SeedMpscChannel, multiple_senders) { expect_multiple_senders<Mpsc>(); }
TEST(SeedMpscChannel, sender_is_send_sync) {
    auto ch = mpsc::channel<int>(256);
    const mpsc::Sender<int>& shared = ch.sender; // one object, used by two threads at once
    {
        std::jthread one([&shared] {
            for (int i = 0; i < 100; ++i) EXPECT_TRUE(shared.try_send(1));
        });
        std::jthread two([&shared] {
            for (int i = 0; i < 100; ++i) EXPECT_TRUE(shared.try_send(1));
        });
    }
    EXPECT_EQ(ch.receiver.depth(), 200U);
}
TEST(SeedMpscChannel, receiver_is_send) { expect_ends_go_to_other_threads<Mpsc>(); }
TEST(SeedMpscChannel, cross_thread_multiple_producers) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(4096);
    std::vector<std::jthread> producers;
    for (int t = 0; t < 4; ++t) {
        producers.emplace_back([sender = ch.sender] {
            for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(sender.try_send(i));
        });
    }
    ch.sender = {};
    int received = 0;
    (void)fibers.spawn([&] {
        while (ch.receiver.recv()) ++received;
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(received, 4'000);
}
TEST(SeedMpscChannel, sender_drop_while_queued_in_waiter_list) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(1);
    EXPECT_TRUE(ch.sender.try_send(0));
    auto doomed = fibers.run([sender = ch.sender] { (void)sender.send(1); });
    EXPECT_TRUE(doomed.abort());
    fibers.settle();
    ch.sender = {};
    EXPECT_EQ(ch.receiver.try_recv().value(), 0);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed) << "its sender is gone, and its value never came";
}
TEST(SeedSpscChannel, sender_is_send) { expect_ends_go_to_other_threads<Spsc>(); }
TEST(SeedSpscChannel, receiver_is_send) {
    auto ch = spsc::channel<int>(2);
    EXPECT_TRUE(ch.sender.try_send(8));
    std::jthread([receiver = std::move(ch.receiver)]() mutable { EXPECT_EQ(receiver.try_recv().value(), 8); }).join();
    EXPECT_TRUE(ch.sender.is_closed());
}

// --- tests/channel.rs: local channels in a runtime ---

template <class Body>
void in_runtime(Body&& body, RuntimeOptions options = {}) {
    World world = WorldBuilder{}.build();
    Runtime runtime{world, options};
    runtime.block_on(std::forward<Body>(body));
}

TEST(SeedChannel, single_producer_consumer) {
    in_runtime([] {
        auto ch = local::channel<int>(8);
        auto producer = spawn([sender = std::move(ch.sender)] {
            for (int i = 0; i < 100; ++i) EXPECT_TRUE(sender.send(i));
        });
        for (int i = 0; i < 100; ++i) EXPECT_EQ(ch.receiver.recv().value(), i);
        EXPECT_EQ(ch.receiver.recv().error(), errc::closed);
        producer.join();
    });
}
TEST(SeedChannel, multiple_producers) {
    in_runtime([] {
        auto ch = local::channel<int>(8);
        for (int p = 0; p < 4; ++p) {
            spawn([sender = ch.sender] {
                for (int i = 0; i < 100; ++i) EXPECT_TRUE(sender.send(i));
            }).detach();
        }
        ch.sender = {};
        int received = 0;
        while (ch.receiver.recv()) ++received;
        EXPECT_EQ(received, 400);
    });
}
TEST(SeedChannel, backpressure_with_small_buffer) {
    in_runtime([] {
        auto ch = local::channel<int>(2);
        spawn([sender = std::move(ch.sender)] {
            for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(sender.send(i));
        }).detach();
        int expected = 0;
        for (int value : ch.receiver) EXPECT_EQ(value, expected++);
        EXPECT_EQ(expected, 1'000);
        EXPECT_EQ(ch.receiver.high_water(), 2U);
    });
}
TEST(SeedChannel, sender_drop_closes_receiver) {
    in_runtime([] {
        auto ch = local::channel<int>(2);
        spawn([sender = std::move(ch.sender)] {}).detach();
        EXPECT_EQ(ch.receiver.recv().error(), errc::closed);
    });
}
TEST(SeedChannel, receiver_drop_signals_senders) {
    in_runtime([] {
        auto ch = local::channel<int>(1);
        EXPECT_TRUE(ch.sender.send(0));
        auto parked = spawn([&] { return ch.sender.send(1).has_value(); });
        yield_now();
        ch.receiver = {};
        EXPECT_FALSE(parked.join());
    });
}
TEST(SeedChannel, stress_high_throughput) {
    in_runtime([] {
        auto ch = local::channel<std::uint64_t>(1024);
        spawn([sender = std::move(ch.sender)] {
            for (std::uint64_t i = 0; i < 100'000; ++i) EXPECT_TRUE(sender.send(i));
        }).detach();
        std::uint64_t sum = 0;
        for (std::uint64_t value : ch.receiver) sum += value;
        EXPECT_EQ(sum, 99'999ULL * 100'000 / 2);
    });
}

// --- tests/channel_deadlock.rs: in a loop that never sleeps; hanging is the failure ---

template <class Kind>
void expect_no_deadlock(int senders, int each, std::size_t capacity) {
    RuntimeOptions options;
    options.mode = LoopMode::busy;
    in_runtime(
        [=] {
            auto ch = Kind::template channel<int>(capacity);
            if constexpr (std::is_copy_constructible_v<decltype(ch.sender)>) {
                for (int s = 1; s < senders; ++s) {
                    spawn([sender = ch.sender, each] {
                        for (int i = 0; i < each; ++i) EXPECT_TRUE(sender.send(i));
                    }).detach();
                }
            }
            spawn([sender = std::move(ch.sender), each]() mutable {
                for (int i = 0; i < each; ++i) EXPECT_TRUE(sender.send(i));
            }).detach();
            const auto all = timeout(2s, [&] {
                int received = 0;
                while (ch.receiver.recv()) ++received;
                return received;
            });
            EXPECT_EQ(all.value(), senders * each);
        },
        options);
}

TEST(SeedChannelDeadlock, local_backpressure_ping_pong) { expect_no_deadlock<Local>(1, 10'000, 2); }
TEST(SeedChannelDeadlock, mpsc_backpressure_single_sender) { expect_no_deadlock<Mpsc>(1, 10'000, 4); }
TEST(SeedChannelDeadlock, mpsc_backpressure_multiple_senders) { expect_no_deadlock<Mpsc>(4, 1'000, 4); }
TEST(SeedChannelDeadlock, spsc_backpressure_ping_pong) { expect_no_deadlock<Spsc>(1, 10'000, 2); }

// --- tests/miri_channel.rs ---

TEST(SeedMiriChannel, local_send_recv_basic) { expect_send_recv_basic<Local>(); }
TEST(SeedMiriChannel, local_fill_and_drain) { expect_fill_and_drain<Local>(); }
TEST(SeedMiriChannel, local_channel_drop_with_pending_items) {
    auto shared = std::make_shared<int>(1);
    {
        auto ch = local::channel<std::shared_ptr<int>>(4);
        EXPECT_TRUE(ch.sender.try_send(shared));
        EXPECT_TRUE(ch.sender.try_send(shared));
        EXPECT_EQ(shared.use_count(), 3);
    }
    EXPECT_EQ(shared.use_count(), 1);
}
TEST(SeedMiriChannel, local_channel_drop_tracker) { expect_every_value_destroyed_once<Local>(); }
TEST(SeedMiriChannel, local_sender_closes) { expect_sender_closes<Local>(); }
TEST(SeedMiriChannel, local_receiver_closes) { expect_receiver_closes<Local>(); }
TEST(SeedMiriChannel, local_channel_recv_drop_no_ub) { expect_an_aborted_recv_leaves_nothing<Local>(); }
TEST(SeedMiriChannel, spsc_send_recv_basic) { expect_send_recv_basic<Spsc>(); }
TEST(SeedMiriChannel, spsc_fill_drain) { expect_fill_and_drain<Spsc>(); }
TEST(SeedMiriChannel, spsc_drop_tracker) { expect_every_value_destroyed_once<Spsc>(); }
TEST(SeedMiriChannel, spsc_sender_closes) { expect_sender_closes<Spsc>(); }
TEST(SeedMiriChannel, spsc_recv_future_drop_then_send_no_ub) { expect_an_aborted_recv_leaves_nothing<Spsc>(); }
TEST(SeedMiriChannel, mpsc_send_recv_basic) { expect_send_recv_basic<Mpsc>(); }
TEST(SeedMiriChannel, mpsc_multiple_senders_sequential) { expect_multiple_senders<Mpsc>(); }
TEST(SeedMiriChannel, mpsc_drop_tracker) { expect_every_value_destroyed_once<Mpsc>(); }
TEST(SeedMiriChannel, mpsc_sender_closes) { expect_sender_closes<Mpsc>(); }
TEST(SeedMiriChannel, mpsc_receiver_closes) { expect_receiver_closes<Mpsc>(); }
TEST(SeedMiriChannel, mpsc_recv_future_drop_clears_slot) { expect_an_aborted_recv_leaves_nothing<Mpsc>(); }

} // namespace
