// How waits on sockets end: by readiness, by scopes, by abort, by closing, and how they share the thread (rule 5).
#include "test/net/rig.hpp"

#include <memory>
#include <optional>
#include <stdexcept>

namespace nexus {
namespace {

using std::chrono::milliseconds;

TEST(TcpWaiting, a_timeout_around_a_read_loses_no_data) {
    in_runtime([] {
        Connected ends = connect_pair();
        std::array<std::byte, 16> buffer{};
        const auto nothing = timeout(milliseconds(2), [&] { return ends.server.read(buffer); });
        ASSERT_FALSE(nothing);
        EXPECT_EQ(nothing.error(), errc::timed_out);
        EXPECT_EQ(nothing.error(), std::errc::timed_out);
        ASSERT_TRUE(ends.client.write_all("later"));
        EXPECT_EQ(read_text(ends.server), "later");
    });
}

TEST(TcpWaiting, an_ended_scope_fails_a_read_that_could_succeed_and_takes_nothing) {
    in_runtime([] {
        Connected ends = connect_pair();
        ASSERT_TRUE(ends.client.write_all("there"));
        ASSERT_TRUE(ends.server.readable());
        std::array<std::byte, 16> buffer{};
        const auto late = timeout(milliseconds(1), [&]() -> Result<std::size_t> {
            try {
                sleep(milliseconds(5));
            } catch (const ScopeEnded&) { // as a careless catch (...) would
            }
            return ends.server.read(buffer);
        });
        ASSERT_FALSE(late);
        EXPECT_EQ(late.error(), errc::timed_out);
        EXPECT_EQ(read_text(ends.server), "there");
    });
}

TEST(TcpWaiting, a_timeout_around_accept) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        const auto nobody = timeout(milliseconds(1), [&] { return listener.accept(); });
        ASSERT_FALSE(nobody);
        EXPECT_EQ(nobody.error(), errc::timed_out);
        TcpStream client = TcpStream::connect(listener.local_address().value()).value();
        EXPECT_TRUE(listener.accept());
    });
}

TEST(TcpWaiting, a_timeout_around_connect_gives_the_attempt_up) {
    in_runtime([] {
        // Whom a listener has no room for hears nothing.
        TcpListener listener = TcpListener::bind("127.0.0.1:0", {.backlog = 0}).value();
        const SocketAddress address = listener.local_address().value();
        std::vector<TcpStream> in_time;
        std::optional<Error> failure;
        while (!failure && in_time.size() < 10) {
            auto connected = timeout(milliseconds(20), [&] { return TcpStream::connect(address); });
            if (connected) {
                in_time.push_back(std::move(*connected));
            } else {
                failure = connected.error();
            }
        }
        ASSERT_TRUE(failure);
        EXPECT_EQ(*failure, errc::timed_out);
        // Inside, the failure says to whom.
        (void)timeout(milliseconds(1), [&]() -> Result<void> {
            const auto connected = TcpStream::connect(address);
            EXPECT_FALSE(connected);
            EXPECT_EQ(connected.error(), errc::timed_out);
            EXPECT_EQ(connected.error().subject(), address.to_string());
            return {};
        });
    });
}

TEST(TcpWaiting, abort_of_a_fiber_parked_in_connect) {
    in_runtime([] {
        TcpListener listener = TcpListener::bind("127.0.0.1:0", {.backlog = 0}).value();
        const SocketAddress address = listener.local_address().value();
        std::vector<JoinHandle<void>> connecting;
        for (int i = 0; i < 4; ++i) {
            connecting.push_back(spawn([address] {
                auto stream = TcpStream::connect(address);
                sleep(std::chrono::hours(1));
            }));
        }
        settle();
        for (auto& fiber : connecting) EXPECT_TRUE(fiber.abort());
        for (auto& fiber : connecting) EXPECT_THROW(fiber.join(), TaskAborted);
    });
}

