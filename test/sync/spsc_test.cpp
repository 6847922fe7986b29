#include "nexus/sync/spsc.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/select.hpp"
#include "test/os/fault.hpp"
#include "test/sync/fibers.hpp"

#include <atomic>
#include <barrier>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

// --- the ring ---

TEST(SpscRing, fills_to_its_capacity_and_wraps) {
    for (const std::size_t capacity : {1U, 2U, 5U}) {
        detail::BasicSpscRing<int> ring(capacity);
        int next = 0;
        int expected = 0;
        for (int round = 0; round < 20; ++round) {
            while (ring.try_push(next)) ++next;
            EXPECT_EQ(ring.depth(), ring.capacity());
            EXPECT_FALSE(ring.has_room());
            for (; ring.front() != nullptr; ring.drop_front()) EXPECT_EQ(*ring.front(), expected++);
            EXPECT_FALSE(ring.has_value());
            EXPECT_EQ(expected, next);
        }
        EXPECT_EQ(ring.pushed(), ring.popped());
    }
}

TEST(SpscRing, destroys_what_is_left) {
    {
        detail::BasicSpscRing<Tracked> ring(4);
        for (int i = 0; i < 3; ++i) {
            Tracked tracked(i);
            EXPECT_TRUE(ring.try_push(tracked));
        }
        EXPECT_EQ(Tracked::alive(), 3);
    }
    EXPECT_EQ(Tracked::alive(), 0);
}

// --- the slot: the seed's scenarios 44 to 46, and the quiet publisher ---

struct CountedReference {
    struct Counts {
        int held = 0;
        int woken = 0;
        bool alive_when_woken = true;
    };
    using Pointer = Counts*;
    static constexpr std::uint32_t calm_limit = 3;
    static inline int process_fences = 0;
    static inline bool process_fence_works = true;
    static void wake(Pointer counts) noexcept {
        ++counts->woken;
        counts->alive_when_woken = counts->alive_when_woken && counts->held > 0;
    }
    static void release(Pointer counts) noexcept { --counts->held; }
    static bool fence_all_threads() noexcept {
        ++process_fences;
        return process_fence_works;
    }
};
using CountedSlot = detail::BasicAsymmetricSlot<base::StdAtomics, CountedReference>;

// proves: CW-22, CW-24
TEST(AsymmetricSlot, A3_waker_slot_uaf_when_task_freed_mid_dispatch) {
    CountedReference::Counts counts;
    CountedSlot slot(false);
    counts.held = 1;
    EXPECT_TRUE(slot.arm(&counts));
    slot.wake_after_publish();
    EXPECT_EQ(counts.woken, 1);
    EXPECT_TRUE(counts.alive_when_woken) << "dispatch first, release second";
    EXPECT_EQ(counts.held, 0);
    slot.wake_after_publish();
    EXPECT_EQ(counts.woken, 1) << "one registration, one wake";
}

// proves: CW-22, CW-24
TEST(AsymmetricSlot, slot_drop_releases_ref_when_still_registered) {
    CountedReference::Counts counts;
    counts.held = 1;
    {
        CountedSlot slot(false);
        EXPECT_TRUE(slot.arm(&counts));
        EXPECT_EQ(counts.held, 1);
    }
    EXPECT_EQ(counts.held, 0);
    EXPECT_EQ(counts.woken, 0);
}

// proves: CW-22, CW-24
TEST(AsymmetricSlot, A4_register_during_wake_does_not_leak_ref) {
    CountedReference::Counts counts;
    CountedSlot slot(false);
    for (int i = 0; i < 3; ++i) {
        ++counts.held;
        EXPECT_TRUE(slot.arm(&counts)); // each takes the place of the one before
    }
    EXPECT_EQ(counts.held, 1);
    slot.disarm();
    EXPECT_EQ(counts.held, 0);
}

TEST(AsymmetricSlot, is_quiet_after_many_changes_without_a_waiter_until_the_next_wake) {
    CountedReference::Counts counts;
    CountedReference::process_fences = 0;
    CountedSlot slot(true);
    const auto arm = [&] {
        ++counts.held;
        return slot.arm(&counts);
    };
    slot.wake_after_publish();
    slot.wake_after_publish();
    EXPECT_FALSE(slot.quiet());
    EXPECT_TRUE(arm());
    EXPECT_EQ(CountedReference::process_fences, 0) << "the publisher makes its own fences";
    slot.wake_after_publish();
    EXPECT_EQ(counts.woken, 1);
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(slot.quiet()) << "a wake starts the count again";
        slot.wake_after_publish();
    }
    EXPECT_TRUE(slot.quiet());
    EXPECT_TRUE(arm());
    EXPECT_EQ(CountedReference::process_fences, 1) << "the waiter makes the fence for both";
    slot.wake_after_publish();
    EXPECT_EQ(counts.woken, 2);
    EXPECT_FALSE(slot.quiet());
    EXPECT_TRUE(arm());
    EXPECT_EQ(CountedReference::process_fences, 1);
}

