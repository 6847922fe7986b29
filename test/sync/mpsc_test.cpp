#include "nexus/sync/mpsc.hpp"

#include "nexus/base/usage_error.hpp"
#include "test/sync/fibers.hpp"

#include <atomic>
#include <barrier>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

// --- the ring ---

TEST(MpscRing, capacity_one_is_exact) {
    detail::BasicMpscRing<int> ring(1);
    EXPECT_EQ(ring.capacity(), 1U);
    for (int i = 0; i < 10; ++i) {
        int value = i;
        EXPECT_TRUE(ring.try_push(value));
        EXPECT_FALSE(ring.try_push(value));
        EXPECT_TRUE(ring.has_value());
        int got = -1;
        EXPECT_TRUE(ring.try_pop([&](int&& popped) { got = popped; }));
        EXPECT_EQ(got, i);
        EXPECT_FALSE(ring.try_pop([](int&&) {}));
    }
}

TEST(MpscRing, fills_to_its_capacity_and_wraps) {
    detail::BasicMpscRing<int> ring(5);
    EXPECT_EQ(ring.capacity(), 8U);
    int next = 0;
    int expected = 0;
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 8; ++i, ++next) EXPECT_TRUE(ring.try_push(next));
        EXPECT_FALSE(ring.try_push(next));
        EXPECT_EQ(ring.depth(), 8U);
        while (ring.try_pop([&](int&& got) { EXPECT_EQ(got, expected); })) ++expected;
    }
    EXPECT_EQ(expected, next);
}

TEST(MpscRing, destroys_what_is_left) {
    {
        detail::BasicMpscRing<Tracked> ring(4);
        for (int i = 0; i < 3; ++i) {
            Tracked tracked(i);
            EXPECT_TRUE(ring.try_push(tracked));
        }
        EXPECT_EQ(Tracked::alive(), 3);
    }
    EXPECT_EQ(Tracked::alive(), 0);
}

// --- the slot: the seed's scenarios 44 to 46 ---

struct CountedReference {
    struct Counts {
        int held = 0;
        int woken = 0;
        bool alive_when_woken = true;
    };
    using Pointer = Counts*;
    static void wake(Pointer counts) noexcept {
        ++counts->woken;
        counts->alive_when_woken = counts->alive_when_woken && counts->held > 0;
    }
    static void release(Pointer counts) noexcept { --counts->held; }
};
using CountedSlot = detail::BasicWakerSlot<base::StdAtomics, CountedReference>;

// proves: CW-11, CW-22, EX-10
TEST(WakerSlot, A3_waker_slot_uaf_when_task_freed_mid_dispatch) {
    CountedReference::Counts counts;
    CountedSlot slot;
    counts.held = 1;
    slot.arm(&counts);
    slot.wake_after_publish();
    EXPECT_EQ(counts.woken, 1);
    EXPECT_TRUE(counts.alive_when_woken) << "dispatch first, release second";
    EXPECT_EQ(counts.held, 0);
    slot.wake_after_publish();
    EXPECT_EQ(counts.woken, 1) << "one registration, one wake";
}

// proves: CW-22, EX-10, S-29
TEST(WakerSlot, slot_drop_releases_ref_when_still_registered) {
    CountedReference::Counts counts;
    counts.held = 1;
    {
        CountedSlot slot;
        slot.arm(&counts);
        EXPECT_EQ(counts.held, 1);
    }
    EXPECT_EQ(counts.held, 0);
    EXPECT_EQ(counts.woken, 0);
}

// proves: CW-22
TEST(WakerSlot, A4_register_during_wake_does_not_leak_ref) {
    CountedReference::Counts counts;
    CountedSlot slot;
    for (int i = 0; i < 3; ++i) {
        ++counts.held;
        slot.arm(&counts); // each takes the place of the one before
    }
    EXPECT_EQ(counts.held, 1);
    slot.disarm();
    EXPECT_EQ(counts.held, 0);
}

