#include "nexus/net/tcp_stream.hpp"

#include "test/net/rig.hpp"
#include "test/os/fault.hpp"

#include <csignal>
#include <optional>
#include <sys/socket.h>

namespace nexus {
namespace {

// --- connect ---

TEST(TcpStream, connect_reports_the_address_that_is_none) {
    in_runtime([] {
        for (const char* text : {"", "127.0.0.1", "localhost:80", "127.0.0.1:65536", "127.0.0.1:1 "}) {
            const auto failed = TcpStream::connect(text);
            ASSERT_FALSE(failed) << text;
            EXPECT_EQ(failed.error(), errc::invalid_address);
            EXPECT_EQ(failed.error().subject(), text);
        }
    });
}

TEST(TcpStream, connect_to_a_closed_port_is_refused_and_says_where) {
    in_runtime([] {
        const auto refused = TcpStream::connect("127.0.0.1:1");
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error(), std::errc::connection_refused);
        EXPECT_EQ(refused.error().message(), "connect 127.0.0.1:1: Connection refused");
    });
}

TEST(TcpStream, connect_fails_at_once_when_no_socket_can_be_had) {
    in_runtime([] {
        const os::Fault<&os::Calls::socket> fault(EMFILE, 1);
        const auto failed = TcpStream::connect("127.0.0.1:1");
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error(), std::errc::too_many_files_open);
        EXPECT_EQ(failed.error().subject(), "127.0.0.1:1");
    });
}

// proves: NET-1
TEST(TcpStream, A27_connect_waits_while_it_is_in_progress) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        const auto address = listener.local_address().value();
        // Over the loopback interface a connection mostly stands at once; let it look as if it did not.
        os::Calls table = os::real_calls();
        for (const int answer : {EINPROGRESS, EALREADY, EINTR}) {
            static int pretended = 0;
            pretended = answer;
            table.connect = [](int fd, const sockaddr* to, socklen_t size) {
                (void)os::real_calls().connect(fd, to, size);
                errno = pretended;
                return -1;
            };
            const os::CallsOverride override_calls(table);
            TcpStream client = TcpStream::connect(address).value();
            TcpStream server = listener.accept().value().stream;
            ASSERT_TRUE(client.write_all("x"));
            EXPECT_EQ(read_text(server), "x");
        }
    });
}

TEST(TcpStream, connects_over_ipv6) {
    in_runtime([] {
        auto listener = TcpListener::bind("[::1]:0");
        if (!listener) GTEST_SKIP() << listener.error().message();
        TcpStream client = TcpStream::connect(listener->local_address().value().to_string()).value();
        auto accepted = listener->accept().value();
        EXPECT_EQ(accepted.peer, client.local_address().value());
        EXPECT_EQ(accepted.peer.family(), AF_INET6);
        ASSERT_TRUE(client.set_ttl(33));
        EXPECT_EQ(client.ttl().value(), 33);
    });
}

// --- reading ---

TEST(TcpStream, read_exact_fills_the_buffer_from_several_pieces) {
    in_runtime([] {
        Connected ends = connect_pair();
        auto writer = spawn([&] {
            for (const char* piece : {"ab", "cde", "f"}) {
                EXPECT_TRUE(ends.client.write_all(piece));
                settle();
            }
        });
        std::array<std::byte, 6> buffer{};
        std::size_t transferred = 99;
        ASSERT_TRUE(ends.server.read_exact(buffer, &transferred));
        EXPECT_EQ(text_of(buffer), "abcdef");
        EXPECT_EQ(transferred, 6U);
        writer.join();
    });
}

TEST(TcpStream, read_exact_says_how_far_it_came_when_the_stream_ends) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        ASSERT_TRUE(client.write_all("abc"));
        client.close();
        std::array<std::byte, 6> buffer{};
        std::size_t transferred = 99;
        const auto failed = server.read_exact(buffer, &transferred);
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error(), errc::end_of_stream);
        EXPECT_EQ(transferred, 3U);
        EXPECT_EQ(text_of(std::span(buffer).first(3)), "abc");
    });
}

