#include "nexus/sync/mpsc_bytes.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/select.hpp"
#include "test/sync/byte_records.hpp"
#include "test/sync/fibers.hpp"
#include "test/system/heap_calls.hpp"

#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

// --- size and place ---

TEST(MpscBytesChannel, CH_BY_1_a_record_costs_its_header_and_is_rounded_up_to_8) {
    auto ch = mpsc_bytes::channel(64);
    for (const char* text : {"1", "12345678", "123456789"}) ASSERT_TRUE(ch.sender.try_send(as_record(text)));
    EXPECT_EQ(ch.receiver.depth(), 16U + 16U + 24U);
    EXPECT_EQ(ch.sender.depth(), ch.receiver.depth());
}

TEST(MpscBytesChannel, CH2_the_capacity_is_rounded_up_and_checked) {
    EXPECT_EQ(mpsc_bytes::channel(16).sender.capacity(), 16U);
    EXPECT_EQ(mpsc_bytes::channel(65).receiver.capacity(), 128U);
    EXPECT_THROW((void)mpsc_bytes::channel(15), UsageError);
    EXPECT_THROW((void)mpsc_bytes::channel(std::numeric_limits<std::size_t>::max()), UsageError);
}

TEST(MpscBytesChannel, H24_H38_what_fits_at_all_fits_at_every_position) {
    for (std::uint32_t steps = 0; steps < 8; ++steps) {
        for (std::size_t size = 4; size <= 56; ++size) {
            auto ch = mpsc_bytes::channel(64);
            for (std::uint32_t i = 0; i < steps; ++i) {
                ASSERT_TRUE(try_put(ch.sender, i, 16));
                ASSERT_TRUE(ch.receiver.try_recv());
            }
            // Twice round: what the first left must not look like a record.
            for (std::uint32_t i = 0; i < 2; ++i) {
                ASSERT_TRUE(try_put(ch.sender, 90 + i, size)) << size << " bytes at " << steps * 24 % 64;
                const auto got = ch.receiver.try_recv();
                ASSERT_TRUE(got);
                EXPECT_EQ(got->size(), size);
                EXPECT_EQ(read_number(got->bytes()), 90 + i);
            }
            EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
        }
    }
}

// proves: CH-BY-2
TEST(MpscBytesChannel, H24_H38_what_never_fits_is_an_error_at_once) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    EXPECT_EQ(ch.sender.max_record(), 56U);
    EXPECT_TRUE(ch.sender.try_claim(56));
    EXPECT_EQ(ch.sender.try_claim(57).error(), std::errc::message_size);
    EXPECT_EQ(ch.sender.try_claim(std::numeric_limits<std::size_t>::max()).error(), std::errc::message_size);
    auto fiber = fibers.run([&] { EXPECT_EQ(ch.sender.claim(57).error(), std::errc::message_size); });
    EXPECT_TRUE(fiber.is_finished());
}

TEST(MpscBytesChannel, A23_claiming_nothing_is_a_mistake_also_when_closed) {
    auto ch = mpsc_bytes::channel(64);
    EXPECT_THROW((void)ch.sender.try_claim(0), UsageError);
    ch.receiver = {};
    EXPECT_THROW((void)ch.sender.try_claim(0), UsageError);
    EXPECT_THROW((void)ch.sender.claim(0), UsageError);
}

// --- claims ---

// proves: channel::mpsc_bytes
TEST(MpscBytesChannel, claim_commit_recv) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(256);
    std::string got;
    (void)fibers.run([&] {
        auto claim = ch.sender.claim(5).value();
        std::memcpy(claim.data(), "hello", 5);
        EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty) << "not before it is committed";
        claim.commit();
        got = text_of(ch.receiver.recv());
    });
    EXPECT_EQ(got, "hello");
    EXPECT_EQ(ch.receiver.depth(), 0U);
}

// proves: S-191
TEST(MpscBytesChannel, CH_BY_3_claim_without_commit_aborts) {
    auto ch = mpsc_bytes::channel(128);
    {
        auto claim = ch.sender.try_claim(20);
        ASSERT_TRUE(claim);
        write_number(claim->bytes(), 1);
    }
    EXPECT_EQ(ch.sender.depth(), 32U) << "until the receiver passes it";
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    EXPECT_EQ(ch.sender.depth(), 0U);
    ASSERT_TRUE(try_put(ch.sender, 2, 20));
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 2U);
}

TEST(MpscBytesChannel, CH_BY_5_records_come_in_the_order_of_their_claims) {
    auto ch = mpsc_bytes::channel(256);
    auto first = ch.sender.try_claim(8).value();
    auto second = ch.sender.try_claim(8).value();
    write_number(second.bytes(), 2);
    second.commit();
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty) << "the older claim is open";
    write_number(first.bytes(), 1);
    first.commit();
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 1U);
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 2U);
}

