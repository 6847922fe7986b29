#include "nexus/os/socket.hpp"

#include "nexus/os/address.hpp"
#include "nexus/os/socket_options.hpp"

#include "test/os/fault.hpp"

#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace nexus::os {
namespace {

const SocketAddress loopback = SocketAddress::ipv4({127, 0, 0, 1}, 0);

void wait_for(int fd, short events) {
    pollfd wanted{fd, events, 0};
    ASSERT_EQ(::poll(&wanted, 1, 10'000), 1);
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

/// A connection over the loopback interface.
class Connection : public ::testing::Test {
protected:
    void SetUp() override {
        listener = open_tcp(AF_INET).value();
        ASSERT_TRUE(set_reuse_address(listener.get(), true));
        ASSERT_TRUE(bind(listener.get(), loopback));
        ASSERT_TRUE(listen(listener.get(), 16));
        address = local_address(listener.get()).value();
        client = open_tcp(AF_INET).value();
        if (const auto started = connect(client.get(), address); !started) {
            ASSERT_EQ(started.error(), std::errc::operation_in_progress);
            wait_for(client.get(), POLLOUT);
        }
        ASSERT_TRUE(take_error(client.get()));
        wait_for(listener.get(), POLLIN);
        Accepted accepted = accept(listener.get()).value();
        server = std::move(accepted.fd);
        peer = accepted.peer;
    }
    std::string receive_at_server() {
        wait_for(server.get(), POLLIN);
        std::array<std::byte, 64> buffer;
        const std::size_t count = receive(server.get(), buffer).value();
        std::string text(count, '\0');
        std::memcpy(text.data(), buffer.data(), count);
        return text;
    }

    Fd listener;
    Fd client;
    Fd server;
    SocketAddress address;
    SocketAddress peer;
};

TEST_F(Connection, knows_both_addresses) {
    EXPECT_NE(address.port(), 0);
    EXPECT_EQ(address.with_port(0), loopback);
    EXPECT_EQ(peer_address(client.get()).value(), address);
    EXPECT_EQ(peer, local_address(client.get()).value());
    EXPECT_EQ(peer_address(server.get()).value(), peer);
    EXPECT_EQ(peer_address(listener.get()).error(), std::errc::not_connected);
}

TEST_F(Connection, every_socket_is_close_on_exec_and_non_blocking) {
    for (const Fd* fd : {&listener, &client, &server}) {
        EXPECT_EQ(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        EXPECT_EQ(::fcntl(fd->get(), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    }
}

TEST_F(Connection, what_would_block_comes_back) {
    std::array<std::byte, 8> buffer;
    EXPECT_EQ(receive(server.get(), buffer).error(), std::errc::resource_unavailable_try_again);
    EXPECT_EQ(accept(listener.get()).error(), std::errc::resource_unavailable_try_again);
    const std::vector<std::byte> much(1 << 20);
    Result<std::size_t> sent = send(client.get(), much);
    while (sent) sent = send(client.get(), much);
    EXPECT_EQ(sent.error(), std::errc::resource_unavailable_try_again);
}

TEST_F(Connection, carries_bytes_by_every_call) {
    EXPECT_EQ(send(client.get(), bytes_of("one")).value(), 3U);
    EXPECT_EQ(receive_at_server(), "one");
    EXPECT_EQ(write(client.get(), bytes_of("two")).value(), 3U);
    wait_for(server.get(), POLLIN);
    std::array<std::byte, 8> buffer;
    EXPECT_EQ(receive(server.get(), buffer, MSG_PEEK).value(), 3U);
    EXPECT_EQ(read(server.get(), buffer).value(), 3U);
    EXPECT_EQ(buffer[2], std::byte{'o'});
}

TEST_F(Connection, carries_several_buffers_at_once) {
    std::string first = "abc";
    std::string second = "defgh";
    const std::array<iovec, 2> out{{{first.data(), 3}, {second.data(), 5}}};
    EXPECT_EQ(send_vectored(client.get(), out).value(), 8U);
    wait_for(server.get(), POLLIN);
    std::string left(5, '.');
    std::string right(5, '.');
    const std::array<iovec, 2> in{{{left.data(), 5}, {right.data(), 5}}};
    EXPECT_EQ(receive_vectored(server.get(), in).value(), 8U);
    EXPECT_EQ(left + right, "abcdefgh..");
}

TEST_F(Connection, more_buffers_than_the_kernel_takes_are_cut_off) {
    std::string text = "x";
    const std::vector<iovec> out(5000, iovec{text.data(), 1});
    EXPECT_EQ(send_vectored(client.get(), out).value(), 1024U);
}

TEST_F(Connection, end_of_stream_is_zero_bytes) {
    ASSERT_TRUE(shutdown(client.get(), ShutdownSide::write));
    EXPECT_EQ(receive_at_server(), "");
    EXPECT_EQ(send(server.get(), bytes_of("still")).value(), 5U);
}

TEST_F(Connection, sending_to_who_is_gone_is_an_error_and_no_signal) {
    ASSERT_TRUE(shutdown(client.get(), ShutdownSide::write));
    EXPECT_EQ(send(client.get(), bytes_of("x")).error(), std::errc::broken_pipe);
    std::string text = "x";
    const std::array<iovec, 1> out{{{text.data(), 1}}};
    EXPECT_EQ(send_vectored(client.get(), out).error(), std::errc::broken_pipe);
}

TEST(Socket, a_write_without_signal_leaves_no_signal_behind) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0);
    const Fd writer{ends[1]};
    EXPECT_EQ(write_without_signal(writer.get(), bytes_of("abc")).value(), 3U);
    ::close(ends[0]);
    sigset_t before;
    sigset_t pending;
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
    EXPECT_EQ(write_without_signal(writer.get(), bytes_of("x")).error(), std::errc::broken_pipe);
    sigset_t after;
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &after), 0);
    for (int number = 1; number < SIGRTMIN; ++number) {
        EXPECT_EQ(sigismember(&before, number), sigismember(&after, number)) << "the thread's mask is as it was";
    }
    ASSERT_EQ(::sigpending(&pending), 0);
    EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
}

TEST(Socket, a_write_without_signal_takes_no_signal_of_somebody_elses) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0);
    const Fd writer{ends[1]};
    ::close(ends[0]);
    sigset_t pipe;
    sigset_t before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &pipe, &before), 0);
    ASSERT_EQ(::pthread_kill(::pthread_self(), SIGPIPE), 0);
    EXPECT_EQ(write_without_signal(writer.get(), bytes_of("x")).error(), std::errc::broken_pipe);
    sigset_t pending;
    ASSERT_EQ(::sigpending(&pending), 0);
    EXPECT_NE(sigismember(&pending, SIGPIPE), 0);
    constexpr timespec at_once{};
    EXPECT_EQ(::sigtimedwait(&pipe, nullptr, &at_once), SIGPIPE);
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

