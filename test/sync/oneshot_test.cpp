#include "nexus/sync/oneshot.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/cancellation_token.hpp"
#include "nexus/sync/select.hpp"
#include "test/sync/fibers.hpp"

#include <barrier>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

static_assert(!std::is_copy_constructible_v<oneshot::Sender<int>> &&
              !std::is_copy_constructible_v<oneshot::Receiver<int>>);

TEST(Oneshot, the_answer_to_a_question) {
    Fibers fibers;
    auto asked = local::channel<oneshot::Sender<int>>(1);
    (void)fibers.spawn([questions = std::move(asked.receiver)]() mutable {
        for (oneshot::Sender<int> answer : questions) EXPECT_TRUE(answer.send(42));
    });
    int got = 0;
    (void)fibers.run([&, questions = std::move(asked.sender)] {
        auto answer = oneshot::channel<int>();
        EXPECT_TRUE(questions.send(std::move(answer.sender)));
        got = answer.receiver.recv().value();
    });
    EXPECT_EQ(got, 42);
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(Oneshot, a_value_that_is_there_needs_no_wait) {
    auto ch = oneshot::channel<std::unique_ptr<int>>();
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    EXPECT_TRUE(ch.sender.send(std::make_unique<int>(1)));
    EXPECT_EQ(**ch.receiver.try_recv(), 1);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed) << "there is one value";
}

