#include "nexus/sync/spsc_bytes.hpp"

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
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

// --- the program of docs/channels.md ---

struct Quote {
    std::uint64_t price;
};
constexpr std::size_t max_frame = 64;
std::size_t encode(const Quote& quote, std::span<std::byte> into) {
    std::memcpy(into.data(), &quote, sizeof quote);
    return sizeof quote;
}
Quote decode(std::span<const std::byte> record) {
    EXPECT_EQ(record.size(), sizeof(Quote));
    Quote quote{};
    std::memcpy(&quote, record.data(), sizeof quote);
    return quote;
}

TEST(SpscBytesChannel, the_program_of_the_page) {
    Fibers fibers;
    auto ch = nexus::spsc_bytes::channel(1 << 20);
    (void)fibers.spawn([sender = std::move(ch.sender)] {
        for (std::uint64_t price = 1; price <= 3; ++price) {
            const Quote quote{price};
            auto claim = sender.claim(max_frame);
            if (!claim) return;
            claim->commit(encode(quote, claim->bytes()));
        }
    });
    std::uint64_t sum = 0;
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) sum += decode(record.bytes()).price;
    });
    fibers.settle();
    EXPECT_EQ(sum, 6U);
    EXPECT_EQ(fibers.alive(), 0U);
}

// --- size and place ---

TEST(SpscBytesChannel, CH_BY_1_a_record_costs_its_header_and_is_rounded_up_to_8) {
    EXPECT_EQ(detail::record_extent(1), 16U);
    EXPECT_EQ(detail::record_extent(8), 16U);
    EXPECT_EQ(detail::record_extent(9), 24U);
    auto ch = spsc_bytes::channel(64);
    for (const char* text : {"1", "12345678", "123456789"}) ASSERT_TRUE(ch.sender.try_send(as_record(text)));
    EXPECT_EQ(ch.receiver.depth(), 16U + 16U + 24U);
    EXPECT_EQ(ch.sender.depth(), ch.receiver.depth());
}

TEST(SpscBytesChannel, CH2_the_capacity_is_rounded_up_and_checked) {
    EXPECT_EQ(spsc_bytes::channel(16).sender.capacity(), 16U);
    EXPECT_EQ(spsc_bytes::channel(17).sender.capacity(), 32U);
    EXPECT_EQ(spsc_bytes::channel(100).receiver.capacity(), 128U);
    EXPECT_THROW((void)spsc_bytes::channel(15), UsageError);
    EXPECT_THROW((void)spsc_bytes::channel(0), UsageError);
    EXPECT_THROW((void)spsc_bytes::channel(std::numeric_limits<std::size_t>::max()), UsageError);
}

// The largest record, and every other one, fits wherever the ring stands when it is empty: records of 24 bytes bring it
// to every position of 64.
TEST(SpscBytesChannel, H24_H38_what_fits_at_all_fits_at_every_position) {
    for (std::uint32_t steps = 0; steps < 8; ++steps) {
        for (std::size_t size = 4; size <= 56; ++size) {
            auto ch = spsc_bytes::channel(64);
            for (std::uint32_t i = 0; i < steps; ++i) {
                ASSERT_TRUE(try_put(ch.sender, i, 16));
                ASSERT_TRUE(ch.receiver.try_recv());
            }
            ASSERT_TRUE(try_put(ch.sender, 99, size)) << size << " bytes at " << steps * 24 % 64;
            const auto got = ch.receiver.try_recv();
            ASSERT_TRUE(got);
            EXPECT_EQ(got->size(), size);
            EXPECT_EQ(read_number(got->bytes()), 99U);
        }
    }
}

