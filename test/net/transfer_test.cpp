#include "nexus/net/transfer.hpp"

#include "nexus/sync/task_group.hpp"
#include "test/net/rig.hpp"

#include <optional>

namespace nexus {
namespace {

using namespace std::chrono_literals;

/// Hands out `pieces`, one a read, then fails or ends.
struct Pieces {
    explicit Pieces(std::vector<std::string> all) : pieces(std::move(all)) {}
    Result<std::size_t> read(std::span<std::byte> buffer) {
        if (next == pieces.size()) {
            if (failure) return *failure;
            return std::size_t{0};
        }
        std::string& piece = pieces[next];
        const std::size_t count = std::min(buffer.size(), piece.size());
        std::copy_n(std::as_bytes(std::span(piece)).begin(), count, buffer.begin());
        piece.erase(0, count);
        if (piece.empty()) ++next;
        return count;
    }
    std::vector<std::string> pieces;
    std::size_t next = 0;
    std::optional<Error> failure;
};

/// Takes at most `at_once` bytes a write, and `room` in all.
struct Sink {
    Result<std::size_t> write(std::span<const std::byte> buffer) {
        if (room == 0) return Error(errc::full, "write");
        const std::size_t count = std::min({buffer.size(), at_once, room});
        text += text_of(buffer.first(count));
        room -= count;
        return count;
    }
    Result<void> flush() {
        ++flushes;
        return {};
    }
    Result<void> shutdown_write() { return {}; }
    std::size_t at_once = 3;
    std::size_t room = 1'000'000;
    std::string text;
    int flushes = 0;
};

// proves: NET-12
TEST(Transfer, read_exact_fills_the_buffer_or_says_how_far_it_came) {
    std::array<std::byte, 6> buffer{};
    std::size_t done = 99;
    Pieces enough({"ab", "c", "defgh"});
    ASSERT_TRUE(read_exact(enough, buffer, &done));
    EXPECT_EQ(text_of(buffer), "abcdef");
    EXPECT_EQ(done, 6U);
    Pieces too_little({"ab", "c"});
    EXPECT_EQ(read_exact(too_little, buffer, &done).error(), errc::end_of_stream);
    EXPECT_EQ(done, 3U);
    Pieces failing({"ab"});
    failing.failure = Error(errc::closed, "read");
    EXPECT_EQ(read_exact(failing, buffer).error(), errc::closed);
    EXPECT_TRUE(read_exact(failing, std::span<std::byte>{}));
}

TEST(Transfer, read_to_end_appends_everything) {
    std::vector<std::byte> target = {std::byte{'>'}};
    Pieces pieces({"abc", std::string(10'000, 'x'), "end"});
    EXPECT_EQ(read_to_end(pieces, target, 1 << 20).value(), 10'006U);
    EXPECT_EQ(target.size(), 10'007U);
    EXPECT_EQ(text_of(std::span(target).first(4)), ">abc");
    EXPECT_EQ(text_of(std::span(target).last(3)), "end");
}

TEST(Transfer, read_to_end_keeps_its_limit_exactly) {
    for (const std::size_t size : {9U, 10U, 11U, 30'000U}) {
        std::vector<std::byte> target;
        Pieces pieces({std::string(size, 'x')});
        const auto got = read_to_end(pieces, target, 10);
        EXPECT_EQ(got.has_value(), size <= 10) << size;
        if (got) {
            EXPECT_EQ(*got, size);
        } else {
            EXPECT_EQ(got.error(), std::errc::message_size);
        }
        EXPECT_EQ(target.size(), std::min<std::size_t>(size, 10));
    }
    std::vector<std::byte> target;
    Pieces endless({"x"});
    EXPECT_EQ(read_to_end(endless, target, 0).error(), std::errc::message_size);
    Pieces unlimited({"abc"});
    EXPECT_EQ(read_to_end(unlimited, target, SIZE_MAX).value(), 3U);
}

TEST(Transfer, read_to_end_keeps_what_came_before_an_error) {
    std::vector<std::byte> target;
    Pieces pieces({"abc"});
    pieces.failure = Error(errc::closed, "read");
    EXPECT_EQ(read_to_end(pieces, target, 100).error(), errc::closed);
    EXPECT_EQ(text_of(target), "abc");
}

TEST(Transfer, write_all_goes_on_until_everything_is_taken) {
    Sink sink;
    std::size_t done = 0;
    ASSERT_TRUE(write_all(sink, "hello world", &done));
    EXPECT_EQ(sink.text, "hello world");
    EXPECT_EQ(done, 11U);
    sink.room = 5;
    EXPECT_EQ(write_all(sink, bytes_of("hello world"), &done).error(), errc::full);
    EXPECT_EQ(done, 5U);
    sink.at_once = 0;
    sink.room = 5;
    EXPECT_EQ(write_all(sink, "x").error(), std::errc::io_error) << "no endless loop";
}

TEST(Transfer, copy_moves_everything_and_flushes) {
    Pieces pieces({"abc", std::string(20'000, 'x'), "end"});
    Sink sink;
    EXPECT_EQ(copy(pieces, sink).value(), 20'006U);
    EXPECT_EQ(sink.text.size(), 20'006U);
    EXPECT_EQ(sink.flushes, 1);
    std::array<std::byte, 2> small{};
    Pieces again({"abcde"});
    EXPECT_EQ(copy(again, sink, small).value(), 5U);
    EXPECT_EQ(copy(again, sink, std::span<std::byte>{}).error(), std::errc::invalid_argument);
}

TEST(Transfer, a_copy_that_is_cut_off_says_how_far_it_came) {
    Pieces pieces({"abc", "defg"});
    Sink sink;
    sink.room = 5;
    std::uint64_t done = 0;
    EXPECT_EQ(copy(pieces, sink, &done).error(), errc::full);
    EXPECT_EQ(done, 5U);
    Pieces failing({"abc"});
    failing.failure = Error(errc::closed, "read");
    sink.room = 100;
    EXPECT_EQ(copy(failing, sink, &done).error(), errc::closed);
    EXPECT_EQ(done, 3U);
}

/// client - near | proxy | far - server
struct Chain {
    UnixStream::Pair left = UnixStream::pair().value();
    UnixStream::Pair right = UnixStream::pair().value();
    UnixStream& client = left.first;
    UnixStream& near = left.second;
    UnixStream& far = right.first;
    UnixStream& server = right.second;
};

TEST(Transfer, copy_bidirectional_is_a_proxy) {
    in_runtime([] {
        Chain chain;
        CopiedBothWays counts;
        auto proxy = spawn([&] { return copy_bidirectional(chain.near, chain.far, &counts); });
        ASSERT_TRUE(chain.client.write_all("question"));
        EXPECT_EQ(read_text(chain.server), "question");
        ASSERT_TRUE(chain.server.write_all("the answer"));
        EXPECT_EQ(read_text(chain.client), "the answer");
        // The end of one direction is passed on; the other one goes on.
        ASSERT_TRUE(chain.client.shutdown_write());
        EXPECT_EQ(read_text(chain.server), "");
        ASSERT_TRUE(chain.server.write_all(" more"));
        EXPECT_EQ(read_text(chain.client), " more");
        EXPECT_FALSE(proxy.is_finished());
        ASSERT_TRUE(chain.server.shutdown_write());
        EXPECT_EQ(read_text(chain.client), "");
        const auto done = proxy.join();
        ASSERT_TRUE(done);
        EXPECT_EQ(done->a_to_b, 8U);
        EXPECT_EQ(done->b_to_a, 15U);
        EXPECT_EQ(counts.b_to_a, 15U);
    });
}

TEST(Transfer, copy_bidirectional_between_different_kinds_of_streams) {
    in_runtime([] {
        Connected tcp = connect_pair();
        auto local = UnixStream::pair().value();
        auto proxy = spawn([&] { return copy_bidirectional(tcp.server, local.first).has_value(); });
        const std::vector<std::byte> data = pattern(1 << 20);
        auto sender = spawn([&] {
            EXPECT_TRUE(tcp.client.write_all(data));
            EXPECT_TRUE(tcp.client.shutdown_write());
        });
        EXPECT_EQ(read_all(local.second), data);
        local.second.close();
        EXPECT_EQ(read_text(tcp.client), "");
        EXPECT_TRUE(proxy.join());
        sender.join();
    });
}

TEST(Transfer, a_failure_of_either_direction_stops_the_other) {
    for (const bool first : {true, false}) {
        in_runtime([first] {
            Chain chain;
            CopiedBothWays counts;
            auto proxy = spawn([&] { return copy_bidirectional(chain.near, chain.far, &counts); });
            settle();
            // Closed with something unread: a reset for the other side.
            UnixStream& leaving = first ? chain.client : chain.server;
            UnixStream& proxied = first ? chain.near : chain.far;
            ASSERT_TRUE(proxied.try_write(bytes_of("unread")));
            leaving.close();
            const auto done = proxy.join();
            ASSERT_FALSE(done) << first;
            EXPECT_EQ(done.error(), std::errc::connection_reset);
        });
    }
}

TEST(Transfer, a_deadline_ends_both_directions) {
    in_runtime([] {
        Chain chain;
        const auto late = timeout(2ms, [&] { return copy_bidirectional(chain.near, chain.far); });
        ASSERT_FALSE(late);
        EXPECT_EQ(late.error(), errc::timed_out);
        ASSERT_TRUE(chain.client.write_all("for somebody else"));
        EXPECT_EQ(read_text(chain.near), "for somebody else") << "nobody reads there any more";
        ASSERT_TRUE(chain.server.write_all("here too"));
        EXPECT_EQ(read_text(chain.far), "here too");
    });
}

TEST(Transfer, a_deadline_while_only_the_other_direction_works_ends_it_too) {
    in_runtime([] {
        Chain chain;
        ASSERT_TRUE(chain.client.shutdown_write()); // the direction in the caller's fiber is over at once
        const auto late = timeout(2ms, [&] { return copy_bidirectional(chain.near, chain.far); });
        EXPECT_EQ(late.error(), errc::timed_out);
    });
}

TEST(Transfer, an_abort_ends_both_directions) {
    in_runtime([] {
        Chain chain;
        auto proxy = spawn([&] { return copy_bidirectional(chain.near, chain.far).has_value(); });
        settle();
        EXPECT_TRUE(proxy.abort());
        EXPECT_THROW((void)proxy.join(), TaskAborted);
        ASSERT_TRUE(chain.server.write_all("free"));
        EXPECT_EQ(read_text(chain.far), "free");
    });
}

TEST(Transfer, a_mistake_in_the_other_fiber_comes_out_of_the_call) {
    in_runtime([] {
        Chain chain;
        auto other_reader = spawn([&] { return read_text(chain.far); });
        settle();
        EXPECT_THROW((void)copy_bidirectional(chain.near, chain.far), UsageError) << "two readers of one stream";
        ASSERT_TRUE(chain.server.write_all("x"));
        EXPECT_EQ(other_reader.join(), "x");
    });
}

} // namespace
} // namespace nexus
