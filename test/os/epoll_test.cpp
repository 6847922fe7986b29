#include "nexus/os/epoll.hpp"

#include "nexus/os/eventfd.hpp"
#include "test/os/fault.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fcntl.h>

namespace nexus::os {
namespace {

TEST(Epoll, reports_what_is_ready_with_its_token) {
    Epoll epoll = Epoll::create().value();
    EventFd first = EventFd::create().value();
    EventFd second = EventFd::create().value();
    ASSERT_TRUE(epoll.add(first.fd(), EPOLLIN, 11));
    ASSERT_TRUE(epoll.add(second.fd(), EPOLLIN, 0xFFFF'FFFF'0000'0022));
    std::array<epoll_event, 8> events{};
    EXPECT_EQ(epoll.wait(events, 0).value(), 0U);
    second.signal();
    ASSERT_EQ(epoll.wait(events, -1).value(), 1U);
    EXPECT_EQ(events[0].data.u64, 0xFFFF'FFFF'0000'0022);
    EXPECT_EQ(events[0].events, std::uint32_t{EPOLLIN});
}

TEST(Epoll, modify_replaces_interest_and_token_and_remove_ends_it) {
    Epoll epoll = Epoll::create().value();
    EventFd source = EventFd::create().value();
    std::array<epoll_event, 1> events{};
    ASSERT_TRUE(epoll.add(source.fd(), EPOLLIN, 1));
    ASSERT_TRUE(epoll.modify(source.fd(), EPOLLOUT, 2));
    ASSERT_EQ(epoll.wait(events, 0).value(), 1U);
    EXPECT_EQ(events[0].data.u64, 2U);
    ASSERT_TRUE(epoll.remove(source.fd()));
    EXPECT_EQ(epoll.wait(events, 0).value(), 0U);
    EXPECT_EQ(epoll.remove(source.fd()).error(), std::errc::no_such_file_or_directory);
}

TEST(Epoll, adding_twice_fails) {
    Epoll epoll = Epoll::create().value();
    EventFd source = EventFd::create().value();
    ASSERT_TRUE(epoll.add(source.fd(), EPOLLIN, 1));
    const auto again = epoll.add(source.fd(), EPOLLIN, 1);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error(), std::errc::file_exists);
    EXPECT_STREQ(again.error().operation(), "epoll add");
}

TEST(Epoll, fills_no_more_than_there_is_room) {
    Epoll epoll = Epoll::create().value();
    std::array<EventFd, 3> sources;
    for (EventFd& source : sources) {
        source = EventFd::create().value();
        source.signal();
        ASSERT_TRUE(epoll.add(source.fd(), EPOLLIN, 0));
    }
    std::array<epoll_event, 2> events{};
    EXPECT_EQ(epoll.wait(events, 0).value(), 2U);
}

TEST(Epoll, is_close_on_exec) {
    Epoll epoll = Epoll::create().value();
    EXPECT_EQ(::fcntl(epoll.fd(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(Epoll, an_interrupted_wait_counts_as_no_events) {
    Epoll epoll = Epoll::create().value();
    std::array<epoll_event, 1> events{};
    Fault<&Calls::epoll_wait> fault{EINTR, 1};
    EXPECT_EQ(epoll.wait(events, -1).value(), 0U);
    EXPECT_EQ(fault.calls_seen(), 1);
}

TEST(Epoll, failures_come_out_as_values) {
    {
        Fault<&Calls::epoll_create1> fault{EMFILE, 1};
        const auto failed = Epoll::create();
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error(), std::errc::too_many_files_open);
        EXPECT_TRUE(Epoll::create());
    }
    Epoll none;
    std::array<epoll_event, 1> events{};
    EXPECT_EQ(none.wait(events, 0).error(), std::errc::bad_file_descriptor);
}

} // namespace
} // namespace nexus::os