// proves: CH-BY-2
TEST(SpscBytesChannel, H24_H38_what_never_fits_is_an_error_at_once) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(64);
    EXPECT_EQ(ch.sender.max_record(), 56U);
    EXPECT_TRUE(ch.sender.try_claim(56));
    const auto refused = ch.sender.try_claim(57);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), std::errc::message_size);
    EXPECT_EQ(refused.error().message(), "try_claim 57 bytes, at most 56: Message too long");
    const std::array<std::byte, 64> record{};
    EXPECT_EQ(ch.sender.try_send(record).error(), std::errc::message_size);
    EXPECT_EQ(ch.sender.try_claim(std::numeric_limits<std::size_t>::max()).error(), std::errc::message_size);
    auto fiber = fibers.run([&] {
        EXPECT_EQ(ch.sender.claim(57).error(), std::errc::message_size);
        EXPECT_EQ(ch.sender.send(record).error(), std::errc::message_size);
    });
    EXPECT_TRUE(fiber.is_finished());
}

TEST(SpscBytesChannel, A23_claiming_nothing_is_a_mistake_also_when_closed) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(64);
    EXPECT_THROW((void)ch.sender.try_claim(0), UsageError);
    EXPECT_THROW((void)ch.sender.try_send({}), UsageError);
    ch.receiver = {};
    EXPECT_THROW((void)ch.sender.try_claim(0), UsageError);
    EXPECT_THROW((void)ch.sender.claim(0), UsageError) << "before the look for a fiber";
    (void)fibers.run([&] { EXPECT_THROW((void)ch.sender.claim(0), UsageError); });
}

TEST(SpscBytesChannel, payloads_are_aligned_to_8_and_contiguous) {
    auto ch = spsc_bytes::channel(128);
    for (std::uint32_t i = 0; i < 100; ++i) {
        ASSERT_TRUE(try_put(ch.sender, i, 4 + i % 90));
        const auto got = ch.receiver.try_recv();
        ASSERT_TRUE(got);
        // SAFETY: the address is looked at, not used.
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(got->data()) % 8, 0U);
        EXPECT_EQ(got->size(), 4 + i % 90);
        EXPECT_EQ(read_number(got->bytes()), i);
    }
}

// --- claims ---

// proves: channel::spsc_bytes
TEST(SpscBytesChannel, claim_commit_recv) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(256);
    std::string got;
    (void)fibers.run([&] {
        auto claim = ch.sender.claim(5).value();
        EXPECT_EQ(claim.size(), 5U);
        EXPECT_EQ(claim.bytes().size(), 5U);
        std::memcpy(claim.data(), "hello", 5);
        EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty) << "not before it is committed";
        claim.commit();
        got = text_of(ch.receiver.recv());
    });
    EXPECT_EQ(got, "hello");
    EXPECT_EQ(ch.receiver.depth(), 0U);
}

// proves: S-201
TEST(SpscBytesChannel, CH_BY_3_claim_without_commit_aborts) {
    auto ch = spsc_bytes::channel(64);
    {
        auto claim = ch.sender.try_claim(20);
        ASSERT_TRUE(claim);
        write_number(claim->bytes(), 1);
    }
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    ASSERT_TRUE(try_put(ch.sender, 2, 20));
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 2U);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
}

TEST(SpscBytesChannel, H36_what_was_given_up_takes_no_room) {
    auto ch = spsc_bytes::channel(64);
    for (int i = 0; i < 100; ++i) {
        auto claim = ch.sender.try_claim(56);
        ASSERT_TRUE(claim) << i;
        if (i % 2 == 0) claim->abort();
    }
    EXPECT_EQ(ch.sender.depth(), 0U);
    EXPECT_TRUE(try_put(ch.sender, 1, 56));
}

TEST(SpscBytesChannel, a_claim_may_commit_less_than_it_claimed) {
    auto ch = spsc_bytes::channel(64);
    auto claim = ch.sender.try_claim(56).value();
    EXPECT_THROW(claim.commit(57), UsageError);
    EXPECT_THROW(claim.commit(0), UsageError);
    write_number(claim.bytes().first(6), 5);
    claim.commit(6);
    EXPECT_EQ(ch.sender.depth(), 16U) << "the rest is free at once";
    EXPECT_TRUE(try_put(ch.sender, 6, 40));
    const auto got = ch.receiver.try_recv();
    EXPECT_EQ(got->size(), 6U);
    EXPECT_EQ(read_number(got->bytes()), 5U);
}

