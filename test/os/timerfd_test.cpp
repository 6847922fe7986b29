#include "nexus/os/timerfd.hpp"

#include "nexus/os/clock.hpp"
#include "test/os/fault.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <limits>
#include <poll.h>
#include <system_error>

namespace nexus::os {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

bool readable(const TimerFd& timer, int timeout_ms = 0) {
    pollfd wanted{timer.fd(), POLLIN, 0};
    return ::poll(&wanted, 1, timeout_ms) == 1;
}

TEST(TimerFd, is_disarmed_close_on_exec_and_non_blocking_at_first) {
    TimerFd timer = TimerFd::create().value();
    EXPECT_FALSE(readable(timer));
    EXPECT_EQ(timer.drain(), 0U);
    EXPECT_EQ(::fcntl(timer.fd(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    EXPECT_EQ(::fcntl(timer.fd(), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

TEST(TimerFd, past_deadlines_are_due_at_once) {
    TimerFd timer = TimerFd::create().value();
    for (std::int64_t deadline : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, std::int64_t{0},
                                  std::int64_t{1}, monotonic_ns()}) {
        timer.arm_absolute(deadline);
        EXPECT_TRUE(readable(timer, -1)) << deadline;
        EXPECT_EQ(timer.drain(), 1U);
        EXPECT_FALSE(readable(timer));
    }
}

TEST(TimerFd, is_never_early) {
    TimerFd timer = TimerFd::create().value();
    const std::int64_t deadline = monotonic_ns() + 1'234'567;
    timer.arm_absolute(deadline);
    EXPECT_TRUE(readable(timer, -1));
    EXPECT_GE(monotonic_ns(), deadline);
}

TEST(TimerFd, rearming_replaces_and_int64_max_disarms) {
    TimerFd timer = TimerFd::create().value();
    timer.arm_absolute(1);
    timer.arm_absolute(never);
    EXPECT_FALSE(readable(timer));
    timer.arm_absolute(1);
    timer.arm_absolute(monotonic_ns() + 3'600'000'000'000);
    EXPECT_FALSE(readable(timer));
    timer.arm_absolute(never - 1);
    EXPECT_FALSE(readable(timer));
}

TEST(TimerFd, passes_whole_nanoseconds_to_the_kernel) {
    TimerFd timer = TimerFd::create().value();
    Calls table = real_calls();
    static itimerspec passed;
    table.timerfd_settime = [](int, int flags, const itimerspec* wanted, itimerspec*) {
        EXPECT_EQ(flags, TFD_TIMER_ABSTIME);
        passed = *wanted;
        return 0;
    };
    CallsOverride here{table};
    timer.arm_absolute(12'345'678'901);
    EXPECT_EQ(passed.it_value.tv_sec, 12);
    EXPECT_EQ(passed.it_value.tv_nsec, 345'678'901);
    EXPECT_EQ(passed.it_interval.tv_sec + passed.it_interval.tv_nsec, 0);
}

TEST(TimerFd, failures) {
    {
        Fault<&Calls::timerfd_create> fault{EMFILE, 1};
        const auto failed = TimerFd::create();
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error(), std::errc::too_many_files_open);
    }
    TimerFd none;
    EXPECT_THROW(none.arm_absolute(1), std::system_error);
    TimerFd timer = TimerFd::create().value();
    timer.arm_absolute(1);
    Fault<&Calls::read> fault{EINTR, 1};
    EXPECT_EQ(timer.drain(), 1U);
}

} // namespace
} // namespace nexus::os