TEST(MpscBytesChannel, CH_BY_5_who_holds_up_the_others_shows_in_the_figures) {
    auto ch = mpsc_bytes::channel(256);
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    auto slow = ch.sender.try_claim(24).value();
    auto copy = ch.sender;
    ASSERT_TRUE(try_put(copy, 2, 8));
    (void)copy.try_claim(8);
    ASSERT_TRUE(try_put(copy, 3, 8));
    auto stats = ch.receiver.stats();
    EXPECT_EQ(stats.records, 3U);
    EXPECT_EQ(stats.pending_claims, 1U) << "what was given up is neither";
    EXPECT_EQ(stats.held_up, 2U);
    EXPECT_EQ(stats.bytes, 4 * 16U + 32U);
    slow.abort();
    stats = ch.receiver.stats();
    EXPECT_EQ(stats.pending_claims, 0U);
    EXPECT_EQ(stats.held_up, 0U);
    for (std::uint32_t i = 1; i <= 3; ++i) EXPECT_EQ(read_number(ch.receiver.try_recv()), i);
    EXPECT_EQ(ch.receiver.stats().bytes, 0U);
}

TEST(MpscBytesChannel, high_water_is_exact_once_it_was_full) {
    auto ch = mpsc_bytes::channel(128);
    for (std::uint32_t i = 0; i < 5; ++i) ASSERT_TRUE(try_put(ch.sender, i, 12));
    EXPECT_EQ(ch.sender.depth(), 120U);
    EXPECT_EQ(ch.sender.high_water(), 0U);
    EXPECT_EQ(ch.sender.try_claim(8).error(), errc::full);
    EXPECT_EQ(ch.sender.high_water(), ch.sender.depth());
    while (ch.receiver.try_recv()) {}
    EXPECT_EQ(ch.receiver.high_water(), 120U);
    auto sampled = mpsc_bytes::channel(1024);
    for (std::uint32_t i = 0; i < 32; ++i) ASSERT_TRUE(try_put(sampled.sender, i, 8));
    for (std::uint32_t i = 0; i < 32; ++i) ASSERT_TRUE(sampled.receiver.try_recv());
    EXPECT_GE(sampled.sender.high_water(), 256U) << "seen within sixteen records";
}

TEST(MpscBytesChannel, a_claim_may_commit_less_than_it_claimed) {
    auto ch = mpsc_bytes::channel(64);
    auto claim = ch.sender.try_claim(40).value();
    EXPECT_THROW(claim.commit(41), UsageError);
    EXPECT_THROW(claim.commit(0), UsageError);
    write_number(claim.bytes().first(6), 5);
    claim.commit(6);
    EXPECT_THROW(claim.commit(), UsageError);
    ASSERT_TRUE(try_put(ch.sender, 6, 8));
    {
        const auto got = ch.receiver.try_recv();
        EXPECT_EQ(got->size(), 6U);
        EXPECT_EQ(read_number(got->bytes()), 5U);
    }
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 6U);
}

// What the seed could only write into its documentation: a wait with an open claim would hold up everybody.
TEST(MpscBytesChannel, CH_BY_5_a_fiber_with_an_open_claim_must_not_wait) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(128);
    auto fiber = fibers.run([&] {
        auto claim = ch.sender.claim(8).value();
        EXPECT_THROW(sleep(1ms), UsageError);
        EXPECT_THROW(yield_now(), UsageError);
        auto second = ch.sender.claim(8).value(); // there is room: no wait
        EXPECT_THROW((void)ch.sender.claim(112), UsageError) << "that would wait for oneself";
        auto moved = std::move(claim);
        second.abort();
        EXPECT_THROW(yield_now(), UsageError) << "one is still open";
        moved.commit();
        yield_now();
    });
    EXPECT_TRUE(fiber.is_finished());
    fibers.settle();
    EXPECT_TRUE(ch.receiver.try_recv());
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    EXPECT_EQ(ch.receiver.stats().bytes, 0U) << "the claims that failed left nothing";
}

TEST(MpscBytesChannel, claims_of_a_fiber_are_counted_up_to_255) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(8192);
    auto fiber = fibers.run([&] {
        std::vector<mpsc_bytes::WriteClaim> claims;
        for (int i = 0; i < 255; ++i) claims.push_back(ch.sender.try_claim(8).value());
        EXPECT_THROW((void)ch.sender.try_claim(8), UsageError);
        EXPECT_THROW((void)ch.sender.claim(8), UsageError);
        claims.clear();
        yield_now();
    });
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    EXPECT_EQ(ch.receiver.depth(), 0U);
}

TEST(MpscBytesChannel, a_claim_that_left_its_fiber_ends_without_touching_it) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(128);
    std::optional<mpsc_bytes::WriteClaim> kept;
    (void)fibers.run([&] { kept.emplace(ch.sender.claim(8).value()); });
    fibers.settle(); // its header is gone, or another's
    auto other = fibers.run([&] {
        auto own = ch.sender.claim(8).value();
        kept.reset();
        EXPECT_THROW(yield_now(), UsageError) << "its own claim is open still";
        own.abort();
        yield_now();
    });
    EXPECT_TRUE(other.is_finished());
}

