// The end of a stream, a connection that broke, and what is in between, told apart: every order of data, end and reset.
#include "nexus/net/connection_state.hpp"

#include "test/net/rig.hpp"
#include "test/os/fault.hpp"

namespace nexus {
namespace {

using std::chrono::seconds;

/// Closes so that the other end gets a reset.
void reset(TcpStream& stream) {
    ASSERT_TRUE(stream.set_linger(seconds(0)));
    stream.close();
}

/// Everything that a reader is told until its stream is over: bytes, "|end" or "|" and the error, then what it is told
/// after that.
std::string heard(TcpStream& stream) {
    std::array<std::byte, 64> buffer{};
    std::string told;
    for (int after = 0; after < 2;) {
        const auto got = stream.read(buffer);
        if (got && *got != 0) {
            told += text_of(std::span(buffer).first(*got));
            continue;
        }
        told += got ? "|end" : "|" + got.error().code().message();
        ++after;
    }
    return told;
}

/// Lets what happened on the other end arrive.
void arrive(TcpStream& stream, bool ConnectionState::*sign) {
    ASSERT_TRUE(turns_until([&] { return stream.state().value().*sign; }));
}

TEST(ConnectionState, of_a_living_connection_is_open) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        EXPECT_TRUE(server.state().value().open());
        EXPECT_TRUE(client.split().read.state().value().open());
        (void)fill(client);
        EXPECT_TRUE(client.state().value().open());
        EXPECT_TRUE(server.state().value().open()) << "data is no end";
    });
}

TEST(ConnectionState, a_peer_that_finished_is_not_gone) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        ASSERT_TRUE(client.write_all("last words"));
        ASSERT_TRUE(client.shutdown_write());
        arrive(server, &ConnectionState::peer_finished);
        EXPECT_EQ(server.state().value(), (ConnectionState{.peer_finished = true, .hung_up = false, .failed = false}));
        EXPECT_EQ(heard(server), "last words|end|end");
        ASSERT_TRUE(server.write_all("answer"));
        EXPECT_EQ(read_text(client), "answer");
        EXPECT_TRUE(client.state().value().open()) << "it may still be told something";
    });
}

TEST(ConnectionState, both_directions_over_is_a_hang_up_and_no_failure) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        ASSERT_TRUE(client.shutdown_write());
        ASSERT_TRUE(server.shutdown_write());
        arrive(server, &ConnectionState::hung_up);
        EXPECT_FALSE(server.state().value().failed);
        EXPECT_EQ(heard(server), "|end|end");
        EXPECT_EQ(server.write_all("x").error(), std::errc::broken_pipe);
    });
}

TEST(ConnectionState, a_reset_is_an_error_and_stays_one) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        reset(client);
        arrive(server, &ConnectionState::failed);
        EXPECT_TRUE(server.state().value().hung_up);
        EXPECT_EQ(heard(server), "|Connection reset by peer|Connection reset by peer");
        EXPECT_TRUE(server.state().value().failed) << "also when it has been told";
    });
}

TEST(ConnectionState, bytes_before_a_reset_are_delivered_first) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        ASSERT_TRUE(client.write_all("some"));
        reset(client);
        arrive(server, &ConnectionState::failed);
        EXPECT_EQ(heard(server), "some|Connection reset by peer|Connection reset by peer");
    });
}

TEST(ConnectionState, a_reset_after_the_end_leaves_it_an_end) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        ASSERT_TRUE(client.write_all("all"));
        ASSERT_TRUE(client.shutdown_write());
        arrive(server, &ConnectionState::peer_finished);
        client.close();
        ASSERT_TRUE(server.write_all("too late")); // answered by a reset
        arrive(server, &ConnectionState::hung_up);
        const std::string told = heard(server);
        EXPECT_TRUE(told.starts_with("all|")) << told;
        EXPECT_TRUE(told.ends_with("|end")) << "the peer finished before: " << told;
        EXPECT_EQ(server.write_all("x").error(), std::errc::broken_pipe);
    });
}

