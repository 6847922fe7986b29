#include "nexus/net/tcp_halves.hpp"

#include "test/net/rig.hpp"

#include <optional>

namespace nexus {
namespace {

TEST(TcpHalves, H18_two_fibers_use_the_two_directions_of_one_socket) {
    in_runtime([] {
        Connected ends = connect_pair();
        auto halves = std::move(ends.client).into_split();
        std::string seen;
        bool written = false;
        (void)fill(halves.write);
        auto reader = spawn([&seen, half = std::move(halves.read)]() mutable { seen = read_text(half); });
        auto writer = spawn([&written, half = std::move(halves.write)]() mutable {
            written = half.write_all("made it").has_value();
            EXPECT_TRUE(half.shutdown_write());
        });
        settle();
        EXPECT_EQ(seen, "");
        EXPECT_FALSE(written);
        ASSERT_TRUE(ends.server.write_all("hello"));
        EXPECT_TRUE(turns_until([&] { return seen == "hello"; }));
        EXPECT_FALSE(written) << "only the reader had reason to wake";
        const std::string sent = text_of(read_all(ends.server));
        EXPECT_EQ(sent.substr(sent.size() - 7), "made it");
        EXPECT_TRUE(written);
        reader.join();
        writer.join();
    });
}

TEST(TcpHalves, large_transfers_in_both_directions_at_once) {
    in_runtime([] {
        Connected ends = connect_pair();
        const std::vector<std::byte> there = pattern(4 * 1024 * 1024, 7);
        const std::vector<std::byte> back = pattern(4 * 1024 * 1024, 8);
        auto client = ends.client.split();
        auto server = ends.server.split();
        auto send = [](WriteHalf& half, const std::vector<std::byte>& data) {
            EXPECT_TRUE(half.write_all(data));
            EXPECT_TRUE(half.shutdown_write());
        };
        auto client_writes = spawn([&] { send(client.write, there); });
        auto server_writes = spawn([&] { send(server.write, back); });
        auto client_reads = spawn([&] { EXPECT_EQ(read_all(client.read), back); });
        auto server_reads = spawn([&] { EXPECT_EQ(read_all(server.read), there); });
        client_writes.join();
        server_writes.join();
        client_reads.join();
        server_reads.join();
    });
}

// proves: NET-8
TEST(TcpHalves, dropping_the_write_half_alone_sends_no_end) {
    in_runtime([] {
        Connected ends = connect_pair();
        std::optional<TcpStream::OwnedHalves> halves = std::move(ends.client).into_split();
        std::optional<OwnedReadHalf> read = std::move(halves->read);
        halves.reset();
        settle();
        EXPECT_FALSE(ends.server.is_readable());
        ASSERT_TRUE(ends.server.write_all("still there"));
        EXPECT_EQ(read_text(*read), "still there");
        read.reset();
        EXPECT_EQ(read_text(ends.server), "") << "closed when both are gone";
    });
}

// proves: NET-7
TEST(TcpHalves, reuniting_halves_of_two_streams_is_a_mistake_that_loses_nothing) {
    in_runtime([] {
        Connected ends = connect_pair();
        auto one = std::move(ends.client).into_split();
        auto other = std::move(ends.server).into_split();
        EXPECT_THROW((void)TcpStream::reunite(std::move(one.read), std::move(other.write)), ReuniteError);
        ASSERT_TRUE(other.write.write_all("x"));
        EXPECT_EQ(read_text(one.read), "x");
        TcpStream whole = TcpStream::reunite(std::move(one.read), std::move(one.write));
        ASSERT_TRUE(whole.write_all("y"));
        EXPECT_EQ(read_text(other.read), "y");
    });
}

TEST(TcpHalves, what_was_moved_from_cannot_be_reunited) {
    in_runtime([] {
        Connected ends = connect_pair();
        auto halves = std::move(ends.client).into_split();
        const OwnedReadHalf elsewhere = std::move(halves.read);
        EXPECT_THROW((void)TcpStream::reunite(std::move(halves.read), std::move(halves.write)), UsageError);
        EXPECT_TRUE(elsewhere.is_open());
        EXPECT_TRUE(halves.write.is_open());
    });
}

TEST(TcpHalves, borrowed_halves_may_outlive_the_stream_and_see_it_closed) {
    in_runtime([] {
        Connected ends = connect_pair();
        auto halves = ends.client.split();
        {
            TcpStream moved = std::move(ends.client);
            ASSERT_TRUE(halves.write.write_all("x")) << "moving the stream does not move what the halves refer to";
        }
        EXPECT_EQ(halves.write.write_all("y").error(), errc::closed);
        std::array<std::byte, 1> buffer{};
        EXPECT_EQ(halves.read.read(buffer).error(), errc::closed);
        EXPECT_FALSE(halves.read.is_open());
        EXPECT_EQ(text_of(read_all(ends.server)), "x");
    });
}

TEST(TcpHalves, a_half_in_a_fiber_hears_that_the_stream_was_closed) {
    in_runtime([] {
        Connected ends = connect_pair();
        auto reader = spawn([half = ends.client.split().read]() mutable {
            std::array<std::byte, 1> buffer{};
            return half.read(buffer).error();
        });
        settle();
        ends.client.close();
        EXPECT_EQ(reader.join(), errc::closed);
    });
}

} // namespace
} // namespace nexus
