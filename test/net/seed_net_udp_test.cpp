// The seed's tests of UDP (section 11 of the contract, 353 to 363), under its names. Where they accepted failure they
// do not here.
#include "test/net/rig.hpp"

#include <fcntl.h>

namespace nexus {
namespace {

// proves: NET-11, UdpSocket
TEST(SeedNetUdp, send_recv_basic) {
    in_runtime([] {
        UdpSocket sender = udp_on_loopback();
        UdpSocket receiver = udp_on_loopback();
        ASSERT_EQ(sender.send_to(bytes_of("datagram"), receiver.local_address().value()).value(), 8U);
        std::array<std::byte, 32> buffer{};
        const auto got = receiver.recv_from(buffer).value();
        EXPECT_EQ(got.size, 8U);
        EXPECT_FALSE(got.truncated());
        EXPECT_EQ(got.from, sender.local_address().value());
        EXPECT_EQ(text_of(std::span(buffer).first(8)), "datagram");
    });
}

// proves: NET-11
TEST(SeedNetUdp, connected_send_recv) {
    in_runtime([] {
        UdpSocket a = udp_on_loopback();
        UdpSocket b = udp_on_loopback();
        UdpSocket stranger = udp_on_loopback();
        ASSERT_TRUE(a.connect(b.local_address().value()));
        EXPECT_EQ(a.peer_address().value(), b.local_address().value());
        ASSERT_TRUE(stranger.send_to(bytes_of("not for you"), a.local_address().value()));
        ASSERT_TRUE(b.send_to(bytes_of("for you"), a.local_address().value()));
        EXPECT_EQ(recv_text(a), "for you") << "a connected socket hears its peer only";
    });
}

TEST(SeedNetUdp, echo) {
    in_runtime([] {
        UdpSocket server = udp_on_loopback();
        auto echo = spawn([&] {
            std::array<std::byte, 64> buffer{};
            for (int i = 0; i < 10; ++i) {
                const auto got = server.recv_from(buffer).value();
                EXPECT_TRUE(server.send_to(std::span(buffer).first(got.size), got.from));
            }
        });
        UdpSocket client = udp_on_loopback();
        ASSERT_TRUE(client.connect(server.local_address().value()));
        for (int i = 0; i < 10; ++i) {
            const std::string text = "message " + std::to_string(i);
            ASSERT_TRUE(client.send(bytes_of(text)));
            EXPECT_EQ(recv_text(client), text);
        }
        echo.join();
    });
}

TEST(SeedNetUdp, multiple_datagrams) {
    in_runtime([] {
        UdpSocket sender = udp_on_loopback();
        UdpSocket receiver = udp_on_loopback();
        ASSERT_TRUE(sender.connect(receiver.local_address().value()));
        for (int i = 0; i < 20; ++i) ASSERT_TRUE(sender.send(bytes_of("number " + std::to_string(i))));
        for (int i = 0; i < 20; ++i) EXPECT_EQ(recv_text(receiver), "number " + std::to_string(i));
    });
}

// proves: NET-11
TEST(SeedNetUdp, socket_options) {
    UdpSocket socket = udp_on_loopback();
    for (const bool on : {true, false}) {
        ASSERT_TRUE(socket.set_broadcast(on));
        EXPECT_EQ(socket.broadcast().value(), on);
        ASSERT_TRUE(socket.set_multicast_loop(on));
        EXPECT_EQ(socket.multicast_loop().value(), on);
    }
    ASSERT_TRUE(socket.set_multicast_ttl(5));
    EXPECT_EQ(socket.multicast_ttl().value(), 5);
    ASSERT_TRUE(socket.set_ttl(64));
    EXPECT_EQ(socket.ttl().value(), 64);
    ASSERT_TRUE(socket.set_send_buffer_size(32 * 1024));
    EXPECT_GE(socket.send_buffer_size().value(), 32 * 1024);
    ASSERT_TRUE(socket.set_recv_buffer_size(32 * 1024));
    EXPECT_GE(socket.recv_buffer_size().value(), 32 * 1024);
    EXPECT_TRUE(socket.take_error());
}

// proves: NET-11
TEST(SeedNetUdp, try_send_recv) {
    in_runtime([] {
        UdpSocket a = udp_on_loopback();
        UdpSocket b = udp_on_loopback();
        std::array<std::byte, 16> buffer{};
        EXPECT_EQ(b.try_recv(buffer).error(), std::errc::resource_unavailable_try_again);
        EXPECT_EQ(b.try_recv_from(buffer).error(), std::errc::resource_unavailable_try_again);
        ASSERT_TRUE(a.connect(b.local_address().value()));
        EXPECT_EQ(a.try_send(bytes_of("one")).value(), 3U);
        EXPECT_EQ(a.try_send_to(bytes_of("three"), b.local_address().value()).value(), 5U);
        ASSERT_TRUE(b.readable());
        EXPECT_EQ(b.try_recv(buffer).value(), 3U);
        const auto second = b.try_recv_from(buffer).value();
        EXPECT_EQ(second.size, 5U);
        EXPECT_EQ(second.from, a.local_address().value());
    });
}

TEST(SeedNetUdp, from_std) {
    in_runtime([] {
        os::Fd fd(::socket(AF_INET, SOCK_DGRAM, 0)); // blocking, inherited: as somebody else makes it
        const SocketAddress any = SocketAddress::parse("127.0.0.1:0").value();
        ASSERT_EQ(::bind(fd.get(), any.data(), any.size()), 0);
        UdpSocket socket = UdpSocket::from_fd(std::move(fd)).value();
        EXPECT_FALSE(fd);
        EXPECT_NE(::fcntl(socket.fd(), F_GETFL) & O_NONBLOCK, 0);
        EXPECT_NE(::fcntl(socket.fd(), F_GETFD) & FD_CLOEXEC, 0);
        UdpSocket sender = udp_on_loopback();
        ASSERT_TRUE(sender.send_to(bytes_of("hello"), socket.local_address().value()));
        EXPECT_EQ(recv_text(socket), "hello");
    });
}

TEST(SeedNetUdp, into_std) {
    in_runtime([] {
        UdpSocket sender = udp_on_loopback();
        UdpSocket socket = udp_on_loopback();
        const SocketAddress address = socket.local_address().value();
        ASSERT_TRUE(sender.send_to(bytes_of("one"), address));
        EXPECT_EQ(recv_text(socket), "one");
        const os::Fd fd = std::move(socket).into_fd();
        ASSERT_TRUE(fd);
        EXPECT_NE(::fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
        EXPECT_EQ(os::local_address(fd.get()).value(), address);
        ASSERT_TRUE(sender.send_to(bytes_of("two"), address));
        std::array<std::byte, 8> buffer{};
        EXPECT_EQ(os::receive_datagram(fd.get(), buffer, 0).value(), 3U);
    });
}

// proves: NET-11
TEST(SeedNetUdp, peek_from) {
    in_runtime([] {
        UdpSocket sender = udp_on_loopback();
        UdpSocket receiver = udp_on_loopback();
        ASSERT_TRUE(sender.send_to(bytes_of("still there"), receiver.local_address().value()));
        std::array<std::byte, 16> buffer{};
        const auto seen = receiver.peek_from(buffer).value();
        EXPECT_EQ(seen.size, 11U);
        EXPECT_EQ(seen.from, sender.local_address().value());
        EXPECT_EQ(receiver.peek(buffer).value(), 11U);
        EXPECT_EQ(recv_text(receiver), "still there");
        EXPECT_FALSE(receiver.try_recv(buffer));
    });
}

// proves: NET-11
TEST(SeedNetUdp, multicast_loopback) {
    in_runtime([] {
        const unsigned loopback = interface_index("lo").value();
        UdpSocket receiver = UdpSocket::bind("0.0.0.0:0").value();
        const SocketAddress group = SocketAddress::ipv4({239, 255, 77, 77}, receiver.local_address().value().port());
        UdpSocket sender = udp_on_loopback();
        ASSERT_TRUE(sender.set_multicast_interface(loopback));
        ASSERT_TRUE(sender.set_multicast_ttl(0)); // it stays in this host
        ASSERT_TRUE(receiver.join_multicast(group, loopback));
        ASSERT_TRUE(sender.send_to(bytes_of("to all"), group));
        EXPECT_EQ(recv_text(receiver), "to all");
        ASSERT_TRUE(receiver.leave_multicast(group, loopback));
        ASSERT_TRUE(receiver.set_multicast_all(false));
        ASSERT_TRUE(sender.send_to(bytes_of("to the others"), group));
        ASSERT_TRUE(sender.send_to(bytes_of("to you"), receiver.local_address().value()));
        EXPECT_EQ(recv_text(receiver), "to you") << "it has left the group";
    });
}

TEST(SeedNetUdp, as_fd) {
    UdpSocket socket = udp_on_loopback();
    EXPECT_GE(socket.fd(), 0);
    EXPECT_EQ(os::local_address(socket.fd()).value(), socket.local_address().value());
    socket.close();
    EXPECT_EQ(socket.fd(), -1);
}

} // namespace
} // namespace nexus