TEST(SpscBytesChannel, a_claim_ends_once_and_moves) {
    auto ch = spsc_bytes::channel(64);
    std::optional<spsc_bytes::WriteClaim> kept;
    {
        auto claim = ch.sender.try_claim(8).value();
        write_number(claim.bytes(), 3);
        kept.emplace(std::move(claim));
    }
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty) << "moved, not ended";
    kept->commit();
    EXPECT_THROW(kept->commit(), UsageError);
    kept->abort();
    kept.reset();
    auto first = ch.receiver.try_recv().value();
    EXPECT_EQ(read_number(first.bytes()), 3U);
    auto moved = std::move(first);
    EXPECT_EQ(read_number(moved.bytes()), 3U);
    EXPECT_EQ(ch.sender.depth(), 16U) << "lent out, not given back";
    moved.release();
    moved.release();
    EXPECT_EQ(ch.sender.depth(), 0U);
}

// proves: CH-BY-4, CH-BY-6
TEST(SpscBytesChannel, one_write_claim_and_one_read_claim_at_a_time) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(64);
    {
        auto claim = ch.sender.try_claim(8).value();
        EXPECT_THROW((void)ch.sender.try_claim(8), UsageError);
        (void)fibers.run([&] { EXPECT_THROW((void)ch.sender.claim(8), UsageError); });
    }
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    ASSERT_TRUE(try_put(ch.sender, 2, 8));
    auto record = ch.receiver.try_recv().value();
    EXPECT_THROW((void)ch.receiver.try_recv(), UsageError);
    (void)fibers.run([&] {
        EXPECT_THROW((void)ch.receiver.recv(), UsageError);
        EXPECT_THROW((void)select(ch.receiver), UsageError);
    });
    record.release();
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 2U);
}

TEST(SpscBytesChannel, a_write_claim_may_be_held_across_a_wait) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(64);
    auto fiber = fibers.run([&] {
        auto claim = ch.sender.claim(8).value();
        sleep(1ms);
        write_number(claim.bytes(), 4);
        claim.commit();
    });
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    EXPECT_EQ(ch.receiver.stats().pending_claims, 1U);
    fibers.advance(1ms);
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 4U);
}

TEST(SpscBytesChannel, a_claim_that_outlives_its_sender_is_the_last_record) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(64);
    std::optional<spsc_bytes::WriteClaim> claim(ch.sender.try_claim(8).value());
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

TEST(SpscBytesChannel, claims_outlive_both_ends) {
    std::optional<spsc_bytes::WriteClaim> write;
    std::optional<spsc_bytes::ReadClaim> read;
    {
        auto ch = spsc_bytes::channel(64);
        ASSERT_TRUE(ch.sender.try_send(as_record("kept")));
        write.emplace(ch.sender.try_claim(8).value());
        read.emplace(ch.receiver.try_recv().value());
    }
    EXPECT_EQ(text_of(*read), "kept");
    write_number(write->bytes(), 1);
    write->commit();
    read.reset();
    write.reset();
}

// --- what is in it, and copies ---

TEST(SpscBytesChannel, fifo_ordering) {
    auto ch = spsc_bytes::channel(1024);
    for (std::uint32_t i = 0; i < 32; ++i) ASSERT_TRUE(try_put(ch.sender, i, 16));
    for (std::uint32_t i = 0; i < 32; ++i) EXPECT_EQ(read_number(ch.receiver.try_recv()), i);
}

TEST(SpscBytesChannel, variable_length_messages) {
    auto ch = spsc_bytes::channel(4096);
    for (std::uint32_t i = 0; i < 60; ++i) ASSERT_TRUE(try_put(ch.sender, i, 4 + i));
    for (std::uint32_t i = 0; i < 60; ++i) {
        const auto got = ch.receiver.try_recv();
        ASSERT_TRUE(got);
        EXPECT_EQ(got->size(), 4 + i);
        EXPECT_EQ(read_number(got->bytes()), i);
    }
}

