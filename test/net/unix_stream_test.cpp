#include "nexus/net/unix_stream.hpp"

#include "test/net/rig.hpp"
#include "test/os/fault.hpp"

#include <fcntl.h>
#include <optional>

namespace nexus {
namespace {

using namespace std::chrono_literals;

TEST(UnixStream, a_pair_is_a_connection) {
    in_runtime([] {
        auto [a, b] = UnixStream::pair().value();
        ASSERT_TRUE(a.write_all("there"));
        EXPECT_EQ(read_text(b), "there");
        ASSERT_TRUE(b.write_all("back"));
        EXPECT_EQ(read_text(a), "back");
        ASSERT_TRUE(a.shutdown_write());
        EXPECT_EQ(read_text(b), "");
        EXPECT_TRUE(a.local_address().value().unnamed());
        EXPECT_EQ(a.peer_credentials().value(), (PeerCredentials{::getpid(), ::getuid(), ::getgid()}));
    });
}

// proves: NET-12
TEST(UnixStream, connects_by_path_and_by_abstract_name) {
    in_runtime([] {
        const TempFolder folder;
        for (const std::string& address : {folder.file("s"), "@nexus-test-" + std::to_string(::getpid())}) {
            UnixListener listener = UnixListener::bind(address).value();
            UnixStream client = UnixStream::connect(address).value();
            auto accepted = listener.accept().value();
            EXPECT_TRUE(accepted.peer.unnamed());
            ASSERT_TRUE(client.write_all("hello"));
            EXPECT_EQ(read_text(accepted.stream), "hello");
            EXPECT_EQ(client.peer_address().value(), UnixAddress::parse(address).value());
            EXPECT_EQ(accepted.stream.local_address().value(), UnixAddress::parse(address).value());
            EXPECT_EQ(accepted.stream.peer_credentials().value().pid, ::getpid());
        }
    });
}

TEST(UnixStream, connect_says_to_whom_and_why_not) {
    in_runtime([] {
        const TempFolder folder;
        const std::string path = folder.file("s");
        const auto missing = UnixStream::connect(path);
        ASSERT_FALSE(missing);
        EXPECT_EQ(missing.error().message(), "connect " + path + ": No such file or directory");
        (void)UnixListener::bind(path).value(); // and gone again: its file stays
        EXPECT_EQ(UnixStream::connect(path).error(), std::errc::connection_refused);
        EXPECT_EQ(UnixStream::connect("").error(), std::errc::invalid_argument);
        EXPECT_EQ(UnixStream::connect(std::string(200, 'x')).error(), std::errc::filename_too_long);
        os::Fault<&os::Calls::socket> fault{EMFILE, 1};
        EXPECT_EQ(UnixStream::connect(path).error(), std::errc::too_many_files_open);
    });
    EXPECT_THROW((void)UnixStream::connect("/anywhere"), UsageError) << "waiting needs a fiber";
}

TEST(UnixStream, connect_waits_while_the_backlog_is_full) {
    in_runtime([] {
        const TempFolder folder;
        UnixListenOptions options;
        options.backlog = 0;
        UnixListener listener = UnixListener::bind(folder.file("s"), options).value();
        std::vector<UnixStream> in_time;
        std::optional<Error> failure;
        while (!failure && in_time.size() < 10) {
            auto connected = timeout(2ms, [&] { return UnixStream::connect(folder.file("s")); });
            if (connected) {
                in_time.push_back(std::move(*connected));
            } else {
                failure = connected.error();
            }
        }
        ASSERT_TRUE(failure);
        EXPECT_EQ(*failure, errc::timed_out);
        auto waiting = spawn([&] { return UnixStream::connect(folder.file("s")).has_value(); });
        settle();
        EXPECT_FALSE(waiting.is_finished());
        EXPECT_TRUE(listener.accept());
        EXPECT_TRUE(waiting.join());
    });
}

TEST(UnixStream, an_ended_scope_does_not_connect) {
    in_runtime([] {
        const auto late = timeout(0ms, [] { return UnixStream::connect("/anywhere"); });
        EXPECT_EQ(late.error(), errc::timed_out);
    });
}

TEST(UnixStream, large_transfers_in_both_directions_at_once) {
    in_runtime([] {
        auto ends = UnixStream::pair().value();
        const std::vector<std::byte> there = pattern(2 * 1024 * 1024, 3);
        const std::vector<std::byte> back = pattern(2 * 1024 * 1024, 4);
        auto [a_read, a_write] = std::move(ends.first).into_split();
        auto b = ends.second.split();
        auto* out = &a_write;
        auto* in = &a_read;
        auto writer = spawn([&, out] {
            EXPECT_TRUE(out->write_all(there));
            EXPECT_TRUE(out->shutdown_write());
        });
        auto answer = spawn([&] {
            EXPECT_TRUE(b.write.write_all(back));
            EXPECT_TRUE(b.write.shutdown_write());
        });
        auto reader = spawn([&] { EXPECT_EQ(read_all(b.read), there); });
        EXPECT_EQ(read_all(*in), back);
        for (auto* fiber : {&writer, &answer, &reader}) fiber->join();
        UnixStream whole = UnixStream::reunite(std::move(a_read), std::move(a_write));
        EXPECT_TRUE(whole.is_open());
    });
}

TEST(UnixStream, halves_of_two_connections_are_not_reunited) {
    in_runtime([] {
        auto ends = UnixStream::pair().value();
        auto one = std::move(ends.first).into_split();
        auto other = std::move(ends.second).into_split();
        EXPECT_THROW((void)UnixStream::reunite(std::move(one.read), std::move(other.write)), ReuniteError);
        ASSERT_TRUE(other.write.write_all("x")) << "nothing was lost";
        EXPECT_EQ(read_text(one.read), "x");
    });
}

TEST(UnixStream, descriptors_travel_with_bytes_and_arrive_close_on_exec) {
    in_runtime([] {
        auto carrier = UnixStream::pair().value();
        auto cargo = UnixStream::pair().value();
        const std::array<int, 1> sent{cargo.second.fd()};
        ASSERT_EQ(carrier.first.write_with_descriptors(bytes_of("take it"), sent).value(), 7U);
        ASSERT_TRUE(carrier.first.write_all(" and this"));
        cargo.second.close(); // the one under way keeps the connection open
        std::array<std::byte, 64> buffer{};
        std::array<os::Fd, 4> room;
        const auto got = carrier.second.read_with_descriptors(buffer, room).value();
        ASSERT_EQ(got.descriptors, 1U);
        EXPECT_FALSE(got.descriptors_lost);
        EXPECT_EQ(text_of(std::span(buffer).first(got.bytes)), "take it") << "a read ends with what it came with";
        EXPECT_NE(::fcntl(room[0].get(), F_GETFD) & FD_CLOEXEC, 0);
        UnixStream passed = UnixStream::from_fd(std::move(room[0])).value();
        ASSERT_TRUE(passed.write_all("hello"));
        EXPECT_EQ(read_text(cargo.first), "hello");
        const auto rest = carrier.second.read_with_descriptors(buffer, room).value();
        EXPECT_EQ(rest.descriptors, 0U);
        EXPECT_EQ(text_of(std::span(buffer).first(rest.bytes)), " and this");
    });
}

TEST(UnixStream, descriptors_that_are_not_taken_are_closed) {
    in_runtime([] {
        auto carrier = UnixStream::pair().value();
        auto cargo = UnixStream::pair().value();
        const std::array<int, 1> sent{cargo.second.fd()};
        ASSERT_TRUE(carrier.first.write_with_descriptors(bytes_of("a"), sent));
        ASSERT_TRUE(carrier.first.write_with_descriptors(bytes_of("b"), sent));
        cargo.second.close();
        std::array<std::byte, 8> buffer{};
        EXPECT_TRUE(carrier.second.read_with_descriptors(buffer, {}).value().descriptors_lost);
        EXPECT_EQ(read_text(carrier.second), "b") << "a plain read drops them";
        EXPECT_EQ(read_text(cargo.first), "") << "nobody holds the other end any more";
    });
}

TEST(UnixStream, descriptors_need_bytes_to_travel_with) {
    in_runtime([] {
        auto ends = UnixStream::pair().value();
        EXPECT_EQ(ends.first.write_with_descriptors({}, {}).error(), std::errc::invalid_argument);
        EXPECT_EQ(ends.first.read_with_descriptors({}, {}).error(), std::errc::invalid_argument);
        std::array<std::byte, 8> buffer{};
        std::array<os::Fd, 1> room;
        const auto late = timeout(1ms, [&] { return ends.first.read_with_descriptors(buffer, room); });
        EXPECT_EQ(late.error(), errc::timed_out);
        ends.second.close();
        EXPECT_EQ(ends.first.read_with_descriptors(buffer, room).value().bytes, 0U);
        EXPECT_EQ(ends.first.write_with_descriptors(bytes_of("x"), {}).error(), std::errc::broken_pipe);
    });
}

TEST(UnixStream, from_fd_takes_connected_unix_streams_only) {
    os::Fd loose(::socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(UnixStream::from_fd(std::move(loose)).error(), std::errc::not_connected);
    EXPECT_TRUE(loose);
    os::Fd datagram(::socket(AF_UNIX, SOCK_DGRAM, 0));
    EXPECT_EQ(UnixStream::from_fd(std::move(datagram)).error(), std::errc::wrong_protocol_type);
    os::Fd tcp(::socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(UnixStream::from_fd(std::move(tcp)).error(), std::errc::wrong_protocol_type);
    auto ends = UnixStream::pair().value();
    os::Fd fd = std::move(ends.first).into_fd();
    EXPECT_TRUE(UnixStream::from_fd(std::move(fd)));
}

} // namespace
} // namespace nexus