TEST(MpscBytesChannel, an_aborted_fiber_gives_its_claim_up) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(128);
    auto fiber = fibers.run([&] {
        auto claim = ch.sender.claim(8).value();
        throw Aborted();
    });
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(ch.receiver.stats().pending_claims, 0U);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
}

TEST(MpscBytesChannel, a_claim_that_outlives_its_sender_is_the_last_record) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    std::optional<mpsc_bytes::WriteClaim> claim(ch.sender.try_claim(8).value());
    ch.sender = {};
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty) << "not closed while a record may come";
    auto fiber = fibers.run([&] {
        EXPECT_EQ(read_number(ch.receiver.recv()), 9U);
        EXPECT_EQ(ch.receiver.recv().error(), errc::closed);
    });
    write_number(claim->bytes(), 9);
    claim->commit();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(MpscBytesChannel, a_record_that_is_lent_out_outlives_the_ends) {
    std::optional<mpsc_bytes::ReadClaim> read;
    {
        auto ch = mpsc_bytes::channel(64);
        ASSERT_TRUE(ch.sender.try_send(as_record("kept")));
        read.emplace(ch.receiver.try_recv().value());
    }
    EXPECT_EQ(text_of(*read), "kept");
}

// A mistake; what is written then goes into the channel's own memory still, which is never freed.
TEST(MpscBytesChannel, a_claim_that_outlives_every_end_writes_into_nobody_elses_memory) {
    static detail::MpscByteState* left = nullptr; // so that the leak is not reported
    std::optional<mpsc_bytes::WriteClaim> claim;
    {
        auto ch = mpsc_bytes::channel(64);
        left = ch.sender.state().get();
        claim.emplace(ch.sender.try_claim(56).value());
    }
    write_number(claim->bytes(), 1);
    claim->commit();
    EXPECT_TRUE(left->receiver_gone());
    EXPECT_EQ(left->used(), 64U);
}

// --- aborted claims with peers parked ---

// The receiver has looked and parked; what was before the complete record is given up.
TEST(MpscBytesChannel, H37_giving_up_a_claim_wakes_the_receiver_for_what_is_behind_it) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(128);
    auto slow = ch.sender.try_claim(8).value();
    auto fiber = fibers.run([&] { EXPECT_EQ(read_number(ch.receiver.recv()), 2U); });
    ASSERT_TRUE(try_put(ch.sender, 2, 8));
    fibers.settle();
    EXPECT_FALSE(fiber.is_finished()) << "held up";
    slow.abort();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

// The ring is full of what will be given up, the sender parks for room, the receiver for a record.
TEST(MpscBytesChannel, H36_giving_up_a_claim_wakes_the_receiver_and_that_the_sender) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    auto slow = ch.sender.try_claim(56).value();
    auto receiving = fibers.run([&] { EXPECT_EQ(read_number(ch.receiver.recv()), 1U); });
    auto sending = fibers.run([&] { EXPECT_TRUE(put(ch.sender, 1, 8)); });
    EXPECT_FALSE(receiving.is_finished() || sending.is_finished());
    slow.abort();
    fibers.settle();
    EXPECT_TRUE(sending.is_finished());
    EXPECT_TRUE(receiving.is_finished());
}

// Space that the receiver frees by passing alone, without finding a record.
TEST(MpscBytesChannel, H36_passing_what_was_given_up_wakes_a_sender) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    (void)ch.sender.try_claim(56);
    auto sending = fibers.run([&] { EXPECT_TRUE(put(ch.sender, 1, 8)); });
    EXPECT_FALSE(sending.is_finished());
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    fibers.settle();
    EXPECT_TRUE(sending.is_finished());
}

TEST(MpscBytesChannel, H36_select_passes_what_was_given_up) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    auto slow = ch.sender.try_claim(56).value();
    auto receiving = fibers.run([&] {
        EXPECT_EQ(select(ch.receiver), 0U);
        EXPECT_EQ(read_number(ch.receiver.try_recv()), 1U);
    });
    auto sending = fibers.run([&] { EXPECT_TRUE(put(ch.sender, 1, 8)); });
    slow.abort();
    fibers.settle();
    EXPECT_TRUE(sending.is_finished());
    EXPECT_TRUE(receiving.is_finished());
}

// --- what is in it ---

TEST(MpscBytesChannel, fifo_ordering) {
    auto ch = mpsc_bytes::channel(1024);
    for (std::uint32_t i = 0; i < 32; ++i) ASSERT_TRUE(try_put(ch.sender, i, 16));
    for (std::uint32_t i = 0; i < 32; ++i) EXPECT_EQ(read_number(ch.receiver.try_recv()), i);
}

