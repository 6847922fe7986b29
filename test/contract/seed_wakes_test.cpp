// Where a wake goes: what section 7.1 of the contract promises about channels between threads that are used on one.
#include "nexus/sync/mpsc.hpp"
#include "test/sync/fibers.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace {

using namespace nexus;
using nexus_test::Fibers;

TEST(SeedWakes, CH7_a_send_on_the_receivers_own_thread_stays_there) {
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

} // namespace
