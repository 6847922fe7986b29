#include "nexus/net/unix_datagram.hpp"

#include "test/net/rig.hpp"

#include <fcntl.h>
#include <memory>

namespace nexus {
namespace {

/// Sends until it would have to wait. How many went.
template <class Send>
int fill_with(Send send) {
    for (int count = 0;; ++count) {
        const auto sent = send();
        if (sent) continue;
        EXPECT_EQ(sent.error(), std::errc::resource_unavailable_try_again);
        return count;
    }
}

TEST(UnixDatagram, a_pair_carries_messages_both_ways) {
    in_runtime([] {
        auto [a, b] = UnixDatagram::pair().value();
        ASSERT_EQ(a.send(bytes_of("hello")).value(), 5U);
        ASSERT_TRUE(a.send(bytes_of("again")));
        EXPECT_EQ(recv_text(b), "hello");
        EXPECT_EQ(recv_text(b), "again");
        ASSERT_TRUE(b.send(bytes_of("back")));
        EXPECT_EQ(recv_text(a), "back");
        EXPECT_EQ(a.peer_credentials().value(), (PeerCredentials{::getpid(), ::getuid(), ::getgid()}));
        EXPECT_TRUE(a.local_address().value().unnamed());
    });
}

TEST(UnixDatagram, a_server_at_a_path_answers_those_who_have_an_address) {
    in_runtime([] {
        const TempFolder folder;
        UnixDatagram server = UnixDatagram::bind(folder.file("server")).value();
        UnixDatagram client = UnixDatagram::bind(UnixAddress{}).value();
        ASSERT_TRUE(client.connect(folder.file("server")));
        ASSERT_TRUE(client.send(bytes_of("question")));
        std::array<std::byte, 64> buffer{};
        const auto got = server.recv_from(buffer).value();
        EXPECT_EQ(text_of(std::span(buffer).first(got.size)), "question");
        EXPECT_TRUE(got.from.is_abstract()) << "the kernel's choice";
        EXPECT_EQ(got.from, client.local_address().value());
        ASSERT_TRUE(server.send_to(bytes_of("answer"), got.from));
        EXPECT_EQ(recv_text(client), "answer");
        EXPECT_EQ(client.peer_address().value().name(), folder.file("server"));
        UnixDatagram nameless = UnixDatagram::unbound().value();
        ASSERT_TRUE(nameless.send_to(bytes_of("who am I"), server.local_address().value()));
        EXPECT_TRUE(server.recv_from(buffer).value().from.unnamed());
    });
}

TEST(UnixDatagram, addresses_that_fail_are_named) {
    const TempFolder folder;
    EXPECT_EQ(UnixDatagram::bind(folder.file("no/such/folder")).error(), std::errc::no_such_file_or_directory);
    EXPECT_EQ(UnixDatagram::bind(std::string(200, 'x')).error(), std::errc::filename_too_long);
    UnixDatagram socket = UnixDatagram::unbound().value();
    const auto nobody = socket.connect(folder.file("nobody"));
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error(), std::errc::no_such_file_or_directory);
    EXPECT_TRUE(folder.file("nobody").starts_with(nobody.error().subject()));
    EXPECT_EQ(socket.connect("").error(), std::errc::invalid_argument);
    EXPECT_EQ(socket.try_send(bytes_of("x")).error(), std::errc::not_connected);
}

TEST(UnixDatagram, what_did_not_fit_is_reported) {
    in_runtime([] {
        auto [a, b] = UnixDatagram::pair().value();
        std::array<std::byte, 4> buffer{};
        ASSERT_TRUE(a.send(bytes_of("too long")));
        EXPECT_EQ(b.recv(buffer).error(), std::errc::message_size);
        ASSERT_TRUE(a.send(bytes_of("too long")));
        const auto got = b.recv_from(buffer).value();
        EXPECT_TRUE(got.truncated());
        EXPECT_EQ(got.full_size, 8U);
    });
}

TEST(UnixDatagram, a_sender_waits_for_room_and_goes_on) {
    in_runtime([] {
        auto ends = UnixDatagram::pair().value();
        const int sent = fill_with([&] { return ends.first.try_send(bytes_of("fill")); });
        ASSERT_GT(sent, 0);
        auto sender = spawn([&] { return ends.first.send(bytes_of("last")).value(); });
        settle();
        EXPECT_FALSE(sender.is_finished());
        for (int i = 0; i < sent; ++i) EXPECT_EQ(recv_text(ends.second), "fill");
        EXPECT_EQ(recv_text(ends.second), "last");
        EXPECT_EQ(sender.join(), 4U);
    });
}

// A full queue of the receiver makes sendto() fail, and epoll never says when it has room again.
TEST(UnixDatagram, a_sender_that_is_not_connected_waits_for_the_receivers_queue) {
    in_runtime([] {
        const TempFolder folder;
        UnixDatagram server = UnixDatagram::bind(folder.file("server")).value();
        const UnixAddress to = server.local_address().value();
        UnixDatagram client = UnixDatagram::unbound().value();
        const int sent = fill_with([&] { return client.try_send_to(bytes_of("fill"), to); });
        auto sender = spawn([&] { return client.send_to(bytes_of("last"), to).value(); });
        auto late = spawn([&] {
            return timeout(std::chrono::milliseconds(3), [&] { return client.send_to(bytes_of("never"), to); });
        });
        EXPECT_EQ(late.join().error(), errc::timed_out);
        EXPECT_FALSE(sender.is_finished());
        for (int i = 0; i < sent; ++i) EXPECT_EQ(recv_text(server), "fill");
        EXPECT_EQ(recv_text(server), "last");
        EXPECT_EQ(sender.join(), 4U);
    });
}

TEST(UnixDatagram, a_connected_sender_is_woken_when_the_receivers_queue_has_room) {
    in_runtime([] {
        const TempFolder folder;
        UnixDatagram server = UnixDatagram::bind(folder.file("server")).value();
        UnixDatagram client = UnixDatagram::unbound().value();
        ASSERT_TRUE(client.connect(folder.file("server")));
        const int sent = fill_with([&] { return client.try_send(bytes_of("fill")); });
        auto sender = spawn([&] { return client.send(bytes_of("last")).value(); });
        settle();
        EXPECT_FALSE(sender.is_finished());
        for (int i = 0; i < sent; ++i) EXPECT_EQ(recv_text(server), "fill");
        EXPECT_EQ(recv_text(server), "last");
        EXPECT_EQ(sender.join(), 4U);
    });
}

struct Queue {
    UnixDatagram::Pair ends = UnixDatagram::pair().value();
    int sent = fill_with([this] { return ends.first.try_send(bytes_of("fill")); });
    std::vector<JoinHandle<Result<std::size_t>>> fibers;

