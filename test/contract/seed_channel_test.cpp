// The seed's tests of the typed channels (channel, miri_channel) that their unit tests do not have, under their names,
// and what section 7.1 of the contract promises about where a wake goes.
#include "nexus/runtime/time.hpp"
#include "nexus/sync/local.hpp"
#include "nexus/sync/mpsc.hpp"
#include "test/sync/fibers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace nexus;
using nexus_test::Fibers;
using nexus_test::Tracked;
using namespace std::chrono_literals;

// --- where a wake goes ---

TEST(SeedChannel, CH7_a_send_on_the_receivers_own_thread_stays_there) {
    Fibers fibers;
    auto channel = mpsc::channel<int>(2);
    int got = 0;
    auto waiting = fibers.run([&] { got = channel.receiver.recv().value(); });
    EXPECT_TRUE(channel.sender.try_send(3));
    EXPECT_TRUE(fibers.executor().has_ready()) << "straight into the ready queue";
    EXPECT_FALSE(fibers.executor().cross_wake().maybe_nonempty());
    fibers.settle();
    EXPECT_EQ(got, 3);
    EXPECT_TRUE(waiting.is_finished());
    auto next = fibers.run([&] { got = channel.receiver.recv().value(); });
    std::thread([&] { EXPECT_TRUE(channel.sender.try_send(4)); }).join();
    EXPECT_FALSE(fibers.executor().has_ready());
    EXPECT_TRUE(fibers.executor().cross_wake().maybe_nonempty()) << "from elsewhere it goes through the queue";
    fibers.settle();
    EXPECT_EQ(got, 4);
    EXPECT_TRUE(next.is_finished());
}

// --- channel, each with local and mpsc ---

struct Local {
    template <class T>
    static auto make(std::size_t capacity) {
        return local::channel<T>(capacity);
    }
};
struct Mpsc {
    template <class T>
    static auto make(std::size_t capacity) {
        return mpsc::channel<T>(capacity);
    }
};

template <class Kind>
class SeedChannels : public ::testing::Test {};
using Kinds = ::testing::Types<Local, Mpsc>;
TYPED_TEST_SUITE(SeedChannels, Kinds);

TYPED_TEST(SeedChannels, single_producer_consumer) {
    Fibers fibers;
    auto channel = TypeParam::template make<int>(8);
    std::vector<int> got;
    (void)fibers.spawn([sender = std::move(channel.sender)] {
        for (int i = 0; i < 100; ++i) EXPECT_TRUE(sender.send(int{i}));
    });
    (void)fibers.spawn([&] {
        for (int value : channel.receiver) got.push_back(value);
    });
    EXPECT_TRUE(fibers.finish());
    ASSERT_EQ(got.size(), 100U);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
}