TEST(SpscBytesChannel, stress_sequential) {
    auto ch = spsc_bytes::channel(512);
    std::minstd_rand random(1);
    std::uint32_t sent = 0;
    std::uint32_t received = 0;
    while (received < 20'000) {
        while (sent < 20'000 && try_put(ch.sender, sent, 4 + random() % 100)) ++sent;
        for (std::uint32_t i = random() % 8; i > 0 && received < sent; --i, ++received) {
            ASSERT_EQ(read_number(ch.receiver.try_recv()), received);
        }
    }
}

TEST(SpscBytesChannel, CH_BY_7_send_and_recv_into_copy) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(64);
    (void)fibers.run([&] {
        EXPECT_TRUE(ch.sender.send(as_record("one")));
        EXPECT_TRUE(ch.sender.try_send(as_record("fourteen bytes")));
        std::array<std::byte, 8> buffer{};
        EXPECT_EQ(ch.receiver.recv_into(buffer).value(), 3U);
        EXPECT_EQ(std::memcmp(buffer.data(), "one", 3), 0);
        const auto refused = ch.receiver.recv_into(buffer);
        EXPECT_EQ(refused.error(), std::errc::message_size);
        EXPECT_EQ(refused.error().message(), "recv_into 14 bytes, at most 8: Message too long");
        EXPECT_EQ(ch.receiver.try_recv_into(buffer).error(), std::errc::message_size);
        EXPECT_EQ(text_of(ch.receiver.recv()), "fourteen bytes") << "what did not fit is still there";
        EXPECT_EQ(ch.receiver.try_recv_into(buffer).error(), errc::empty);
        ch.sender = {};
        EXPECT_EQ(ch.receiver.recv_into(buffer).error(), errc::closed);
    });
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(SpscBytesChannel, iteration_ends_with_the_sender) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(128);
    std::string got;
    auto by_reference = fibers.run([&] {
        for (auto&& record : ch.receiver) {
            got += text_of(record);
            if (got.size() == 4) break;
        }
    });
    for (const char* text : {"ab", "cd", "e", "f"}) ASSERT_TRUE(ch.sender.try_send(as_record(text)));
    fibers.settle();
    EXPECT_TRUE(by_reference.is_finished());
    auto by_value = fibers.run([&] {
        for (spsc_bytes::ReadClaim record : ch.receiver) got += text_of(record);
    });
    EXPECT_FALSE(by_value.is_finished());
    ch.sender = {};
    fibers.settle();
    EXPECT_TRUE(by_value.is_finished());
    EXPECT_EQ(got, "abcdef");
}

TEST(SpscBytesChannel, figures) {
    auto ch = spsc_bytes::channel(128);
    EXPECT_EQ(ch.receiver.stats().high_water, 0U);
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    ASSERT_TRUE(try_put(ch.sender, 2, 56));
    auto claim = ch.sender.try_claim(8);
    auto stats = ch.receiver.stats();
    EXPECT_EQ(stats.bytes, 16U + 64U) << "an open claim is not in the ring yet";
    EXPECT_EQ(stats.records, 2U);
    EXPECT_EQ(stats.pending_claims, 1U);
    EXPECT_EQ(stats.held_up, 0U);
    claim->abort();
    EXPECT_EQ(ch.sender.try_claim(48).error(), errc::full);
    EXPECT_EQ(ch.sender.high_water(), 80U) << "exact once the ring was found full";
    {
        const auto lent = ch.receiver.try_recv();
        EXPECT_EQ(ch.receiver.stats().records, 2U) << "lent out counts until it is given back";
    }
    (void)ch.receiver.try_recv();
    stats = ch.receiver.stats();
    EXPECT_EQ(stats.bytes, 0U);
    EXPECT_EQ(stats.records, 0U);
    EXPECT_EQ(stats.high_water, 80U);
    EXPECT_EQ(ch.receiver.high_water(), 80U);
}

