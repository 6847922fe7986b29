// The program "Time, channels, cancellation, select" of the design, as it is written there.
#include "nexus/runtime/runtime.hpp"
#include "nexus/sync/sync.hpp"

#include <gtest/gtest.h>

#include <thread>

using namespace std::chrono_literals;

namespace {

struct Quote {
    int price;
};

// clang-format off
    void consume(nexus::mpsc::Receiver<Quote> rx, nexus::CancellationToken stop, int& seen) {
        nexus::Result<Quote> first = nexus::timeout(5s, [&] { return rx.recv(); });   // errc::timed_out after 5 s
        if (first) ++seen;
        nexus::Interval tick = nexus::interval(16ms);
        tick.set_missed_tick_behavior(nexus::MissedTickBehavior::skip);
        for (int ticks = 0; ticks < 3;) {
            switch (nexus::select(rx, stop, tick)) {         // waits until one is ready, consumes nothing
                case 0: if (auto quote = rx.try_recv()) { ++seen; break; } else return;    // every sender is gone
                case 1: return;
                case 2: tick.tick(); ++ticks; break;
            }
        }
        for (Quote quote : rx) seen += quote.price > 0;      // until every sender is gone or the scope ends
    }

    int channels() {                                         // run inside block_on
        auto [tx, rx] = nexus::mpsc::channel<Quote>(1024);   // tx: copyable, usable from any thread
        nexus::CancellationToken root;
        int seen = 0;
        auto consumer = nexus::spawn(consume, std::move(rx), root.child(), std::ref(seen));
        std::jthread feed([tx = std::move(tx)] { for (int i = 1; i <= 4; ++i) (void)tx.try_send(Quote{i}); });
        consumer.join();
        return seen;                                         // 4
    }
// clang-format on

TEST(DesignProgram, channels) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    EXPECT_EQ(runtime.block_on(channels), 4);
}

} // namespace
