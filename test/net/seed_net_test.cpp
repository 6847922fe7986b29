// The seed's inline tests of net (section 11 of the contract, 202 to 206), under its names.
#include "test/net/rig.hpp"

namespace nexus {
namespace {

TEST(SeedNet, tcp_echo) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        auto server = spawn([&] {
            TcpStream stream = listener.accept().value().stream;
            std::array<std::byte, 64> buffer{};
            const std::size_t got = stream.read(buffer).value();
            EXPECT_TRUE(stream.write_all(std::span(buffer).first(got)));
        });
        TcpStream client = TcpStream::connect(listener.local_address().value()).value();
        ASSERT_TRUE(client.write_all("hello"));
        EXPECT_EQ(read_text(client), "hello");
        server.join();
    });
}

TEST(SeedNet, tcp_socket_builder) {
    TcpSocket socket = TcpSocket::v4().value();
    ASSERT_TRUE(socket.set_reuse_address(true));
    ASSERT_TRUE(socket.set_reuse_port(true));
    ASSERT_TRUE(socket.set_keepalive(true));
    ASSERT_TRUE(socket.set_nodelay(true));
    ASSERT_TRUE(socket.set_linger(std::chrono::seconds(3)));
    ASSERT_TRUE(socket.set_send_buffer_size(64 * 1024));
    ASSERT_TRUE(socket.set_recv_buffer_size(64 * 1024));
    ASSERT_TRUE(socket.set_ttl(17));
    ASSERT_TRUE(socket.bind("127.0.0.1:0"));
    EXPECT_TRUE(socket.reuse_address().value());
    EXPECT_TRUE(socket.reuse_port().value());
    EXPECT_TRUE(socket.keepalive().value());
    EXPECT_TRUE(socket.nodelay().value());
    EXPECT_EQ(socket.linger().value(), std::chrono::seconds(3));
    EXPECT_GE(socket.send_buffer_size().value(), 64 * 1024);
    EXPECT_GE(socket.recv_buffer_size().value(), 64 * 1024);
    EXPECT_EQ(socket.ttl().value(), 17);
    TcpListener listener = std::move(socket).listen().value();
    EXPECT_TRUE(listener.nodelay().value());
    EXPECT_EQ(listener.ttl().value(), 17);
}

TEST(SeedNet, udp_send_recv) {
    in_runtime([] {
        UdpSocket sender = udp_on_loopback();
        UdpSocket receiver = udp_on_loopback();
        EXPECT_EQ(sender.send_to(bytes_of("hello"), receiver.local_address().value()).value(), 5U);
        std::array<std::byte, 64> buffer{};
        const auto got = receiver.recv_from(buffer).value();
        EXPECT_EQ(text_of(std::span(buffer).first(got.size)), "hello");
        EXPECT_EQ(got.from, sender.local_address().value());
    });
}

TEST(SeedNet, udp_echo) {
    in_runtime([] {
        UdpSocket server = udp_on_loopback();
        auto echo = spawn([&] {
            std::array<std::byte, 64> buffer{};
            const auto got = server.recv_from(buffer).value();
            EXPECT_TRUE(server.send_to(std::span(buffer).first(got.size), got.from));
        });
        UdpSocket client = udp_on_loopback();
        ASSERT_TRUE(client.send_to(bytes_of("ping"), server.local_address().value()));
        EXPECT_EQ(recv_text(client), "ping");
        echo.join();
    });
}

TEST(SeedNet, udp_connected) {
    in_runtime([] {
        UdpSocket a = udp_on_loopback();
        UdpSocket b = udp_on_loopback();
        ASSERT_TRUE(a.connect(b.local_address().value()));
        ASSERT_TRUE(b.connect(a.local_address().value()));
        ASSERT_TRUE(a.send(bytes_of("there")));
        EXPECT_EQ(recv_text(b), "there");
        ASSERT_TRUE(b.send(bytes_of("back")));
        EXPECT_EQ(recv_text(a), "back");
    });
}

} // namespace
} // namespace nexus