// --- the ends ---

TEST(SpscBytesChannel, the_ends_move_and_do_not_copy) {
    static_assert(!std::is_copy_constructible_v<spsc_bytes::Sender> && !std::is_copy_assignable_v<spsc_bytes::Sender>);
    static_assert(std::is_nothrow_move_constructible_v<spsc_bytes::Sender>);
    static_assert(!std::is_copy_constructible_v<spsc_bytes::Receiver>);
    static_assert(std::is_nothrow_move_constructible_v<spsc_bytes::Receiver>);
    static_assert(!std::is_copy_constructible_v<spsc_bytes::WriteClaim>);
    static_assert(!std::is_copy_constructible_v<spsc_bytes::ReadClaim>);
}

TEST(SpscBytesChannel, sender_drop_signals_closed) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(64);
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    auto fiber = fibers.run([&] {
        EXPECT_EQ(read_number(ch.receiver.recv()), 1U);
        EXPECT_EQ(ch.receiver.recv().error(), errc::closed);
    });
    EXPECT_FALSE(fiber.is_finished());
    ch.sender = {};
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(SpscBytesChannel, receiver_drop_signals_sender) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(64);
    ASSERT_TRUE(try_put(ch.sender, 1, 56));
    auto fiber = fibers.run([&] { EXPECT_EQ(ch.sender.claim(8).error(), errc::closed); });
    EXPECT_FALSE(fiber.is_finished());
    ch.receiver = {};
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_TRUE(ch.sender.is_closed());
}

TEST(SpscBytesChannel, H24_closed_is_told_apart_from_full_and_empty) {
    auto ch = spsc_bytes::channel(16);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    EXPECT_EQ(ch.sender.try_claim(8).error(), errc::full);
    ch.sender = {};
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 1U);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed);
    auto other = spsc_bytes::channel(16);
    other.receiver = {};
    EXPECT_EQ(other.sender.try_claim(8).error(), errc::closed) << "although there is room";
    EXPECT_EQ(other.sender.try_send(as_record("x")).error(), errc::closed);
}

TEST(SpscBytesChannel, an_end_that_is_given_up_ends_the_wait_of_another_fiber) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(16);
    auto receiving = fibers.run([&] { EXPECT_EQ(ch.receiver.recv().error(), errc::closed); });
    ch.receiver = {};
    fibers.settle();
    EXPECT_TRUE(receiving.is_finished());
    auto other = spsc_bytes::channel(16);
    ASSERT_TRUE(try_put(other.sender, 1, 8));
    auto claiming = fibers.run([&] { EXPECT_EQ(other.sender.claim(8).error(), errc::closed); });
    other.sender = {};
    fibers.settle();
    EXPECT_TRUE(claiming.is_finished());
}

TEST(SpscBytesChannel, one_fiber_waits_at_each_end) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(16);
    auto receiving = fibers.run([&] { (void)ch.receiver.recv(); });
    (void)fibers.run([&] { EXPECT_THROW((void)ch.receiver.recv(), UsageError); });
    EXPECT_THROW((void)ch.receiver.try_recv(), UsageError);
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    fibers.settle();
    EXPECT_TRUE(receiving.is_finished());
    ASSERT_TRUE(try_put(ch.sender, 1, 8));
    auto claiming = fibers.run([&] { (void)ch.sender.claim(8); });
    (void)fibers.run([&] { EXPECT_THROW((void)ch.sender.claim(8), UsageError); });
    EXPECT_EQ(ch.sender.try_claim(8).error(), errc::full) << "somebody waits";
    (void)ch.receiver.try_recv();
    fibers.settle();
    EXPECT_TRUE(claiming.is_finished());
}

TEST(SpscBytesChannel, waits_without_a_fiber_are_refused) {
    auto ch = spsc_bytes::channel(16);
    EXPECT_THROW((void)ch.sender.claim(8), UsageError);
    EXPECT_THROW((void)ch.receiver.recv(), UsageError);
}

