#include "nexus/os/datagram.hpp"

#include "nexus/os/address.hpp"
#include "nexus/os/socket.hpp"
#include "nexus/os/socket_options.hpp"
#include "test/os/fault.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <poll.h>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::os {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

struct Datagrams : ::testing::Test {
    void SetUp() override {
        for (Fd* fd : {&near, &far}) {
            *fd = open_socket(AF_INET, SOCK_DGRAM).value();
            ASSERT_TRUE(bind(fd->get(), SocketAddress::ipv4({127, 0, 0, 1}, 0)));
        }
        far_address = local_address(far.get()).value();
    }
    Result<std::size_t> send(std::string_view text) const {
        return send_datagram(near.get(), bytes_of(text), far_address.data(), far_address.size());
    }
    void wait_at_far() const {
        pollfd wanted{far.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&wanted, 1, 10'000), 1);
    }

    Fd near;
    Fd far;
    SocketAddress far_address;
    std::array<std::byte, 4> buffer{};
};

TEST_F(Datagrams, carry_their_sender) {
    ASSERT_EQ(send("abc").value(), 3U);
    wait_at_far();
    RawAddress from;
    DatagramFacts facts;
    EXPECT_EQ(receive_datagram(far.get(), buffer, 0, from, facts).value(), 3U);
    EXPECT_EQ(SocketAddress::from_sockaddr(from.data(), from.size).value(), local_address(near.get()).value());
    EXPECT_FALSE(facts.time);
    EXPECT_EQ(facts.dropped, 0U);
}

TEST_F(Datagrams, one_that_is_too_long_tells_its_whole_length) {
    ASSERT_EQ(send("abcdefgh").value(), 8U);
    ASSERT_EQ(send("ijklmnop").value(), 8U);
    wait_at_far();
    EXPECT_EQ(receive_datagram(far.get(), buffer, MSG_PEEK).value(), 8U);
    EXPECT_EQ(receive_datagram(far.get(), buffer, 0).value(), 8U);
    EXPECT_EQ(buffer[3], std::byte{'d'});
    RawAddress from;
    DatagramFacts facts;
    EXPECT_EQ(receive_datagram(far.get(), buffer, 0, from, facts).value(), 8U);
    EXPECT_EQ(buffer[0], std::byte{'i'});
}

TEST_F(Datagrams, what_would_block_comes_back) {
    RawAddress from;
    DatagramFacts facts;
    EXPECT_EQ(receive_datagram(far.get(), buffer, 0).error(), std::errc::resource_unavailable_try_again);
    EXPECT_EQ(receive_datagram(far.get(), buffer, 0, from, facts).error(), std::errc::resource_unavailable_try_again);
    std::array<mmsghdr, 1> none{};
    EXPECT_EQ(receive_many(far.get(), none).error(), std::errc::resource_unavailable_try_again);
}

TEST_F(Datagrams, the_kernel_says_when_one_arrived) {
    ASSERT_TRUE(set_receive_timestamps(far.get(), true));
    // It begins to a moment after it was asked to; until then the time is that of reading.
    bool taken_on_arrival = false;
    for (int round = 0; round < 10'000 && !taken_on_arrival; ++round) {
        const auto before = std::chrono::system_clock::now();
        ASSERT_TRUE(send("x"));
        const auto after = std::chrono::system_clock::now();
        wait_at_far();
        RawAddress from;
        DatagramFacts facts;
        ASSERT_TRUE(receive_datagram(far.get(), buffer, 0, from, facts));
        ASSERT_TRUE(facts.time);
        EXPECT_GE(*facts.time, before);
        taken_on_arrival = *facts.time <= after;
    }
    EXPECT_TRUE(taken_on_arrival);
}

TEST_F(Datagrams, the_kernel_says_how_many_it_dropped) {
    ASSERT_TRUE(set_drop_reports(far.get(), true));
    ASSERT_TRUE(set_receive_buffer(far.get(), 1));
    const std::string block(1024, 'x');
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(send(block));
    wait_at_far();
    std::uint32_t received = 0;
    RawAddress from;
    DatagramFacts facts;
    while (receive_datagram(far.get(), buffer, 0, from, facts)) ++received;
    EXPECT_LT(received, 200U);
    // The count comes with datagrams that arrive after the drop.
    ASSERT_TRUE(send("x"));
    wait_at_far();
    ASSERT_TRUE(receive_datagram(far.get(), buffer, 0, from, facts));
    EXPECT_EQ(facts.dropped, 200U - received);
}

TEST_F(Datagrams, facts_that_were_cut_short_are_none) {
    DatagramControl control{};
    msghdr message{};
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_TIMESTAMPNS;
    part->cmsg_len = CMSG_LEN(sizeof(timespec));
    EXPECT_TRUE(facts_of(message).time);
    part->cmsg_len = CMSG_LEN(sizeof(timespec) - 1);
    EXPECT_FALSE(facts_of(message).time);
    part->cmsg_type = SO_RXQ_OVFL;
    std::memset(CMSG_DATA(part), 1, sizeof(std::uint32_t));
    EXPECT_NE(facts_of(message).dropped, 0U);
    part->cmsg_len = CMSG_LEN(1);
    EXPECT_EQ(facts_of(message).dropped, 0U);
}

TEST_F(Datagrams, many_at_once_in_order) {
    const std::array<std::string_view, 3> texts{"one", "two", "three"};
    std::array<mmsghdr, 3> out{};
    std::array<iovec, 3> parts{};
    SocketAddress to = far_address;
    for (std::size_t i = 0; i < 3; ++i) {
        parts[i] = {const_cast<char*>(texts[i].data()), texts[i].size()};
        out[i].msg_hdr.msg_iov = &parts[i];
        out[i].msg_hdr.msg_iovlen = 1;
        out[i].msg_hdr.msg_name = const_cast<sockaddr*>(to.data());
        out[i].msg_hdr.msg_namelen = to.size();
    }
    EXPECT_EQ(send_many(near.get(), out).value(), 3U);
    wait_at_far();
    std::array<std::array<std::byte, 8>, 5> room{};
    std::array<mmsghdr, 5> in{};
    std::array<iovec, 5> places{};
    for (std::size_t i = 0; i < 5; ++i) {
        places[i] = {room[i].data(), room[i].size()};
        in[i].msg_hdr.msg_iov = &places[i];
        in[i].msg_hdr.msg_iovlen = 1;
    }
    ASSERT_EQ(receive_many(far.get(), in).value(), 3U);
    EXPECT_EQ(in[2].msg_len, 5U);
    EXPECT_EQ(room[0][0], std::byte{'o'});
    EXPECT_EQ(room[2][4], std::byte{'e'});
}

TEST_F(Datagrams, interrupted_calls_are_repeated) {
    {
        Fault<&Calls::sendmsg> fault{EINTR, 2};
        ASSERT_TRUE(send("x"));
        EXPECT_EQ(fault.calls_seen(), 3);
    }
    ASSERT_TRUE(send("y"));
    wait_at_far();
    RawAddress from;
    DatagramFacts facts;
    {
        Fault<&Calls::recvmsg> fault{EINTR, 1};
        EXPECT_TRUE(receive_datagram(far.get(), buffer, 0, from, facts));
    }
    {
        Fault<&Calls::recv> fault{EINTR, 1};
        EXPECT_TRUE(receive_datagram(far.get(), buffer, 0));
    }
    std::array<mmsghdr, 1> one{};
    Fault<&Calls::recvmmsg> fault{EINTR, 1};
    EXPECT_EQ(receive_many(far.get(), one).error(), std::errc::resource_unavailable_try_again);
    EXPECT_EQ(fault.calls_seen(), 2);
}

TEST_F(Datagrams, the_kernels_limit_of_messages_is_kept) {
    static thread_local unsigned asked = 0;
    Calls table = real_calls();
    table.recvmmsg = [](int, mmsghdr*, unsigned count, int, timespec*) { return static_cast<int>(asked = count); };
    table.sendmmsg = [](int, mmsghdr*, unsigned count, int) { return static_cast<int>(asked = count); };
    const CallsOverride override_{table};
    std::vector<mmsghdr> many(5000);
    EXPECT_EQ(receive_many(far.get(), many).value(), 1024U);
    EXPECT_EQ(asked, 1024U);
    EXPECT_EQ(send_many(far.get(), many).value(), 1024U);
}

} // namespace
} // namespace nexus::os
