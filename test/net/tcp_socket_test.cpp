#include "nexus/net/tcp_socket.hpp"

#include "test/net/rig.hpp"
#include "test/os/fault.hpp"

#include <netinet/tcp.h>

namespace nexus {
namespace {

using namespace std::chrono_literals;

// proves: NET-10, NET-12
TEST(TcpSocket, every_option_can_be_set_before_and_read_back) {
    TcpSocket socket = TcpSocket::v4().value();
    for (const bool on : {true, false}) {
        ASSERT_TRUE(socket.set_reuse_address(on) && socket.set_reuse_port(on) && socket.set_nodelay(on) &&
                    socket.set_keepalive(on) && socket.set_quickack(on));
        EXPECT_EQ(socket.reuse_address().value(), on);
        EXPECT_EQ(socket.reuse_port().value(), on);
        EXPECT_EQ(socket.nodelay().value(), on);
        EXPECT_EQ(socket.keepalive().value(), on);
        EXPECT_EQ(socket.quickack().value(), on);
    }
    const KeepaliveTimes times{20s, 3s, 5};
    ASSERT_TRUE(socket.set_keepalive_times(times));
    EXPECT_EQ(socket.keepalive_times().value(), times);
    ASSERT_TRUE(socket.set_user_timeout(2500ms));
    EXPECT_EQ(socket.user_timeout().value(), 2500ms);
    ASSERT_TRUE(socket.set_traffic_class(0x28));
    EXPECT_EQ(socket.traffic_class().value(), 0x28);
    ASSERT_TRUE(socket.set_busy_poll(0us));
    EXPECT_EQ(socket.busy_poll().value(), 0us);
    ASSERT_TRUE(socket.set_linger(0s));
    EXPECT_EQ(socket.linger().value(), 0s);
    EXPECT_TRUE(socket.take_error());
}

TEST(TcpSocket, any_other_option_goes_by_its_number) {
    in_runtime([] {
        TcpSocket socket = TcpSocket::v4().value();
        ASSERT_TRUE(socket.set_option(SOL_SOCKET, SO_PRIORITY, 5));
        EXPECT_EQ(socket.option<int>(SOL_SOCKET, SO_PRIORITY).value(), 5);
        EXPECT_EQ(socket.set_option(SOL_SOCKET, 9999, 1).error(), std::errc::no_protocol_option);
        auto [client, server] = connect_pair();
        EXPECT_EQ(client.option<tcp_info>(IPPROTO_TCP, TCP_INFO).value().tcpi_state, TCP_ESTABLISHED);
    });
}

TEST(TcpSocket, options_of_the_listener_are_those_of_its_connections) {
    in_runtime([] {
        TcpSocket socket = TcpSocket::v4().value();
        ASSERT_TRUE(socket.set_keepalive_times({20s, 3s, 5}));
        ASSERT_TRUE(socket.bind("127.0.0.1:0"));
        TcpListener listener = std::move(socket).listen().value();
        ASSERT_TRUE(listener.set_user_timeout(900ms));
        TcpStream client = TcpStream::connect(listener.local_address().value()).value();
        TcpStream server = listener.accept().value().stream;
        EXPECT_EQ(server.keepalive_times().value(), (KeepaliveTimes{20s, 3s, 5}));
        EXPECT_EQ(server.user_timeout().value(), 900ms);
    });
}

TEST(TcpSocket, connects_from_the_address_that_it_was_bound_to) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        TcpSocket socket = TcpSocket::for_address(listener.local_address().value()).value();
        ASSERT_TRUE(socket.bind("127.0.0.3:0"));
        TcpStream client = std::move(socket).connect(listener.local_address().value().to_string()).value();
        EXPECT_EQ(listener.accept().value().peer, client.local_address().value());
        EXPECT_TRUE(client.local_address().value().to_string().starts_with("127.0.0.3:"));
        EXPECT_EQ(socket.fd(), -1) << "it has become the stream";
    });
}

TEST(TcpSocket, addresses_that_are_none_are_named) {
    in_runtime([] {
        TcpSocket socket = TcpSocket::v4().value();
        for (const char* text : {"localhost:80", "127.0.0.1", "127.0.0.1:99999", "::1:80", ""}) {
            const auto failed = socket.bind(text);
            ASSERT_FALSE(failed) << text;
            EXPECT_EQ(failed.error(), errc::invalid_address);
            EXPECT_EQ(failed.error().subject(), text);
            EXPECT_STREQ(failed.error().operation(), "bind");
        }
        EXPECT_EQ(std::move(socket).connect("nowhere").error().message(),
                  "connect nowhere: not an address (wanted: IP address and port, as 127.0.0.1:80 or [::1]:80; names "
                  "are not looked up)");
        EXPECT_EQ(TcpSocket::v4().value().bind("[::1]:0").error(), std::errc::address_family_not_supported);
    });
}

TEST(TcpSocket, listening_on_a_port_that_is_taken_fails_and_leaves_the_socket) {
    TcpListener holder = listen_on_loopback();
    TcpSocket socket = TcpSocket::v4().value();
    EXPECT_EQ(socket.bind(holder.local_address().value()).error(), std::errc::address_in_use);
    os::Fault<&os::Calls::listen> fault{EADDRINUSE, 1};
    EXPECT_EQ(std::move(socket).listen(5).error(), std::errc::address_in_use);
    EXPECT_GE(socket.fd(), 0);
    EXPECT_TRUE(std::move(socket).listen(5));
    EXPECT_EQ(socket.fd(), -1);
}

TEST(TcpSocket, only_v6_leaves_ipv4_to_others) {
    auto v6 = TcpSocket::v6();
    if (!v6) GTEST_SKIP() << v6.error().message();
    ASSERT_TRUE(v6->set_only_v6(true));
    EXPECT_TRUE(v6->only_v6().value());
    ASSERT_TRUE(v6->bind("[::]:0"));
    const std::uint16_t port = v6->local_address().value().port();
    TcpListener listener = std::move(*v6).listen().value();
    EXPECT_TRUE(TcpListener::bind(SocketAddress::ipv4({0, 0, 0, 0}, port)));
    EXPECT_TRUE(TcpListener::bind("[::]:0", {.only_v6 = true}));
    EXPECT_EQ(TcpListener::bind("127.0.0.1:0", {.only_v6 = true}).error(), std::errc::no_protocol_option);
}

} // namespace
} // namespace nexus