TEST(TcpStream, empty_buffers_are_done_at_once) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        EXPECT_EQ(server.read({}).value(), 0U);
        EXPECT_EQ(server.peek({}).value(), 0U);
        EXPECT_EQ(server.read_vectored({}).value(), 0U);
        EXPECT_TRUE(server.read_exact({}));
        EXPECT_EQ(server.try_read({}).value(), 0U);
        (void)fill(client);
        EXPECT_EQ(client.write({}).value(), 0U);
        EXPECT_EQ(client.write_vectored({}).value(), 0U);
        EXPECT_TRUE(client.write_all(std::span<const std::byte>{}));
        EXPECT_TRUE(client.write_all_vectored({}));
        EXPECT_EQ(client.try_write({}).value(), 0U);
    });
}

// proves: NET-4
TEST(TcpStream, peek_leaves_the_bytes_there) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        std::array<std::byte, 2> buffer{};
        EXPECT_FALSE(server.try_peek(buffer));
        ASSERT_TRUE(client.write_all("abc"));
        EXPECT_EQ(server.peek(buffer).value(), 2U);
        EXPECT_EQ(text_of(buffer), "ab");
        EXPECT_EQ(server.try_peek(buffer).value(), 2U);
        EXPECT_EQ(read_text(server), "abc");
    });
}

// proves: NET-6
TEST(TcpStream, H19_readable_waits_until_there_is_something) {
    in_runtime([] {
        Connected ends = connect_pair();
        EXPECT_FALSE(ends.server.is_readable());
        int seen = 0;
        auto reader = spawn([&] {
            std::array<std::byte, 8> buffer{};
            while (ends.server.readable()) {
                const auto got = ends.server.try_read(buffer);
                ASSERT_TRUE(got) << "readable() promises that trying succeeds";
                if (*got == 0) return;
                ++seen;
            }
        });
        settle();
        EXPECT_EQ(seen, 0);
        ASSERT_TRUE(ends.client.write_all("x"));
        EXPECT_TRUE(turns_until([&] { return seen == 1; }));
        settle();
        EXPECT_EQ(seen, 1);
        ends.client.close();
        reader.join();
        EXPECT_TRUE(ends.server.is_readable()) << "the end is something to read";
    });
}

// --- writing ---

TEST(TcpStream, a_write_that_was_cut_off_says_how_much_went) {
    in_runtime([] {
        Connected ends = connect_pair();
        std::vector<std::byte> read;
        const std::vector<std::byte> data = pattern(16 * 1024 * 1024);
        std::size_t transferred = 0;
        const auto cut_off = timeout(std::chrono::milliseconds(5),
                                     [&] { return ends.client.write_all(data, &transferred); });
        ASSERT_FALSE(cut_off);
        EXPECT_EQ(cut_off.error(), errc::timed_out);
        EXPECT_GT(transferred, 0U);
        EXPECT_LT(transferred, data.size());
        auto reader = spawn([&] { read = read_all(ends.server); });
        ASSERT_TRUE(ends.client.write_all(std::span(data).subspan(transferred)));
        ends.client.close();
        reader.join();
        EXPECT_EQ(read, data) << "going on from there loses and repeats nothing";
    });
}

// proves: NET-5
TEST(TcpStream, a_write_that_takes_nothing_is_an_error) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        os::Calls table = os::real_calls();
        table.send = [](int, const void*, std::size_t, int) -> ssize_t { return 0; };
        table.sendmsg = [](int, const msghdr*, int) -> ssize_t { return 0; };
        const os::CallsOverride override_calls(table);
        EXPECT_EQ(client.write_all("abc").error(), std::errc::io_error);
        const std::array parts{bytes_of("abc")};
        EXPECT_EQ(client.write_all_vectored(parts).error(), std::errc::io_error);
    });
}

TEST(TcpStream, writing_to_a_gone_peer_is_an_error_and_no_signal) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        std::signal(SIGPIPE, SIG_DFL);
        ASSERT_TRUE(server.set_linger(std::chrono::seconds(0)));
        server.close();
        std::optional<Error> last;
        for (int i = 0; i < 100; ++i) {
            if (auto done = client.write_all("x"); !done) last = done.error();
        }
        ASSERT_TRUE(last);
        EXPECT_EQ(*last, std::errc::broken_pipe);
    });
}