TEST(MpscBytesChannel, variable_length_messages) {
    auto ch = mpsc_bytes::channel(4096);
    for (std::uint32_t i = 0; i < 60; ++i) ASSERT_TRUE(try_put(ch.sender, i, 4 + i));
    for (std::uint32_t i = 0; i < 60; ++i) {
        const auto got = ch.receiver.try_recv();
        ASSERT_TRUE(got);
        EXPECT_EQ(got->size(), 4 + i);
        EXPECT_EQ(read_number(got->bytes()), i);
        // SAFETY: the address is looked at, not used.
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(got->data()) % 8, 0U);
    }
}

TEST(MpscBytesChannel, multiple_senders) {
    auto ch = mpsc_bytes::channel(1024);
    std::array<mpsc_bytes::Sender, 3> senders{ch.sender, ch.sender, ch.sender};
    for (std::uint32_t i = 0; i < 12; ++i) ASSERT_TRUE(try_put(senders[i % 3], i, 8));
    ch.sender = {};
    senders = {};
    for (std::uint32_t i = 0; i < 12; ++i) EXPECT_EQ(read_number(ch.receiver.try_recv()), i);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed);
}

TEST(MpscBytesChannel, stress_sequential) {
    auto ch = mpsc_bytes::channel(512);
    std::minstd_rand random(1);
    std::uint32_t sent = 0;
    std::uint32_t received = 0;
    while (received < 20'000) {
        for (bool room = true; room && sent < 20'000;) {
            if (random() % 5 == 0) (void)ch.sender.try_claim(4 + random() % 100); // and gives it up
            room = try_put(ch.sender, sent, 4 + random() % 100);
            if (room) ++sent;
        }
        for (std::uint32_t i = random() % 8; i > 0; --i) {
            const auto got = ch.receiver.try_recv();
            if (!got) break;
            ASSERT_EQ(read_number(got->bytes()), received);
            ++received;
        }
    }
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    EXPECT_EQ(ch.receiver.depth(), 0U);
}

TEST(MpscBytesChannel, CH_BY_7_send_and_recv_into_copy) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    (void)fibers.run([&] {
        EXPECT_TRUE(ch.sender.send(as_record("one")));
        EXPECT_TRUE(ch.sender.try_send(as_record("fourteen bytes")));
        std::array<std::byte, 8> buffer{};
        EXPECT_EQ(ch.receiver.recv_into(buffer).value(), 3U);
        EXPECT_EQ(ch.receiver.try_recv_into(buffer).error(), std::errc::message_size);
        EXPECT_EQ(text_of(ch.receiver.recv()), "fourteen bytes") << "what did not fit is still there";
    });
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(MpscBytesChannel, iteration_ends_with_the_last_sender) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(128);
    auto copy = ch.sender;
    std::string got;
    auto fiber = fibers.run([&] {
        for (auto&& record : ch.receiver) got += text_of(record);
    });
    for (const char* text : {"ab", "cd", "e"}) ASSERT_TRUE(copy.try_send(as_record(text)));
    ch.sender = {};
    fibers.settle();
    EXPECT_FALSE(fiber.is_finished());
    copy = {};
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(got, "abcde");
}

// --- the ends ---

TEST(MpscBytesChannel, senders_copy_and_receivers_move) {
    static_assert(std::is_copy_constructible_v<mpsc_bytes::Sender> && std::is_copy_assignable_v<mpsc_bytes::Sender>);
    static_assert(std::is_nothrow_move_constructible_v<mpsc_bytes::Sender>);
    static_assert(!std::is_copy_constructible_v<mpsc_bytes::Receiver>);
    static_assert(std::is_nothrow_move_constructible_v<mpsc_bytes::Receiver>);
    static_assert(!std::is_copy_constructible_v<mpsc_bytes::WriteClaim>);
}

TEST(MpscBytesChannel, sender_drop_signals_closed) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    auto fiber = fibers.run([&] {
        EXPECT_EQ(read_number(ch.receiver.recv()), 1U);
        EXPECT_EQ(ch.receiver.recv().error(), errc::closed);
    });
    EXPECT_FALSE(fiber.is_finished());
    ch.sender = {};
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed);
}

TEST(MpscBytesChannel, receiver_drop_signals_sender) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    ASSERT_TRUE(try_put(ch.sender, 1, 56));
    int closed = 0;
    for (int i = 0; i < 12; ++i) {
        (void)fibers.run([&, sender = ch.sender] { closed += sender.claim(8).error() == errc::closed ? 1 : 0; });
    }
    ch.receiver = {};
    fibers.settle();
    EXPECT_EQ(closed, 12);
    EXPECT_TRUE(ch.sender.is_closed());
}

TEST(MpscBytesChannel, H24_closed_is_told_apart_from_full_and_empty) {
    auto ch = mpsc_bytes::channel(16);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    EXPECT_EQ(ch.sender.try_claim(8).error(), errc::full);
    ch.sender = {};
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 1U);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed);
    auto other = mpsc_bytes::channel(16);
    other.receiver = {};
    EXPECT_EQ(other.sender.try_claim(8).error(), errc::closed) << "although there is room";
}

