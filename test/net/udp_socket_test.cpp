#include "nexus/net/udp_socket.hpp"

#include "test/net/rig.hpp"
#include "test/os/fault.hpp"

#include <fcntl.h>
#include <optional>

namespace nexus {
namespace {

using namespace std::chrono_literals;

TEST(UdpSocket, bind_says_what_is_wrong_with_the_address) {
    UdpSocket holder = udp_on_loopback();
    const std::string taken = holder.local_address().value().to_string();
    const auto second = UdpSocket::bind(taken);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message(), "bind " + taken + ": Address already in use");
    const auto nowhere = UdpSocket::bind("localhost:80");
    ASSERT_FALSE(nowhere);
    EXPECT_EQ(nowhere.error(), errc::invalid_address);
    EXPECT_EQ(nowhere.error().subject(), "localhost:80");
    EXPECT_NE(nowhere.error().message().find("names are not looked up"), std::string::npos);
}

TEST(UdpSocket, several_sockets_share_a_port_when_they_say_so) {
    UdpSocket first = UdpSocket::bind("127.0.0.1:0", {.reuse_port = true}).value();
    const SocketAddress address = first.local_address().value();
    EXPECT_TRUE(UdpSocket::bind(address, {.reuse_port = true}));
    EXPECT_EQ(UdpSocket::bind(address).error(), std::errc::address_in_use);
    EXPECT_EQ(UdpSocket::bind(address, {.only_v6 = true}).error().subject(), address.to_string());
}

// proves: NET-11
TEST(UdpSocket, a_datagram_that_does_not_fit_is_reported) {
    in_runtime([] {
        UdpSocket sender = udp_on_loopback();
        UdpSocket receiver = udp_on_loopback();
        ASSERT_TRUE(sender.connect(receiver.local_address().value()));
        std::array<std::byte, 4> buffer{};
        ASSERT_TRUE(sender.send(bytes_of("too long")));
        EXPECT_EQ(receiver.peek(buffer).value(), 4U) << "it is still there in full";
        const auto peeked = receiver.peek_from(buffer).value();
        EXPECT_TRUE(peeked.truncated());
        const auto cut = receiver.recv(buffer);
        ASSERT_FALSE(cut);
        EXPECT_EQ(cut.error(), std::errc::message_size);
        EXPECT_EQ(text_of(buffer), "too ");
        ASSERT_TRUE(sender.send(bytes_of("too long")));
        const auto told = receiver.recv_from(buffer).value();
        EXPECT_EQ(told.size, 4U);
        EXPECT_EQ(told.full_size, 8U);
        EXPECT_TRUE(told.truncated());
        ASSERT_TRUE(sender.send(bytes_of("next")));
        EXPECT_EQ(recv_text(receiver), "next");
    });
}

// proves: NET-11
TEST(UdpSocket, an_empty_datagram_is_a_datagram) {
    in_runtime([] {
        UdpSocket sender = udp_on_loopback();
        UdpSocket receiver = udp_on_loopback();
        ASSERT_EQ(sender.send_to({}, receiver.local_address().value()).value(), 0U);
        ASSERT_TRUE(sender.send_to(bytes_of("x"), receiver.local_address().value()));
        EXPECT_EQ(recv_text(receiver), "");
        EXPECT_EQ(recv_text(receiver), "x");
    });
}

TEST(UdpSocket, what_the_network_said_comes_out_of_the_next_call_and_the_socket_goes_on) {
    in_runtime([] {
        UdpSocket socket = udp_on_loopback();
        std::optional<UdpSocket> peer = udp_on_loopback();
        const SocketAddress address = peer->local_address().value();
        peer.reset();
        ASSERT_TRUE(socket.connect(address));
        ASSERT_TRUE(socket.send(bytes_of("anybody?")));
        std::array<std::byte, 16> buffer{};
        EXPECT_EQ(socket.recv(buffer).error(), std::errc::connection_refused);
        peer = UdpSocket::bind(address).value();
        ASSERT_TRUE(socket.send(bytes_of("now?")));
        const auto got = peer->recv_from(buffer).value();
        ASSERT_TRUE(peer->send_to(bytes_of("yes"), got.from));
        EXPECT_EQ(recv_text(socket), "yes");
    });
}

TEST(UdpSocket, connecting_by_text_and_undoing_it) {
    in_runtime([] {
        UdpSocket socket = UdpSocket::v4().value();
        UdpSocket peer = udp_on_loopback();
        EXPECT_EQ(socket.send(bytes_of("x")).error(), std::errc::destination_address_required);
        EXPECT_EQ(socket.peer_address().error(), std::errc::not_connected);
        EXPECT_EQ(socket.connect("nowhere").error().subject(), "nowhere");
        EXPECT_EQ(socket.connect("[::1]:9").error().subject(), "[::1]:9");
        ASSERT_TRUE(socket.connect(peer.local_address().value().to_string()));
        ASSERT_TRUE(socket.send(bytes_of("x")));
        EXPECT_EQ(recv_text(peer), "x");
        ASSERT_TRUE(socket.disconnect());
        EXPECT_FALSE(socket.peer_address());
        EXPECT_EQ(socket.send(bytes_of("x")).error(), std::errc::destination_address_required);
    });
}

TEST(UdpSocket, works_over_ipv6) {
    in_runtime([] {
        auto receiver = UdpSocket::bind("[::1]:0", {.only_v6 = true});
        if (!receiver) GTEST_SKIP() << receiver.error().message();
        UdpSocket sender = UdpSocket::v6().value();
        ASSERT_TRUE(sender.send_to(bytes_of("six"), receiver->local_address().value()));
        std::array<std::byte, 8> buffer{};
        const auto got = receiver->recv_from(buffer).value();
        EXPECT_EQ(got.from.family(), AF_INET6);
        EXPECT_EQ(text_of(std::span(buffer).first(got.size)), "six");
    });
}

// proves: NET-12
TEST(UdpSocket, the_time_of_arrival_is_the_kernels) {
    in_runtime([] {
        UdpSocket sender = udp_on_loopback();
        UdpSocket receiver = udp_on_loopback();
        const SocketAddress address = receiver.local_address().value();
        std::array<std::byte, 8> buffer{};
        ASSERT_TRUE(sender.send_to(bytes_of("x"), address));
        EXPECT_FALSE(receiver.recv_from(buffer).value().time) << "nobody asked for it";
        ASSERT_TRUE(receiver.set_receive_timestamps(true));
        EXPECT_TRUE(receiver.receive_timestamps().value());
        // The kernel begins to take the time a moment after it was asked to; until then it is that of reading.
        bool taken_on_arrival = false;
        for (int round = 0; round < 10'000 && !taken_on_arrival; ++round) {
            const auto before = std::chrono::system_clock::now();
            ASSERT_TRUE(sender.send_to(bytes_of("x"), address));
            const auto after = std::chrono::system_clock::now();
            const auto got = receiver.recv_from(buffer).value();
            ASSERT_TRUE(got.time);
            EXPECT_GE(*got.time, before);
            taken_on_arrival = *got.time <= after;
        }
        EXPECT_TRUE(taken_on_arrival);
    });
}

TEST(UdpSocket, a_socket_that_was_overrun_says_so) {
    in_runtime([] {
        UdpSocket sender = udp_on_loopback();
        UdpSocket receiver = udp_on_loopback();
        ASSERT_TRUE(receiver.set_drop_reports(true));
        EXPECT_TRUE(receiver.drop_reports().value());
        ASSERT_TRUE(receiver.set_recv_buffer_size(1));
        ASSERT_TRUE(sender.connect(receiver.local_address().value()));
        const std::string block(1024, 'x');
        for (int i = 0; i < 200; ++i) ASSERT_TRUE(sender.send(bytes_of(block)));
        std::vector<std::byte> buffer(2048);
        std::uint32_t received = 0;
        while (receiver.try_recv_from(buffer)) ++received;
        ASSERT_TRUE(sender.send(bytes_of("x")));
        EXPECT_EQ(receiver.recv_from(buffer).value().dropped, 200U - received);
    });
}

TEST(UdpSocket, broadcast_has_to_be_allowed) {
    in_runtime([] {
        UdpSocket socket = UdpSocket::v4().value();
        const SocketAddress everybody = SocketAddress::parse("127.255.255.255:9").value();
        EXPECT_EQ(socket.send_to(bytes_of("x"), everybody).error(), std::errc::permission_denied);
        ASSERT_TRUE(socket.set_broadcast(true));
        EXPECT_TRUE(socket.send_to(bytes_of("x"), everybody));
    });
}

TEST(UdpSocket, each_member_of_a_group_gets_a_copy) {
    in_runtime([] {
        const unsigned loopback = interface_index("lo").value();
        UdpSocket first = UdpSocket::bind("0.0.0.0:0", {.reuse_address = true}).value();
        UdpSocket second = UdpSocket::bind(first.local_address().value(), {.reuse_address = true}).value();
        const SocketAddress group = SocketAddress::ipv4({239, 255, 77, 78}, first.local_address().value().port());
        ASSERT_TRUE(first.join_multicast(group, loopback));
        ASSERT_TRUE(second.join_multicast(group, SocketAddress::parse("127.0.0.1:0").value()));
        UdpSocket sender = udp_on_loopback();
        ASSERT_TRUE(sender.set_multicast_interface(loopback));
        ASSERT_TRUE(sender.set_multicast_ttl(0));
        ASSERT_TRUE(sender.send_to(bytes_of("both"), group));
        EXPECT_EQ(recv_text(first), "both");
        EXPECT_EQ(recv_text(second), "both");
    });
}

TEST(UdpSocket, a_member_for_a_source_hears_that_source_only) {
    in_runtime([] {
        const unsigned loopback = interface_index("lo").value();
        UdpSocket receiver = UdpSocket::bind("0.0.0.0:0").value();
        ASSERT_TRUE(receiver.set_multicast_all(false));
        const SocketAddress group = SocketAddress::ipv4({239, 255, 77, 79}, receiver.local_address().value().port());
        const SocketAddress wanted = SocketAddress::parse("127.0.0.2:0").value();
        ASSERT_TRUE(receiver.join_source(group, wanted, loopback));
        UdpSocket other = UdpSocket::bind("127.0.0.1:0").value();
        UdpSocket source = UdpSocket::bind("127.0.0.2:0").value();
        for (UdpSocket* sender : {&other, &source}) {
            ASSERT_TRUE(sender->set_multicast_interface(loopback));
            ASSERT_TRUE(sender->set_multicast_ttl(0));
        }
        ASSERT_TRUE(other.send_to(bytes_of("noise"), group));
        ASSERT_TRUE(source.send_to(bytes_of("signal"), group));
        EXPECT_EQ(recv_text(receiver), "signal");
        EXPECT_TRUE(receiver.leave_source(group, wanted, loopback));
    });
}

TEST(UdpSocket, multicast_over_ipv6_is_joined_and_left) {
    auto socket = UdpSocket::bind("[::]:0");
    if (!socket) GTEST_SKIP() << socket.error().message();
    const unsigned loopback = interface_index("lo").value();
    const SocketAddress group = SocketAddress::parse("[ff15::4711]:0").value();
    ASSERT_TRUE(socket->join_multicast(group, loopback));
    EXPECT_EQ(socket->join_multicast(group, loopback).error(), std::errc::address_in_use);
    ASSERT_TRUE(socket->leave_multicast(group, loopback));
    EXPECT_TRUE(socket->set_multicast_loop(false));
    EXPECT_TRUE(socket->set_multicast_ttl(3));
    EXPECT_EQ(socket->multicast_ttl().value(), 3);
}

TEST(UdpSocket, A26_a_datagram_that_came_before_the_first_wait_is_not_missed) {
    in_runtime([] {
        UdpSocket sender = udp_on_loopback();
        UdpSocket receiver = udp_on_loopback();
        ASSERT_TRUE(sender.send_to(bytes_of("early"), receiver.local_address().value()));
        // The first attempt fails on purpose: only what registering reports can end the wait now.
        os::Fault<&os::Calls::recv> fault{EAGAIN, 1};
        EXPECT_EQ(recv_text(receiver), "early");
    });
}

TEST(UdpSocket, H19_readable_waits_until_there_is_something) {
    in_runtime([] {
        UdpSocket sender = udp_on_loopback();
        UdpSocket receiver = udp_on_loopback();
        bool told = false;
        auto waiter = spawn([&] {
            EXPECT_TRUE(receiver.readable());
            told = true;
        });
        settle();
        EXPECT_FALSE(told);
        EXPECT_FALSE(receiver.is_readable());
        ASSERT_TRUE(sender.send_to(bytes_of("x"), receiver.local_address().value()));
        waiter.join();
        EXPECT_TRUE(receiver.is_readable());
        EXPECT_TRUE(receiver.writable());
        EXPECT_TRUE(receiver.is_writable());
        std::array<std::byte, 4> buffer{};
        EXPECT_TRUE(receiver.try_peek(buffer));
        EXPECT_TRUE(receiver.try_peek_from(buffer));
        EXPECT_TRUE(receiver.try_recv(buffer));
        EXPECT_EQ(receiver.try_peek(buffer).error(), std::errc::resource_unavailable_try_again);
        EXPECT_FALSE(receiver.is_readable());
    });
}

TEST(UdpSocket, a_closed_socket_fails_everything) {
    in_runtime([] {
        UdpSocket socket = udp_on_loopback();
        UdpSocket peer = udp_on_loopback();
        const SocketAddress to = peer.local_address().value();
        auto waiter = spawn([&] {
            std::array<std::byte, 4> buffer{};
            return socket.recv(buffer).error();
        });
        settle();
        socket.close();
        socket.close();
        EXPECT_EQ(waiter.join(), errc::closed);
        std::array<std::byte, 4> buffer{};
        EXPECT_EQ(socket.recv(buffer).error(), errc::closed);
        EXPECT_EQ(socket.recv_from(buffer).error(), errc::closed);
        EXPECT_EQ(socket.try_recv(buffer).error(), errc::closed);
        EXPECT_EQ(socket.send_to(buffer, to).error(), errc::closed);
        EXPECT_EQ(socket.try_send_to(buffer, to).error(), errc::closed);
        EXPECT_EQ(socket.readable().error(), errc::closed);
        EXPECT_EQ(socket.connect(to).error(), std::errc::bad_file_descriptor);
        EXPECT_EQ(socket.local_address().error(), std::errc::bad_file_descriptor);
        EXPECT_EQ(socket.set_ttl(3).error(), std::errc::bad_file_descriptor);
        EXPECT_FALSE(socket.is_open());
    });
}

TEST(UdpSocket, a_second_receiver_is_a_mistake_and_harmless) {
    in_runtime([] {
        UdpSocket socket = udp_on_loopback();
        UdpSocket sender = udp_on_loopback();
        auto first = spawn([&] { return recv_text(socket); });
        settle();
        std::array<std::byte, 4> buffer{};
        EXPECT_THROW((void)socket.recv(buffer), UsageError);
        ASSERT_TRUE(sender.send_to(bytes_of("x"), socket.local_address().value()));
        EXPECT_EQ(first.join(), "x");
    });
}

TEST(UdpSocket, from_fd_takes_udp_sockets_only) {
    os::Fd tcp(::socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(UdpSocket::from_fd(std::move(tcp)).error(), std::errc::wrong_protocol_type);
    EXPECT_TRUE(tcp) << "it stays with the caller";
    os::Fd local(::socket(AF_UNIX, SOCK_DGRAM, 0));
    EXPECT_EQ(UdpSocket::from_fd(std::move(local)).error(), std::errc::wrong_protocol_type);
    os::Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(UdpSocket::from_fd(std::move(file)).error(), std::errc::not_a_socket);
    EXPECT_FALSE(UdpSocket::from_fd(os::Fd{}));
}

TEST(UdpSocket, a_socket_that_was_moved_from_is_a_mistake) {
    UdpSocket socket = udp_on_loopback();
    const UdpSocket moved = std::move(socket);
    std::array<std::byte, 4> buffer{};
    EXPECT_THROW((void)socket.try_recv(buffer), UsageError);
    EXPECT_THROW((void)socket.fd(), UsageError);
    EXPECT_TRUE(moved.is_open());
}

TEST(UdpSocket, sockets_outlive_their_runtime_and_serve_the_next) {
    UdpSocket a = udp_on_loopback();
    UdpSocket b = udp_on_loopback();
    for (int round = 0; round < 2; ++round) {
        in_runtime([&] {
            auto receiver = spawn([&] { return recv_text(b); });
            settle();
            ASSERT_TRUE(a.send_to(bytes_of("again"), b.local_address().value()));
            EXPECT_EQ(receiver.join(), "again");
        });
    }
}

TEST(UdpSocket, one_that_never_runs_dry_starves_nobody) {
    in_runtime([] {
        UdpSocket a = udp_on_loopback();
        ASSERT_TRUE(a.connect(a.local_address().value())); // it talks to itself
        ASSERT_TRUE(a.send(bytes_of("x")));
        bool other_ran = false;
        auto other = spawn([&] { other_ran = true; });
        int rounds = 0;
        while (!other_ran && rounds < 100'000) {
            EXPECT_EQ(recv_text(a), "x");
            ASSERT_TRUE(a.send(bytes_of("x")));
            ++rounds;
        }
        EXPECT_TRUE(other_ran);
        other.join();
    });
}

} // namespace
} // namespace nexus
