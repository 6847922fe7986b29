#include "nexus/net/udp_batch.hpp"

#include "test/net/rig.hpp"
#include "test/os/fault.hpp"

#include <type_traits>
#include <utility>

namespace nexus {
namespace {

using std::chrono::milliseconds;

struct Ends {
    UdpSocket sender = udp_on_loopback();
    UdpSocket receiver = udp_on_loopback();
    SocketAddress to = receiver.local_address().value();
};

// proves: NET-12
TEST(UdpBatch, brings_what_is_there_in_order_with_its_senders) {
    in_runtime([] {
        Ends ends;
        UdpSocket other = udp_on_loopback();
        ASSERT_TRUE(ends.sender.send_to(bytes_of("one"), ends.to));
        ASSERT_TRUE(other.send_to(bytes_of("two"), ends.to));
        ASSERT_TRUE(ends.sender.send_to({}, ends.to));
        RecvBatch batch(8, 64);
        EXPECT_TRUE(batch.empty());
        ASSERT_EQ(ends.receiver.recv_batch(batch).value(), 3U);
        EXPECT_EQ(batch.size(), 3U);
        EXPECT_EQ(batch.capacity(), 8U);
        EXPECT_EQ(text_of(batch[0].bytes), "one");
        EXPECT_EQ(batch[0].from, ends.sender.local_address().value());
        EXPECT_EQ(text_of(batch[1].bytes), "two");
        EXPECT_EQ(batch[1].from, other.local_address().value());
        EXPECT_EQ(batch[2].bytes.size(), 0U);
        EXPECT_FALSE(batch[2].truncated());
        std::size_t seen = 0;
        for (const RecvBatch::Datagram& datagram : batch) seen += datagram.bytes.size();
        EXPECT_EQ(seen, 6U);
    });
}

TEST(UdpBatch, is_used_again_and_again) {
    in_runtime([] {
        Ends ends;
        RecvBatch batch(4, 64);
        RecvBatch moved(1, 1);
        for (int round = 0; round < 5; ++round) {
            for (int i = 0; i < round + 1; ++i) {
                ASSERT_TRUE(ends.sender.send_to(bytes_of("round " + std::to_string(round)), ends.to));
            }
            for (int left = round + 1; left > 0;) {
                const std::size_t got = ends.receiver.recv_batch(batch).value();
                for (const auto& datagram : batch) {
                    EXPECT_EQ(text_of(datagram.bytes), "round " + std::to_string(round));
                    EXPECT_EQ(datagram.from, ends.sender.local_address().value());
                }
                left -= static_cast<int>(got);
            }
            moved = std::move(batch); // what the kernel points into moves along
            std::swap(batch, moved);
        }
    });
}

TEST(UdpBatch, what_did_not_fit_is_reported) {
    in_runtime([] {
        Ends ends;
        ASSERT_TRUE(ends.sender.send_to(bytes_of("too long for it"), ends.to));
        ASSERT_TRUE(ends.sender.send_to(bytes_of("fits"), ends.to));
        RecvBatch batch(4, 4);
        ASSERT_EQ(ends.receiver.recv_batch(batch).value(), 2U);
        EXPECT_TRUE(batch[0].truncated());
        EXPECT_EQ(batch[0].full_size, 15U);
        EXPECT_EQ(text_of(batch[0].bytes), "too ");
        EXPECT_FALSE(batch[1].truncated());
    });
}

TEST(UdpBatch, datagrams_carry_the_time_of_arrival_and_what_was_dropped) {
    in_runtime([] {
        Ends ends;
        ASSERT_TRUE(ends.receiver.set_receive_timestamps(true));
        ASSERT_TRUE(ends.receiver.set_drop_reports(true));
        RecvBatch batch(4, 16);
        // The kernel begins to take the time a moment after it was asked to; until then it is that of reading.
        bool taken_on_arrival = false;
        for (int round = 0; round < 10'000 && !taken_on_arrival; ++round) {
            const auto before = std::chrono::system_clock::now();
            ASSERT_TRUE(ends.sender.send_to(bytes_of("a"), ends.to));
            ASSERT_TRUE(ends.sender.send_to(bytes_of("b"), ends.to));
            const auto after = std::chrono::system_clock::now();
            ASSERT_EQ(ends.receiver.recv_batch(batch).value(), 2U);
            ASSERT_TRUE(batch[0].time && batch[1].time);
            EXPECT_LE(before, *batch[0].time);
            taken_on_arrival = *batch[0].time <= after && *batch[1].time <= after;
            if (taken_on_arrival) {
                EXPECT_LE(*batch[0].time, *batch[1].time);
            }
        }
        EXPECT_TRUE(taken_on_arrival);
        EXPECT_EQ(batch[1].dropped, 0U);
    });
}

TEST(UdpBatch, waits_and_keeps_its_deadline) {
    in_runtime([] {
        Ends ends;
        RecvBatch batch(4, 16);
        ASSERT_TRUE(ends.sender.send_to(bytes_of("old"), ends.to));
        ASSERT_TRUE(ends.receiver.recv_batch(batch));
        EXPECT_EQ(ends.receiver.try_recv_batch(batch).error(), std::errc::resource_unavailable_try_again);
        EXPECT_TRUE(batch.empty()) << "nothing of the last time is left";
        const auto late = timeout(milliseconds(1), [&] { return ends.receiver.recv_batch(batch); });
        EXPECT_EQ(late.error(), errc::timed_out);
        auto waiter = spawn([&] { return ends.receiver.recv_batch(batch).value(); });
        settle();
        ASSERT_TRUE(ends.sender.send_to(bytes_of("new"), ends.to));
        EXPECT_EQ(waiter.join(), 1U);
        EXPECT_EQ(text_of(batch[0].bytes), "new");
    });
}

TEST(UdpBatch, sends_in_order_to_many) {
    in_runtime([] {
        Ends ends;
        UdpSocket other = udp_on_loopback();
        SendBatch batch(3);
        EXPECT_TRUE(batch.push(bytes_of("first"), ends.to));
        EXPECT_TRUE(batch.push(bytes_of("elsewhere"), other.local_address().value()));
        EXPECT_TRUE(batch.push(bytes_of("second"), ends.to));
        EXPECT_TRUE(batch.full());
        EXPECT_FALSE(batch.push(bytes_of("no room"), ends.to));
        EXPECT_FALSE(batch.done());
        ASSERT_TRUE(ends.sender.send_batch(batch));
        EXPECT_TRUE(batch.done());
        EXPECT_EQ(batch.sent(), 3U);
        EXPECT_EQ(recv_text(ends.receiver), "first");
        EXPECT_EQ(recv_text(ends.receiver), "second");
        EXPECT_EQ(recv_text(other), "elsewhere");
        ASSERT_TRUE(ends.sender.send_batch(batch)) << "all done already";
        EXPECT_FALSE(ends.receiver.is_readable());
        batch.clear();
        EXPECT_EQ(batch.size(), 0U);
    });
}

TEST(UdpBatch, of_a_connected_socket_needs_no_addresses) {
    in_runtime([] {
        Ends ends;
        ASSERT_TRUE(ends.sender.connect(ends.to));
        SendBatch batch(2);
        EXPECT_TRUE(batch.push(bytes_of("a"), ends.to));
        batch.clear();
        EXPECT_TRUE(batch.push(bytes_of("a"))) << "the address of before is forgotten";
        EXPECT_TRUE(batch.push(bytes_of("b")));
        EXPECT_EQ(ends.sender.try_send_batch(batch).value(), 2U);
        EXPECT_EQ(ends.sender.try_send_batch(batch).value(), 0U);
        EXPECT_EQ(recv_text(ends.receiver), "a");
        EXPECT_EQ(recv_text(ends.receiver), "b");
    });
}

TEST(UdpBatch, one_that_cannot_go_stops_the_rest_and_can_be_skipped) {
    in_runtime([] {
        Ends ends;
        const std::vector<std::byte> giant(70'000);
        SendBatch batch(3);
        EXPECT_TRUE(batch.push(bytes_of("before"), ends.to));
        EXPECT_TRUE(batch.push(giant, ends.to));
        EXPECT_TRUE(batch.push(bytes_of("after"), ends.to));
        const auto failed = ends.sender.send_batch(batch);
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error(), std::errc::message_size);
        EXPECT_EQ(batch.sent(), 1U) << "the one that it concerns";
        batch.skip();
        ASSERT_TRUE(ends.sender.send_batch(batch));
        batch.skip();
        EXPECT_EQ(batch.sent(), 3U);
        EXPECT_EQ(recv_text(ends.receiver), "before");
        EXPECT_EQ(recv_text(ends.receiver), "after");
    });
}

TEST(UdpBatch, goes_on_where_the_kernel_stopped) {
    in_runtime([] {
        Ends ends;
        os::Calls table = os::real_calls();
        table.sendmmsg = [](int fd, mmsghdr* messages, unsigned, int flags) {
            return os::real_calls().sendmmsg(fd, messages, 1, flags); // a kernel in no hurry
        };
        const os::CallsOverride override_{table};
        SendBatch batch(4);
        for (const char* text : {"1", "2", "3", "4"}) EXPECT_TRUE(batch.push(bytes_of(text), ends.to));
        ASSERT_TRUE(ends.sender.send_batch(batch));
        for (const char* text : {"1", "2", "3", "4"}) EXPECT_EQ(recv_text(ends.receiver), text);
    });
}

TEST(UdpBatch, what_was_received_can_be_changed_and_sent_back) {
    in_runtime([] {
        Ends ends;
        RecvBatch in(4, 64);
        SendBatch out(4);
        for (const char* text : {"a1", "a2"}) ASSERT_TRUE(ends.sender.send_to(bytes_of(text), ends.to));
        ASSERT_EQ(ends.receiver.recv_batch(in).value(), 2U);
        for (const auto& datagram : in) {
            datagram.bytes[0] = std::byte{'b'};
            EXPECT_TRUE(out.push(datagram.bytes, datagram.from));
        }
        ASSERT_TRUE(ends.receiver.send_batch(out));
        EXPECT_EQ(recv_text(ends.sender), "b1");
        EXPECT_EQ(recv_text(ends.sender), "b2");
    });
}

TEST(UdpBatch, a_short_batch_means_that_nothing_is_left) {
    in_runtime([] {
        Ends ends;
        RecvBatch batch(4, 16);
        std::array<std::byte, 4> buffer{};
        EXPECT_FALSE(ends.receiver.try_recv(buffer));
        auto waiter = spawn([&] {
            for (int i = 0; i < 2; ++i) EXPECT_EQ(ends.receiver.recv_batch(batch).value(), 1U);
        });
        settle();
        os::Fault<&os::Calls::recvmmsg> count{0, 0};
        ASSERT_TRUE(ends.sender.send_to(bytes_of("x"), ends.to));
        settle();
        EXPECT_EQ(count.calls_seen(), 1) << "the next one waits without asking";
        ASSERT_TRUE(ends.sender.send_to(bytes_of("y"), ends.to));
        waiter.join();
        EXPECT_EQ(count.calls_seen(), 2);
    });
}

TEST(UdpBatch, errors_of_the_network_are_no_end_of_hearing) {
    in_runtime([] {
        UdpSocket socket = udp_on_loopback();
        SocketAddress gone;
        {
            UdpSocket peer = udp_on_loopback();
            gone = peer.local_address().value();
        }
        ASSERT_TRUE(socket.connect(gone));
        RecvBatch batch(4, 16);
        auto receiver = spawn([&] {
            std::vector<std::string> heard;
            while (heard.size() < 4) {
                const auto got = socket.recv_batch(batch);
                if (!got) heard.push_back(got.error().code().message());
                for (const auto& datagram : batch) heard.push_back(text_of(datagram.bytes));
            }
            return heard;
        });
        settle();
        ASSERT_TRUE(socket.send(bytes_of("anybody?"))); // refused while the receiver waits
        settle();
        UdpSocket peer = UdpSocket::bind(gone).value();
        for (const char* text : {"a", "b", "c"}) {
            ASSERT_TRUE(peer.send_to(bytes_of(text), socket.local_address().value()));
            settle();
        }
        EXPECT_EQ(receiver.join(), (std::vector<std::string>{"Connection refused", "a", "b", "c"}));
    });
}

TEST(UdpBatch, a_short_batch_after_an_error_says_nothing) {
    in_runtime([] {
        UdpSocket socket = udp_on_loopback();
        SocketAddress gone;
        {
            UdpSocket peer = udp_on_loopback();
            gone = peer.local_address().value();
        }
        ASSERT_TRUE(socket.connect(gone));
        RecvBatch batch(4, 16);
        auto refused = spawn([&] { return socket.recv_batch(batch).error(); });
        settle();
        ASSERT_TRUE(socket.send(bytes_of("anybody?")));
        EXPECT_EQ(refused.join(), std::errc::connection_refused);
        // The kernel stops in the middle for an error, and keeps that back for the next call.
        os::Calls table = os::real_calls();
        table.recvmmsg = [](int fd, mmsghdr* messages, unsigned, int flags, timespec* limit) {
            return os::real_calls().recvmmsg(fd, messages, 1, flags, limit);
        };
        const os::CallsOverride override_{table};
        UdpSocket peer = UdpSocket::bind(gone).value();
        for (const char* text : {"a", "b"}) {
            ASSERT_TRUE(peer.send_to(bytes_of(text), socket.local_address().value()));
        }
        settle(); // their event has been heard, and there will be no other
        for (const char* text : {"a", "b"}) {
            const auto got = timeout(std::chrono::seconds(2), [&] { return socket.recv_batch(batch); });
            ASSERT_TRUE(got) << text;
            EXPECT_EQ(text_of(batch[0].bytes), text);
        }
    });
}

TEST(UdpBatch, empty_datagrams_are_among_them) {
    in_runtime([] {
        UdpSocket here = udp_on_loopback();
        SendBatch sending(3);
        for (const char* text : {"", "full", ""}) {
            ASSERT_TRUE(sending.push(bytes_of(text), here.local_address().value()));
        }
        ASSERT_TRUE(here.send_batch(sending));
        RecvBatch batch(4, 16);
        ASSERT_EQ(here.recv_batch(batch).value(), 3U);
        for (const std::size_t index : {0U, 2U}) {
            EXPECT_TRUE(batch[index].bytes.empty());
            EXPECT_FALSE(batch[index].truncated());
            EXPECT_EQ(batch[index].from, here.local_address().value());
        }
        EXPECT_EQ(text_of(batch[1].bytes), "full");
    });
}

TEST(UdpBatch, moves_with_what_is_in_it_and_leaves_an_empty_one) {
    static_assert(!std::is_copy_constructible_v<RecvBatch> && !std::is_copy_constructible_v<SendBatch>);
    in_runtime([] {
        UdpSocket here = udp_on_loopback();
        SendBatch filling(4);
        ASSERT_TRUE(filling.push(bytes_of("one"), here.local_address().value()));
        ASSERT_TRUE(filling.push(bytes_of("two"), here.local_address().value()));
        SendBatch sending = std::move(filling);
        ASSERT_TRUE(here.send_batch(sending));
        EXPECT_EQ(sending.sent(), 2U);
        RecvBatch empty(4, 16);
        ASSERT_EQ(here.recv_batch(empty).value(), 2U);
        RecvBatch batch = std::move(empty);
        ASSERT_EQ(batch.size(), 2U);
        EXPECT_EQ(text_of(batch[0].bytes), "one");
        EXPECT_EQ(batch[1].from, here.local_address().value());
        // NOLINTBEGIN(bugprone-use-after-move): that is what this is about
        EXPECT_EQ(empty.size(), 0U);
        EXPECT_EQ(empty.begin(), empty.end());
        EXPECT_THROW((void)here.recv_batch(empty), UsageError);
        EXPECT_THROW((void)here.try_recv_batch(empty), UsageError);
        EXPECT_TRUE(filling.done());
        EXPECT_FALSE(filling.push(bytes_of("no room")));
        EXPECT_TRUE(here.send_batch(filling));
        // NOLINTEND(bugprone-use-after-move)
    });
}

TEST(UdpBatch, sending_none_is_a_wait_like_any_other) {
    in_runtime([] {
        UdpSocket here = udp_on_loopback();
        SendBatch none(1);
        EXPECT_TRUE(here.send_batch(none));
        EXPECT_EQ(here.try_send_batch(none).value(), 0U);
        const auto endless = timeout(std::chrono::milliseconds(1), [&]() -> Result<void> {
            for (;;) {
                if (auto sent = here.send_batch(none); !sent) return sent;
            }
        });
        EXPECT_EQ(endless.error(), errc::timed_out);
        here.close();
        EXPECT_EQ(here.send_batch(none).error(), errc::closed);
        EXPECT_EQ(here.try_send_batch(none).error(), errc::closed);
    });
}

// A scope that ends in the middle leaves no doubt about what went.
TEST(UdpBatch, a_scope_that_ends_in_the_middle_says_how_far_it_came) {
    in_runtime([] {
        UdpSocket here = udp_on_loopback();
        SendBatch batch(4);
        for (const char* text : {"a", "b", "c", "d"}) {
            ASSERT_TRUE(batch.push(bytes_of(text), here.local_address().value()));
        }
        os::Calls table = os::real_calls();
        static int calls_made = 0;
        calls_made = 0;
        table.sendmmsg = [](int fd, mmsghdr* messages, unsigned, int flags) {
            if (calls_made++ == 0) return os::real_calls().sendmmsg(fd, messages, 2, flags);
            errno = EAGAIN;
            return -1;
        };
        {
            const os::CallsOverride override_{table};
            const auto cut = timeout(std::chrono::milliseconds(5), [&] { return here.send_batch(batch); });
            EXPECT_EQ(cut.error(), errc::timed_out);
        }
        EXPECT_EQ(batch.sent(), 2U);
        ASSERT_TRUE(here.send_batch(batch));
        for (const char* text : {"a", "b", "c", "d"}) EXPECT_EQ(recv_text(here), text);
        std::array<std::byte, 4> buffer{};
        EXPECT_EQ(here.try_recv(buffer).error(), std::errc::resource_unavailable_try_again) << "each went once";
    });
}

TEST(UdpBatch, of_nothing_is_a_mistake) {
    EXPECT_THROW(RecvBatch(0, 16), UsageError);
    EXPECT_THROW(RecvBatch(16, 0), UsageError);
    EXPECT_THROW(SendBatch(0), UsageError);
}

} // namespace
} // namespace nexus