TYPED_TEST(SeedChannels, multiple_producers) {
    Fibers fibers;
    auto channel = TypeParam::template make<int>(8);
    for (int producer = 0; producer < 4; ++producer) {
        (void)fibers.spawn([sender = channel.sender, producer] {
            for (int i = 0; i < 100; ++i) EXPECT_TRUE(sender.send(producer * 100 + i));
        });
    }
    channel.sender = {};
    std::vector<int> seen(400, 0);
    bool closed = false;
    (void)fibers.spawn([&] {
        for (int i = 0; i < 400; ++i) ++seen[static_cast<std::size_t>(channel.receiver.recv().value())];
        closed = channel.receiver.recv().error() == errc::closed;
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(seen, std::vector<int>(400, 1));
    EXPECT_TRUE(closed);
}

TYPED_TEST(SeedChannels, backpressure_with_small_buffer) {
    Fibers fibers;
    auto channel = TypeParam::template make<int>(2);
    std::size_t deepest = 0;
    int next = 0;
    (void)fibers.spawn([sender = std::move(channel.sender)] {
        for (int i = 0; i < 1000; ++i) EXPECT_TRUE(sender.send(int{i}));
    });
    (void)fibers.spawn([&] {
        for (int value : channel.receiver) {
            deepest = std::max(deepest, channel.receiver.depth());
            EXPECT_EQ(value, next++);
        }
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(next, 1000);
    EXPECT_LE(deepest, 2U);
}

TYPED_TEST(SeedChannels, sender_drop_closes_receiver) {
    Fibers fibers;
    auto channel = TypeParam::template make<int>(2);
    auto waiting = fibers.run([&] { EXPECT_EQ(channel.receiver.recv().error(), errc::closed); });
    EXPECT_FALSE(waiting.is_finished());
    channel.sender = {};
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
}

TYPED_TEST(SeedChannels, receiver_drop_signals_senders) {
    Fibers fibers;
    auto channel = TypeParam::template make<int>(1);
    EXPECT_TRUE(channel.sender.try_send(0));
    auto waiting = fibers.run([&] { EXPECT_EQ(channel.sender.send(1).error(), errc::closed); });
    EXPECT_FALSE(waiting.is_finished());
    channel.receiver = {};
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
}

TYPED_TEST(SeedChannels, stress_high_throughput) {
    Fibers fibers;
    auto channel = TypeParam::template make<std::uint64_t>(64);
    constexpr std::uint64_t count = 100'000;
    std::uint64_t sum = 0;
    (void)fibers.spawn([sender = std::move(channel.sender)] {
        for (std::uint64_t i = 0; i < count; ++i) {
            if (!sender.send(std::uint64_t{i})) return;
        }
    });
    (void)fibers.spawn([&] {
        for (std::uint64_t value : channel.receiver) sum += value;
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(sum, count * (count - 1) / 2);
}

// proves: S-155
TYPED_TEST(SeedChannels, stress_sequential_send_recv) {
    auto channel = TypeParam::template make<int>(8);
    for (int i = 0; i < 50'000; ++i) {
        ASSERT_TRUE(channel.sender.try_send(int{i}));
        ASSERT_EQ(channel.receiver.try_recv().value(), i);
    }
    EXPECT_EQ(channel.receiver.depth(), 0U);
}

// --- miri_channel ---

// proves: S-156, S-284
TYPED_TEST(SeedChannels, fill_and_drain) {
    auto channel = TypeParam::template make<std::string>(8);
    for (int round = 0; round < 100; ++round) {
        for (int i = 0; i < 8; ++i) EXPECT_TRUE(channel.sender.try_send(std::string(40, 'a')));
        EXPECT_EQ(channel.sender.try_send(std::string("x")).error(), errc::full);
        for (int i = 0; i < 8; ++i) EXPECT_EQ(channel.receiver.try_recv().value(), std::string(40, 'a'));
        EXPECT_EQ(channel.receiver.try_recv().error(), errc::empty);
    }
}

// proves: S-285, S-286, S-295
TYPED_TEST(SeedChannels, channel_drop_tracker) {
    {
        auto channel = TypeParam::template make<Tracked>(8);
        for (int i = 0; i < 6; ++i) EXPECT_TRUE(channel.sender.try_send(Tracked(i)));
        EXPECT_EQ(Tracked::alive(), 6);
        for (int i = 0; i < 2; ++i) EXPECT_EQ(channel.receiver.try_recv().value().value, i);
        EXPECT_EQ(Tracked::alive(), 4);
    }
    EXPECT_EQ(Tracked::alive(), 0) << "what was still in it is destroyed once";
}

// proves: S-142, S-164, S-294
TYPED_TEST(SeedChannels, multiple_senders_sequential) {
    auto channel = TypeParam::template make<int>(16);
    std::vector<decltype(channel.sender)> senders(4, channel.sender);
    for (int i = 0; i < 12; ++i) EXPECT_TRUE(senders[static_cast<std::size_t>(i % 4)].try_send(int{i}));
    for (int i = 0; i < 12; ++i) EXPECT_EQ(channel.receiver.try_recv().value(), i);
}

// A parked receive that is dropped leaves nothing that the next send could touch.
// proves: S-300
TYPED_TEST(SeedChannels, recv_drop_no_ub) {
    Fibers fibers;
    auto channel = TypeParam::template make<int>(1);
    auto receiving = fibers.run([&] { (void)channel.receiver.recv(); });
    EXPECT_TRUE(receiving.abort());
    fibers.settle();
    receiving.detach();
    fibers.settle();
    EXPECT_EQ(fibers.executor().outstanding_tasks(), 0U);
    EXPECT_TRUE(channel.sender.try_send(5));
    EXPECT_FALSE(fibers.executor().has_ready());
    EXPECT_EQ(channel.receiver.try_recv().value(), 5);
}

} // namespace
