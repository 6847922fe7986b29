// The byte channels under random use: records of random size in rings of random size, claimed, given up and shortened;
// fibers that wait, run into deadlines, are aborted, and leave. Whatever happens, what was committed arrives whole,
// once and in order, what was refused or given up does not arrive, and nobody sleeps for ever.
#include "nexus/sync/sync.hpp"
#include "nexus/testing/seeded_choice.hpp"
#include "test/stress/seeds.hpp"
#include "test/stress/transfer.hpp"
#include "test/sync/byte_records.hpp"
#include "test/sync/fibers.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;
using namespace nexus_stress;

constexpr std::size_t least = 8; ///< a sender and a number

void write_stamp(std::span<std::byte> bytes, Stamp stamp) {
    const std::array<std::uint32_t, 2> words{static_cast<std::uint32_t>(stamp.number),
                                             static_cast<std::uint32_t>(stamp.sender)};
    for (std::size_t i = least; i < bytes.size(); ++i) bytes[i] = mark(words[0] ^ words[1] << 16U, i);
    std::memcpy(bytes.data(), words.data(), least);
}
Stamp read_stamp(std::span<const std::byte> bytes) {
    std::array<std::uint32_t, 2> words{};
    EXPECT_GE(bytes.size(), least);
    std::memcpy(words.data(), bytes.data(), least);
    for (std::size_t i = least; i < bytes.size(); ++i) {
        EXPECT_EQ(bytes[i], mark(words[0] ^ words[1] << 16U, i)) << "a torn record";
    }
    return {.sender = words[1], .number = words[0]};
}

template <class Sender>
constexpr bool has_many_senders = std::is_copy_constructible_v<Sender>;

/// Claims in one of the forms, at random.
template <class Sender>
Result<typename Sender::WriteClaim> claim_one(Sender& sender, Random& random, std::size_t size, Duration patience) {
    switch (random.below(5)) {
    case 0: return sender.try_claim(size);
    case 1: return sender.claim_for(patience, size);
    case 2:
        if constexpr (!has_many_senders<Sender>) {
            Deadline soon;
            soon.reset_after(patience);
            if (select(writable(sender, size), soon) != 0) return Error(errc::timed_out, "");
            auto claim = sender.try_claim(size);
            EXPECT_TRUE(claim || !(claim.error() == errc::full)) << "select had promised it";
            return claim;
        }
        [[fallthrough]];
    default: return sender.claim(size);
    }
}

/// Sends a record, or gives it up, at random; false when the channel is closed.
template <class Sender>
bool send_one(Sender& sender, Random& random, std::size_t id, Offers& offers, Duration patience) {
    const std::size_t number = offers.offer();
    const std::size_t most = sender.max_record();
    const std::size_t size = least + random.below(random.one_in(4) ? most - least + 1 : (most - least) / 4 + 1);
    if (random.one_in(50)) {
        EXPECT_EQ(sender.try_claim(most + 1).error(), std::errc::message_size);
    }
    auto claim = claim_one(sender, random, size, patience);
    if (!claim) {
        offers.settle(number, false);
        return !(claim.error() == errc::closed);
    }
    // Only where nobody else stands behind it; an abort that comes here takes the claim with it.
    if (!has_many_senders<Sender> && random.one_in(8)) yield_now();
    if (random.one_in(6)) {
        offers.settle(number, false);
        return true;
    }
    const std::size_t kept = random.one_in(4) ? least + random.below(size - least + 1) : size;
    write_stamp(claim->bytes().first(kept), {id, number});
    claim->commit(kept);
    offers.settle(number, true);
    return true;
}

/// Receives a record in one of the forms, at random; false at the end of the channel.
template <class Receiver>
bool receive_one(Receiver& receiver, Random& random, Arrivals& arrivals, Duration patience) {
    using Claim = typename Receiver::ReadClaim;
    Result<Claim> got = Error(errc::empty, "");
    switch (random.below(5)) {
    case 0: got = receiver.try_recv(); break;
    case 1: got = receiver.recv_for(patience); break;
    case 2: {
        Deadline soon;
        soon.reset_after(patience);
        if (select(receiver, soon) != 0) break;
        got = receiver.try_recv();
        EXPECT_TRUE(got || got.error() == errc::closed) << "select had promised it";
        break;
    }
    case 3: {
        std::array<std::byte, 8192> buffer{};
        const auto size = receiver.recv_into(std::span(buffer).first(receiver.max_record()));
        if (size) arrivals.arrive(read_stamp(std::span<const std::byte>(buffer).first(*size)));
        return size.has_value() || !(size.error() == errc::closed);
    }
    default: got = receiver.recv();
    }
    if (!got) return !(got.error() == errc::closed);
    arrivals.arrive(read_stamp(got->bytes()));
    if (random.one_in(16)) yield_now(); // holds nothing but its space
    return true;
}