TEST(AsymmetricSlot, says_when_the_publisher_could_not_be_fenced) {
    CountedReference::Counts counts;
    CountedSlot slot(true);
    for (int i = 0; i < 3; ++i) slot.wake_after_publish();
    CountedReference::process_fence_works = false;
    counts.held = 1;
    EXPECT_FALSE(slot.arm(&counts));
    CountedReference::process_fence_works = true;
    slot.wake_after_publish();
    EXPECT_EQ(counts.woken, 1) << "the publisher sees it all the same, a little later";
}

TEST(AsymmetricSlot, never_quiet_where_the_kernel_has_no_process_fence) {
    CountedSlot slot(false);
    for (int i = 0; i < 10; ++i) slot.wake_after_publish();
    EXPECT_FALSE(slot.quiet());
}

// --- one thread ---

static_assert(!std::is_copy_constructible_v<spsc::Sender<int>> &&
              std::is_nothrow_move_constructible_v<spsc::Sender<int>>);
static_assert(!std::is_copy_constructible_v<spsc::Receiver<int>>);
static_assert(std::is_nothrow_move_constructible_v<spsc::Receiver<int>>);

// proves: CH-2
TEST(SpscChannel, capacity_is_rounded_up_and_not_zero) {
    EXPECT_EQ(spsc::channel<int>(1).sender.capacity(), 1U);
    EXPECT_EQ(spsc::channel<int>(5).receiver.capacity(), 8U);
    EXPECT_THROW((void)spsc::channel<int>(0), UsageError);
}

// proves: channel::spsc
TEST(SpscChannel, send_recv_single) {
    Fibers fibers;
    auto ch = spsc::channel<int>(4);
    int got = 0;
    (void)fibers.run([&] {
        EXPECT_TRUE(ch.sender.send(42));
        got = ch.receiver.recv().value();
    });
    EXPECT_EQ(got, 42);
}

TEST(SpscChannel, fifo_ordering) {
    auto ch = spsc::channel<int>(16);
    for (int i = 0; i < 16; ++i) ASSERT_TRUE(ch.sender.try_send(i));
    for (int i = 0; i < 16; ++i) EXPECT_EQ(ch.receiver.try_recv().value(), i);
}

// proves: CH-4
TEST(SpscChannel, try_send_full) {
    auto ch = spsc::channel<std::unique_ptr<int>>(1);
    ASSERT_TRUE(ch.sender.try_send(std::make_unique<int>(1)));
    auto second = std::make_unique<int>(2);
    EXPECT_EQ(ch.sender.try_send(std::move(second)).error(), errc::full);
    ASSERT_NE(second, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
    EXPECT_EQ(*second, 2);
}

TEST(SpscChannel, try_recv_empty) {
    auto ch = spsc::channel<int>(1);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
}

TEST(SpscChannel, sends_lvalues_by_copy_and_what_cannot_be_assigned) {
    auto texts = spsc::channel<std::string>(1);
    const std::string text = "kept";
    EXPECT_TRUE(texts.sender.try_send(text));
    EXPECT_EQ(text, "kept");
    EXPECT_EQ(texts.receiver.try_recv().value(), "kept");
    struct Constant {
        const int value;
    };
    auto constants = spsc::channel<Constant>(1);
    EXPECT_TRUE(constants.sender.try_send(Constant{3}));
    EXPECT_EQ(constants.receiver.try_recv()->value, 3);
}

// proves: CH-5, CH-SP-2
TEST(SpscChannel, sender_drop_signals_closed) {
    Fibers fibers;
    auto ch = spsc::channel<int>(2);
    (void)ch.sender.try_send(1);
    auto waiting = fibers.run([&] {
        EXPECT_EQ(ch.receiver.recv().value(), 1);
        EXPECT_EQ(ch.receiver.recv().error(), errc::closed);
    });
    EXPECT_FALSE(waiting.is_finished());
    ch.sender = {};
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed);
}

