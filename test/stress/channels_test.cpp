// Channels under random use: fibers that send and receive in every form, run into deadlines, are aborted, and leave.
// Whatever happens, what was sent arrives once and in order, what was refused does not arrive, and nobody sleeps for
// ever.
#include "nexus/sync/sync.hpp"
#include "nexus/testing/seeded_choice.hpp"
#include "test/stress/seeds.hpp"
#include "test/stress/transfer.hpp"
#include "test/sync/fibers.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;
using namespace nexus_stress;

// --- queues: local, mpsc, spsc ---

template <class Sender>
constexpr bool has_many_senders = std::is_copy_constructible_v<Sender>;

/// Sends a value in one of the forms, at random; false when the channel is closed.
template <class Sender>
bool send_one(Sender& sender, Random& random, std::size_t id, Offers& offers, Duration patience) {
    const std::size_t number = offers.offer();
    Stamp stamp{id, number};
    Result<void> sent;
    switch (random.below(4)) {
    case 0: sent = sender.try_send(std::move(stamp)); break;           // NOLINT(performance-move-const-arg)
    case 1: sent = sender.send_for(patience, std::move(stamp)); break; // NOLINT(performance-move-const-arg)
    default: sent = sender.send(std::move(stamp));                     // NOLINT(performance-move-const-arg)
    }
    offers.settle(number, sent.has_value());
    return sent.has_value() || !(sent.error() == errc::closed);
}

/// Receives a value in one of the forms, at random; false at the end of the channel.
template <class Receiver>
bool receive_one(Receiver& receiver, Random& random, Arrivals& arrivals, Duration patience) {
    Result<Stamp> got = Error(errc::empty, "");
    switch (random.below(4)) {
    case 0: got = receiver.try_recv(); break;
    case 1: got = receiver.recv_for(patience); break;
    case 2: {
        Deadline soon;
        soon.reset_after(patience);
        if (select(receiver, soon) == 0) got = receiver.try_recv();
        break;
    }
    default: got = receiver.recv();
    }
    if (got) arrivals.arrive(*got);
    return got.has_value() || !(got.error() == errc::closed);
}