// proves: CH-BY-4
TEST(MpscBytesChannel, one_reader_at_a_time) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    auto receiving = fibers.run([&] { (void)ch.receiver.recv(); });
    (void)fibers.run([&] {
        EXPECT_THROW((void)ch.receiver.recv(), UsageError);
        EXPECT_THROW((void)select(ch.receiver), UsageError);
    });
    EXPECT_THROW((void)ch.receiver.try_recv(), UsageError);
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    fibers.settle();
    EXPECT_TRUE(receiving.is_finished());
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    const auto lent = ch.receiver.try_recv();
    EXPECT_THROW((void)ch.receiver.try_recv(), UsageError);
}

TEST(MpscBytesChannel, an_end_that_is_given_up_ends_the_wait_of_another_fiber) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(16);
    auto receiving = fibers.run([&] { EXPECT_EQ(ch.receiver.recv().error(), errc::closed); });
    ch.receiver = {};
    fibers.settle();
    EXPECT_TRUE(receiving.is_finished());
}

// The wait is a sender itself: the end has not come while a record may come of it.
TEST(MpscBytesChannel, a_sender_may_go_while_another_fiber_claims_through_it) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(16);
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    (void)fibers.run([&] {
        auto claim = ch.sender.claim(8).value();
        write_number(claim.bytes(), 2);
        claim.commit();
    });
    ch.sender = {};
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 1U);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    fibers.settle();
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 2U);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed);
}

// --- waiting for room ---

TEST(MpscBytesChannel, H23_waiting_senders_are_served_in_order_and_not_overtaken) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(16);
    ASSERT_TRUE(try_put(ch.sender, 0, 8));
    for (std::uint32_t i = 1; i <= 20; ++i) (void)fibers.run([&, i] { EXPECT_TRUE(put(ch.sender, i, 8)); });
    for (std::uint32_t i = 0; i <= 20; ++i) {
        EXPECT_EQ(read_number(ch.receiver.try_recv()), i);
        if (i < 20) {
            EXPECT_EQ(ch.sender.try_claim(8).error(), errc::full) << "the room is for who waits";
        }
        fibers.settle();
    }
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(MpscBytesChannel, H23_a_large_record_is_not_starved_by_small_ones) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    for (std::uint32_t i = 0; i < 4; ++i) ASSERT_TRUE(try_put(ch.sender, i, 8));
    auto large = fibers.run([&] { EXPECT_TRUE(put(ch.sender, 100, 56)); });
    auto small = fibers.run([&] { EXPECT_TRUE(put(ch.sender, 101, 8)); });
    for (std::uint32_t i = 0; i < 4; ++i) {
        EXPECT_FALSE(large.is_finished() || small.is_finished());
        EXPECT_EQ(read_number(ch.receiver.try_recv()), i);
        fibers.settle();
    }
    EXPECT_TRUE(large.is_finished());
    EXPECT_FALSE(small.is_finished());
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 100U);
    fibers.settle();
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 101U);
}

TEST(MpscBytesChannel, H23_room_for_two_wakes_two) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    ASSERT_TRUE(try_put(ch.sender, 0, 56));
    for (std::uint32_t i = 1; i <= 3; ++i) (void)fibers.run([&, i] { EXPECT_TRUE(put(ch.sender, i, 8)); });
    EXPECT_TRUE(ch.receiver.try_recv());
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U) << "one look by the receiver, room for all";
    for (std::uint32_t i = 1; i <= 3; ++i) EXPECT_EQ(read_number(ch.receiver.try_recv()), i);
}

// Room was made for the one that waits; before it runs, another one comes to wait.
TEST(MpscBytesChannel, H23_a_newcomer_does_not_take_the_room_of_who_waits) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(16);
    ASSERT_TRUE(try_put(ch.sender, 0, 8));
    (void)fibers.run([&] { EXPECT_TRUE(put(ch.sender, 1, 8)); });
    (void)fibers.spawn([&] { EXPECT_TRUE(put(ch.sender, 2, 8)); }); // runs first
    for (std::uint32_t i = 0; i < 3; ++i) {
        EXPECT_EQ(read_number(ch.receiver.try_recv()), i);
        fibers.settle();
    }
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(MpscBytesChannel, A19_sender_drop_while_queued) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(16);
    ASSERT_TRUE(try_put(ch.sender, 0, 8));
    auto doomed = fibers.run([sender = ch.sender] { (void)sender.claim(8); });
    auto other = fibers.run([sender = ch.sender] { EXPECT_TRUE(put(sender, 2, 8)); });
    EXPECT_TRUE(doomed.abort());
    fibers.settle();
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 0U);
    fibers.settle();
    EXPECT_TRUE(other.is_finished());
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 2U);
}