TEST(SpscChannel, sender_drop_while_receiver_alive) {
    auto ch = spsc::channel<int>(4);
    for (int i = 0; i < 3; ++i) (void)ch.sender.try_send(i);
    ch.sender = {};
    for (int i = 0; i < 3; ++i) EXPECT_EQ(ch.receiver.try_recv().value(), i);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed);
}

// proves: CH-5, CH-SP-2
TEST(SpscChannel, receiver_drop_signals_closed) {
    Fibers fibers;
    auto ch = spsc::channel<Tracked>(1);
    (void)ch.sender.try_send(Tracked(1));
    Tracked second(2);
    auto waiting = fibers.run([&] { EXPECT_EQ(ch.sender.send(std::move(second)).error(), errc::closed); });
    EXPECT_FALSE(waiting.is_finished());
    ch.receiver = {};
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
    EXPECT_EQ(second.value, 2) << "what was not sent stays";
    EXPECT_EQ(Tracked::alive(), 1) << "what was buffered is destroyed";
    EXPECT_TRUE(ch.sender.is_closed());
    EXPECT_EQ(ch.sender.try_send(Tracked(3)).error(), errc::closed);
}

TEST(SpscChannel, ends_may_go_while_a_fiber_of_the_same_thread_waits_at_them) {
    Fibers fibers;
    auto a = spsc::channel<int>(1);
    auto receiving = fibers.run([&] { EXPECT_EQ(a.receiver.recv().error(), errc::closed); });
    a.receiver = {};
    fibers.settle();
    EXPECT_TRUE(receiving.is_finished());
    auto b = spsc::channel<int>(1);
    (void)b.sender.try_send(0);
    auto sending = fibers.run([&] { EXPECT_EQ(b.sender.send(1).error(), errc::closed); });
    b.sender = {};
    fibers.settle();
    EXPECT_TRUE(sending.is_finished());
    EXPECT_EQ(b.receiver.try_recv().value(), 0);
    EXPECT_EQ(b.receiver.try_recv().error(), errc::closed);
}

// proves: CH-SP-3
TEST(SpscChannel, one_fiber_at_each_end) {
    Fibers fibers;
    auto ch = spsc::channel<int>(1);
    auto receiving = fibers.run([&] { (void)ch.receiver.recv(); });
    (void)fibers.run([&] {
        EXPECT_THROW((void)ch.receiver.recv(), UsageError);
        EXPECT_THROW((void)select(ch.receiver), UsageError);
    });
    EXPECT_TRUE(ch.sender.try_send(1));
    fibers.settle();
    EXPECT_TRUE(receiving.is_finished());
    EXPECT_TRUE(ch.sender.try_send(2));
    auto sending = fibers.run([&] { EXPECT_TRUE(ch.sender.send(3)); });
    (void)fibers.run([&] {
        EXPECT_THROW((void)ch.sender.send(4), UsageError);
        EXPECT_THROW((void)select(writable(ch.sender)), UsageError);
    });
    EXPECT_EQ(ch.receiver.try_recv().value(), 2);
    EXPECT_EQ(ch.sender.try_send(5).error(), errc::full) << "the one who waits is not overtaken";
    fibers.settle();
    EXPECT_TRUE(sending.is_finished());
    EXPECT_EQ(ch.receiver.try_recv().value(), 3);
}

TEST(SpscChannel, waiting_outside_a_fiber_is_refused) {
    auto ch = spsc::channel<int>(1);
    EXPECT_THROW((void)ch.sender.send(1), UsageError);
    EXPECT_THROW((void)ch.receiver.recv(), UsageError);
}