// proves: CW-22
TEST(WakerSlot, H11_arming_and_waking_at_once_neither_tears_nor_leaks) {
    static std::atomic<int> held;
    static std::atomic<int> woken;
    struct AtomicReference {
        using Pointer = int*;
        static void wake(Pointer /*task*/) noexcept { ++woken; }
        static void release(Pointer /*task*/) noexcept { --held; }
    };
    held = 0;
    woken = 0;
    detail::BasicWakerSlot<base::StdAtomics, AtomicReference> slot;
    std::atomic<bool> stop = false;
    int dummy = 0;
    std::jthread waker([&] {
        while (!stop) slot.wake_after_publish();
    });
    for (int i = 0; i < 100'000; ++i) {
        ++held;
        slot.arm(&dummy);
        if (i % 3 == 0) slot.disarm();
    }
    stop = true;
    waker.join();
    slot.disarm();
    EXPECT_EQ(held, 0);
}

// --- one thread ---

// proves: S-165, S-166
TEST(MpscChannel, sender_is_send_sync_and_receiver_is_send) {
    static_assert(std::is_copy_constructible_v<mpsc::Sender<int>> && std::is_copy_assignable_v<mpsc::Sender<int>>);
    static_assert(std::is_nothrow_move_constructible_v<mpsc::Sender<int>>);
    static_assert(!std::is_copy_constructible_v<mpsc::Receiver<int>>);
    static_assert(std::is_nothrow_move_constructible_v<mpsc::Receiver<int>>);
}

// proves: CH-2
TEST(MpscChannel, zero_capacity_throws) { EXPECT_THROW((void)mpsc::channel<int>(0), UsageError); }

// proves: channel, channel::mpsc, S-293
TEST(MpscChannel, send_recv_single) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(4);
    int got = 0;
    (void)fibers.run([&] {
        EXPECT_TRUE(ch.sender.send(42));
        got = ch.receiver.recv().value();
    });
    EXPECT_EQ(got, 42);
}

TEST(MpscChannel, fifo_ordering) {
    auto ch = mpsc::channel<int>(16);
    for (int i = 0; i < 16; ++i) ASSERT_TRUE(ch.sender.try_send(int{i}));
    for (int i = 0; i < 16; ++i) EXPECT_EQ(ch.receiver.try_recv().value(), i);
}

// proves: CH-4, CH-MP-2, S-160
TEST(MpscChannel, try_send_full_leaves_the_value) {
    auto ch = mpsc::channel<std::unique_ptr<int>>(1);
    ASSERT_TRUE(ch.sender.try_send(std::make_unique<int>(1)));
    auto second = std::make_unique<int>(2);
    EXPECT_EQ(ch.sender.try_send(std::move(second)).error(), errc::full);
    EXPECT_NE(second, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
}

TEST(MpscChannel, try_recv_empty) {
    auto ch = mpsc::channel<int>(1);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
}

// proves: CH-5, S-296
TEST(MpscChannel, sender_drop_signals_closed) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(2);
    (void)ch.sender.try_send(1);
    auto copy = ch.sender;
    ch.sender = {};
    auto fiber = fibers.run([&] {
        EXPECT_EQ(ch.receiver.recv().value(), 1);
        EXPECT_EQ(ch.receiver.recv().error(), errc::closed);
    });
    EXPECT_FALSE(fiber.is_finished());
    copy = {};
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed);
}

// proves: CH-5, CH-MP-2, CH-MP-7, S-297
TEST(MpscChannel, receiver_drop_signals_closed) {
    Fibers fibers;
    auto ch = mpsc::channel<std::unique_ptr<int>>(4);
    ch.receiver = {};
    auto value = std::make_unique<int>(1);
    EXPECT_EQ(ch.sender.try_send(std::move(value)).error(), errc::closed);
    (void)fibers.run([&] { EXPECT_EQ(ch.sender.send(std::move(value)).error(), errc::closed); });
    EXPECT_NE(value, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
    EXPECT_TRUE(ch.sender.is_closed());
}

// proves: CH-5
TEST(MpscChannel, values_are_destroyed_with_the_receiver) {
    auto ch = mpsc::channel<Tracked>(4);
    (void)ch.sender.try_send(Tracked(1));
    ch.receiver = {};
    EXPECT_EQ(Tracked::alive(), 0);
}

TEST(MpscChannel, a_second_receiver_is_refused) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(1);
    auto first = fibers.run([&] { (void)ch.receiver.recv(); });
    (void)fibers.run([&] { EXPECT_THROW((void)ch.receiver.recv(), UsageError); });
    (void)ch.sender.try_send(1);
    fibers.settle();
    EXPECT_TRUE(first.is_finished());
}

