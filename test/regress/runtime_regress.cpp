// Bugs of the runtime: poll_fd, signals, intervals.
#include "nexus/exec/waker.hpp"
#include "nexus/runtime/runtime.hpp"
#include "nexus/runtime/runtime_handle.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/notify.hpp"
#include "nexus/testing/gtest.hpp"

#include <csignal>
#include <cstdlib>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <thread>

namespace {

using nexus::Runtime;
using nexus::RuntimeOptions;
using nexus::World;
using nexus::WorldBuilder;
using namespace std::chrono_literals;

// --- poll_fd is readable whenever run_once() has something to do ---

class PollFd : public ::testing::Test {
protected:
    static bool readable(int fd, int timeout_ms) {
        pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
        return ::poll(&wanted, 1, timeout_ms) == 1;
    }
    void SetUp() override {
        fd = runtime.poll_fd();
        while (readable(fd, 0)) runtime.run_once();
    }
    World world = WorldBuilder{}.build();
    Runtime runtime{world};
    int fd = -1;
};

TEST_F(PollFd, after_a_spawn_between_two_calls) {
    int ran = 0;
    runtime.spawn([&ran] { ++ran; }).detach();
    EXPECT_TRUE(readable(fd, 0));
    runtime.run_once();
    EXPECT_EQ(ran, 1);
    runtime.run_once();
    EXPECT_FALSE(readable(fd, 0)) << "and not for ever";
}

TEST_F(PollFd, after_a_notification_by_the_host) {
    nexus::Notify notify;
    auto waiter = runtime.spawn([&notify] { notify.wait(); });
    runtime.run_for(1ms);
    ASSERT_FALSE(readable(fd, 0));
    notify.notify_one();
    EXPECT_TRUE(readable(fd, 0));
    runtime.run_for(1ms);
    EXPECT_TRUE(waiter.is_finished());
}

TEST_F(PollFd, after_stop_and_abort_by_the_host) {
    auto stopped = runtime.spawn([](nexus::ShutdownSignal stop) { stop.wait(); });
    auto aborted = runtime.spawn([] { nexus::park(); });
    runtime.run_for(1ms);
    runtime.handle().stop();
    EXPECT_TRUE(readable(fd, 0));
    runtime.run_for(1ms);
    EXPECT_TRUE(stopped.is_finished());
    ASSERT_FALSE(readable(fd, 0));
    aborted.abort();
    EXPECT_TRUE(readable(fd, 0));
    runtime.run_for(1ms);
    EXPECT_TRUE(aborted.is_finished());
}

TEST_F(PollFd, after_an_exception_left_a_call) {
    runtime.spawn([] { throw std::runtime_error("boom"); }).detach();
    auto sleeper = runtime.spawn([] { nexus::sleep(5ms); });
    EXPECT_THROW(runtime.run_for(1ms), std::runtime_error);
    while (!sleeper.is_finished()) {
        ASSERT_TRUE(readable(fd, 5000)) << "the timer is armed";
        runtime.run_once();
    }
    runtime.spawn([] { throw std::runtime_error("boom"); }).detach();
    EXPECT_THROW(runtime.run_for(1ms), std::runtime_error);
    int ran = 0;
    std::thread([&ran, handle = runtime.handle()] { (void)handle.spawn([&ran] { ++ran; }); }).join();
    EXPECT_TRUE(readable(fd, 5000)) << "another thread pokes";
    runtime.run_for(1ms);
    EXPECT_EQ(ran, 1);
}

TEST_F(PollFd, after_block_on_and_quiesce) {
    int ran = 0;
    runtime.block_on([&ran] { nexus::spawn([&ran] { ++ran; }).detach(); });
    EXPECT_TRUE(readable(fd, 0)) << "a fiber is still ready";
    runtime.run_for(1ms);
    EXPECT_EQ(ran, 1);
    runtime.block_on([] {});
    runtime.run_for(1ms);
    std::thread([&ran, handle = runtime.handle()] { (void)handle.spawn([&ran] { ++ran; }); }).join();
    EXPECT_TRUE(readable(fd, 5000));
    runtime.run_for(1ms);
    EXPECT_EQ(ran, 2);
    EXPECT_FALSE(runtime.shutdown_quiesce(0ns));
    std::thread([&ran, handle = runtime.handle()] { (void)handle.spawn([&ran] { ++ran; }); }).join();
    EXPECT_TRUE(readable(fd, 5000));
}

// --- signals: a host on top of our handler ---

struct sigaction found {};
int host_calls = 0;

void host_handler(int number, siginfo_t* info, void* context) {
    if (++host_calls > 10) std::_Exit(3);
    if ((found.sa_flags & SA_SIGINFO) != 0) {
        found.sa_sigaction(number, info, context);
    } else if (found.sa_handler != SIG_DFL && found.sa_handler != SIG_IGN) {
        found.sa_handler(number);
    }
}

void put_host_on_top() {
    struct sigaction action {};
    action.sa_sigaction = &host_handler;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGINT, &action, &found);
}