// proves: CH-8
TEST(SpscChannel, scopes_end_waits_and_nothing_is_lost) {
    Fibers fibers;
    auto ch = spsc::channel<std::unique_ptr<int>>(1);
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

TEST(SpscChannel, a_value_that_came_in_time_beats_the_deadline) {
    Fibers fibers;
    auto ch = spsc::channel<int>(1);
    int got = 0;
    (void)fibers.run([&] { got = ch.receiver.recv_for(10ms).value(); });
    (void)ch.sender.try_send(7);
    fibers.advance(20ms);
    EXPECT_EQ(got, 7);
}

TEST(SpscChannel, A20_H17_spsc_recv_future_drop_then_send_no_ub) {
    Fibers fibers;
    auto ch = spsc::channel<int>(1);
    {
        auto receiving = fibers.run([&] { (void)ch.receiver.recv(); });
        EXPECT_TRUE(receiving.abort());
        fibers.settle();
    }
    fibers.settle();
    EXPECT_EQ(fibers.executor().outstanding_tasks(), 0U) << "the slot holds no reference";
    EXPECT_TRUE(ch.sender.try_send(7));
    {
        auto sending = fibers.run([&] { (void)ch.sender.send(8); });
        EXPECT_TRUE(sending.abort());
        fibers.settle();
    }
    fibers.settle();
    EXPECT_EQ(fibers.executor().outstanding_tasks(), 0U);
    EXPECT_EQ(ch.receiver.try_recv().value(), 7);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty) << "the aborted send did not happen";
}

TEST(SpscChannel, destructors_of_an_aborted_fiber_neither_throw_nor_park) {
    Fibers fibers;
    auto ch = spsc::channel<int>(1);
    std::vector<Error> seen;
    struct Last {
        spsc::Channel<int>& ch;
        std::vector<Error>& seen;
        ~Last() {
            seen.push_back(ch.receiver.recv().error());
            (void)ch.sender.send(1);
            seen.push_back(ch.sender.send(2).error());
        }
    };
    auto fiber = fibers.run([&] {
        const Last last{ch, seen};
        park();
    });
    fiber.abort();
    fibers.settle();
    ASSERT_TRUE(fiber.is_finished());
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[0], errc::cancelled);
    EXPECT_EQ(seen[1], errc::cancelled);
}

TEST(SpscChannel, range_for_until_the_sender_is_gone) {
    Fibers fibers;
    auto ch = spsc::channel<int>(2);
    int sum = 0;
    auto consumer = fibers.spawn([&] {
        for (int value : ch.receiver) sum += value;
    });
    (void)fibers.spawn([sender = std::move(ch.sender)]() mutable {
        for (int i = 1; i <= 100; ++i) EXPECT_TRUE(sender.send(i));
    });
    fibers.settle();
    EXPECT_TRUE(consumer.is_finished());
    EXPECT_EQ(sum, 5050);
}

// proves: CH-9
TEST(SpscChannel, figures) {
    auto ch = spsc::channel<int>(4);
    EXPECT_EQ(ch.sender.high_water(), 0U);
    for (int i = 0; i < 3; ++i) (void)ch.sender.try_send(i);
    EXPECT_EQ(ch.sender.depth(), 3U);
    (void)ch.receiver.try_recv();
    EXPECT_EQ(ch.receiver.depth(), 2U);
    EXPECT_EQ(ch.receiver.high_water(), 3U);
    while (ch.sender.try_send(1)) {}
    EXPECT_EQ(ch.sender.high_water(), 4U);
}

TEST(SpscChannel, stress_sequential) {
    auto ch = spsc::channel<int>(8);
    for (int i = 0; i < 100'000; ++i) {
        ASSERT_TRUE(ch.sender.try_send(i));
        ASSERT_EQ(ch.receiver.try_recv().value(), i);
    }
}