TEST(MpscChannel, waiting_send_without_a_runtime_is_refused) {
    auto ch = mpsc::channel<int>(1);
    EXPECT_THROW((void)ch.sender.send(1), UsageError);
    EXPECT_THROW((void)ch.receiver.recv(), UsageError);
}

// proves: CH-MP-5
TEST(MpscChannel, H23_waiting_senders_are_served_in_order_and_not_overtaken) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(1);
    (void)ch.sender.try_send(0);
    for (int i = 1; i <= 20; ++i) (void)fibers.run([&, i] { EXPECT_TRUE(ch.sender.send(int{i})); });
    for (int i = 0; i <= 20; ++i) {
        EXPECT_EQ(ch.receiver.try_recv().value(), i);
        if (i < 20) {
            EXPECT_EQ(ch.sender.try_send(99).error(), errc::full);
        }
    }
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U);
}

// proves: CH-MP-3
TEST(MpscChannel, H23_two_sends_on_one_sender_are_both_woken) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(1);
    (void)ch.sender.try_send(0);
    const mpsc::Sender<int>& shared = ch.sender;
    auto first = fibers.run([&] { EXPECT_TRUE(shared.send(1)); });
    auto second = fibers.run([&] { EXPECT_TRUE(shared.send(2)); });
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(ch.receiver.try_recv().value(), i);
        fibers.settle();
    }
    EXPECT_TRUE(first.is_finished() && second.is_finished());
}

// proves: CH-MP-6
TEST(MpscChannel, A19_sender_drop_while_queued_in_waiter_list) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(1);
    (void)ch.sender.try_send(0);
    auto doomed = fibers.run([sender = ch.sender] { (void)sender.send(1); });
    auto other = fibers.run([sender = ch.sender] { EXPECT_TRUE(sender.send(2)); });
    EXPECT_TRUE(doomed.abort());
    fibers.settle();
    EXPECT_EQ(ch.receiver.try_recv().value(), 0);
    EXPECT_EQ(ch.receiver.try_recv().value(), 2);
    fibers.settle();
    EXPECT_TRUE(other.is_finished());
}

TEST(MpscChannel, H23_a_served_sender_that_is_aborted_has_sent) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(1);
    (void)ch.sender.try_send(0);
    auto first = fibers.run([&] { (void)ch.sender.send(1); });
    auto second = fibers.run([&] { (void)ch.sender.send(2); });
    EXPECT_EQ(ch.receiver.try_recv().value(), 0);
    EXPECT_TRUE(first.abort());
    fibers.settle();
    EXPECT_EQ(ch.receiver.try_recv().value(), 1);
    EXPECT_EQ(ch.receiver.try_recv().value(), 2);
    fibers.settle();
    EXPECT_TRUE(second.is_finished());
}

// proves: CH-MP-7
TEST(MpscChannel, multiple_senders_dropped_then_receiver_dropped) {
    Fibers fibers;
    auto ch = mpsc::channel<Tracked>(1);
    (void)ch.sender.try_send(Tracked(0));
    int closed = 0;
    for (int i = 0; i < 20; ++i) {
        (void)fibers.run(
            [&, sender = ch.sender] { closed += sender.send(Tracked(1)).error() == errc::closed ? 1 : 0; });
    }
    ch.sender = {};
    ch.receiver = {};
    fibers.settle();
    EXPECT_EQ(closed, 20);
    EXPECT_EQ(fibers.alive(), 0U);
    EXPECT_EQ(Tracked::alive(), 0);
}

// proves: CH-MP-8, H-17, S-299
TEST(MpscChannel, A20_mpsc_recv_future_drop_clears_slot) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(1);
    {
        auto receiving = fibers.run([&] { (void)ch.receiver.recv(); });
        EXPECT_TRUE(receiving.abort());
        fibers.settle();
    }
    fibers.settle();
    EXPECT_EQ(fibers.executor().outstanding_tasks(), 0U) << "the slot holds no reference (H-17)";
    EXPECT_TRUE(ch.sender.try_send(7));
    EXPECT_EQ(ch.receiver.try_recv().value(), 7);
}