TEST_F(Connection, poll_now_tells_the_state_of_this_moment) {
    EXPECT_EQ(poll_now(server.get(), POLLIN, "test").value(), 0);
    EXPECT_EQ(poll_now(server.get(), POLLOUT, "test").value(), POLLOUT);
    ASSERT_TRUE(shutdown(client.get(), ShutdownSide::write));
    wait_for(server.get(), POLLIN);
    EXPECT_EQ(poll_now(server.get(), POLLRDHUP, "test").value(), POLLRDHUP);
    Fault<&Calls::poll> fault{ENOMEM, 1};
    EXPECT_EQ(poll_now(server.get(), POLLIN, "test").error(), std::errc::not_enough_memory);
}

TEST_F(Connection, interrupted_calls_are_repeated) {
    std::string text = "x";
    const std::array<iovec, 1> part{{{text.data(), 1}}};
    std::array<std::byte, 1> buffer;
    {
        Fault<&Calls::send> fault{EINTR, 2};
        EXPECT_EQ(send(client.get(), bytes_of("1")).value(), 1U);
        EXPECT_EQ(fault.calls_seen(), 3);
    }
    {
        Fault<&Calls::sendmsg> fault{EINTR, 1};
        EXPECT_EQ(send_vectored(client.get(), part).value(), 1U);
    }
    {
        Fault<&Calls::write> fault{EINTR, 1};
        EXPECT_EQ(write(client.get(), bytes_of("3")).value(), 1U);
    }
    wait_for(server.get(), POLLIN);
    {
        Fault<&Calls::recv> fault{EINTR, 1};
        EXPECT_EQ(receive(server.get(), buffer).value(), 1U);
    }
    {
        Fault<&Calls::recvmsg> fault{EINTR, 1};
        EXPECT_EQ(receive_vectored(server.get(), part).value(), 1U);
    }
    {
        Fault<&Calls::read> fault{EINTR, 1};
        EXPECT_EQ(read(server.get(), buffer).value(), 1U);
    }
    Fault<&Calls::accept4> fault{EINTR, 3};
    EXPECT_EQ(accept(listener.get()).error(), std::errc::resource_unavailable_try_again);
    EXPECT_EQ(fault.calls_seen(), 4);
}

TEST_F(Connection, an_interrupted_connect_goes_on) {
    Fd other = open_tcp(AF_INET).value();
    Fault<&Calls::connect> fault{EINTR, 1};
    EXPECT_EQ(connect(other.get(), address).error(), std::errc::operation_in_progress);
    EXPECT_EQ(fault.calls_seen(), 1);
}

