#include "nexus/sync/broadcast.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/select.hpp"
#include "test/sync/fibers.hpp"

#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

static_assert(std::is_copy_constructible_v<broadcast::Sender<int>>);
static_assert(!std::is_copy_constructible_v<broadcast::Receiver<int>>);

struct Update {
    std::string symbol;
    int price;
};

TEST(Broadcast, market_data_to_fast_and_slow_sessions) {
    Fibers fibers;
    auto feed = broadcast::channel<Update>(4);
    int fast_sum = 0;
    int snapshots = 0;
    int slow_sum = 0;
    (void)fibers.run([&, updates = std::move(feed.receiver)]() mutable {
        for (auto [update, missed] : updates) {
            EXPECT_EQ(missed, 0U);
            fast_sum += update.price;
        }
    });
    (void)fibers.run([&, updates = feed.sender.subscribe()]() mutable {
        for (auto [update, missed] : updates) {
            if (missed != 0) ++snapshots;
            slow_sum += update.price;
            sleep(1s);
        }
    });
    for (int i = 1; i <= 10; ++i) {
        EXPECT_TRUE(feed.sender.send(Update{"NXS", i}));
        fibers.settle();
    }
    feed.sender = {};
    for (int i = 0; i < 10; ++i) fibers.advance(1s);
    EXPECT_EQ(fibers.alive(), 0U);
    EXPECT_EQ(fast_sum, 55);
    EXPECT_EQ(slow_sum, 1 + 7 + 8 + 9 + 10) << "the first, then the newest four";
    EXPECT_EQ(snapshots, 1);
}

TEST(Broadcast, every_receiver_gets_every_message_in_order) {
    Fibers fibers;
    auto ch = broadcast::channel<int>(8);
    std::vector<std::vector<int>> got(5);
    for (auto& mine : got) {
        (void)fibers.run([&mine, receiver = ch.sender.subscribe()]() mutable {
            while (auto message = receiver.recv()) mine.push_back(message->value);
        });
    }
    std::vector<int> sent;
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(ch.sender.send(i));
        (void)ch.receiver.try_recv();
        sent.push_back(i);
        if (i % 7 == 0) fibers.settle();
    }
    ch.sender = {};
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U);
    for (const auto& mine : got) EXPECT_EQ(mine, sent);
}

TEST(Broadcast, exactly_what_was_missed_is_told) {
    auto ch = broadcast::channel<int>(4);
    for (int i = 0; i < 4; ++i) (void)ch.sender.send(i);
    EXPECT_EQ(ch.receiver.missed(), 0U) << "just full";
    EXPECT_EQ(ch.receiver.try_recv()->missed, 0U);
    for (int i = 4; i < 11; ++i) (void)ch.sender.send(i);
    EXPECT_EQ(ch.receiver.missed(), 6U) << "1 to 6";
    EXPECT_EQ(ch.receiver.depth(), 4U);
    auto message = ch.receiver.try_recv().value();
    EXPECT_EQ(message.value, 7);
    EXPECT_EQ(message.missed, 6U);
    EXPECT_EQ(ch.receiver.try_recv()->missed, 0U) << "told once";
    EXPECT_EQ(ch.receiver.missed(), 6U);
    EXPECT_EQ(ch.sender.missed(), 6U);
}

TEST(Broadcast, a_slow_receiver_never_blocks_the_sender_or_the_others) {
    auto ch = broadcast::channel<int>(2);
    auto slow = ch.sender.subscribe();
    for (int i = 0; i < 1'000; ++i) {
        ASSERT_TRUE(ch.sender.send(i));
        ASSERT_EQ(ch.receiver.try_recv()->value, i);
    }
    EXPECT_EQ(slow.missed(), 998U);
    EXPECT_EQ(slow.try_recv()->value, 998);
    EXPECT_EQ(slow.try_recv()->value, 999);
    EXPECT_EQ(slow.try_recv().error(), errc::empty);
}

TEST(Broadcast, subscribers_get_what_comes_after) {
    auto ch = broadcast::channel<int>(4);
    (void)ch.sender.send(1);
    auto second = ch.sender.subscribe();
    auto third = ch.receiver.subscribe();
    EXPECT_EQ(ch.sender.receivers(), 3U);
    (void)ch.sender.send(2);
    EXPECT_EQ(ch.receiver.try_recv()->value, 1);
    EXPECT_EQ(second.try_recv()->value, 2);
    EXPECT_EQ(third.try_recv()->value, 2);
    EXPECT_EQ(third.missed(), 0U);
}