// proves: CH-8
TEST(MpscChannel, scopes_end_waits_and_nothing_is_lost) {
    Fibers fibers;
    auto ch = mpsc::channel<std::unique_ptr<int>>(1);
    auto fiber = fibers.run([&] {
        EXPECT_EQ(ch.receiver.recv_for(10ms).error(), errc::timed_out);
        EXPECT_EQ(ch.receiver.recv_until(fibers.now()).error(), errc::timed_out);
        EXPECT_TRUE(ch.sender.send(std::make_unique<int>(0)));
        auto value = std::make_unique<int>(1);
        EXPECT_EQ(ch.sender.send_for(10ms, std::move(value)).error(), errc::timed_out);
        EXPECT_NE(value, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
        EXPECT_EQ(ch.sender.send_until(fibers.now(), std::move(value)).error(), errc::timed_out);
        EXPECT_NE(value, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
        EXPECT_EQ(*ch.receiver.recv().value(), 0);
        EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty) << "what timed out was not sent";
    });
    fibers.advance(11ms);
    fibers.advance(11ms);
    EXPECT_TRUE(fiber.is_finished());
}

TEST(MpscChannel, served_and_timed_out_at_once_counts_as_sent) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(1);
    (void)ch.sender.try_send(0);
    bool sent = false;
    auto waiting = fibers.run([&] { sent = ch.sender.send_for(10ms, 1).has_value(); });
    (void)ch.receiver.try_recv();
    fibers.advance(20ms);
    EXPECT_TRUE(sent);
    EXPECT_EQ(ch.receiver.try_recv().value(), 1);
}

// proves: CH-9
TEST(MpscChannel, figures) {
    auto ch = mpsc::channel<int>(4);
    EXPECT_EQ(ch.sender.capacity(), 4U);
    EXPECT_EQ(ch.sender.high_water(), 0U);
    for (int i = 0; i < 3; ++i) (void)ch.sender.try_send(int{i});
    EXPECT_EQ(ch.receiver.depth(), 3U);
    (void)ch.receiver.try_recv();
    EXPECT_EQ(ch.receiver.high_water(), 3U);
    while (ch.sender.try_send(1)) {}
    EXPECT_EQ(ch.receiver.high_water(), 4U);
}

TEST(MpscChannel, stress_sequential) {
    auto ch = mpsc::channel<int>(8);
    for (int i = 0; i < 100'000; ++i) {
        ASSERT_TRUE(ch.sender.try_send(int{i}));
        ASSERT_EQ(ch.receiver.try_recv().value(), i);
    }
}

void backpressure(int senders, int count, std::size_t capacity) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(capacity);
    int received = 0;
    for (int s = 0; s < senders; ++s) {
        (void)fibers.spawn([sender = ch.sender, count] {
            for (int i = 0; i < count; ++i) EXPECT_TRUE(sender.send(int{i}));
        });
    }
    ch.sender = {};
    (void)fibers.spawn([&] {
        for (int value : ch.receiver) received += value >= 0 ? 1 : 0;
    });
    EXPECT_TRUE(fibers.finish(2s));
    EXPECT_EQ(received, senders * count);
}