TEST(TcpWaiting, abort_of_a_fiber_parked_on_a_socket) {
    in_runtime([] {
        Connected ends = connect_pair();
        (void)fill(ends.server);
        auto reader = spawn([&] {
            std::array<std::byte, 16> buffer{};
            (void)ends.server.read(buffer);
            ADD_FAILURE() << "must not get here";
        });
        auto writer = spawn([&] {
            (void)ends.server.write_all("x");
            ADD_FAILURE() << "must not get here";
        });
        settle();
        EXPECT_TRUE(reader.abort());
        EXPECT_TRUE(writer.abort());
        EXPECT_THROW(reader.join(), TaskAborted);
        EXPECT_THROW(writer.join(), TaskAborted);
        ASSERT_TRUE(ends.client.write_all("for the next one"));
        EXPECT_EQ(read_text(ends.server), "for the next one");
    });
}

TEST(TcpWaiting, closing_a_stream_ends_both_waits_with_closed) {
    in_runtime([] {
        Connected ends = connect_pair();
        (void)fill(ends.server);
        auto reader = spawn([&] {
            std::array<std::byte, 16> buffer{};
            return ends.server.read(buffer).error();
        });
        std::size_t transferred = 99;
        auto writer = spawn([&] { return ends.server.write_all("x", &transferred).error(); });
        settle();
        ends.server.close();
        EXPECT_EQ(reader.join(), errc::closed);
        EXPECT_EQ(writer.join(), errc::closed);
        EXPECT_EQ(transferred, 0U);
    });
}

TEST(TcpWaiting, destroying_a_stream_under_a_waiting_fiber_is_closing_it) {
    in_runtime([] {
        auto ends = std::make_unique<Connected>(connect_pair());
        TcpStream& server = ends->server;
        auto reader = spawn([&server] {
            std::array<std::byte, 16> buffer{};
            std::size_t transferred = 0;
            return server.read_exact(buffer, &transferred).error();
        });
        auto second = spawn([stream = &ends->client] { return stream->readable().error(); });
        settle();
        ends.reset();
        EXPECT_EQ(reader.join(), errc::closed);
        EXPECT_EQ(second.join(), errc::closed);
    });
}

TEST(TcpWaiting, destroying_a_stream_under_a_fiber_that_gives_way_is_closing_it) {
    in_runtime([] {
        auto ends = std::make_unique<Connected>(connect_pair());
        ASSERT_TRUE(ends->client.write_all(std::string(10'000, 'x')));
        TcpStream& server = ends->server;
        std::size_t reads = 0;
        // It finds a byte each time, and suspends all the same after some: then the stream is gone.
        auto reader = spawn([&server, &reads, &ends] {
            std::array<std::byte, 1> buffer{};
            while (ends != nullptr || reads == 0) {
                const auto got = server.read(buffer);
                if (!got) return got.error();
                ++reads;
            }
            return Error(errc::end_of_stream, "too late");
        });
        yield_now();
        ASSERT_GT(reads, 0U);
        ASSERT_FALSE(reader.is_finished());
        ends.reset();
        EXPECT_EQ(reader.join(), errc::closed);
    });
}

TEST(TcpWaiting, closing_a_listener_under_accept) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        auto acceptor = spawn([&] { return listener.accept().error(); });
        settle();
        listener.close();
        EXPECT_EQ(acceptor.join(), errc::closed);
        EXPECT_EQ(listener.accept().error(), errc::closed);
        EXPECT_EQ(listener.try_accept().error(), errc::closed);
    });
}

TEST(TcpWaiting, giving_the_descriptor_away_under_a_waiting_fiber) {
    in_runtime([] {
        Connected ends = connect_pair();
        auto reader = spawn([&] {
            std::array<std::byte, 16> buffer{};
            return ends.server.read(buffer).error();
        });
        settle();
        const os::Fd fd = std::move(ends.server).into_fd();
        EXPECT_EQ(reader.join(), errc::closed);
        ASSERT_TRUE(ends.client.write_all("x"));
        TcpStream again = TcpStream::from_fd(os::Fd(::dup(fd.get()))).value();
        EXPECT_EQ(read_text(again), "x");
    });
}

TEST(TcpWaiting, H18_a_second_reader_is_a_mistake_and_harmless) {
    in_runtime([] {
        Connected ends = connect_pair();
        auto first = spawn([&] { return read_text(ends.server); });
        settle();
        std::array<std::byte, 16> buffer{};
        EXPECT_THROW((void)ends.server.read(buffer), UsageError);
        ASSERT_TRUE(ends.client.write_all("for the first"));
        EXPECT_EQ(first.join(), "for the first");
    });
}