// --- vectored ---

TEST(TcpStream, vectored_transfers_keep_the_order) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        const std::array parts{bytes_of("he"), bytes_of(""), bytes_of("llo "), bytes_of("world")};
        EXPECT_EQ(client.write_vectored(parts).value(), 11U);
        std::array<std::byte, 4> first{};
        std::array<std::byte, 20> second{};
        const std::array<std::span<std::byte>, 3> places{first, std::span<std::byte>{}, second};
        EXPECT_EQ(server.read_vectored(places).value(), 11U);
        EXPECT_EQ(text_of(first) + text_of(std::span(second).first(7)), "hello world");
    });
}

TEST(TcpStream, vectored_writes_of_very_many_buffers_go_on_until_all_is_out) {
    in_runtime([] {
        Connected ends = connect_pair();
        const std::vector<std::byte> data = pattern(5 * 1024 * 1024);
        std::vector<std::span<const std::byte>> parts;
        std::span<const std::byte> rest = data;
        for (std::size_t size = 0; !rest.empty(); size = (size * 7 + 13) % 60'000) {
            parts.push_back(rest.first(std::min(size, rest.size())));
            rest = rest.subspan(parts.back().size());
        }
        ASSERT_GT(parts.size(), 128U);
        std::size_t transferred = 0;
        auto writer = spawn([&] {
            EXPECT_TRUE(ends.client.write_all_vectored(parts, &transferred));
            EXPECT_TRUE(ends.client.shutdown_write());
        });
        EXPECT_EQ(read_all(ends.server), data);
        writer.join();
        EXPECT_EQ(transferred, data.size());
    });
}

TEST(TcpStream, many_empty_buffers_do_not_look_like_the_end) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        std::vector<std::span<const std::byte>> parts(200);
        parts.push_back(bytes_of("x"));
        EXPECT_EQ(client.write_vectored(parts).value(), 1U);
        std::array<std::byte, 1> place{};
        std::vector<std::span<std::byte>> places(200);
        places.emplace_back(place);
        EXPECT_EQ(server.read_vectored(places).value(), 1U);
        const std::vector<std::span<const std::byte>> exactly_full(64, bytes_of("y"));
        std::size_t transferred = 0;
        EXPECT_TRUE(client.write_all_vectored(exactly_full, &transferred));
        EXPECT_EQ(transferred, 64U);
    });
}

// --- what a short count says ---

TEST(TcpStream, after_a_short_read_the_next_one_waits_without_a_system_call) {
    in_runtime([] {
        Connected ends = connect_pair();
        const os::Fault<&os::Calls::recv> counted(0, 0);
        std::string seen;
        auto reader = spawn([&] {
            for (int i = 0; i < 10; ++i) seen += read_text(ends.server);
        });
        settle(); // the first attempt finds nothing, and is the only one that does
        for (int i = 0; i < 10; ++i) {
            ASSERT_TRUE(ends.client.write_all("x"));
            ASSERT_TRUE(turns_until([&] { return seen.size() == static_cast<std::size_t>(i) + 1; }));
            settle();
        }
        reader.join();
        EXPECT_EQ(counted.calls_seen(), 11);
    });
}

TEST(TcpStream, the_end_that_came_with_the_last_bytes_is_seen_after_a_short_read) {
    in_runtime([] {
        for (int i = 0; i < 50; ++i) {
            auto [client, server] = connect_pair();
            if (i % 2 == 0) {
                EXPECT_FALSE(server.is_readable());
                (void)timeout(std::chrono::nanoseconds(1), [&s = server] { return s.readable(); }); // registers
            }
            ASSERT_TRUE(client.write_all("last"));
            client.close();
            if (i % 3 == 0) settle();
            EXPECT_EQ(read_text(server), "last");
            EXPECT_EQ(read_text(server), "");
            EXPECT_EQ(read_text(server), "");
        }
    });
}

