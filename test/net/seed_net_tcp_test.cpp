// The seed's tests of TCP (section 11 of the contract, 340 to 352), under its names.
#include "test/net/rig.hpp"

#include <fcntl.h>

namespace nexus {
namespace {

void echo(TcpStream stream) {
    std::array<std::byte, 4096> buffer;
    while (auto got = stream.read(buffer)) {
        if (*got == 0) return;
        if (!stream.write_all(std::span(buffer).first(*got))) return;
    }
}

std::string ask(TcpStream& stream, std::string_view text) {
    EXPECT_TRUE(stream.write_all(text));
    std::vector<std::byte> reply(text.size());
    EXPECT_TRUE(stream.read_exact(reply));
    return text_of(reply);
}

// proves: NET-5, NET-9, TcpListener, TcpStream, net, S-202
TEST(SeedNetTcp, echo_basic) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        auto server = spawn([&] { echo(listener.accept().value().stream); });
        TcpStream client = TcpStream::connect(listener.local_address().value()).value();
        EXPECT_EQ(ask(client, "hello"), "hello");
        client.close();
        server.join();
    });
}

TEST(SeedNetTcp, multiple_clients) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        const SocketAddress address = listener.local_address().value();
        auto server = spawn([&] {
            for (int i = 0; i < 3; ++i) spawn(echo, std::move(listener.accept().value().stream)).detach();
        });
        std::vector<JoinHandle<std::string>> clients;
        for (int i = 0; i < 3; ++i) {
            clients.push_back(spawn([address, i] {
                TcpStream stream = TcpStream::connect(address).value();
                return ask(stream, "client " + std::to_string(i));
            }));
        }
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(clients[static_cast<std::size_t>(i)].join(), "client " + std::to_string(i));
        }
        server.join();
    });
}

// proves: NET-5
TEST(SeedNetTcp, large_transfer) {
    in_runtime([] {
        Connected ends = connect_pair();
        const std::vector<std::byte> sent = pattern(1024 * 1024);
        auto sender = spawn([&] {
            EXPECT_TRUE(ends.client.write_all(sent));
            ends.client.close();
        });
        EXPECT_EQ(read_all(ends.server), sent);
        sender.join();
    });
}

// proves: NET-7, ReadHalf, WriteHalf
TEST(SeedNetTcp, split_borrowed) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        auto halves = client.split();
        ASSERT_TRUE(halves.write.write_all("ping"));
        EXPECT_EQ(read_text(server), "ping");
        ASSERT_TRUE(server.write_all("pong"));
        EXPECT_EQ(read_text(halves.read), "pong");
        EXPECT_TRUE(client.is_open());
    });
}

// proves: NET-7, OwnedReadHalf, OwnedWriteHalf
TEST(SeedNetTcp, into_split_reunite) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        const SocketAddress local = client.local_address().value();
        const SocketAddress peer = client.peer_address().value();
        auto halves = std::move(client).into_split();
        EXPECT_EQ(halves.read.local_address().value(), local);
        EXPECT_EQ(halves.read.peer_address().value(), peer);
        EXPECT_EQ(halves.write.local_address().value(), local);
        EXPECT_EQ(halves.write.peer_address().value(), peer);
        ASSERT_TRUE(halves.write.write_all("ping"));
        EXPECT_EQ(read_text(server), "ping");
        TcpStream whole = TcpStream::reunite(std::move(halves.read), std::move(halves.write));
        ASSERT_TRUE(server.write_all("pong"));
        EXPECT_EQ(read_text(whole), "pong");
        ASSERT_TRUE(whole.write_all("once more"));
        EXPECT_EQ(read_text(server), "once more");
    });
}

// proves: NET-3
TEST(SeedNetTcp, socket_options_on_stream) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        ASSERT_TRUE(client.set_nodelay(true));
        EXPECT_TRUE(client.nodelay().value());
        ASSERT_TRUE(client.set_nodelay(false));
        EXPECT_FALSE(client.nodelay().value());
        ASSERT_TRUE(client.set_ttl(42));
        EXPECT_EQ(client.ttl().value(), 42);
        EXPECT_FALSE(client.linger().value().has_value());
        ASSERT_TRUE(client.set_linger(std::chrono::seconds(5)));
        EXPECT_EQ(client.linger().value(), std::chrono::seconds(5));
        ASSERT_TRUE(client.set_linger(std::nullopt));
        EXPECT_FALSE(client.linger().value().has_value());
        ASSERT_TRUE(client.set_keepalive(true));
        EXPECT_TRUE(client.keepalive().value());
        ASSERT_TRUE(client.set_send_buffer_size(32 * 1024));
        EXPECT_GE(client.send_buffer_size().value(), 32 * 1024);
        ASSERT_TRUE(client.set_recv_buffer_size(32 * 1024));
        EXPECT_GE(client.recv_buffer_size().value(), 32 * 1024);
        EXPECT_TRUE(client.take_error());
    });
}