TEST(TcpWaiting, a_socket_that_never_runs_dry_starves_nobody) {
    in_runtime([] {
        Connected ends = connect_pair();
        std::size_t reads = 0;
        bool other_ran = false;
        bool stop = false;
        std::size_t reads_before_other = 0;
        auto writer = spawn([&] {
            std::vector<std::byte> block(64 * 1024);
            while (!stop && ends.client.write_all(block)) {}
        });
        auto reader = spawn([&] {
            std::array<std::byte, 1> small{};
            while (!stop) {
                if (!ends.server.read(small)) return;
                ++reads;
            }
        });
        ASSERT_TRUE(turns_until([&] { return reads > 1000; }));
        reads = 0;
        auto other = spawn([&] {
            other_ran = true;
            reads_before_other = reads;
        });
        other.join();
        EXPECT_TRUE(other_ran);
        EXPECT_LE(reads_before_other, 2U * detail::uninterrupted_waits);
        stop = true;
        ends.server.close();
        writer.join();
        reader.join();
    });
}

TEST(TcpWaiting, a_read_while_an_exception_unwinds_does_not_park) {
    in_runtime([] {
        Connected ends = connect_pair();
        std::optional<Error> seen;
        struct ReadsAtTheEnd {
            TcpStream& stream;
            std::optional<Error>& seen;
            ~ReadsAtTheEnd() {
                std::array<std::byte, 16> buffer{};
                if (auto got = stream.read(buffer); !got) seen = got.error();
            }
        };
        const auto fails = [&] {
            const ReadsAtTheEnd guard{ends.server, seen};
            throw std::runtime_error("on purpose");
        };
        EXPECT_THROW(fails(), std::runtime_error);
        ASSERT_TRUE(seen);
        EXPECT_EQ(*seen, errc::cancelled);
    });
}

TEST(TcpWaiting, an_aborted_fiber_may_write_in_its_destructors_and_gets_cancelled) {
    in_runtime([] {
        Connected ends = connect_pair();
        std::optional<Error> seen;
        auto fiber = spawn([&] {
            struct SaysGoodbye {
                TcpStream& stream;
                std::optional<Error>& seen;
                ~SaysGoodbye() {
                    if (auto done = stream.write_all("goodbye"); !done) seen = done.error();
                }
            } const guard{ends.client, seen};
            std::array<std::byte, 16> buffer{};
            (void)ends.client.read(buffer);
        });
        settle();
        EXPECT_TRUE(fiber.abort());
        EXPECT_THROW(fiber.join(), TaskAborted);
        ASSERT_TRUE(seen);
        EXPECT_EQ(*seen, errc::cancelled);
    });
}

TEST(TcpWaiting, fibers_parked_on_sockets_are_unwound_with_the_runtime) {
    std::optional<Connected> ends;
    std::optional<TcpListener> listener;
    int unwound = 0;
    struct Count {
        int& count;
        ~Count() { ++count; }
    };
    in_runtime([&] {
        ends = connect_pair();
        listener = listen_on_loopback();
        spawn([&] {
            const Count note{unwound};
            std::array<std::byte, 16> buffer{};
            (void)ends->server.read(buffer);
        }).detach();
        spawn([&] {
            const Count note{unwound};
            (void)listener->accept();
        }).detach();
        settle();
    });
    EXPECT_EQ(unwound, 2);
    in_runtime([&] {
        ASSERT_TRUE(ends->client.write_all("next life"));
        EXPECT_EQ(read_text(ends->server), "next life");
    });
}

TEST(TcpWaiting, sockets_in_use_by_a_runtime_that_is_gone_can_be_destroyed) {
    auto ends = std::make_unique<std::optional<Connected>>();
    in_runtime([&] {
        *ends = connect_pair();
        auto reader = spawn([&] { return read_text((*ends)->server); });
        settle();
        ASSERT_TRUE((*ends)->client.write_all("x"));
        reader.join();
    });
    ends.reset();
}

} // namespace
} // namespace nexus