// The one in front wants more than there is; it goes, and there is enough for the next.
TEST(MpscBytesChannel, H23_who_leaves_the_queue_lets_the_next_one_look) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    for (std::uint32_t i = 0; i < 4; ++i) ASSERT_TRUE(try_put(ch.sender, i, 8));
    auto large = fibers.run([&] { EXPECT_EQ(ch.sender.claim_for(1ms, 56).error(), errc::timed_out); });
    auto small = fibers.run([&] { EXPECT_TRUE(put(ch.sender, 4, 8)); });
    EXPECT_TRUE(ch.receiver.try_recv());
    fibers.settle();
    EXPECT_FALSE(small.is_finished());
    fibers.advance(1ms);
    EXPECT_TRUE(large.is_finished());
    EXPECT_TRUE(small.is_finished());
}

// Chosen for the room, and aborted before it runs.
TEST(MpscBytesChannel, H23_a_woken_sender_that_is_aborted_passes_the_room_on) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(16);
    ASSERT_TRUE(try_put(ch.sender, 0, 8));
    auto first = fibers.run([&] { (void)put(ch.sender, 1, 8); });
    auto second = fibers.run([&] { (void)put(ch.sender, 2, 8); });
    EXPECT_TRUE(ch.receiver.try_recv());
    EXPECT_TRUE(first.abort());
    fibers.settle();
    std::uint32_t received = 0;
    while (auto got = ch.receiver.try_recv()) {
        received += read_number(got->bytes());
        got->release();
        fibers.settle();
    }
    EXPECT_GE(received, 2U) << "at least the second arrived";
    EXPECT_TRUE(first.is_finished() && second.is_finished());
}

TEST(MpscBytesChannel, scopes_end_waits_and_nothing_is_lost) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(32);
    auto fiber = fibers.run([&] {
        EXPECT_EQ(ch.receiver.recv_for(10ms).error(), errc::timed_out);
        EXPECT_EQ(ch.receiver.recv_until(fibers.now()).error(), errc::timed_out);
        EXPECT_TRUE(put(ch.sender, 1, 20));
        EXPECT_EQ(ch.sender.claim_for(10ms, 20).error(), errc::timed_out);
        EXPECT_EQ(ch.sender.claim_until(fibers.now(), 20).error(), errc::timed_out);
        EXPECT_EQ(ch.sender.send_for(10ms, as_record("12345678")).error(), errc::timed_out);
        EXPECT_EQ(ch.sender.send_until(fibers.now(), as_record("12345678")).error(), errc::timed_out);
        EXPECT_EQ(read_number(ch.receiver.recv_for(1s)), 1U);
        EXPECT_TRUE(ch.sender.send_for(1s, as_record("12345678")));
    });
    for (int i = 0; i < 3; ++i) fibers.advance(10ms);
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(text_of(ch.receiver.try_recv()), "12345678");
    EXPECT_EQ(ch.receiver.depth(), 0U) << "waits that ended claimed nothing";
}

TEST(MpscBytesChannel, A20_an_aborted_wait_leaves_nothing_behind) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(16);
    {
        auto receiving = fibers.run([&] { (void)ch.receiver.recv(); });
        EXPECT_TRUE(receiving.abort());
        fibers.settle();
        ASSERT_TRUE(try_put(ch.sender, 1, 8));
        auto claiming = fibers.run([&] { (void)ch.sender.claim(8); });
        EXPECT_TRUE(claiming.abort());
        fibers.settle();
    }
    EXPECT_EQ(tasks_left(fibers), 0U) << "nothing holds a reference (H-17)";
    EXPECT_TRUE(ch.receiver.try_recv());
    EXPECT_TRUE(ch.sender.try_claim(8)) << "nobody waits";
}

TEST(MpscBytesChannel, select_waits_for_a_record_and_takes_none) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    auto other = mpsc_bytes::channel(64);
    std::size_t chosen = 9;
    auto fiber = fibers.run([&] {
        chosen = select(other.receiver, ch.receiver);
        EXPECT_EQ(text_of(ch.receiver.try_recv()), "now");
        EXPECT_FALSE(try_select(ch.receiver).has_value());
        chosen = select(ch.receiver, other.receiver);
        EXPECT_EQ(other.receiver.try_recv().error(), errc::closed);
    });
    ASSERT_TRUE(ch.sender.try_send(as_record("now")));
    fibers.settle();
    EXPECT_EQ(chosen, 1U);
    EXPECT_FALSE(fiber.is_finished());
    other.sender = {};
    fibers.settle();
    EXPECT_EQ(chosen, 1U);
    EXPECT_TRUE(fiber.is_finished());
}

TEST(MpscBytesChannel, nothing_allocates_but_the_channel) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(128);
    std::uint64_t before = 0;
    std::uint32_t received = 0;
    for (int f = 0; f < 3; ++f) {
        (void)fibers.spawn([&before, f, sender = ch.sender] {
            if (f == 0) before = nexus::test::heap_calls();
            for (std::uint32_t i = 0; i < 300; ++i) (void)put(sender, i, 4 + i % 60);
        });
    }
    ch.sender = {};
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) received += record.size() >= 4 ? 1U : 0U;
        EXPECT_EQ(nexus::test::heap_calls(), before);
    });
    fibers.settle();
    EXPECT_EQ(received, 900U);
}