TEST(SpscBytesChannel, scopes_end_waits_and_nothing_is_lost) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(32);
    auto fiber = fibers.run([&] {
        EXPECT_EQ(ch.receiver.recv_for(10ms).error(), errc::timed_out);
        EXPECT_EQ(ch.receiver.recv_until(fibers.now()).error(), errc::timed_out);
        EXPECT_TRUE(put(ch.sender, 1, 20));
        EXPECT_EQ(ch.sender.claim_for(10ms, 20).error(), errc::timed_out);
        EXPECT_EQ(ch.sender.claim_until(fibers.now(), 20).error(), errc::timed_out);
        EXPECT_EQ(ch.sender.send_for(10ms, as_record("12345678")).error(), errc::timed_out);
        EXPECT_EQ(ch.sender.send_until(fibers.now(), as_record("12345678")).error(), errc::timed_out);
        EXPECT_EQ(read_number(ch.receiver.recv_for(1s)), 1U);
        EXPECT_TRUE(ch.sender.claim_for(1s, 20));
        EXPECT_TRUE(ch.sender.send_until(fibers.now() + 1s, as_record("12345678")));
    });
    for (int i = 0; i < 3; ++i) fibers.advance(10ms);
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(fibers.alive(), 0U);
    EXPECT_EQ(text_of(ch.receiver.try_recv()), "12345678");
}

TEST(SpscBytesChannel, A20_an_aborted_wait_leaves_nothing_behind) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(16);
    {
        auto receiving = fibers.run([&] { (void)ch.receiver.recv(); });
        EXPECT_TRUE(receiving.abort());
        fibers.settle();
        ASSERT_TRUE(try_put(ch.sender, 1, 8));
        auto claiming = fibers.run([&] { (void)ch.sender.claim(8); });
        EXPECT_TRUE(claiming.abort());
        fibers.settle();
    }
    EXPECT_EQ(tasks_left(fibers), 0U) << "no slot holds a reference (H-17)";
    EXPECT_EQ(read_number(ch.receiver.try_recv()), 1U);
    EXPECT_TRUE(ch.sender.try_claim(8)) << "nobody waits, nothing is claimed";
}

TEST(SpscBytesChannel, an_aborted_fiber_gives_its_claim_up) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(64);
    auto fiber = fibers.run([&] {
        auto claim = ch.sender.claim(8).value();
        sleep(1h);
        claim.commit();
    });
    EXPECT_TRUE(fiber.abort());
    fibers.settle();
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    EXPECT_TRUE(try_put(ch.sender, 1, 8));
}

// --- select ---

TEST(SpscBytesChannel, select_waits_for_a_record_and_takes_none) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(64);
    auto other = spsc_bytes::channel(64);
    std::size_t chosen = 9;
    auto fiber = fibers.run([&] {
        chosen = select(other.receiver, ch.receiver);
        EXPECT_EQ(text_of(ch.receiver.try_recv()), "now");
        EXPECT_FALSE(try_select(ch.receiver).has_value());
        chosen = select(ch.receiver, other.receiver);
        EXPECT_EQ(other.receiver.try_recv().error(), errc::closed);
    });
    EXPECT_FALSE(fiber.is_finished());
    ASSERT_TRUE(ch.sender.try_send(as_record("now")));
    fibers.settle();
    EXPECT_EQ(chosen, 1U);
    other.sender = {};
    fibers.settle();
    EXPECT_EQ(chosen, 1U);
    EXPECT_TRUE(fiber.is_finished());
}