/// All on one thread, in an order that the seed decides, on a clock that the seed moves.
template <class Channel>
void queue_on_one_thread(std::uint64_t seed, Channel&& make) {
    Random random(seed);
    nexus::testing::SeededChoice choice(seed);
    Fibers fibers;
    choice.attach(fibers.executor());
    auto ch = make(1 + random.below(5));
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
            if (ended) ch.receiver = {};
            if (!ended) {
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

TEST(ChannelStress, local_on_one_thread) {
    for_each_seed([](std::uint64_t seed) { queue_on_one_thread(seed, &local::channel<Stamp>); });
}
TEST(ChannelStress, mpsc_on_one_thread) {
    for_each_seed([](std::uint64_t seed) { queue_on_one_thread(seed, &mpsc::channel<Stamp>); });
}
TEST(ChannelStress, spsc_on_one_thread) {
    for_each_seed([](std::uint64_t seed) { queue_on_one_thread(seed, &spsc::channel<Stamp>); });
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

/// Each sending fiber's body; many in a thread where the channel allows it.
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
void queue_between_threads(std::uint64_t seed, Channel&& make) {
    Random random(seed);
    auto ch = make(std::size_t{1} << random.below(8));
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
        feeds.emplace_back([&, t, mine = std::move(mine), own = random.seed()]() mutable {
            send_from_thread(std::move(mine), t * fibers_each, own, offers, each);
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

TEST(ChannelStress, mpsc_between_threads) {
    for_each_seed([](std::uint64_t seed) { queue_between_threads(seed, &mpsc::channel<Stamp>); });
}
TEST(ChannelStress, spsc_between_threads) {
    for_each_seed([](std::uint64_t seed) { queue_between_threads(seed, &spsc::channel<Stamp>); });
}

// --- oneshot ---

TEST(ChannelStress, oneshot_between_threads) {
    for_each_seed([](std::uint64_t seed) {
        Random random(seed);
        constexpr std::size_t count = 50;
        std::vector<oneshot::Sender<std::unique_ptr<std::size_t>>> senders;
        std::vector<oneshot::Receiver<std::unique_ptr<std::size_t>>> receivers;
        for (std::size_t i = 0; i < count; ++i) {
            auto ch = oneshot::channel<std::unique_ptr<std::size_t>>();
            senders.push_back(std::move(ch.sender));
            receivers.push_back(std::move(ch.receiver));
        }
        std::vector<char> sent(count);
        std::jthread feed([&, mine = Random(random.seed())]() mutable {
            for (std::size_t i = 0; i < count; ++i) {
                auto sender = std::move(senders[i]);
                if (mine.one_in(4)) continue;
                auto value = std::make_unique<std::size_t>(i);
                sent[i] = sender.send(std::move(value)) ? 1 : 0;
                EXPECT_EQ(value == nullptr, sent[i] != 0); // NOLINT(bugprone-use-after-move): that is the promise
                if (mine.one_in(4)) std::this_thread::yield();
            }
        });
        std::vector<char> received(count);
        std::vector<char> stayed(count);
        Executor executor;
        for (std::size_t i = 0; i < count; ++i) {
            executor
                .spawn_boxed([&, i, mine = Random(random.seed()), receiver = std::move(receivers[i])]() mutable {
                    if (mine.one_in(4)) return;
                    auto value = mine.one_in(4) ? receiver.recv_for(1us) : receiver.recv();
                    stayed[i] = value || value.error() == errc::closed ? 1 : 0;
                    if (!value) return;
                    EXPECT_EQ(**value, i);
                    received[i] = 1;
                })
                .detach();
        }
        run_to_the_end(executor);
        feed.join();
        for (std::size_t i = 0; i < count; ++i) {
            EXPECT_LE(received[i], sent[i]) << i;
            if (stayed[i] != 0) {
                EXPECT_EQ(sent[i], received[i]) << i << " was sent to one who stayed";
            }
        }
    });
}

// --- broadcast and watch ---

TEST(ChannelStress, broadcast_tells_everybody_everything_or_what_was_missed) {
    for_each_seed([](std::uint64_t seed) {
        Random random(seed);
        nexus::testing::SeededChoice choice(seed);
        Fibers fibers;
        choice.attach(fibers.executor());
        auto ch = broadcast::channel<std::uint64_t>(1 + random.below(16));
        std::uint64_t sent = 0;
        const auto listen = [&](broadcast::Receiver<std::uint64_t> receiver, std::uint64_t from, Random mine) {
            std::uint64_t expected = from;
            for (;;) {
                if (mine.one_in(3)) sleep(Duration(static_cast<std::int64_t>(mine.below(50))));
                if (mine.one_in(200)) return;
                auto message = mine.one_in(2) ? receiver.recv_for(10ns) : receiver.recv();
                if (message.has_error() && message.error() == errc::closed) break;
                if (!message) continue;
                EXPECT_EQ(message->value, expected + message->missed);
                expected = message->value + 1;
            }
            EXPECT_EQ(expected, sent) << "the last messages come before the end";
        };
        std::vector<JoinHandle<void>> listening;
        for (int i = 0; i < 4; ++i) {
            listening.push_back(
                fibers.spawn([&listen, receiver = ch.sender.subscribe(), mine = Random(random.seed())]() mutable {
                    listen(std::move(receiver), 0, std::move(mine));
                }));
        }
        (void)fibers.spawn([&, mine = Random(random.seed()), sender = std::move(ch.sender)]() mutable {
            for (int i = 0; i < 500; ++i) {
                if (sender.send(sent)) ++sent;
                if (mine.one_in(5)) yield_now();
                if (mine.one_in(40)) {
                    listening.push_back(fibers.spawn(
                        [&listen, from = sent, receiver = sender.subscribe(), own = Random(mine.seed())]() mutable {
                            listen(std::move(receiver), from, std::move(own));
                        }));
                }
                if (mine.one_in(60)) listening[mine.below(listening.size())].abort();
            }
            sender = {};
        });
        ch.receiver = {};
        for (int step = 0; fibers.alive() != 0; ++step) {
            ASSERT_LT(step, 20'000) << "somebody waits for ever";
            fibers.executor().poll();
            if (random.one_in(3)) fibers.advance(Duration(static_cast<std::int64_t>(random.below(100))));
        }
    });
}

TEST(ChannelStress, watch_shows_the_last_value_to_everybody) {
    for_each_seed([](std::uint64_t seed) {
        Random random(seed);
        nexus::testing::SeededChoice choice(seed);
        Fibers fibers;
        choice.attach(fibers.executor());
        auto ch = watch::channel<std::uint64_t>(0);
        std::uint64_t last = 0;
        std::vector<JoinHandle<void>> watching;
        const auto look = [&](watch::Receiver<std::uint64_t> receiver, Random mine) {
            std::uint64_t seen = 0;
            std::uint64_t told = 0;
            for (;;) {
                if (mine.one_in(3)) sleep(Duration(static_cast<std::int64_t>(mine.below(50))));
                auto value = mine.one_in(2) ? receiver.recv_for(10ns) : receiver.recv();
                if (value.has_error() && value.error() == errc::closed) break;
                if (!value) continue;
                EXPECT_LT(seen, *value) << "each change once, in order";
                seen = *value;
                ++told;
            }
            EXPECT_EQ(seen, last) << "the last change comes before the end";
            EXPECT_EQ(told + receiver.skipped(), last);
        };
        for (int i = 0; i < 4; ++i) {
            watching.push_back(
                fibers.spawn([&look, receiver = ch.sender.subscribe(), mine = Random(random.seed())]() mutable {
                    look(std::move(receiver), std::move(mine));
                }));
        }
        (void)fibers.spawn([&, mine = Random(random.seed()), sender = std::move(ch.sender)]() mutable {
            for (int i = 0; i < 300; ++i) {
                sender.send(++last);
                if (mine.one_in(4)) yield_now();
                if (mine.one_in(100)) watching[mine.below(watching.size())].abort();
            }
            sender = {};
        });
        for (int step = 0; fibers.alive() != 0; ++step) {
            ASSERT_LT(step, 20'000) << "somebody waits for ever";
            fibers.executor().poll();
            if (random.one_in(3)) fibers.advance(Duration(static_cast<std::int64_t>(random.below(100))));
        }
    });
}

} // namespace