// --- both sides parking, on one thread (7.6) ---

TEST(MpscBytesChannel, mpsc_bytes_backpressure) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(256);
    std::uint32_t received = 0;
    (void)fibers.spawn([&, sender = std::move(ch.sender)] {
        for (std::uint32_t i = 0; i < 10'000; ++i) EXPECT_TRUE(put(sender, i, 32));
    });
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) {
            EXPECT_EQ(read_number(record.bytes()), received);
            ++received;
        }
    });
    fibers.settle();
    EXPECT_EQ(received, 10'000U);
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(MpscBytesChannel, mpsc_bytes_multiple_senders) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(512);
    std::array<std::uint32_t, 4> next{};
    std::uint32_t received = 0;
    for (std::uint32_t s = 0; s < 4; ++s) {
        (void)fibers.spawn([s, sender = ch.sender] {
            for (std::uint32_t i = 0; i < 500; ++i) EXPECT_TRUE(put(sender, s * 1000 + i, 8 + (i % 20) * 4));
        });
    }
    ch.sender = {};
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) {
            const std::uint32_t number = read_number(record.bytes());
            ASSERT_LT(number, 4000U);
            EXPECT_EQ(number % 1000, next[number / 1000]++) << "in order for each sender";
            ++received;
        }
    });
    fibers.settle();
    EXPECT_EQ(received, 2'000U);
    EXPECT_EQ(fibers.alive(), 0U);
}

// --- many threads ---

TEST(MpscBytesThreads, cross_thread_claim_send) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(256);
    constexpr std::uint32_t count = 20'000;
    std::jthread feed([sender = std::move(ch.sender)] {
        for (std::uint32_t i = 0; i < count; ++i) {
            while (!try_put(sender, i, 4 + i % 50)) std::this_thread::yield();
        }
    });
    std::uint32_t received = 0;
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) {
            EXPECT_EQ(read_number(record.bytes()), received);
            ++received;
        }
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(received, count);
}

/// `threads` threads with two fibers each send `each` records; some claims are given up. All wait for room.
void many_wait(std::size_t capacity, std::uint32_t threads, std::uint32_t each) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(capacity);
    const auto largest = static_cast<std::uint32_t>(ch.sender.max_record());
    std::vector<std::jthread> feeds;
    for (std::uint32_t t = 0; t < threads; ++t) {
        feeds.emplace_back([=, sender = ch.sender]() mutable {
            Fibers mine;
            for (std::uint32_t f = 0; f < 2; ++f) {
                (void)mine.spawn([=, sender = sender] {
                    std::minstd_rand random(t * 2 + f + 1);
                    for (std::uint32_t i = 0; i < each; ++i) {
                        const auto size = 4 + static_cast<std::uint32_t>(random() % (largest - 3));
                        if (random() % 8 == 0) (void)sender.claim(size);
                        EXPECT_TRUE(put(sender, (t * 2 + f) * each + i, size));
                    }
                });
            }
            sender = {};
            EXPECT_TRUE(mine.finish());
        });
    }
    ch.sender = {};
    std::vector<std::uint32_t> next(threads * 2);
    std::uint32_t received = 0;
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) {
            const std::uint32_t number = read_number(record.bytes());
            ASSERT_LT(number / each, next.size());
            EXPECT_EQ(number % each, next[number / each]++);
            ++received;
        }
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(received, threads * 2 * each);
    EXPECT_EQ(ch.receiver.depth(), 0U);
}