// proves: NET-10, TcpSocket, S-203
TEST(SeedNetTcp, socket_builder_bind_listen) {
    in_runtime([] {
        TcpSocket socket = TcpSocket::v4().value();
        ASSERT_TRUE(socket.set_reuse_address(true));
        EXPECT_TRUE(socket.reuse_address().value());
        ASSERT_TRUE(socket.set_reuse_port(true));
        EXPECT_TRUE(socket.reuse_port().value());
        ASSERT_TRUE(socket.set_nodelay(true));
        ASSERT_TRUE(socket.bind(SocketAddress::parse("127.0.0.1:0").value()));
        EXPECT_NE(socket.local_address().value().port(), 0);
        TcpListener listener = std::move(socket).listen(16).value();
        TcpSocket from = TcpSocket::v4().value();
        ASSERT_TRUE(from.set_keepalive(true));
        TcpStream client = std::move(from).connect(listener.local_address().value()).value();
        EXPECT_TRUE(client.keepalive().value());
        TcpStream server = listener.accept().value().stream;
        EXPECT_TRUE(server.nodelay().value()) << "inherited from the listener";
        ASSERT_TRUE(client.write_all("hello"));
        EXPECT_EQ(read_text(server), "hello");
    });
}

// proves: NET-4
TEST(SeedNetTcp, try_read_write) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        std::array<std::byte, 16> buffer;
        const auto nothing = server.try_read(buffer);
        ASSERT_FALSE(nothing);
        EXPECT_EQ(nothing.error(), std::errc::resource_unavailable_try_again);
        EXPECT_EQ(nothing.error(), std::errc::operation_would_block);
        EXPECT_EQ(client.try_write(bytes_of("hello")).value(), 5U);
        ASSERT_TRUE(server.readable());
        const std::size_t got = server.try_read(buffer).value();
        EXPECT_EQ(text_of(std::span(buffer).first(got)), "hello");
        (void)fill(client);
        EXPECT_FALSE(client.try_write(bytes_of("x")));
    });
}

// proves: NET-2
TEST(SeedNetTcp, from_std) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        os::Fd fd(::socket(AF_INET, SOCK_STREAM, 0)); // blocking, inherited: as somebody else makes it
        const SocketAddress address = listener.local_address().value();
        ASSERT_EQ(::connect(fd.get(), address.data(), address.size()), 0);
        TcpStream client = TcpStream::from_fd(std::move(fd)).value();
        EXPECT_FALSE(fd);
        EXPECT_NE(::fcntl(client.fd(), F_GETFL) & O_NONBLOCK, 0);
        EXPECT_NE(::fcntl(client.fd(), F_GETFD) & FD_CLOEXEC, 0);
        TcpStream server = listener.accept().value().stream;
        ASSERT_TRUE(server.write_all("hello"));
        EXPECT_EQ(read_text(client), "hello");
    });
}

// proves: NET-2
TEST(SeedNetTcp, into_std) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        ASSERT_TRUE(client.write_all("one"));
        EXPECT_EQ(read_text(server), "one");
        const os::Fd fd = std::move(server).into_fd();
        ASSERT_TRUE(fd);
        EXPECT_NE(::fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
        ASSERT_EQ(os::send(fd.get(), bytes_of("two")).value(), 3U);
        EXPECT_EQ(read_text(client), "two");
    });
}

// proves: NET-1
TEST(SeedNetTcp, connect_refused) {
    in_runtime([] {
        SocketAddress address;
        {
            TcpListener listener = listen_on_loopback();
            address = listener.local_address().value();
        }
        const auto refused = TcpStream::connect(address);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error(), std::errc::connection_refused);
        EXPECT_EQ(refused.error().subject(), address.to_string());
        EXPECT_STREQ(refused.error().operation(), "connect");
    });
}

TEST(SeedNetTcp, read_after_peer_close) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        client.close();
        std::array<std::byte, 16> buffer;
        for (int i = 0; i < 3; ++i) EXPECT_EQ(server.read(buffer).value(), 0U) << "the end stays the end";
    });
}

// proves: NET-9
TEST(SeedNetTcp, listener_ttl) {
    TcpListener listener = listen_on_loopback();
    ASSERT_TRUE(listener.set_ttl(77));
    EXPECT_EQ(listener.ttl().value(), 77);
}

} // namespace
} // namespace nexus