TEST(TcpStream, bytes_behind_an_urgent_one_are_not_left_lying) {
    in_runtime([] {
        Connected ends = connect_pair();
        std::string seen;
        auto reader = spawn([&] {
            while (seen.size() < 4) seen += read_text(ends.server);
        });
        settle();
        // The kernel ends a read before an urgent byte: that is a short count which does not mean "drained".
        ASSERT_TRUE(ends.client.write_all("ab"));
        ASSERT_EQ(::send(ends.client.fd(), "!", 1, MSG_OOB), 1);
        ASSERT_TRUE(ends.client.write_all("cd"));
        EXPECT_TRUE(turns_until([&] { return seen.size() == 4; })) << seen;
        reader.join();
        EXPECT_EQ(seen, "abcd");
    });
}

TEST(TcpStream, a_writer_without_room_goes_on_when_the_peer_reads) {
    in_runtime([] {
        Connected ends = connect_pair();
        const std::size_t before = fill(ends.client);
        bool written = false;
        auto writer = spawn([&] {
            EXPECT_TRUE(ends.client.write_all("the end"));
            EXPECT_TRUE(ends.client.shutdown_write());
            written = true;
        });
        settle();
        EXPECT_FALSE(written);
        EXPECT_EQ(read_all(ends.server).size(), before + 7);
        writer.join();
    });
}

// proves: NET-6
TEST(TcpStream, H19_writable_waits_until_there_is_room) {
    in_runtime([] {
        Connected ends = connect_pair();
        EXPECT_TRUE(ends.client.is_writable());
        (void)fill(ends.client);
        EXPECT_FALSE(ends.client.is_writable());
        bool writable = false;
        auto waiter = spawn([&] {
            ASSERT_TRUE(ends.client.writable());
            EXPECT_TRUE(ends.client.try_write(bytes_of("x"))) << "writable() promises that trying succeeds";
            writable = true;
        });
        settle();
        EXPECT_FALSE(writable);
        std::vector<std::byte> sink(1024 * 1024);
        while (!writable) {
            ASSERT_TRUE(ends.server.read(sink));
            settle();
        }
        waiter.join();
    });
}

// proves: NET-6
TEST(TcpStream, H19_a_flag_that_was_left_set_is_no_readiness) {
    in_runtime([] {
        Connected ends = connect_pair();
        ASSERT_TRUE(ends.client.write_all("abc"));
        std::array<std::byte, 3> exactly{};
        EXPECT_EQ(ends.server.read(exactly).value(), 3U);
        EXPECT_TRUE(ends.server.io_source().ready(Direction::in)) << "a full buffer says nothing";
        EXPECT_FALSE(ends.server.is_readable());
        const auto nothing = timeout(std::chrono::milliseconds(1), [&] { return ends.server.readable(); });
        EXPECT_EQ(nothing.error(), errc::timed_out);
    });
}

// proves: IO-8, NET-4
TEST(TcpStream, H19_a_try_that_would_block_clears_the_flag) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        std::array<std::byte, 8> buffer{};
        EXPECT_TRUE(server.io_source().ready(Direction::in));
        EXPECT_FALSE(server.try_read(buffer));
        EXPECT_FALSE(server.io_source().ready(Direction::in));
        EXPECT_TRUE(client.io_source().ready(Direction::in));
        EXPECT_FALSE(client.try_peek(buffer));
        EXPECT_FALSE(client.io_source().ready(Direction::in));
        EXPECT_TRUE(server.io_source().ready(Direction::out));
        const os::Fault<&os::Calls::send> fault(EAGAIN, 1);
        EXPECT_FALSE(server.try_write(buffer));
        EXPECT_FALSE(server.io_source().ready(Direction::out));
    });
}

// --- errors of system calls ---

// proves: IO-8
TEST(TcpStream, interrupted_calls_are_repeated) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        {
            const os::Fault<&os::Calls::send> fault(EINTR, 3);
            ASSERT_TRUE(client.write_all("abc"));
            EXPECT_EQ(fault.calls_seen(), 4);
        }
        const os::Fault<&os::Calls::recv> fault(EINTR, 3);
        EXPECT_EQ(read_text(server), "abc");
    });
}