TEST(SpscChannel, spsc_backpressure_ping_pong) {
    for (const std::size_t capacity : {1U, 2U, 4U, 64U}) {
        Fibers fibers;
        auto ch = spsc::channel<int>(capacity);
        int expected = 0;
        (void)fibers.spawn([sender = std::move(ch.sender)]() mutable {
            for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(sender.send(i));
        });
        (void)fibers.spawn([&] {
            for (int value : ch.receiver) EXPECT_EQ(value, expected++);
        });
        EXPECT_TRUE(fibers.finish(2s));
        EXPECT_EQ(expected, 10'000);
    }
}

// A fiber in a stream takes turns before it parks; the others get theirs.
TEST(SpscChannel, a_patient_receiver_starves_nobody_and_parks_in_the_end) {
    Fibers fibers;
    auto ch = spsc::channel<int>(64);
    for (int i = 0; i < 50; ++i) (void)ch.sender.try_send(i);
    int turns = 0;
    bool stop = false;
    (void)fibers.spawn([&] {
        while (ch.receiver.recv()) {}
        stop = true;
    });
    (void)fibers.spawn([&] {
        for (; turns < 10; ++turns) yield_now();
    });
    fibers.settle(); // ends, because the receiver parks
    EXPECT_EQ(turns, 10);
    EXPECT_FALSE(stop);
    ch.sender = {};
    fibers.settle();
    EXPECT_TRUE(stop);
}

TEST(SpscChannel, outlives_its_executor) {
    auto ch = spsc::channel<int>(1);
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

// --- select ---

TEST(SpscSelect, both_ends_are_sources) {
    Fibers fibers;
    auto in = spsc::channel<int>(1);
    auto out = spsc::channel<int>(1);
    (void)out.sender.try_send(0);
    std::vector<std::size_t> chosen;
    auto fiber = fibers.run([&] {
        for (int i = 0; i < 2; ++i) {
            chosen.push_back(select(in.receiver, writable(out.sender)));
            if (chosen.back() == 0) {
                EXPECT_EQ(in.receiver.try_recv().value(), 5);
            } else {
                EXPECT_TRUE(out.sender.try_send(6));
            }
        }
        EXPECT_EQ(select(in.receiver), 0U) << "the end is ready";
        EXPECT_EQ(in.receiver.try_recv().error(), errc::closed);
        EXPECT_EQ(select(writable(out.sender)), 0U);
        EXPECT_EQ(out.sender.try_send(7).error(), errc::closed);
    });
    (void)in.sender.try_send(5);
    fibers.settle();
    EXPECT_EQ(out.receiver.try_recv().value(), 0);
    fibers.settle();
    EXPECT_EQ(chosen, (std::vector<std::size_t>{0, 1}));
    in.sender = {};
    fibers.settle();
    out.receiver = {};
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(SpscSelect, an_aborted_select_leaves_nothing_behind) {
    Fibers fibers;
    auto in = spsc::channel<int>(1);
    auto out = spsc::channel<int>(1);
    (void)out.sender.try_send(0);
    {
        auto fiber = fibers.run([&] { (void)select(in.receiver, writable(out.sender)); });
        fiber.abort();
        fibers.settle();
    }
    fibers.settle();
    EXPECT_EQ(fibers.executor().outstanding_tasks(), 0U);
    (void)fibers.run([&] {
        EXPECT_TRUE(in.sender.send(1));
        EXPECT_EQ(in.receiver.recv().value(), 1);
    });
    EXPECT_EQ(fibers.alive(), 0U);
}

// --- threads ---

TEST(SpscThreads, cross_thread_try_send) {
    Fibers fibers;
    auto ch = spsc::channel<int>(4);
    int got = 0;
    (void)fibers.run([&] { got = ch.receiver.recv().value(); });
    std::jthread([sender = std::move(ch.sender)]() mutable { EXPECT_TRUE(sender.try_send(5)); }).join();
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(got, 5);
}

TEST(SpscThreads, the_receiver_moves_to_another_runtime) {
    auto ch = spsc::channel<int>(2);
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

/// A fiber of another thread sends `count` values and waits for room; a fiber here receives them.
void stream_between_loops(std::size_t capacity, int count) {
    Fibers fibers;
    auto ch = spsc::channel<int>(capacity);
    std::jthread feed([count, sender = std::move(ch.sender)]() mutable {
        Fibers mine;
        (void)mine.spawn([&] {
            for (int i = 0; i < count; ++i) EXPECT_TRUE(sender.send(i));
            sender = {};
        });
        EXPECT_TRUE(mine.finish(60s));
    });
    int expected = 0;
    (void)fibers.spawn([&] {
        for (int value : ch.receiver) EXPECT_EQ(value, expected++);
    });
    EXPECT_TRUE(fibers.finish(60s));
    EXPECT_EQ(expected, count);
}

#if defined(NEXUS_TSAN) || defined(NEXUS_ASAN)
constexpr int stress_sends = 20'000;
#else
constexpr int stress_sends = 100'000;
#endif

// proves: CH-SP-1
TEST(SpscThreads, H22_both_sides_park_capacity_1) { stream_between_loops(1, stress_sends / 10); }
TEST(SpscThreads, H22_both_sides_park_capacity_4) { stream_between_loops(4, stress_sends / 4); }
// proves: CH-SP-1
TEST(SpscThreads, H22_a_stream_capacity_1024) { stream_between_loops(1024, stress_sends); }
TEST(SpscThreads, H22_without_a_process_fence) {
    const os::Fault<&os::Calls::membarrier> without(ENOSYS, -1); // on this thread, which makes the channels
    stream_between_loops(4, stress_sends / 4);
    stream_between_loops(1024, stress_sends);
}

// The process fence goes away after the channel was made: the receiver looks again instead of parking.
TEST(SpscThreads, a_process_fence_that_fails_later_loses_no_wake) {
    Fibers fibers;
    auto ch = spsc::channel<int>(1U << 12U);
    std::atomic<bool> go_on = false;
    std::jthread feed([&, sender = std::move(ch.sender)]() mutable {
        for (int i = 0; i < 2'000; ++i) EXPECT_TRUE(sender.try_send(i)); // quiet after a thousand
        while (!go_on) std::this_thread::yield();
        for (int i = 2'000; i < 2'100; ++i) EXPECT_TRUE(sender.try_send(i));
    });
    while (ch.receiver.depth() < 2'000) std::this_thread::yield();
    const os::Fault<&os::Calls::membarrier> refused(EPERM, -1);
    int received = 0;
    (void)fibers.spawn([&] {
        for (int value : ch.receiver) EXPECT_EQ(value, received++);
    });
    const bool quiet = detail::enable_process_fence();
    EXPECT_FALSE(quiet) << "the table is in use";
    for (int i = 0; i < 500; ++i) fibers.executor().poll();
    EXPECT_EQ(received, 2'000);
    go_on = true;
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(received, 2'100);
}

TEST(SpscThreads, spsc_fast_producer_slow_consumer) {
    Fibers fibers;
    auto ch = spsc::channel<int>(4);
    std::jthread feed([sender = std::move(ch.sender)]() mutable {
        for (int i = 0; i < 5'000;) {
            if (sender.try_send(i)) {
                ++i;
            } else {
                std::this_thread::yield();
            }
        }
    });
    int expected = 0;
    (void)fibers.spawn([&] {
        while (auto value = ch.receiver.recv()) {
            EXPECT_EQ(*value, expected++);
            if (expected % 100 == 0) std::this_thread::yield();
        }
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(expected, 5'000);
}

// The sender pushes and leaves between the receiver's look at the ring and its look at the sender.
TEST(SpscThreads, H35_the_last_value_comes_before_the_end) {
    Fibers fibers;
    std::barrier start(2);
    std::atomic<spsc::Sender<int>*> offered = nullptr;
    std::atomic<bool> stop = false;
    std::jthread feed([&] {
        for (;;) {
            start.arrive_and_wait();
            if (stop) return;
            spsc::Sender<int> sender = std::move(*offered.load());
            (void)sender.try_send(1);
        }
    });
    int lost = 0;
    for (int round = 0; round < 200; ++round) {
        auto ch = spsc::channel<int>(2);
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

TEST(SpscThreads, receiver_drop_mid_stream) {
    for (int round = 0; round < 20; ++round) {
        auto ch = spsc::channel<std::unique_ptr<int>>(2);
        std::jthread feed([sender = std::move(ch.sender)]() mutable {
            Fibers mine;
            (void)mine.spawn([&] {
                while (sender.send(std::make_unique<int>(1))) {}
                EXPECT_TRUE(sender.is_closed());
                sender = {};
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

/// Waits in its destructor.
struct LeavesSlowly {
    explicit LeavesSlowly(Notify& at) noexcept : notify(&at) {}
    LeavesSlowly(LeavesSlowly&& other) noexcept : notify(std::exchange(other.notify, nullptr)) {}
    LeavesSlowly& operator=(LeavesSlowly&&) = delete;
    ~LeavesSlowly() {
        if (notify != nullptr) notify->wait();
        notify = nullptr;
    }
    Notify* notify;
};

TEST(Spsc, what_a_dropped_receiver_destroys_reaches_nobody_else) {
    Fibers fibers;
    Notify go_on;
    auto ch = spsc::channel<LeavesSlowly>(4);
    std::optional<spsc::Receiver<LeavesSlowly>> receiver(std::move(ch.receiver));
    bool got_empty = false;
    auto receiving = fibers.run([&] {
        if (auto got = receiver->recv()) got_empty = got->notify == nullptr;
    });
    auto dropping = fibers.spawn([&] {
        EXPECT_TRUE(ch.sender.try_send(LeavesSlowly(go_on)));
        receiver.reset();
    });
    fibers.settle();
    EXPECT_FALSE(dropping.is_finished());
    EXPECT_TRUE(receiving.is_finished());
    go_on.notify_one();
    fibers.settle();
    EXPECT_TRUE(dropping.is_finished());
    EXPECT_FALSE(got_empty);
}

} // namespace