RuntimeOptions with_signals() {
    RuntimeOptions options;
    options.signal_handlers = true;
    return options;
}

/// In a process of its own: dispositions are the process's.
TEST(SignalsRegressDeathTest, a_chain_through_a_host_that_stays_is_no_circle) {
    EXPECT_EXIT(
        {
            World world = WorldBuilder{}.build();
            {
                Runtime first(world, with_signals());
                put_host_on_top();
            }
            for (int i = 0; i < 20; ++i) { // nor does the chain grow without end
                Runtime second(world, with_signals());
            }
            Runtime third(world, with_signals());
            ::raise(SIGINT);
            const bool heard = third.block_on(
                [](nexus::ShutdownSignal stop) { return nexus::timeout(1s, [&] { stop.wait(); }).has_value(); });
            std::_Exit(heard && host_calls == 1 ? 0 : 1);
        },
        ::testing::ExitedWithCode(0), "");
}

TEST(SignalsRegressDeathTest, a_host_that_puts_our_handler_back_gets_the_default) {
    EXPECT_EXIT(
        {
            World world = WorldBuilder{}.build();
            {
                Runtime runtime(world, with_signals());
                put_host_on_top();
            }
            ::sigaction(SIGINT, &found, nullptr);
            ::raise(SIGINT);
            std::_Exit(1);
        },
        ::testing::KilledBySignal(SIGINT), "");
}

TEST(SignalsRegressDeathTest, ignore_and_default_with_siginfo_are_no_functions) {
    EXPECT_EXIT(
        {
            struct sigaction action {};
            action.sa_handler = SIG_IGN;
            action.sa_flags = SA_SIGINFO;
            ::sigaction(SIGINT, &action, nullptr);
            World world = WorldBuilder{}.build();
            Runtime runtime(world, with_signals());
            ::raise(SIGINT);
            std::_Exit(0);
        },
        ::testing::ExitedWithCode(0), "");
}

// --- time ---

NEXUS_TEST(RuntimeRegress, skipping_works_for_a_start_as_far_back_as_time_goes)
{
    nexus::Interval tick = nexus::interval_at(nexus::TimePoint::min(), 1s);
    tick.set_missed_tick_behavior(nexus::MissedTickBehavior::skip);
    tick.tick();
    EXPECT_GT(tick.next_tick(), nexus::now());
    EXPECT_LE(tick.next_tick() - nexus::now(), 1s);
    nexus::Interval later = nexus::interval_at(nexus::now() + 10s, 3s);
    later.set_missed_tick_behavior(nexus::MissedTickBehavior::skip);
    const auto start = nexus::now();
    later.reset_at(start);
    later.tick();
    EXPECT_EQ(later.next_tick() - start, 1s) << "in line with a start that is still to come: 10 s less three periods";
}

} // namespace