TEST(Oneshot, the_value_comes_before_the_end) {
    Fibers fibers;
    auto ch = oneshot::channel<int>();
    EXPECT_TRUE(ch.sender.send(1));
    ch.sender = {};
    (void)fibers.run([&] {
        EXPECT_EQ(ch.receiver.recv().value(), 1);
        EXPECT_EQ(ch.receiver.recv().error(), errc::closed);
    });
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(Oneshot, a_sender_that_leaves_without_a_value_ends_the_wait) {
    Fibers fibers;
    auto ch = oneshot::channel<int>();
    auto waiting = fibers.run([&] { EXPECT_EQ(ch.receiver.recv().error(), errc::closed); });
    EXPECT_FALSE(waiting.is_finished());
    ch.sender = {};
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
}

TEST(Oneshot, what_nobody_waits_for_stays_with_the_sender) {
    auto ch = oneshot::channel<std::unique_ptr<int>>();
    EXPECT_FALSE(ch.sender.is_closed());
    ch.receiver = {};
    EXPECT_TRUE(ch.sender.is_closed());
    auto value = std::make_unique<int>(3);
    EXPECT_EQ(ch.sender.send(std::move(value)).error(), errc::closed);
    EXPECT_NE(value, nullptr); // NOLINT(bugprone-use-after-move): that is the promise
}

TEST(Oneshot, values_are_destroyed_once) {
    {
        auto unread = oneshot::channel<Tracked>();
        EXPECT_TRUE(unread.sender.send(Tracked(1)));
        EXPECT_EQ(Tracked::alive(), 1);
        unread.receiver = {};
        EXPECT_EQ(Tracked::alive(), 0) << "with the receiver, although the sender lives";
        auto read = oneshot::channel<Tracked>();
        EXPECT_TRUE(read.sender.send(Tracked(2)));
        EXPECT_EQ(read.receiver.try_recv()->value, 2);
        EXPECT_EQ(Tracked::alive(), 0);
        auto never = oneshot::channel<Tracked>();
        never.sender = {};
    }
    EXPECT_EQ(Tracked::alive(), 0);
}

TEST(Oneshot, twice_and_second_receivers_are_mistakes) {
    Fibers fibers;
    auto ch = oneshot::channel<int>();
    auto waiting = fibers.run([&] { EXPECT_EQ(ch.receiver.recv().value(), 1); });
    (void)fibers.run([&] {
        EXPECT_THROW((void)ch.receiver.recv(), UsageError);
        EXPECT_THROW((void)select(ch.receiver), UsageError);
    });
    EXPECT_THROW((void)ch.receiver.recv(), UsageError) << "outside a fiber";
    EXPECT_TRUE(ch.sender.send(1));
    EXPECT_THROW((void)ch.sender.send(2), UsageError);
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
}

TEST(Oneshot, deadlines_take_nothing) {
    Fibers fibers;
    auto ch = oneshot::channel<int>();
    auto fiber = fibers.run([&] {
        EXPECT_EQ(ch.receiver.recv_for(10ms).error(), errc::timed_out);
        EXPECT_EQ(ch.receiver.recv_until(fibers.now()).error(), errc::timed_out);
        EXPECT_EQ(ch.receiver.recv_until(fibers.now() + 10ms).error(), errc::timed_out);
        EXPECT_EQ(ch.receiver.recv().value(), 9);
    });
    fibers.advance(11ms);
    fibers.advance(11ms);
    EXPECT_TRUE(ch.sender.send(9));
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(Oneshot, an_aborted_wait_leaves_nothing_behind) {
    Fibers fibers;
    auto ch = oneshot::channel<int>();
    {
        auto waiting = fibers.run([&] { (void)ch.receiver.recv(); });
        waiting.abort();
        fibers.settle();
    }
    fibers.settle();
    EXPECT_EQ(fibers.executor().outstanding_tasks(), 0U);
    EXPECT_TRUE(ch.sender.send(1));
    EXPECT_EQ(ch.receiver.try_recv().value(), 1);
}

TEST(Oneshot, the_receiver_may_go_while_a_fiber_waits) {
    Fibers fibers;
    auto ch = oneshot::channel<int>();
    auto waiting = fibers.run([&] { EXPECT_EQ(ch.receiver.recv().error(), errc::closed); });
    ch.receiver = {};
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
    EXPECT_EQ(ch.sender.send(1).error(), errc::closed);
}

TEST(Oneshot, is_a_source_for_select) {
    Fibers fibers;
    auto ch = oneshot::channel<int>();
    CancellationToken stop;
    auto fiber = fibers.run([&] {
        EXPECT_EQ(select(stop, ch.receiver), 1U);
        EXPECT_EQ(ch.receiver.try_recv().value(), 5);
        EXPECT_EQ(select(stop, ch.receiver), 1U) << "the end is ready";
        EXPECT_EQ(ch.receiver.try_recv().error(), errc::closed);
    });
    EXPECT_TRUE(ch.sender.send(5));
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(Oneshot, figures) {
    auto ch = oneshot::channel<int>();
    EXPECT_EQ(ch.sender.capacity(), 1U);
    EXPECT_EQ(ch.receiver.depth(), 0U);
    EXPECT_EQ(ch.receiver.high_water(), 0U);
    EXPECT_TRUE(ch.sender.send(5));
    EXPECT_EQ(ch.sender.depth(), 1U);
    (void)ch.receiver.try_recv();
    EXPECT_EQ(ch.sender.depth(), 0U);
    EXPECT_EQ(ch.sender.high_water(), 1U);
}

TEST(OneshotThreads, values_ends_and_leavers_from_another_thread) {
    constexpr int rounds = 300;
    std::vector<oneshot::Sender<std::unique_ptr<int>>> senders;
    std::vector<oneshot::Receiver<std::unique_ptr<int>>> receivers;
    for (int round = 0; round < rounds; ++round) {
        auto ch = oneshot::channel<std::unique_ptr<int>>();
        senders.push_back(std::move(ch.sender));
        receivers.push_back(std::move(ch.receiver));
    }
    std::barrier start(2);
    int sent = 0;
    int kept = 0;
    std::jthread feed([&] {
        for (int round = 0; round < rounds; ++round) {
            start.arrive_and_wait();
            auto sender = std::move(senders[static_cast<std::size_t>(round)]);
            if (round % 3 == 0) continue;
            auto value = std::make_unique<int>(round);
            const bool was_sent = sender.send(std::move(value)).has_value();
            (was_sent ? sent : kept) += 1;
            EXPECT_EQ(value == nullptr, was_sent); // NOLINT(bugprone-use-after-move): that is the promise
        }
    });
    Fibers fibers;
    int received = 0;
    int left = 0;
    for (int round = 0; round < rounds; ++round) {
        (void)fibers.spawn([&, receiver = std::move(receivers[static_cast<std::size_t>(round)])]() mutable {
            start.arrive_and_wait();
            if (round % 4 == 0) {
                left += round % 3 != 0 ? 1 : 0;
                return;
            }
            const auto value = receiver.recv();
            EXPECT_EQ(value.has_value(), round % 3 != 0);
            if (value) {
                EXPECT_EQ(**value, round);
                ++received;
            }
        });
        ASSERT_TRUE(fibers.finish());
    }
    feed.join();
    EXPECT_EQ(received, 150) << "every value for which somebody stayed";
    EXPECT_EQ(sent + kept, 200);
    EXPECT_LE(sent - received, left);
}

} // namespace
