#include "nexus/os/eventfd.hpp"

#include "test/os/fault.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <thread>
#include <vector>

namespace nexus::os {
namespace {

TEST(EventFd, drain_takes_all_signals_at_once) {
    EventFd event = EventFd::create().value();
    EXPECT_EQ(event.drain(), 0U);
    event.signal();
    event.signal();
    EXPECT_EQ(event.drain(), 2U);
    EXPECT_EQ(event.drain(), 0U);
}

TEST(EventFd, is_close_on_exec_and_non_blocking) {
    EventFd event = EventFd::create().value();
    EXPECT_EQ(::fcntl(event.fd(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    EXPECT_EQ(::fcntl(event.fd(), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

TEST(EventFd, signals_of_many_threads_add_up) {
    EventFd event = EventFd::create().value();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int j = 0; j < 100; ++j) event.signal();
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(event.drain(), 400U);
}

const EventFd* signalled_by_handler = nullptr;

TEST(EventFd, works_in_a_signal_handler_and_keeps_errno) {
    EventFd event = EventFd::create().value();
    signalled_by_handler = &event;
    struct sigaction action {};
    struct sigaction previous {};
    action.sa_handler = [](int) { signalled_by_handler->signal(); };
    ASSERT_EQ(::sigaction(SIGUSR1, &action, &previous), 0);
    errno = ERANGE;
    ::raise(SIGUSR1);
    EXPECT_EQ(errno, ERANGE);
    ::sigaction(SIGUSR1, &previous, nullptr);
    EXPECT_EQ(event.drain(), 1U);
}

TEST(EventFd, an_interrupted_call_is_repeated) {
    EventFd event = EventFd::create().value();
    {
        Fault<&Calls::write> fault{EINTR, 2};
        errno = ERANGE;
        event.signal();
        EXPECT_EQ(errno, ERANGE);
        EXPECT_EQ(fault.calls_seen(), 3);
    }
    Fault<&Calls::read> fault{EINTR, 2};
    EXPECT_EQ(event.drain(), 1U);
    EXPECT_EQ(fault.calls_seen(), 3);
}

TEST(EventFd, a_failed_creation_is_a_value) {
    Fault<&Calls::eventfd> fault{EMFILE, 1};
    const auto failed = EventFd::create();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error(), std::errc::too_many_files_open);
    EXPECT_STREQ(failed.error().operation(), "eventfd");
}

TEST(EventFd, without_descriptor_nothing_happens) {
    EventFd none;
    none.signal();
    EXPECT_EQ(none.drain(), 0U);
}

} // namespace
} // namespace nexus::os