    void start(std::string_view names) {
        for (const char name : names) {
            fibers.push_back(spawn([this, name] { return ends.first.send(bytes_of(std::string(1, name))); }));
        }
        settle();
    }
    void drain() {
        for (int i = 0; i < sent; ++i) EXPECT_EQ(recv_text(ends.second), "fill");
    }
};

TEST(UnixDatagram, senders_that_have_to_wait_take_turns_in_order) {
    in_runtime([] {
        Queue queue;
        queue.start("abcd");
        queue.drain();
        // Those who come later do not overtake those who wait, although there is room by now.
        ASSERT_TRUE(queue.ends.first.send(bytes_of("e")));
        for (const char* name : {"a", "b", "c", "d", "e"}) EXPECT_EQ(recv_text(queue.ends.second), name);
        for (auto& fiber : queue.fibers) EXPECT_TRUE(fiber.join());
    });
}

TEST(UnixDatagram, while_others_wait_a_try_is_refused) {
    in_runtime([] {
        Queue queue;
        queue.start("a");
        std::array<std::byte, 8> buffer{};
        while (queue.ends.second.try_recv(buffer)) {}
        EXPECT_EQ(queue.ends.first.try_send(bytes_of("x")).error(), std::errc::resource_unavailable_try_again);
        EXPECT_TRUE(queue.fibers[0].join());
        EXPECT_TRUE(queue.ends.first.try_send(bytes_of("x")));
    });
}

TEST(UnixDatagram, H23_a_sender_that_is_aborted_passes_its_turn_on) {
    in_runtime([] {
        Queue queue;
        queue.start("abcd");
        EXPECT_TRUE(queue.fibers[0].abort()); // it waits for the kernel
        EXPECT_TRUE(queue.fibers[2].abort()); // it waits for its turn
        settle();
        queue.drain();
        ASSERT_TRUE(turns_until([&] { return queue.fibers[1].is_finished() && queue.fibers[3].is_finished(); }));
        EXPECT_EQ(recv_text(queue.ends.second), "b");
        EXPECT_EQ(recv_text(queue.ends.second), "d");
        for (const std::size_t i : {0U, 2U}) EXPECT_THROW((void)queue.fibers[i].join(), TaskAborted);
        for (const std::size_t i : {1U, 3U}) EXPECT_TRUE(queue.fibers[i].join());
    });
}

TEST(UnixDatagram, closing_ends_every_sender_that_waits) {
    in_runtime([] {
        Queue queue;
        queue.start("abc");
        queue.ends.first.close();
        for (auto& fiber : queue.fibers) EXPECT_EQ(fiber.join().error(), errc::closed);
    });
}

TEST(UnixDatagram, destroying_it_under_senders_is_closing_it) {
    in_runtime([] {
        auto ends = std::make_unique<UnixDatagram::Pair>(UnixDatagram::pair().value());
        UnixDatagram& sender = ends->first;
        (void)fill_with([&] { return sender.try_send(bytes_of("fill")); });
        std::vector<JoinHandle<Result<std::size_t>>> fibers;
        for (int i = 0; i < 3; ++i) fibers.push_back(spawn([&sender] { return sender.send(bytes_of("x")); }));
        settle();
        ends.reset();
        for (auto& fiber : fibers) EXPECT_EQ(fiber.join().error(), errc::closed);
    });
}

TEST(UnixDatagram, who_is_gone_refuses) {
    in_runtime([] {
        auto ends = std::make_unique<UnixDatagram::Pair>(UnixDatagram::pair().value());
        UnixDatagram here = std::move(ends->first);
        ends.reset();
        EXPECT_EQ(here.send(bytes_of("x")).error(), std::errc::connection_refused);
    });
}

TEST(UnixDatagram, descriptors_travel_with_messages) {
    in_runtime([] {
        const TempFolder folder;
        UnixDatagram server = UnixDatagram::bind(folder.file("server")).value();
        auto pipe = UnixStream::pair().value();
        UnixDatagram client = UnixDatagram::bind(UnixAddress{}).value();
        const std::array<int, 1> sent{pipe.second.fd()};
        ASSERT_EQ(client.send_with_descriptors(bytes_of("take this"), sent, server.local_address().value()).value(),
                  9U);
        ASSERT_TRUE(client.connect(folder.file("server")));
        ASSERT_TRUE(client.send_with_descriptors(bytes_of("and this"), sent));
        std::array<std::byte, 4> buffer{};
        std::array<os::Fd, 2> room;
        const auto got = server.recv_with_descriptors(buffer, room).value();
        EXPECT_EQ(got.size, 4U);
        EXPECT_TRUE(got.truncated());
        EXPECT_EQ(got.from, client.local_address().value());
        ASSERT_EQ(got.descriptors, 1U);
        EXPECT_FALSE(got.descriptors_lost);
        EXPECT_NE(::fcntl(room[0].get(), F_GETFD) & FD_CLOEXEC, 0);
        UnixStream passed = UnixStream::from_fd(std::move(room[0])).value();
        ASSERT_TRUE(passed.write_all("through the passed one"));
        EXPECT_EQ(read_text(pipe.first), "through the passed one");
        const auto second = server.recv_with_descriptors(buffer, {}).value();
        EXPECT_EQ(second.descriptors, 0U);
        EXPECT_TRUE(second.descriptors_lost);
    });
}

TEST(UnixDatagram, an_empty_one_carries_descriptors_as_well) {
    in_runtime([] {
        auto [a, b] = UnixDatagram::pair().value();
        const std::array<int, 1> sent{a.fd()};
        ASSERT_EQ(a.send_with_descriptors({}, sent).value(), 0U);
        std::array<std::byte, 4> buffer{};
        std::array<os::Fd, 1> room;
        const auto got = b.recv_with_descriptors(buffer, room).value();
        EXPECT_EQ(got.full_size, 0U);
        EXPECT_EQ(got.descriptors, 1U);
        ASSERT_TRUE(a.send({}));
        EXPECT_EQ(b.recv(buffer).value(), 0U);
    });
}

// The room for the time of arrival would hold them too.
TEST(UnixDatagram, descriptors_that_nobody_asked_for_are_closed) {
    in_runtime([] {
        auto [a, b] = UnixDatagram::pair().value();
        const std::array<int, 3> sent{a.fd(), a.fd(), b.fd()};
        std::array<std::byte, 16> buffer{};
        const std::size_t before = open_descriptors();
        for (int i = 0; i < 3; ++i) {
            ASSERT_TRUE(a.send_with_descriptors(bytes_of("take this"), sent));
        }
        EXPECT_EQ(b.peek_from(buffer).value().size, 9U);
        EXPECT_EQ(b.peek(buffer).value(), 9U);
        EXPECT_EQ(b.recv_from(buffer).value().size, 9U);
        EXPECT_EQ(b.try_recv_from(buffer).value().size, 9U);
        EXPECT_EQ(b.recv(buffer).value(), 9U);
        EXPECT_EQ(open_descriptors(), before);
    });
}

TEST(UnixDatagram, other_facts_leave_room_for_descriptors) {
    in_runtime([] {
        auto [a, b] = UnixDatagram::pair().value();
        ASSERT_TRUE(b.set_receive_timestamps(true));
        ASSERT_TRUE(b.set_option(SOL_SOCKET, SO_PASSCRED, 1));
        const std::array<int, 1> sent{a.fd()};
        std::array<std::byte, 16> buffer{};
        std::array<os::Fd, 1> room;
        ASSERT_TRUE(a.send_with_descriptors(bytes_of("with one"), sent));
        const auto got = b.recv_with_descriptors(buffer, room).value();
        EXPECT_EQ(got.descriptors, 1U);
        EXPECT_FALSE(got.descriptors_lost);
        EXPECT_TRUE(got.time);
        ASSERT_TRUE(a.send(bytes_of("without")));
        const auto plain = b.recv_with_descriptors(buffer, {}).value();
        EXPECT_FALSE(plain.descriptors_lost) << "there were none";
        EXPECT_TRUE(plain.time);
        const std::size_t before = open_descriptors();
        ASSERT_TRUE(a.send_with_descriptors(bytes_of("no room"), sent));
        EXPECT_TRUE(b.recv_with_descriptors(buffer, {}).value().descriptors_lost);
        EXPECT_EQ(open_descriptors(), before);
    });
}

TEST(UnixDatagram, the_longest_path_of_a_sender_can_be_answered) {
    in_runtime([] {
        const TempFolder folder;
        UnixDatagram server = UnixDatagram::bind(folder.file("server")).value();
        const std::string path = folder.longest_path();
        UnixDatagram client = UnixDatagram::from_fd(bind_raw_unix(SOCK_DGRAM, path)).value();
        ASSERT_TRUE(client.send_to(bytes_of("question"), server.local_address().value()));
        std::array<std::byte, 16> buffer{};
        const auto got = server.recv_from(buffer).value();
        EXPECT_EQ(got.from.name(), path);
        EXPECT_EQ(got.from, client.local_address().value());
        ASSERT_TRUE(server.send_to(bytes_of("answer"), got.from));
        EXPECT_EQ(recv_text(client), "answer");
    });
}

TEST(UnixDatagram, waiting_for_room_is_a_turn_like_sending) {
    in_runtime([] {
        Queue queue;
        auto room = spawn([&] { return queue.ends.first.writable().has_value(); });
        queue.start("a");
        auto more_room = spawn([&] { return queue.ends.first.writable().has_value(); });
        settle();
        EXPECT_FALSE(room.is_finished());
        queue.drain();
        EXPECT_TRUE(room.join());
        EXPECT_EQ(recv_text(queue.ends.second), "a");
        EXPECT_TRUE(queue.fibers[0].join());
        EXPECT_TRUE(more_room.join());
        EXPECT_TRUE(queue.ends.first.writable());
    });
}

TEST(UnixDatagram, its_file_goes_when_that_was_asked_for) {
    const TempFolder folder;
    const std::string path = folder.file("s");
    {
        UnixDatagram stays = UnixDatagram::bind(path).value();
        EXPECT_EQ(UnixDatagram::bind(path).error(), std::errc::address_in_use);
    }
    EXPECT_TRUE(std::filesystem::exists(path));
    {
        UnixDatagram goes = UnixDatagram::bind(path, {.unlink_on_close = true, .replace_stale = true}).value();
        EXPECT_TRUE(std::filesystem::exists(path));
        goes.close();
        EXPECT_FALSE(std::filesystem::exists(path));
    }
    UnixDatagram given = UnixDatagram::bind(path, {.unlink_on_close = true}).value();
    const os::Fd fd = std::move(given).into_fd();
    EXPECT_TRUE(fd);
    EXPECT_TRUE(std::filesystem::exists(path)) << "whoever has the descriptor has the file";
}

TEST(UnixDatagram, from_fd_takes_unix_datagram_sockets_only) {
    os::Fd stream(::socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(UnixDatagram::from_fd(std::move(stream)).error(), std::errc::wrong_protocol_type);
    EXPECT_TRUE(stream);
    os::Fd udp(::socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT_EQ(UnixDatagram::from_fd(std::move(udp)).error(), std::errc::wrong_protocol_type);
    os::Fd right(::socket(AF_UNIX, SOCK_DGRAM, 0));
    EXPECT_TRUE(UnixDatagram::from_fd(std::move(right)));
}

} // namespace
} // namespace nexus