TEST(MpscChannel, mpsc_backpressure_single_sender) {
    for (const std::size_t capacity : {1U, 2U, 4U}) backpressure(1, 10'000, capacity);
}
TEST(MpscChannel, mpsc_backpressure_multiple_senders) { backpressure(4, 1'000, 4); }

// proves: CH-1, CH-MP-1
TEST(MpscChannel, outlives_its_executor) {
    auto ch = mpsc::channel<int>(1);
    {
        Fibers fibers;
        (void)fibers.run([&] { (void)ch.receiver.recv(); });
    }
    EXPECT_TRUE(ch.sender.try_send(3));
    Fibers again;
    int got = 0;
    (void)again.run([&] { got = ch.receiver.recv().value(); });
    EXPECT_EQ(got, 3);
}

// --- threads ---

// proves: CH-MP-2, H-9
TEST(MpscThreads, cross_thread_try_send) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(4);
    int got = 0;
    (void)fibers.run([&] { got = ch.receiver.recv().value(); });
    std::jthread([sender = ch.sender] { EXPECT_TRUE(sender.try_send(5)); }).join();
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(got, 5);
}

// proves: CH-MP-6
TEST(MpscThreads, cross_thread_sender_drop) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(4);
    bool closed = false;
    (void)fibers.run([&] { closed = ch.receiver.recv().error() == errc::closed; });
    std::jthread([sender = std::move(ch.sender)] {}).join();
    EXPECT_TRUE(fibers.finish());
    EXPECT_TRUE(closed);
}

// proves: CH-MP-1
TEST(MpscThreads, the_receiver_moves_to_another_runtime) {
    auto ch = mpsc::channel<int>(2);
    int got = 0;
    std::jthread other([&got, receiver = std::move(ch.receiver)]() mutable {
        Fibers fibers;
        (void)fibers.spawn([&] { got = receiver.recv().value(); });
        EXPECT_TRUE(fibers.finish());
    });
    EXPECT_TRUE(ch.sender.try_send(8));
    other.join();
    EXPECT_EQ(got, 8);
}

/// `threads` loops, each with fibers that send `count` values in all and wait for room; one receiving fiber here.
void send_from_fibers_of_threads(int threads, int count, std::size_t capacity) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(capacity);
    long sum = 0;
    int received = 0;
    std::vector<int> last(static_cast<std::size_t>(threads), -1);
    std::vector<std::jthread> feeds;
    for (int t = 0; t < threads; ++t) {
        feeds.emplace_back([sender = ch.sender, t, threads, count] {
            Fibers mine;
            (void)mine.spawn([&] {
                for (int i = 0; i < count; ++i) EXPECT_TRUE(sender.send(i * threads + t));
            });
            EXPECT_TRUE(mine.finish(60s));
        });
    }
    ch.sender = {};
    (void)fibers.spawn([&] {
        for (int value : ch.receiver) {
            const auto from = static_cast<std::size_t>(value % threads);
            EXPECT_LT(last[from], value) << "FIFO for each sender";
            last[from] = value;
            sum += value;
            ++received;
        }
    });
    EXPECT_TRUE(fibers.finish(60s));
    EXPECT_EQ(received, threads * count);
    const long total = long{threads} * count;
    EXPECT_EQ(sum, total * (total - 1) / 2);
}

#if defined(NEXUS_TSAN) || defined(NEXUS_ASAN)
constexpr int stress_sends = 10'000;
#else
constexpr int stress_sends = 62'500;
#endif

// A million sends from four threads in all. Both sides park all the time with small capacities (H-7, H-22).
// proves: CH-6, CH-MP-3, H-7
TEST(MpscThreads, H22_a_million_sends_capacity_4) { send_from_fibers_of_threads(4, stress_sends, 4); }
TEST(MpscThreads, H22_a_million_sends_capacity_16) { send_from_fibers_of_threads(4, stress_sends, 16); }
TEST(MpscThreads, H22_a_million_sends_capacity_128) { send_from_fibers_of_threads(4, stress_sends, 128); }
TEST(MpscThreads, H22_a_million_sends_capacity_1024) { send_from_fibers_of_threads(4, stress_sends, 1024); }
TEST(MpscThreads, H22_capacity_1) { send_from_fibers_of_threads(2, stress_sends / 4, 1); }