TEST(TcpStream, would_block_out_of_nowhere_is_waited_out) {
    in_runtime([] {
        Connected ends = connect_pair();
        ASSERT_TRUE(ends.client.write_all("abc"));
        const os::Fault<&os::Calls::recv> fault(EAGAIN, 1);
        EXPECT_EQ(read_text(ends.server), "abc") << "registering finds out that there is something";
    });
}

TEST(TcpStream, a_reset_comes_out_of_read) {
    in_runtime([] {
        Connected ends = connect_pair();
        auto reader = spawn([&] {
            std::array<std::byte, 8> buffer{};
            return ends.server.read(buffer).error();
        });
        settle();
        ASSERT_TRUE(ends.client.set_linger(std::chrono::seconds(0)));
        ends.client.close();
        EXPECT_EQ(reader.join(), std::errc::connection_reset);
    });
}

// --- shutdown and closing ---

// proves: NET-8
TEST(TcpStream, half_close_lets_the_answer_through) {
    in_runtime([] {
        Connected ends = connect_pair();
        auto server = spawn([&] {
            const std::string question = text_of(read_all(ends.server));
            EXPECT_TRUE(ends.server.write_all("answer to " + question));
            EXPECT_TRUE(ends.server.shutdown(Direction::out));
        });
        ASSERT_TRUE(ends.client.write_all("question"));
        ASSERT_TRUE(ends.client.shutdown_write());
        EXPECT_EQ(text_of(read_all(ends.client)), "answer to question");
        server.join();
        EXPECT_EQ(ends.client.write_all("more").error(), std::errc::broken_pipe);
    });
}

TEST(TcpStream, shutdown_read_ends_a_wait_with_the_end_of_the_stream) {
    in_runtime([] {
        Connected ends = connect_pair();
        std::string seen = "nothing yet";
        auto reader = spawn([&] { seen = read_text(ends.server); });
        settle();
        ASSERT_TRUE(ends.server.shutdown_read());
        reader.join();
        EXPECT_EQ(seen, "");
        ASSERT_TRUE(ends.server.write_all("still writing"));
        EXPECT_EQ(read_text(ends.client), "still writing");
    });
}

// proves: NET-8
TEST(TcpStream, shutdown_of_a_connection_that_is_gone_is_no_error) {
    in_runtime([] {
        Connected ends = connect_pair();
        ASSERT_TRUE(ends.client.set_linger(std::chrono::seconds(0)));
        ends.client.close();
        std::array<std::byte, 1> buffer{};
        EXPECT_EQ(ends.server.read(buffer).error(), std::errc::connection_reset);
        EXPECT_TRUE(ends.server.shutdown_write());
        EXPECT_TRUE(ends.server.shutdown_read());
    });
}

TEST(TcpStream, a_closed_stream_fails_everything) {
    in_runtime([] {
        Connected ends = connect_pair();
        TcpStream& stream = ends.client;
        stream.close();
        stream.close();
        EXPECT_FALSE(stream.is_open());
        EXPECT_EQ(stream.fd(), -1);
        std::array<std::byte, 1> buffer{};
        const std::array<std::span<std::byte>, 1> places{buffer};
        const std::array parts{bytes_of("x")};
        EXPECT_EQ(stream.read(buffer).error(), errc::closed);
        EXPECT_EQ(stream.read_exact(buffer).error(), errc::closed);
        EXPECT_EQ(stream.read_vectored(places).error(), errc::closed);
        EXPECT_EQ(stream.peek(buffer).error(), errc::closed);
        EXPECT_EQ(stream.try_read(buffer).error(), errc::closed);
        EXPECT_EQ(stream.try_peek(buffer).error(), errc::closed);
        EXPECT_EQ(stream.readable().error(), errc::closed);
        EXPECT_TRUE(stream.is_readable());
        EXPECT_EQ(stream.write(buffer).error(), errc::closed);
        EXPECT_EQ(stream.write_all("x").error(), errc::closed);
        EXPECT_EQ(stream.write_vectored(parts).error(), errc::closed);
        EXPECT_EQ(stream.write_all_vectored(parts).error(), errc::closed);
        EXPECT_EQ(stream.try_write(buffer).error(), errc::closed);
        EXPECT_EQ(stream.writable().error(), errc::closed);
        EXPECT_TRUE(stream.is_writable());
        EXPECT_EQ(stream.shutdown_read().error(), errc::closed);
        EXPECT_EQ(stream.nodelay().error(), std::errc::bad_file_descriptor);
        EXPECT_EQ(stream.peer_address().error(), std::errc::bad_file_descriptor);
    });
}