/// All on one thread, in an order that the seed decides, on a clock that the seed moves.
template <class Channel>
void bytes_on_one_thread(std::uint64_t seed, Channel&& make) {
    Random random(seed);
    nexus::testing::SeededChoice choice(seed);
    Fibers fibers;
    choice.attach(fibers.executor());
    auto ch = make(std::size_t{16} << random.below(8));
    using Sender = decltype(ch.sender);
    const std::size_t senders = has_many_senders<Sender> ? 1 + random.below(4) : 1;
    std::vector<Offers> offers(senders);
    Arrivals arrivals(senders);
    std::vector<JoinHandle<void>> sending;
    for (std::size_t s = 0; s < senders; ++s) {
        Sender sender;
        if constexpr (has_many_senders<Sender>) {
            sender = ch.sender;
        } else {
            sender = std::move(ch.sender);
        }
        sending.push_back(fibers.spawn([&, s, mine = Random(random.seed()), sender = std::move(sender)]() mutable {
            for (auto left = mine.below(600); left > 0; --left) {
                if (!send_one(sender, mine, s, offers[s], 1us)) return;
                if (mine.one_in(4)) yield_now();
            }
        }));
    }
    ch.sender = {};
    const bool leaves = random.one_in(4);
    const std::uint64_t leaves_after = random.below(400);
    std::optional<JoinHandle<void>> receiving;
    bool ended = false;
    for (int step = 0; fibers.alive() != 0 || !ended; ++step) {
        ASSERT_LT(step, 20'000) << "somebody waits for ever";
        if (!receiving || receiving->is_finished()) {
            if (ended) {
                ch.receiver = {};
            } else {
                receiving = fibers.spawn([&, mine = Random(random.seed())]() mutable {
                    while (!ended) {
                        ended = (leaves && arrivals.count() >= leaves_after) ||
                                !receive_one(ch.receiver, mine, arrivals, 2us);
                    }
                });
            }
        }
        fibers.executor().poll();
        if (random.one_in(3)) fibers.advance(Duration(static_cast<std::int64_t>(random.below(2'000))));
        if (random.one_in(50)) receiving->abort();
        if (random.one_in(100)) sending[random.below(senders)].abort();
    }
    arrivals.compare(offers, !leaves);
}

TEST(ByteStress, mpsc_bytes_on_one_thread) {
    for_each_seed([](std::uint64_t seed) { bytes_on_one_thread(seed, &mpsc_bytes::channel); });
}
TEST(ByteStress, spsc_bytes_on_one_thread) {
    for_each_seed([](std::uint64_t seed) { bytes_on_one_thread(seed, &spsc_bytes::channel); });
}

/// Runs an executor on real time until its fibers have ended.
void run_to_the_end(Executor& executor) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (executor.task_count() != 0) {
        executor.poll();
        if (executor.has_ready()) continue;
        ASSERT_LT(std::chrono::steady_clock::now(), end) << "somebody waits for ever";
        std::this_thread::yield();
    }
}

/// A thread of sending fibers, one for each sender.
template <class Sender>
void send_from_thread(std::vector<Sender> senders, std::size_t first_id, std::uint64_t seed,
                      std::vector<Offers>& offers, std::uint64_t each) {
    Random random(seed);
    Executor executor;
    for (std::size_t i = 0; i < senders.size(); ++i) {
        executor
            .spawn_boxed(
                [&, id = first_id + i, mine = Random(random.seed()), sender = std::move(senders[i])]() mutable {
                    for (auto left = mine.below(each); left > 0; --left) {
                        if (!send_one(sender, mine, id, offers[id], 5us)) return;
                        if (mine.one_in(8)) yield_now();
                    }
                })
            .detach();
    }
    run_to_the_end(executor);
}

/// Threads send, a fiber here receives, on real time.
template <class Channel>
void bytes_between_threads(std::uint64_t seed, Channel&& make) {
    Random random(seed);
    auto ch = make(std::size_t{16} << random.below(9));
    using Sender = decltype(ch.sender);
    const std::size_t threads = has_many_senders<Sender> ? 1 + random.below(3) : 1;
    const std::size_t fibers_each = has_many_senders<Sender> ? 1 + random.below(3) : 1;
    const std::uint64_t each = has_many_senders<Sender> ? 400 : 4'000; // spsc: long enough to become quiet
    std::vector<Offers> offers(threads * fibers_each);
    Arrivals arrivals(offers.size());
    std::vector<std::jthread> feeds;
    for (std::size_t t = 0; t < threads; ++t) {
        std::vector<Sender> mine;
        for (std::size_t f = 0; f < fibers_each; ++f) {
            if constexpr (has_many_senders<Sender>) {
                mine.push_back(ch.sender);
            } else {
                mine.push_back(std::move(ch.sender));
            }
        }
        feeds.emplace_back([&, first = t * fibers_each, mine = std::move(mine), own = random.seed()]() mutable {
            send_from_thread(std::move(mine), first, own, offers, each);
        });
    }
    ch.sender = {};
    const bool leaves = random.one_in(4);
    const std::uint64_t leaves_after = random.below(300);
    Executor executor;
    executor
        .spawn_boxed([&, mine = Random(random.seed()), receiver = std::move(ch.receiver)]() mutable {
            while (!(leaves && arrivals.count() >= leaves_after) && receive_one(receiver, mine, arrivals, 20us)) {
                if (mine.one_in(64)) std::this_thread::yield();
            }
        })
        .detach();
    run_to_the_end(executor);
    feeds.clear();
    arrivals.compare(offers, !leaves);
}

TEST(ByteStress, mpsc_bytes_between_threads) {
    for_each_seed([](std::uint64_t seed) { bytes_between_threads(seed, &mpsc_bytes::channel); });
}
TEST(ByteStress, spsc_bytes_between_threads) {
    for_each_seed([](std::uint64_t seed) { bytes_between_threads(seed, &spsc_bytes::channel); });
}

} // namespace