TEST(SpscBytesChannel, select_waits_for_room_of_a_size) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(64);
    for (std::uint32_t i = 0; i < 4; ++i) ASSERT_TRUE(try_put(ch.sender, i, 8));
    bool done = false;
    (void)fibers.run([&] {
        EXPECT_EQ(select(writable(ch.sender, 57)), 0U) << "an error is something to go on with";
        EXPECT_EQ(select(writable(ch.sender, 24)), 0U);
        EXPECT_TRUE(try_put(ch.sender, 4, 24));
        done = true;
        EXPECT_EQ(select(writable(ch.sender, 56)), 0U);
        EXPECT_EQ(ch.sender.try_claim(56).error(), errc::closed);
    });
    EXPECT_FALSE(done);
    (void)ch.receiver.try_recv();
    fibers.settle();
    EXPECT_FALSE(done) << "16 bytes are not enough";
    (void)ch.receiver.try_recv();
    fibers.settle();
    EXPECT_TRUE(done);
    ch.receiver = {};
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U);
}

// --- without allocation ---

TEST(SpscBytesChannel, nothing_allocates_but_the_channel) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(128);
    std::uint64_t before = 0;
    std::uint32_t received = 0;
    (void)fibers.spawn([&] {
        before = nexus::test::heap_calls();
        for (std::uint32_t i = 0; i < 1000; ++i) (void)put(ch.sender, i, 4 + i % 60);
        ch.sender = {};
    });
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) received += read_number(record.bytes()) == received ? 1U : 0U;
        EXPECT_EQ(nexus::test::heap_calls(), before);
    });
    fibers.settle();
    EXPECT_EQ(received, 1000U);
    EXPECT_TRUE(!nexus::test::heap_is_counted() || before != 0) << "the count counts";
}

// --- both sides parking, on one thread (7.6) ---

TEST(SpscBytesChannel, spsc_bytes_backpressure) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(256);
    std::uint32_t received = 0;
    (void)fibers.spawn([&, sender = std::move(ch.sender)] {
        for (std::uint32_t i = 0; i < 10'000; ++i) EXPECT_TRUE(put(sender, i, 32));
    });
    (void)fibers.spawn([&] {
        while (auto record = ch.receiver.recv()) {
            EXPECT_EQ(read_number(record->bytes()), received);
            ++received;
        }
    });
    fibers.settle();
    EXPECT_EQ(received, 10'000U);
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(SpscBytesChannel, spsc_bytes_alternating_small_buffer) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(128);
    auto back = spsc_bytes::channel(16);
    std::uint32_t received = 0;
    (void)fibers.spawn([&, sender = std::move(ch.sender)] {
        for (std::uint32_t i = 0; i < 5'000; ++i) {
            EXPECT_TRUE(put(sender, i, 8));
            EXPECT_EQ(read_number(back.receiver.recv()), i);
        }
    });
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) {
            EXPECT_EQ(read_number(record.bytes()), received);
            EXPECT_TRUE(put(back.sender, received, 8));
            ++received;
        }
    });
    fibers.settle();
    EXPECT_EQ(received, 5'000U);
    EXPECT_EQ(fibers.alive(), 0U);
}

// --- two threads ---

TEST(SpscBytesThreads, cross_thread_claim_send) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(256);
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

// Waiting on both sides, under load: a wake lost on either side hangs it.
// proves: CH-BY-8
TEST(SpscBytesThreads, H7_H22_both_sides_wait_across_threads) {
    for (const std::size_t capacity : {std::size_t{16}, std::size_t{64}, std::size_t{256}}) {
        Fibers fibers;
        auto ch = spsc_bytes::channel(capacity);
        const std::uint32_t count = capacity < 64 ? 3'000 : 10'000;
        const auto largest = static_cast<std::uint32_t>(ch.sender.max_record());
        std::jthread feed([=, sender = std::move(ch.sender)] {
            Fibers mine;
            (void)mine.spawn([&] {
                for (std::uint32_t i = 0; i < count; ++i) EXPECT_TRUE(put(sender, i, 4 + i % (largest - 3)));
            });
            EXPECT_TRUE(mine.finish());
        });
        std::uint32_t received = 0;
        (void)fibers.spawn([&] {
            for (auto&& record : ch.receiver) {
                EXPECT_EQ(read_number(record.bytes()), received);
                EXPECT_EQ(record.size(), 4 + received % (largest - 3));
                ++received;
            }
        });
        EXPECT_TRUE(fibers.finish());
        EXPECT_EQ(received, count);
    }
}