// The kernel tells one operation of the reset and all others of an end. A reader must not take that for one.
// proves: NET-5
TEST(ConnectionState, a_reset_that_a_writer_was_told_of_is_no_end_for_the_reader) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        ASSERT_TRUE(client.write_all("half a mess"));
        reset(client);
        arrive(server, &ConnectionState::failed);
        auto halves = std::move(server).into_split();
        EXPECT_EQ(halves.write.write_all("x").error(), std::errc::connection_reset);
        TcpStream whole = TcpStream::reunite(std::move(halves.read), std::move(halves.write));
        EXPECT_EQ(heard(whole), "half a mess|Connection reset by peer|Connection reset by peer");
        std::array<std::byte, 4> buffer{};
        EXPECT_EQ(whole.try_read(buffer).error(), std::errc::connection_reset);
        EXPECT_EQ(whole.peek(buffer).error(), std::errc::connection_reset);
        EXPECT_EQ(whole.try_peek(buffer).error(), std::errc::connection_reset);
    });
}

TEST(ConnectionState, a_reset_that_take_error_took_is_no_end_either) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        reset(client);
        arrive(server, &ConnectionState::failed);
        EXPECT_EQ(server.take_error().error(), std::errc::connection_reset);
        EXPECT_TRUE(server.take_error());
        EXPECT_EQ(heard(server), "|Connection reset by peer|Connection reset by peer");
    });
}

TEST(ConnectionState, a_waiting_reader_is_woken_by_a_reset_and_by_an_end) {
    in_runtime([] {
        for (const bool broken : {true, false}) {
            Connected ends = connect_pair();
            auto reader = spawn([&] { return heard(ends.server); });
            settle();
            EXPECT_FALSE(reader.is_finished());
            if (broken) {
                reset(ends.client);
            } else {
                ends.client.close();
            }
            EXPECT_EQ(reader.join(), broken ? "|Connection reset by peer|Connection reset by peer" : "|end|end");
        }
    });
}

TEST(ConnectionState, a_waiting_writer_is_woken_by_a_reset_and_not_by_an_end) {
    in_runtime([] {
        for (const bool ends_first : {true, false}) {
            Connected ends = connect_pair();
            (void)fill(ends.server);
            auto writer = spawn([&] { return ends.server.write_all("x").error(); });
            settle();
            EXPECT_TRUE(!ends_first || ends.client.shutdown_write());
            settle();
            EXPECT_FALSE(writer.is_finished()) << "the peer may still read";
            reset(ends.client);
            EXPECT_EQ(writer.join(), ends_first ? std::errc::broken_pipe : std::errc::connection_reset);
        }
    });
}

TEST(ConnectionState, a_unix_peer_that_left_unread_bytes_has_reset_the_connection) {
    in_runtime([] {
        auto ends = UnixStream::pair().value();
        ASSERT_TRUE(ends.first.write_all("never read"));
        ends.second.close();
        EXPECT_TRUE(ends.first.state().value().hung_up);
        std::array<std::byte, 4> buffer{};
        EXPECT_EQ(ends.first.read(buffer).error(), std::errc::connection_reset);
        EXPECT_EQ(ends.first.read(buffer).error(), std::errc::connection_reset) << "it stays one";
        std::array<os::Fd, 1> room;
        EXPECT_EQ(ends.first.read_with_descriptors(buffer, room).error(), std::errc::connection_reset);
    });
}

TEST(ConnectionState, of_a_closed_stream_is_an_error) {
    in_runtime([] {
        auto [client, server] = connect_pair();
        client.close();
        EXPECT_EQ(client.state().error(), errc::closed);
        os::Fault<&os::Calls::poll> fault{ENOMEM, 1};
        EXPECT_EQ(server.state().error(), std::errc::not_enough_memory);
    });
}

} // namespace
} // namespace nexus