TEST(TcpStream, a_stream_that_was_moved_from_is_a_mistake) {
    in_runtime([] {
        Connected ends = connect_pair();
        TcpStream moved = std::move(ends.client);
        std::array<std::byte, 1> buffer{};
        EXPECT_THROW((void)ends.client.read(buffer), UsageError); // NOLINT(bugprone-use-after-move): what is tested
        EXPECT_THROW((void)ends.client.fd(), UsageError);
        ASSERT_TRUE(moved.write_all("x"));
        moved = std::move(ends.server);
        EXPECT_TRUE(moved.is_open());
        EXPECT_EQ(moved.read(buffer).value(), 1U) << "what it held before was closed after its last byte went out";
        EXPECT_EQ(moved.read(buffer).value(), 0U);
    });
}

TEST(TcpStream, waiting_needs_a_fiber) {
    EXPECT_THROW((void)TcpStream::connect("127.0.0.1:1"), UsageError);
    std::optional<Connected> ends;
    in_runtime([&] { ends = connect_pair(); });
    std::array<std::byte, 1> buffer{};
    EXPECT_THROW((void)ends->client.read(buffer), UsageError);
    EXPECT_FALSE(ends->client.try_read(buffer)) << "trying does not";
}

// --- adopting ---

// proves: NET-2
TEST(TcpStream, from_fd_refuses_what_is_no_connected_stream_and_leaves_it_with_the_caller) {
    os::Fd datagram(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(TcpStream::from_fd(std::move(datagram)).error(), std::errc::wrong_protocol_type);
    EXPECT_TRUE(datagram);
    os::Fd unconnected(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(TcpStream::from_fd(std::move(unconnected)).error(), std::errc::not_connected);
    EXPECT_TRUE(unconnected);
    EXPECT_EQ(TcpStream::from_fd(os::Fd()).error(), std::errc::bad_file_descriptor);
}

TEST(TcpStream, other_stream_sockets_work_and_their_short_reads_say_nothing) {
    in_runtime([] {
        std::array<int, 2> fds{};
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
        TcpStream near = TcpStream::from_fd(os::Fd(fds[0])).value();
        TcpStream far = TcpStream::from_fd(os::Fd(fds[1])).value();
        ASSERT_TRUE(far.write_all("abc"));
        EXPECT_EQ(read_text(near), "abc");
        EXPECT_TRUE(near.io_source().ready(Direction::in)) << "only EAGAIN clears it";
        far.close();
        EXPECT_EQ(read_text(near), "");
    });
}

// proves: H-20
TEST(TcpStream, streams_outlive_their_runtime_and_serve_the_next) {
    std::optional<Connected> ends;
    for (int round = 0; round < 3; ++round) {
        in_runtime([&] {
            if (!ends) ends = connect_pair();
            auto reader = spawn([&] { return read_text(ends->server); });
            settle();
            EXPECT_TRUE(ends->client.write_all("round"));
            EXPECT_EQ(reader.join(), "round");
        });
    }
}

// proves: IO-7
TEST(TcpStream, a_stream_is_the_output_of_a_fiber_that_nobody_joins) {
    in_runtime([] {
        Connected ends = connect_pair();
        auto holder = spawn([stream = std::move(ends.client)]() mutable { return std::move(stream); });
        settle();
        EXPECT_TRUE(holder.is_finished());
        holder.detach();
        EXPECT_EQ(read_text(ends.server), "") << "it was destroyed, and the connection closed";
    });
}

} // namespace
} // namespace nexus