TEST_F(Connection, accept_reports_a_lack_of_descriptors_and_recovers) {
    Fd other = open_tcp(AF_INET).value();
    (void)connect(other.get(), address);
    wait_for(listener.get(), POLLIN);
    Fault<&Calls::accept4> fault{EMFILE, 1};
    const auto failed = accept(listener.get());
    EXPECT_EQ(failed.error(), std::errc::too_many_files_open);
    EXPECT_STREQ(failed.error().operation(), "accept");
    EXPECT_TRUE(accept(listener.get()));
}

TEST_F(Connection, options_are_read_as_they_were_set) {
    const int fd = client.get();
    for (bool on : {true, false}) {
        ASSERT_TRUE(set_no_delay(fd, on) && set_keepalive(fd, on) && set_reuse_address(fd, on) &&
                    set_reuse_port(fd, on));
        EXPECT_EQ(no_delay(fd).value(), on);
        EXPECT_EQ(keepalive(fd).value(), on);
        EXPECT_EQ(reuse_address(fd).value(), on);
        EXPECT_EQ(reuse_port(fd).value(), on);
    }
    EXPECT_EQ(linger(fd).value(), std::nullopt);
    ASSERT_TRUE(set_linger(fd, std::chrono::seconds{7}));
    EXPECT_EQ(linger(fd).value(), std::chrono::seconds{7});
    ASSERT_TRUE(set_linger(fd, std::chrono::seconds{-7}));
    EXPECT_EQ(linger(fd).value(), std::chrono::seconds{0});
    ASSERT_TRUE(set_linger(fd, std::chrono::seconds::max()));
    EXPECT_GT(linger(fd).value(), std::chrono::seconds{1000});
    ASSERT_TRUE(set_linger(fd, std::nullopt));
    EXPECT_EQ(linger(fd).value(), std::nullopt);
    ASSERT_TRUE(set_send_buffer(fd, 20'000) && set_receive_buffer(fd, 20'000));
    EXPECT_GE(send_buffer(fd).value(), 20'000);
    EXPECT_GE(receive_buffer(fd).value(), 20'000);
    ASSERT_TRUE(set_ttl(fd, 33));
    EXPECT_EQ(ttl(fd).value(), 33);
    EXPECT_EQ(set_ttl(fd, 256).error(), std::errc::invalid_argument);
}

TEST(Socket, ttl_of_ipv6_is_its_hop_limit) {
    Result<Fd> fd = open_tcp(AF_INET6);
    if (!fd) GTEST_SKIP() << fd.error().message();
    ASSERT_TRUE(set_ttl(fd->get(), 44));
    EXPECT_EQ(ttl(fd->get()).value(), 44);
    int hops = 0;
    socklen_t size = sizeof hops;
    ASSERT_EQ(::getsockopt(fd->get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, &size), 0);
    EXPECT_EQ(hops, 44);
}

TEST(Socket, a_refused_connection_is_told_by_take_error_once) {
    SocketAddress closed;
    {
        Fd holder = open_tcp(AF_INET).value();
        ASSERT_TRUE(bind(holder.get(), loopback));
        closed = local_address(holder.get()).value();
    }
    Fd fd = open_tcp(AF_INET).value();
    Result<void> result = connect(fd.get(), closed);
    if (!result && result.error() == std::errc::operation_in_progress) {
        wait_for(fd.get(), POLLOUT);
        result = take_error(fd.get(), "connect");
    }
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), std::errc::connection_refused);
    EXPECT_STREQ(result.error().operation(), "connect");
    EXPECT_TRUE(take_error(fd.get()));
}

TEST(Socket, failures_name_the_operation) {
    {
        Fault<&Calls::socket> fault{EMFILE, 1};
        const auto failed = open_tcp(AF_INET);
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error(), std::errc::too_many_files_open);
        EXPECT_STREQ(failed.error().operation(), "socket");
    }
    EXPECT_STREQ(bind(-1, loopback).error().operation(), "bind");
    EXPECT_STREQ(listen(-1, 1).error().operation(), "listen");
    EXPECT_STREQ(connect(-1, loopback).error().operation(), "connect");
    EXPECT_STREQ(shutdown(-1, ShutdownSide::read).error().operation(), "shutdown");
    EXPECT_STREQ(set_no_delay(-1, true).error().operation(), "set no_delay");
    EXPECT_STREQ(set_ttl(-1, 1).error().operation(), "set ttl");
    for (const Error& error : {local_address(-1).error(), peer_address(-1).error(), take_error(-1).error(),
                               no_delay(-1).error(), ttl(-1).error(), linger(-1).error()}) {
        EXPECT_EQ(error, std::errc::bad_file_descriptor);
    }
    std::array<std::byte, 1> buffer{};
    EXPECT_EQ(read(-1, buffer).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(write(-1, buffer).error(), std::errc::bad_file_descriptor);
}

} // namespace
} // namespace nexus::os
