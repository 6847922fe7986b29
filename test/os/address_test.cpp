#include "nexus/os/address.hpp"

#include "nexus/os/calls.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <net/if.h>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

namespace nexus::os {
namespace {

using namespace std::string_view_literals;

SocketAddress parsed(std::string_view text) { return SocketAddress::parse(text).value(); }

TEST(SocketAddress, default_is_any_ipv4) { EXPECT_EQ(SocketAddress{}.to_string(), "0.0.0.0:0"); }

TEST(SocketAddress, parses_and_prints_back) {
    for (std::string_view text :
         {"127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80", "[::]:0", "[2001:db8::8:800:200c:417a]:443",
          "[::ffff:192.0.2.1]:1", "[fe80::1%7]:9", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"}) {
        const auto address = SocketAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->to_string(), text);
    }
}

TEST(SocketAddress, parses_other_spellings) {
    EXPECT_EQ(parsed("[0:0:0:0:0:0:0:1]:80").to_string(), "[::1]:80");
    EXPECT_EQ(parsed("[2001:DB8::A]:80").to_string(), "[2001:db8::a]:80");
    EXPECT_EQ(parsed("127.0.0.1:080").port(), 80);
    EXPECT_EQ(parsed("[::1%0]:1"), parsed("[::1]:1"));
}

TEST(SocketAddress, refuses_everything_else) {
    for (std::string_view text : {""sv,
                                  ":"sv,
                                  ":80"sv,
                                  "127.0.0.1"sv,
                                  "127.0.0.1:"sv,
                                  "127.0.0.1:65536"sv,
                                  "127.0.0.1:-1"sv,
                                  "127.0.0.1:+1"sv,
                                  "127.0.0.1:80 "sv,
                                  " 127.0.0.1:80"sv,
                                  "127.0.0.1 :80"sv,
                                  "127.0.0.1: 80"sv,
                                  "127.0.0.1:8x"sv,
                                  "127.0.0.1:0x50"sv,
                                  "127.0.0.1:000080"sv,
                                  "127.0.0.1:80:80"sv,
                                  "127.0.0:80"sv,
                                  "127.0.0.0.1:80"sv,
                                  "127.0.0.256:80"sv,
                                  "127.0.0.01:80"sv,
                                  "127.1:80"sv,
                                  "2130706433:80"sv,
                                  "localhost:80"sv,
                                  "*:80"sv,
                                  "[127.0.0.1]:80"sv,
                                  "::1:80"sv,
                                  "::1"sv,
                                  "[::1]"sv,
                                  "[::1]80"sv,
                                  "[::1]:"sv,
                                  "[::1]: 80"sv,
                                  "[::1:80"sv,
                                  "::1]:80"sv,
                                  "[[::1]]:80"sv,
                                  "[]:80"sv,
                                  "[::1%]:80"sv,
                                  "[::1%no-such-interface]:80"sv,
                                  "[:::1]:80"sv,
                                  "[::1%4294967296]:80"sv,
                                  "[1:2:3:4:5:6:7:8:9]:80"sv,
                                  "[::1]:65536"sv,
                                  "[::1]:80]:80"sv,
                                  "127.0.0.1\0:80"sv,
                                  "[::1\0]:80"sv,
                                  "[::1%lo\0]:80"sv,
                                  "127.0.0.1:80\0"sv,
                                  "[%lo]:80"sv,
                                  "[::1%this-name-is-far-too-long]:80"sv}) {
        const auto address = SocketAddress::parse(text);
        ASSERT_FALSE(address) << text << " became " << address->to_string();
        EXPECT_EQ(address.error(), errc::invalid_address);
        EXPECT_EQ(address.error().subject(), text.substr(0, text.find('\0')).substr(0, Error::max_subject));
    }
    EXPECT_FALSE(SocketAddress::parse(std::string(100'000, '1')));
    EXPECT_FALSE(SocketAddress::parse("[" + std::string(100'000, ':') + "]:1"));
}

TEST(SocketAddress, scope_by_name_is_looked_up_through_the_table) {
    Calls table = real_calls();
    table.if_nametoindex = [](const char* name) { return std::strcmp(name, "eth7") == 0 ? 42U : 0U; };
    CallsOverride here{table};
    const SocketAddress address = parsed("[fe80::1%eth7]:80");
    EXPECT_EQ(address.scope_id(), 42U);
    EXPECT_EQ(address.to_string(), "[fe80::1%42]:80");
    EXPECT_FALSE(SocketAddress::parse("[fe80::1%eth8]:80"));
}

TEST(SocketAddress, scope_of_the_loopback_interface) {
    const unsigned index = ::if_nametoindex("lo");
    if (index == 0) GTEST_SKIP() << "no interface called lo";
    EXPECT_EQ(parsed("[::1%lo]:80").scope_id(), index);
}

TEST(SocketAddress, tells_its_parts) {
    const SocketAddress v4 = SocketAddress::ipv4({10, 1, 2, 3}, 4000);
    EXPECT_EQ(v4.family(), AF_INET);
    EXPECT_EQ(v4.port(), 4000);
    EXPECT_EQ(v4.scope_id(), 0U);
    EXPECT_EQ(v4.size(), sizeof(sockaddr_in));
    EXPECT_EQ(v4.to_string(), "10.1.2.3:4000");
    const SocketAddress v6 = SocketAddress::ipv6({0xFE, 0x80}, 5000, 3);
    EXPECT_EQ(v6.family(), AF_INET6);
    EXPECT_EQ(v6.port(), 5000);
    EXPECT_EQ(v6.scope_id(), 3U);
    EXPECT_EQ(v6.size(), sizeof(sockaddr_in6));
    EXPECT_EQ(v6.to_string(), "[fe80::%3]:5000");
}

TEST(SocketAddress, with_port_changes_nothing_else) {
    EXPECT_EQ(parsed("1.2.3.4:5").with_port(60000), parsed("1.2.3.4:60000"));
    EXPECT_EQ(parsed("[fe80::1%7]:5").with_port(6), parsed("[fe80::1%7]:6"));
}

TEST(SocketAddress, to_and_from_sockaddr) {
    for (std::string_view text : {"1.2.3.4:5", "[fe80::1%7]:5"}) {
        const SocketAddress address = parsed(text);
        EXPECT_EQ(SocketAddress::from_sockaddr(address.data(), address.size()).value(), address);
        EXPECT_EQ(SocketAddress::from_sockaddr(address.data(), address.size() - 1).error(), errc::invalid_address);
    }
    sockaddr_storage other{};
    other.ss_family = AF_UNIX;
    // SAFETY: sockaddr_storage is made to be passed as sockaddr.
    EXPECT_FALSE(SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&other), sizeof other));
    EXPECT_FALSE(SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&other), 0));
}

TEST(SocketAddress, what_the_kernel_leaves_in_the_padding_does_not_count) {
    sockaddr_in raw{};
    raw.sin_family = AF_INET;
    std::memset(raw.sin_zero, 0xAA, sizeof raw.sin_zero);
    // SAFETY: sockaddr_in is made to be passed as sockaddr.
    const auto address = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&raw), sizeof raw).value();
    EXPECT_EQ(address, SocketAddress{});
    EXPECT_EQ(address.hash(), SocketAddress{}.hash());
}

TEST(SocketAddress, is_ordered_by_family_address_port_and_scope) {
    const auto ascending = {"1.2.3.4:5", "1.2.3.4:300", "9.0.0.0:1", "200.0.0.0:1",
                            "[::1]:5",   "[::1%1]:5",   "[::1]:6",   "[::2]:1"};
    std::set<SocketAddress> sorted;
    for (std::string_view text : ascending) sorted.insert(parsed(text));
    auto wanted = ascending.begin();
    for (const SocketAddress& address : sorted) EXPECT_EQ(address.to_string(), *wanted++);
}

TEST(SocketAddress, hashes_equal_addresses_alike_and_spreads_others) {
    std::unordered_set<SocketAddress> set;
    std::set<std::size_t> hashes;
    for (unsigned port = 0; port < 4000; ++port) {
        for (std::string_view host : {"10.0.0.1", "[::1]", "[::1%1]"}) {
            const SocketAddress address = parsed(std::string(host) + ":" + std::to_string(port));
            set.insert(address);
            set.insert(address);
            hashes.insert(address.hash());
        }
    }
    EXPECT_EQ(set.size(), 12'000U);
    EXPECT_GT(hashes.size(), 11'990U);
}

} // namespace
} // namespace nexus::os
