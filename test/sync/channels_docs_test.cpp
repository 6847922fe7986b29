// The examples of docs/channels.md, as they stand there, with what they mention around them.
#include "nexus/nexus.hpp"
#include "nexus/sync/sync.hpp"

#include <gtest/gtest.h>

#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

template <class Body>
void in_runtime(Body&& body) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    runtime.block_on(std::forward<Body>(body));
}

TEST(ChannelsPage, a_feed_thread) {
    using Quote = int;
    auto ch = nexus::spsc::channel<Quote>(4);
    int made = 0;
    const auto next_quote = [&made] { return ++made; };
    std::jthread feed([&next_quote, tx = std::move(ch.sender)](std::stop_token stop) mutable {
        while (!stop.stop_requested()) {
            Quote quote = next_quote();
            while (tx.try_send(std::move(quote)).has_error()) { // NOLINT(bugprone-use-after-move): still ours
                if (tx.is_closed()) return;
            }
        }
    });
    in_runtime([rx = std::move(ch.receiver)]() mutable {
        for (int i = 1; i <= 1'000; ++i) EXPECT_EQ(rx.recv().value(), i);
    });
    feed.join(); // by is_closed()
    EXPECT_GT(made, 1'000);
}

TEST(ChannelsPage, oneshot) {
    struct Question {
        int number;
        nexus::oneshot::Sender<int> answer;
    };
    in_runtime([] {
        auto channel = nexus::local::channel<Question>(1);
        nexus::spawn([inbox = std::move(channel.receiver)]() mutable {
            for (Question question : inbox) (void)question.answer.send(7 * question.number);
        }).detach();
        auto& questions = channel.sender;

        auto [tx, rx] = nexus::oneshot::channel<int>();
        (void)questions.send(Question{6, std::move(tx)});
        nexus::Result<int> answer = rx.recv_for(1s);
        EXPECT_EQ(answer.value(), 42);
    });
}

TEST(ChannelsPage, watch) {
    struct Settings {
        int limit = 0;
    };
    std::vector<int> applied;
    const auto apply = [&applied](const Settings& settings) { applied.push_back(settings.limit); };
    const auto reload = [] { return Settings{3}; };
    in_runtime([&] {
        auto settings = nexus::watch::channel(Settings{});
        nexus::spawn([&apply, rx = settings.sender.subscribe()]() mutable {
            for (Settings now : rx) apply(now);
        }).detach();
        settings.sender.send(reload());
        nexus::yield_now();
        settings.sender.modify([](Settings& now) { now.limit = 7; });
        settings.sender = {};
        nexus::yield_now();
    });
    EXPECT_EQ(applied, (std::vector<int>{3, 7}));
}

TEST(ChannelsPage, broadcast_fed_from_another_thread) {
    struct Update {
        std::string symbol;
        int price;
    };
    int snapshots = 0;
    int sum = 0;
    const auto send_snapshot = [&snapshots] { ++snapshots; };
    const auto send = [&sum](const Update& update) { sum += update.price; };
    auto far = nexus::mpsc::channel<Update>(16);
    std::jthread([tx = std::move(far.sender)] {
        for (int i = 0; i < 8; ++i) (void)tx.try_send(Update{"NXS", 100 + i});
    }).join();
    in_runtime([&, from_thread = std::move(far.receiver)]() mutable {
        auto feed = nexus::broadcast::channel<Update>(4);
        auto session = nexus::spawn([&, rx = feed.sender.subscribe()]() mutable {
            for (auto [update, missed] : rx) {
                if (missed != 0) send_snapshot();
                send(update);
            }
        });
        nexus::spawn([rx = std::move(from_thread), tx = feed.sender]() mutable {
            for (Update update : rx) (void)tx.send(std::move(update));
        }).join();
        (void)feed.sender.send(Update{"NXS", 101});
        feed.sender = {};
        session.join();
    });
    EXPECT_EQ(snapshots, 1) << "eight at once are too many for four";
    EXPECT_EQ(sum, 104 + 105 + 106 + 107 + 101);
}

} // namespace