// Waiting on both sides, under load: a wake lost on either side hangs it.
// proves: CH-BY-8
TEST(MpscBytesThreads, H7_H22_both_sides_wait_across_threads) {
    many_wait(16, 1, 1'000);
    many_wait(64, 2, 1'000);
    many_wait(512, 3, 1'000);
}

TEST(MpscBytesThreads, mpsc_bytes_concurrent_random_sizes) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(4096);
    std::atomic<std::uint32_t> sent = 0;
    std::vector<std::jthread> feeds;
    for (std::uint32_t t = 0; t < 4; ++t) {
        feeds.emplace_back([t, &sent, sender = ch.sender] {
            std::minstd_rand random(t + 1);
            for (std::uint32_t i = 0; i < 200; ++i) {
                const std::size_t size = 4 + random() % 500;
                while (!try_put(sender, t, size)) std::this_thread::yield();
                ++sent;
            }
        });
    }
    ch.sender = {};
    std::uint32_t received = 0;
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) received += read_number(record.bytes()) < 4 ? 1U : 0U;
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(received, sent);
    EXPECT_EQ(received, 800U);
}

TEST(MpscBytesThreads, H35_the_last_record_comes_before_the_end) {
    Fibers fibers;
    std::barrier start(2);
    std::atomic<mpsc_bytes::Sender*> offered = nullptr;
    std::atomic<bool> stop = false;
    std::jthread feed([&] {
        for (;;) {
            start.arrive_and_wait();
            if (stop) return;
            mpsc_bytes::Sender sender = std::move(*offered.load());
            (void)sender.try_send(as_record("last"));
        }
    });
    int lost = 0;
    for (int round = 0; round < 500; ++round) {
        auto ch = mpsc_bytes::channel(64);
        offered = &ch.sender;
        int received = 0;
        start.arrive_and_wait();
        if (round % 2 == 0) {
            for (bool open = true; open;) {
                const auto got = ch.receiver.try_recv();
                if (got) ++received;
                open = got.has_value() || got.error() != errc::closed;
                if (!got) std::this_thread::yield();
            }
        } else {
            (void)fibers.spawn([&] {
                while (ch.receiver.recv()) ++received;
            });
            ASSERT_TRUE(fibers.finish());
        }
        lost += 1 - received;
    }
    stop = true;
    start.arrive_and_wait();
    EXPECT_EQ(lost, 0);
}

TEST(MpscBytesThreads, H23_senders_that_time_out_pass_room_on) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(64);
    std::atomic<std::uint32_t> sent = 0;
    std::vector<std::jthread> feeds;
    for (int t = 0; t < 2; ++t) {
        feeds.emplace_back([sender = ch.sender, &sent] {
            Executor executor;
            for (int f = 0; f < 3; ++f) {
                (void)executor.spawn_boxed([&sender, &sent, f] {
                    for (int i = 0; i < 100; ++i) {
                        auto claim = sender.claim_for(f == 0 ? Duration(3'000) : Duration(20s), f == 0 ? 56 : 8);
                        if (!claim) continue;
                        write_number(claim->bytes(), 1);
                        claim->commit();
                        ++sent;
                    }
                });
            }
            while (executor.task_count() != 0) {
                executor.poll();
                std::this_thread::yield();
            }
        });
    }
    ch.sender = {};
    std::uint32_t received = 0;
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) received += read_number(record.bytes());
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(received, sent);
    EXPECT_GE(received, 400U) << "those with time to wait never fail";
}

TEST(MpscBytesThreads, the_receiver_leaves_in_the_middle) {
    for (std::uint32_t round = 0; round < 20; ++round) {
        auto ch = mpsc_bytes::channel(64);
        std::vector<std::jthread> feeds;
        for (int t = 0; t < 2; ++t) {
            feeds.emplace_back([sender = ch.sender] {
                Fibers mine;
                (void)mine.spawn([&] {
                    while (put(sender, 1, 24)) {}
                    EXPECT_TRUE(sender.is_closed());
                });
                EXPECT_TRUE(mine.finish());
            });
        }
        Fibers fibers;
        (void)fibers.spawn([receiver = std::move(ch.receiver), round]() mutable {
            for (std::uint32_t i = 0; i < round * 10; ++i) (void)receiver.recv();
        });
        EXPECT_TRUE(fibers.finish());
    }
}

// --- the seed's scenarios 44 to 46: tasks that end while they are woken ---

// proves: S-44
TEST(MpscBytesThreads, A3_waker_slot_uaf_when_task_freed_mid_dispatch) {
    auto ch = mpsc_bytes::channel(64);
    std::atomic<bool> stop = false;
    std::vector<std::jthread> feeds;
    for (int t = 0; t < 2; ++t) {
        feeds.emplace_back([&stop, sender = ch.sender] {
            while (!stop) {
                (void)try_put(sender, 1, 8);
                std::this_thread::yield();
            }
        });
    }
    Fibers fibers;
    for (int i = 0; i < 2'000; ++i) {
        (void)fibers.spawn([&] { EXPECT_TRUE(ch.receiver.recv()); }); // ends as soon as it is woken
        ASSERT_TRUE(fibers.finish());
    }
    stop = true;
    feeds.clear();
    EXPECT_EQ(tasks_left(fibers), 0U);
}

// proves: S-45
TEST(MpscBytesChannel, slot_drop_releases_ref_when_still_registered) {
    Fibers fibers;
    auto ch = mpsc_bytes::channel(16);
    (void)fibers.run([&] { EXPECT_EQ(ch.receiver.recv().error(), errc::closed); });
    { const auto gone = std::move(ch); }
    EXPECT_EQ(tasks_left(fibers), 0U);
}

// proves: S-46
TEST(MpscBytesThreads, A4_register_during_wake_does_not_leak_ref) {
    auto ch = mpsc_bytes::channel(16);
    Fibers fibers;
    std::jthread feed([sender = std::move(ch.sender)] {
        for (std::uint32_t i = 0; i < 5'000; ++i) {
            while (!try_put(sender, i, 8)) std::this_thread::yield();
        }
    });
    std::uint32_t received = 0;
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) received += record.size() == 8 ? 1U : 0U;
    });
    ASSERT_TRUE(fibers.finish());
    feed.join();
    EXPECT_EQ(received, 5'000U);
    EXPECT_EQ(tasks_left(fibers), 0U);
}

} // namespace