// proves: S-168
TEST(MpscThreads, cross_thread_multiple_producers_without_runtime) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(64);
    int received = 0;
    std::vector<std::jthread> feeds;
    for (int t = 0; t < 4; ++t) {
        feeds.emplace_back([sender = ch.sender] {
            for (int i = 0; i < 20'000;) {
                if (sender.try_send(int{i})) {
                    ++i;
                } else {
                    std::this_thread::yield();
                }
            }
        });
    }
    ch.sender = {};
    (void)fibers.spawn([&] {
        for (int value : ch.receiver) received += value >= 0 ? 1 : 0;
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(received, 80'000);
}

// The sender pushes and leaves between the receiver's look at the ring and its look at the senders.
// proves: CH-MP-4
TEST(MpscThreads, H35_the_last_value_comes_before_the_end) {
    Fibers fibers;
    std::barrier start(2);
    std::atomic<mpsc::Sender<int>*> offered = nullptr;
    std::atomic<bool> stop = false;
    std::jthread feed([&] {
        for (;;) {
            start.arrive_and_wait();
            if (stop) return;
            mpsc::Sender<int> sender = std::move(*offered.load());
            (void)sender.try_send(1);
        }
    });
    constexpr int rounds = 500;
    int lost = 0;
    for (int round = 0; round < rounds; ++round) {
        auto ch = mpsc::channel<int>(2);
        offered = &ch.sender;
        int received = 0;
        start.arrive_and_wait();
        if (round % 2 == 0) {
            for (;;) {
                const auto got = ch.receiver.try_recv();
                if (got) ++received;
                if (got.has_error() && got.error() == errc::closed) break;
            }
        } else {
            (void)fibers.spawn([&] {
                while (ch.receiver.recv()) ++received;
            });
            ASSERT_TRUE(fibers.finish());
        }
        lost += 1 - received;
    }
    stop = true;
    start.arrive_and_wait();
    EXPECT_EQ(lost, 0);
}

TEST(MpscThreads, mpsc_concurrent_senders_random_drop) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(16);
    std::atomic<int> sent = 0;
    int received = 0;
    std::vector<std::jthread> feeds;
    for (unsigned t = 0; t < 8; ++t) {
        feeds.emplace_back([sender = ch.sender, t, &sent]() mutable {
            std::mt19937 random(t + 1);
            Fibers mine;
            (void)mine.spawn([&] {
                for (unsigned i = static_cast<unsigned>(random() % 500); i > 0; --i)
                    sent += sender.send(1).has_value() ? 1 : 0;
                sender = {};
            });
            EXPECT_TRUE(mine.finish());
        });
    }
    ch.sender = {};
    (void)fibers.spawn([&] {
        for (int value : ch.receiver) received += value;
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(received, sent);
}

TEST(MpscThreads, mpsc_receiver_drop_mid_stream) {
    for (int round = 0; round < 20; ++round) {
        auto ch = mpsc::channel<int>(2);
        std::jthread feed([sender = std::move(ch.sender)] {
            Fibers mine;
            (void)mine.spawn([&] {
                while (sender.send(1)) {}
                EXPECT_TRUE(sender.is_closed());
            });
            EXPECT_TRUE(mine.finish());
        });
        Fibers fibers;
        (void)fibers.spawn([receiver = std::move(ch.receiver), round]() mutable {
            for (int i = 0; i < round * 10; ++i) (void)receiver.recv();
        });
        EXPECT_TRUE(fibers.finish());
    }
}

TEST(MpscThreads, mpsc_rapid_clone_drop) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(4096);
    std::vector<std::jthread> feeds;
    for (int t = 0; t < 16; ++t) {
        feeds.emplace_back([sender = ch.sender] {
            for (int i = 0; i < 100; ++i) {
                auto copy = sender;
                EXPECT_TRUE(copy.try_send(1));
            }
        });
    }
    ch.sender = {};
    int received = 0;
    (void)fibers.spawn([&] {
        for (int value : ch.receiver) received += value;
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(received, 1600);
}

// Waits for room that end by their deadline while the receiver makes room: sent and not sent add up.
TEST(MpscThreads, H23_senders_that_time_out_pass_room_on) {
    Fibers fibers;
    auto ch = mpsc::channel<int>(2);
    std::atomic<int> sent = 0;
    std::vector<std::jthread> feeds;
    for (int t = 0; t < 2; ++t) {
        feeds.emplace_back([sender = ch.sender, &sent] {
            Executor executor;
            for (int f = 0; f < 3; ++f) {
                (void)executor.spawn_boxed([&sender, &sent, f] {
                    for (int i = 0; i < 100; ++i) {
                        const auto limit = f == 0 ? Duration(3'000) : Duration(20s);
                        sent += sender.send_for(limit, 1).has_value() ? 1 : 0;
                    }
                });
            }
            while (executor.task_count() != 0) {
                executor.poll();
                std::this_thread::yield();
            }
        });
    }
    ch.sender = {};
    int received = 0;
    (void)fibers.spawn([&] {
        for (int value : ch.receiver) received += value;
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(received, sent);
    EXPECT_GE(received, 400) << "those with time to wait never fail";
}

} // namespace
