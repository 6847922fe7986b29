#include "nexus/os/multicast.hpp"

#include "nexus/os/calls.hpp"
#include "nexus/os/fd.hpp"
#include "nexus/os/socket.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <sys/socket.h>

namespace nexus::os {
namespace {

SocketAddress parse(std::string_view text) { return SocketAddress::parse(text).value(); }

Fd open_udp(int family) {
    Result<Fd> fd = open_socket(family, SOCK_DGRAM);
    return fd ? std::move(*fd) : Fd{};
}

TEST(Multicast, the_loopback_interface_has_an_index) {
    EXPECT_GT(interface_index("lo").value(), 0U);
    for (const std::string_view name : {"no-such-if", "a-name-that-is-too-long-for-an-interface", ""}) {
        const auto none = interface_index(name);
        ASSERT_FALSE(none);
        EXPECT_EQ(none.error(), std::errc::no_such_device);
        EXPECT_EQ(none.error().subject(), name);
    }
}

TEST(Multicast, a_group_is_joined_once_and_left_once) {
    const unsigned loopback = interface_index("lo").value();
    struct Case {
        int family;
        std::string_view group;
    };
    for (const Case& c : {Case{AF_INET, "239.255.77.1:0"}, Case{AF_INET6, "[ff15::4711]:0"}}) {
        const Fd fd = open_udp(c.family);
        if (!fd) continue; // a host without IPv6
        const SocketAddress group = parse(c.group);
        ASSERT_TRUE(join_multicast(fd.get(), group, loopback)) << c.group;
        EXPECT_EQ(join_multicast(fd.get(), group, loopback).error(), std::errc::address_in_use);
        ASSERT_TRUE(leave_multicast(fd.get(), group, loopback));
        EXPECT_EQ(leave_multicast(fd.get(), group, loopback).error(), std::errc::address_not_available);
    }
}

TEST(Multicast, an_interface_can_be_named_by_its_address) {
    const Fd fd = open_udp(AF_INET);
    const SocketAddress group = parse("239.255.77.2:0");
    const SocketAddress local = parse("127.0.0.1:0");
    ASSERT_TRUE(join_multicast(fd.get(), group, local));
    EXPECT_EQ(join_multicast(fd.get(), group, interface_index("lo").value()).error(), std::errc::address_in_use);
    ASSERT_TRUE(leave_multicast(fd.get(), group, local));
    EXPECT_EQ(join_multicast(fd.get(), parse("[ff15::1]:0"), local).error(), std::errc::address_family_not_supported);
}

TEST(Multicast, sources_are_joined_and_left_one_by_one) {
    const unsigned loopback = interface_index("lo").value();
    const Fd fd = open_udp(AF_INET);
    const SocketAddress group = parse("239.255.77.3:0");
    const SocketAddress source = parse("127.0.0.1:0");
    ASSERT_TRUE(join_source(fd.get(), group, source, loopback));
    EXPECT_EQ(join_source(fd.get(), group, source, loopback).error(), std::errc::address_not_available);
    ASSERT_TRUE(leave_source(fd.get(), group, source, loopback));
    EXPECT_FALSE(leave_source(fd.get(), group, source, loopback));
}

TEST(Multicast, what_is_no_group_is_refused_and_named) {
    const Fd fd = open_udp(AF_INET);
    const auto refused = join_multicast(fd.get(), parse("127.0.0.1:9"), 0U);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), std::errc::invalid_argument);
    EXPECT_EQ(refused.error().subject(), "127.0.0.1:9");
    EXPECT_STREQ(refused.error().operation(), "join_multicast");
}

TEST(Multicast, options_are_read_as_they_were_set) {
    for (const int family : {AF_INET, AF_INET6}) {
        const Fd fd = open_udp(family);
        if (!fd) continue;
        EXPECT_EQ(multicast_ttl(fd.get()).value(), 1);
        ASSERT_TRUE(set_multicast_ttl(fd.get(), 0));
        EXPECT_EQ(multicast_ttl(fd.get()).value(), 0);
        for (const bool on : {false, true}) {
            ASSERT_TRUE(set_multicast_loop(fd.get(), on));
            EXPECT_EQ(multicast_loop(fd.get()).value(), on);
            ASSERT_TRUE(set_multicast_all(fd.get(), on));
            EXPECT_EQ(multicast_all(fd.get()).value(), on);
        }
        EXPECT_TRUE(set_multicast_interface(fd.get(), interface_index("lo").value()));
        EXPECT_FALSE(set_multicast_interface(fd.get(), 4'000'000));
    }
    EXPECT_EQ(multicast_ttl(-1).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(multicast_loop(-1).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(set_multicast_interface(-1, 1).error(), std::errc::bad_file_descriptor);
}

} // namespace
} // namespace nexus::os