TEST(Broadcast, without_receivers_the_message_stays_with_the_sender) {
    auto ch = broadcast::channel<std::shared_ptr<int>>(4);
    ch.receiver = {};
    auto message = std::make_shared<int>(1);
    EXPECT_TRUE(ch.sender.is_closed());
    EXPECT_EQ(ch.sender.send(std::move(message)).error(), errc::closed);
    ASSERT_NE(message, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
    auto late = ch.sender.subscribe();
    EXPECT_TRUE(ch.sender.send(std::move(message)));
    EXPECT_EQ(*late.try_recv()->value, 1);
}

TEST(Broadcast, the_last_messages_come_before_the_end) {
    Fibers fibers;
    auto ch = broadcast::channel<int>(4);
    auto copy = ch.sender;
    ch.sender = {};
    (void)copy.send(1);
    (void)copy.send(2);
    copy = {};
    (void)fibers.run([&] {
        EXPECT_EQ(ch.receiver.recv()->value, 1);
        EXPECT_EQ(ch.receiver.recv()->value, 2);
        EXPECT_EQ(ch.receiver.recv().error(), errc::closed);
    });
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed);
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(Broadcast, the_end_wakes_all) {
    Fibers fibers;
    auto ch = broadcast::channel<int>(4);
    auto other = ch.sender.subscribe();
    (void)fibers.run([&] { EXPECT_EQ(ch.receiver.recv().error(), errc::closed); });
    (void)fibers.run([&] { EXPECT_EQ(other.recv().error(), errc::closed); });
    ch.sender = {};
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(Broadcast, what_all_have_read_is_destroyed_and_the_last_gets_it_without_a_copy) {
    struct Counted {
        explicit Counted(int* count) : copies(count) {}
        Counted(const Counted& other) : copies(other.copies) { ++*copies; }
        Counted(Counted&& other) noexcept = default;
        Counted& operator=(Counted&&) = default;
        ~Counted() = default;
        int* copies;
        std::shared_ptr<int> alive = std::make_shared<int>(0);
    };
    int copies = 0;
    auto ch = broadcast::channel<Counted>(4);
    auto second = ch.sender.subscribe();
    Counted message(&copies);
    const std::weak_ptr<int> alive = message.alive;
    EXPECT_TRUE(ch.sender.send(std::move(message)));
    (void)ch.receiver.try_recv();
    EXPECT_EQ(copies, 1);
    EXPECT_FALSE(alive.expired());
    EXPECT_EQ(ch.sender.depth(), 1U);
    (void)second.try_recv();
    EXPECT_EQ(copies, 1) << "moved to the last reader";
    EXPECT_TRUE(alive.expired());
    EXPECT_EQ(ch.sender.depth(), 0U);
}

TEST(Broadcast, a_receiver_that_leaves_lets_go_of_what_only_it_lacked) {
    auto ch = broadcast::channel<std::shared_ptr<int>>(4);
    auto slow = ch.sender.subscribe();
    const auto message = std::make_shared<int>(1);
    for (int i = 0; i < 6; ++i) (void)ch.sender.send(message);
    while (ch.receiver.try_recv()) {}
    EXPECT_EQ(message.use_count(), 5) << "four kept for the slow one";
    EXPECT_EQ(ch.sender.depth(), 4U);
    slow = {};
    EXPECT_EQ(message.use_count(), 1);
    EXPECT_EQ(ch.sender.depth(), 0U);
    EXPECT_EQ(ch.sender.receivers(), 1U);
    (void)ch.sender.send(message);
    EXPECT_EQ(ch.receiver.try_recv()->missed, 0U);
}

TEST(Broadcast, a_copy_that_throws_takes_nothing) {
    struct Fussy {
        explicit Fussy(bool* refuse_copies) : refuse(refuse_copies) {}
        Fussy(Fussy&&) noexcept = default;
        Fussy(const Fussy& other) : refuse(other.refuse) {
            if (*refuse) throw std::runtime_error("no copy");
        }
        ~Fussy() = default;
        bool* refuse;
    };
    bool refuse = true;
    auto ch = broadcast::channel<Fussy>(2);
    auto second = ch.sender.subscribe();
    EXPECT_TRUE(ch.sender.send(Fussy(&refuse)));
    EXPECT_THROW((void)ch.receiver.try_recv(), std::runtime_error);
    refuse = false;
    EXPECT_TRUE(ch.receiver.try_recv());
    EXPECT_EQ(ch.receiver.missed(), 0U);
}

TEST(Broadcast, deadlines_and_aborts_take_nothing) {
    Fibers fibers;
    auto ch = broadcast::channel<int>(4);
    auto fiber = fibers.run([&] {
        EXPECT_EQ(ch.receiver.recv_for(10ms).error(), errc::timed_out);
        EXPECT_EQ(ch.receiver.recv_until(fibers.now() + 10ms).error(), errc::timed_out);
        EXPECT_EQ(ch.receiver.recv_for(10ms)->value, 2);
        (void)ch.receiver.recv();
        ADD_FAILURE() << "aborted";
    });
    fibers.advance(11ms);
    fibers.advance(11ms);
    (void)ch.sender.send(2);
    fibers.advance(20ms);
    fiber.abort();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    (void)ch.sender.send(3);
    EXPECT_EQ(ch.receiver.try_recv()->value, 3);
}

TEST(Broadcast, one_fiber_at_each_receiver) {
    Fibers fibers;
    auto ch = broadcast::channel<int>(4);
    auto waiting = fibers.run([&] { EXPECT_TRUE(ch.receiver.recv()); });
    (void)fibers.run([&] {
        EXPECT_THROW((void)ch.receiver.recv(), UsageError);
        EXPECT_THROW((void)select(ch.receiver), UsageError);
    });
    EXPECT_THROW((void)ch.receiver.recv(), UsageError) << "outside a fiber";
    EXPECT_THROW((void)broadcast::channel<int>(0), UsageError);
    (void)ch.sender.send(2);
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
}

TEST(Broadcast, receivers_may_move_and_go_while_a_fiber_waits) {
    Fibers fibers;
    auto ch = broadcast::channel<int>(4);
    auto waiting = fibers.run([&] { EXPECT_EQ(ch.receiver.recv()->value, 2); });
    auto moved = std::move(ch.receiver);
    (void)ch.sender.send(2);
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
    auto again = fibers.run([&] { EXPECT_EQ(moved.recv().error(), errc::closed); });
    moved = {};
    fibers.settle();
    EXPECT_TRUE(again.is_finished());
}

TEST(Broadcast, is_a_source_for_select) {
    Fibers fibers;
    auto a = broadcast::channel<int>(2);
    auto b = broadcast::channel<int>(2);
    std::vector<int> seen;
    auto fiber = fibers.run([&] {
        for (int i = 0; i < 3; ++i) {
            const std::size_t index = select(a.receiver, b.receiver);
            auto message = (index == 0 ? a : b).receiver.try_recv();
            seen.push_back(message ? message->value : -1);
        }
    });
    (void)b.sender.send(5);
    fibers.settle();
    (void)a.sender.send(6);
    fibers.settle();
    a.sender = {};
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(seen, (std::vector<int>{5, 6, -1}));
}

TEST(Broadcast, figures) {
    auto ch = broadcast::channel<int>(3);
    EXPECT_EQ(ch.sender.capacity(), 4U);
    auto ahead = ch.sender.subscribe();
    for (int i = 0; i < 3; ++i) (void)ch.sender.send(i);
    while (ahead.try_recv()) {}
    (void)ch.receiver.try_recv();
    EXPECT_EQ(ch.receiver.depth(), 2U);
    EXPECT_EQ(ahead.depth(), 0U);
    EXPECT_EQ(ch.sender.depth(), 2U) << "what somebody lacks";
    EXPECT_EQ(ch.receiver.high_water(), 3U);
    EXPECT_EQ(ch.receiver.capacity(), 4U);
}

// Against a model that keeps everything: what arrives, and what each is told that it missed.
TEST(Broadcast, random_receivers_add_up) {
    for (unsigned seed = 1; seed <= 30; ++seed) {
        std::mt19937 random(seed);
        const auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
        auto ch = broadcast::channel<unsigned>(1 + pick(8));
        struct Reader {
            broadcast::Receiver<unsigned> receiver;
            unsigned next; ///< the message it should get, were it fast enough
        };
        std::vector<Reader> readers;
        unsigned sent = 0;
        readers.push_back({std::move(ch.receiver), sent});
        std::uint64_t missed = 0;
        for (int step = 0; step < 2'000; ++step) {
            Reader* reader = readers.empty() ? nullptr : &readers[pick(static_cast<unsigned>(readers.size()))];
            switch (const unsigned what = pick(20); what) {
            case 0: readers.push_back({ch.sender.subscribe(), sent}); break;
            case 1:
                if (reader != nullptr) {
                    missed += reader->receiver.missed();
                    std::swap(*reader, readers.back());
                    readers.pop_back();
                }
                break;
            default:
                if (what < 10) {
                    if (ch.sender.send(sent)) ++sent;
                } else if (reader != nullptr) {
                    auto message = reader->receiver.try_recv();
                    ASSERT_EQ(message.has_value(), reader->next != sent);
                    if (!message) break;
                    const auto oldest = sent > ch.sender.capacity() ? sent - ch.sender.capacity() : 0;
                    const auto expected = std::max<std::uint64_t>(oldest, reader->next);
                    ASSERT_EQ(message->value, expected) << "seed " << seed;
                    ASSERT_EQ(message->missed, expected - reader->next) << "seed " << seed;
                    reader->next = message->value + 1;
                }
            }
        }
        for (const Reader& reader : readers) missed += reader.receiver.missed();
        EXPECT_EQ(ch.sender.missed(), missed) << "seed " << seed;
    }
}

TEST(Broadcast, outlives_its_executor_and_frees_everything) {
    struct Shared {
        std::shared_ptr<Tracked> tracked = std::make_shared<Tracked>(1);
    };
    {
        auto ch = broadcast::channel<Shared>(4);
        {
            Fibers fibers;
            (void)fibers.run([&] { (void)ch.receiver.recv(); });
        }
        (void)ch.sender.send(Shared{});
        (void)ch.sender.send(Shared{});
        EXPECT_TRUE(ch.receiver.try_recv());
        ch.sender = {};
        EXPECT_EQ(Tracked::alive(), 1);
    }
    EXPECT_EQ(Tracked::alive(), 0);
}

} // namespace