TEST(SpscBytesThreads, spsc_bytes_random_sizes) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(4096);
    std::minstd_rand random(239);
    std::vector<std::uint32_t> sizes(5'000);
    for (auto& size : sizes) size = 4 + static_cast<std::uint32_t>(random() % 1000);
    std::jthread feed([&sizes, sender = std::move(ch.sender)] {
        Fibers mine;
        (void)mine.spawn([&] {
            std::uint32_t number = 0;
            for (std::uint32_t size : sizes) EXPECT_TRUE(put(sender, number++, size));
        });
        EXPECT_TRUE(mine.finish());
    });
    std::uint32_t received = 0;
    (void)fibers.spawn([&] {
        for (auto&& record : ch.receiver) {
            ASSERT_LT(received, sizes.size());
            EXPECT_EQ(record.size(), sizes[received]);
            EXPECT_EQ(read_number(record.bytes()), received);
            ++received;
        }
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(received, sizes.size());
}

// The sender commits and leaves between the receiver's look at the ring and its look at the sender.
TEST(SpscBytesThreads, H35_the_last_record_comes_before_the_end) {
    Fibers fibers;
    std::barrier start(2);
    std::atomic<spsc_bytes::Sender*> offered = nullptr;
    std::atomic<bool> stop = false;
    std::jthread feed([&] {
        for (;;) {
            start.arrive_and_wait();
            if (stop) return;
            spsc_bytes::Sender sender = std::move(*offered.load());
            (void)sender.try_send(as_record("last"));
        }
    });
    int lost = 0;
    for (int round = 0; round < 500; ++round) {
        auto ch = spsc_bytes::channel(64);
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

TEST(SpscBytesThreads, the_receiver_leaves_in_the_middle) {
    for (std::uint32_t round = 0; round < 20; ++round) {
        auto ch = spsc_bytes::channel(64);
        std::jthread feed([sender = std::move(ch.sender)] {
            Fibers mine;
            (void)mine.spawn([&] {
                while (put(sender, 1, 24)) {}
                EXPECT_TRUE(sender.is_closed());
            });
            EXPECT_TRUE(mine.finish());
        });
        Fibers fibers;
        (void)fibers.spawn([receiver = std::move(ch.receiver), round]() mutable {
            for (std::uint32_t i = 0; i < round * 10; ++i) (void)receiver.recv();
        });
        EXPECT_TRUE(fibers.finish());
    }
}

// --- the seed's scenarios 44 to 46: tasks that end while they are woken ---

// proves: S-44
TEST(SpscBytesThreads, A3_waker_slot_uaf_when_task_freed_mid_dispatch) {
    auto ch = spsc_bytes::channel(64);
    std::atomic<bool> stop = false;
    std::jthread feed([&] {
        while (!stop) {
            (void)try_put(ch.sender, 1, 8);
            std::this_thread::yield();
        }
    });
    Fibers fibers;
    for (int i = 0; i < 2'000; ++i) {
        (void)fibers.spawn([&] { EXPECT_TRUE(ch.receiver.recv()); }); // ends as soon as it is woken
        ASSERT_TRUE(fibers.finish());
    }
    stop = true;
    feed.join();
    EXPECT_EQ(tasks_left(fibers), 0U);
}

// proves: S-45
TEST(SpscBytesChannel, slot_drop_releases_ref_when_still_registered) {
    Fibers fibers;
    auto ch = spsc_bytes::channel(16);
    (void)fibers.run([&] { EXPECT_EQ(ch.receiver.recv().error(), errc::closed); });
    { const auto gone = std::move(ch); }
    EXPECT_EQ(tasks_left(fibers), 0U);
}

// proves: S-46
TEST(SpscBytesThreads, A4_register_during_wake_does_not_leak_ref) {
    auto ch = spsc_bytes::channel(16);
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
