#include "nexus/os/socket_options.hpp"

#include "nexus/os/address.hpp"
#include "nexus/os/socket.hpp"
#include "test/os/fault.hpp"

#include <gtest/gtest.h>

#include <netinet/tcp.h>
#include <vector>

namespace nexus::os {
namespace {

using namespace std::chrono_literals;

/// The last option that was set, instead of setting it.
struct Recorder {
    Recorder() {
        table.setsockopt = [](int, int at, int called, const void* value, socklen_t size) {
            level = at;
            name = called;
            number = size == sizeof(int) ? *static_cast<const int*>(value) : 0;
            return 0;
        };
    }
    static inline thread_local int level = 0;
    static inline thread_local int name = 0;
    static inline thread_local int number = 0;
    Calls table = real_calls();
    CallsOverride override_{table};
};

TEST(SocketOptions, flags_are_read_as_they_were_set) {
    Fd tcp = open_tcp(AF_INET).value();
    Fd udp = open_socket(AF_INET, SOCK_DGRAM).value();
    for (const bool on : {true, false}) {
        ASSERT_TRUE(set_quick_ack(tcp.get(), on));
        EXPECT_EQ(quick_ack(tcp.get()).value(), on);
        ASSERT_TRUE(set_broadcast(udp.get(), on));
        EXPECT_EQ(broadcast(udp.get()).value(), on);
        ASSERT_TRUE(set_receive_timestamps(udp.get(), on));
        EXPECT_EQ(receive_timestamps(udp.get()).value(), on);
        ASSERT_TRUE(set_drop_reports(udp.get(), on));
        EXPECT_EQ(drop_reports(udp.get()).value(), on);
    }
}

TEST(SocketOptions, times_are_read_as_they_were_set) {
    Fd tcp = open_tcp(AF_INET).value();
    const KeepaliveTimes wanted{30s, 5s, 4};
    ASSERT_TRUE(set_keepalive_times(tcp.get(), wanted));
    EXPECT_EQ(keepalive_times(tcp.get()).value(), wanted);
    ASSERT_TRUE(set_user_timeout(tcp.get(), 1500ms));
    EXPECT_EQ(user_timeout(tcp.get()).value(), 1500ms);
    ASSERT_TRUE(set_busy_poll(tcp.get(), 0us));
    EXPECT_EQ(busy_poll(tcp.get()).value(), 0us);
}

TEST(SocketOptions, each_sets_the_kernels_option) {
    struct Case {
        Result<void> (*set)();
        int level;
        int name;
        int number;
    };
    const std::vector<Case> cases = {
        {[] { return set_busy_poll(0, 50us); }, SOL_SOCKET, SO_BUSY_POLL, 50},
        {[] { return set_reuse_port(0, true); }, SOL_SOCKET, SO_REUSEPORT, 1},
        {[] { return set_quick_ack(0, true); }, IPPROTO_TCP, TCP_QUICKACK, 1},
        {[] { return set_receive_timestamps(0, true); }, SOL_SOCKET, SO_TIMESTAMPNS, 1},
        {[] { return set_drop_reports(0, true); }, SOL_SOCKET, SO_RXQ_OVFL, 1},
        {[] { return set_user_timeout(0, 7ms); }, IPPROTO_TCP, TCP_USER_TIMEOUT, 7},
        {[] { return set_user_timeout(0, -7ms); }, IPPROTO_TCP, TCP_USER_TIMEOUT, 0},
        {[] { return set_only_v6(0, true); }, IPPROTO_IPV6, IPV6_V6ONLY, 1},
        {[] { return set_option(0, SOL_SOCKET, SO_PRIORITY, 6, "priority"); }, SOL_SOCKET, SO_PRIORITY, 6},
    };
    const Recorder recorder;
    for (const Case& c : cases) {
        ASSERT_TRUE(c.set());
        EXPECT_EQ(Recorder::level, c.level);
        EXPECT_EQ(Recorder::name, c.name);
        EXPECT_EQ(Recorder::number, c.number);
    }
}

TEST(SocketOptions, what_the_families_call_differently_is_one_option) {
    for (const int family : {AF_INET, AF_INET6}) {
        Result<Fd> fd = open_socket(family, SOCK_DGRAM);
        if (!fd) continue; // a host without IPv6
        ASSERT_TRUE(set_traffic_class(fd->get(), 0x28));
        EXPECT_EQ(traffic_class(fd->get()).value(), 0x28);
        ASSERT_TRUE(set_ttl(fd->get(), 9));
        EXPECT_EQ(ttl(fd->get()).value(), 9);
    }
}

TEST(SocketOptions, only_v6_decides_about_ipv4) {
    Result<Fd> fd = open_tcp(AF_INET6);
    if (!fd) GTEST_SKIP() << fd.error().message();
    for (const bool on : {true, false}) {
        ASSERT_TRUE(set_only_v6(fd->get(), on));
        EXPECT_EQ(only_v6(fd->get()).value(), on);
    }
}

TEST(SocketOptions, failures_name_the_option) {
    EXPECT_STREQ(set_busy_poll(-1, 1us).error().operation(), "set busy_poll");
    EXPECT_STREQ(set_keepalive_times(-1, {1s, 1s, 1}).error().operation(), "set keepalive_times");
    EXPECT_STREQ(set_option(-1, SOL_SOCKET, SO_PRIORITY, 1, "priority").error().operation(), "priority");
    for (const Error& error : {quick_ack(-1).error(), keepalive_times(-1).error(), user_timeout(-1).error(),
                               busy_poll(-1).error(), traffic_class(-1).error(), family(-1, "x").error()}) {
        EXPECT_EQ(error, std::errc::bad_file_descriptor);
    }
    Fault<&Calls::setsockopt> fault{EPERM, 1};
    Fd tcp = open_tcp(AF_INET).value();
    EXPECT_EQ(set_busy_poll(tcp.get(), 50us).error(), std::errc::operation_not_permitted);
}

} // namespace
} // namespace nexus::os
