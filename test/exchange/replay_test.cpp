// The whole exchange under random order flow: the reference matcher finds the same fills in the journal, each client's
// ledger is the server's, and the same seed gives the same journal.
#include "reference_matcher.hpp"
#include "venue.hpp"

#include <gtest/gtest.h>

namespace exchange::test {
namespace {

/// Random orders of random clients, sent in bursts; with `unreliable`, connections drop and come back.
void trade(Venue& venue, unsigned seed, int actions, bool unreliable) {
    std::mt19937 random{seed};
    venue.keep_messages = false;
    venue.connect_all();
    for (int i = 0; i < actions; ++i) {
        venue.now += std::chrono::microseconds{random() % 1000};
        Client& bot = *venue.bots[random() % venue.bots.size()];
        random_action(venue, bot, random);
        if (random() % 3 == 0) (void)venue.step(*venue.bots[random() % venue.bots.size()]);
        if (unreliable && random() % 50 == 0) {
            Client& victim = *venue.bots[random() % venue.bots.size()];
            if (victim.up)
                venue.drop(victim);
            else
                venue.connect(victim);
        }
    }
    for (const auto& bot : venue.bots)
        if (!bot->up) venue.connect(*bot);
    venue.settle();
    for (int i = 0; i < 4; ++i) { // heartbeats show a side that it missed the other's last messages
        venue.now += std::chrono::seconds{31};
        for (const auto& bot : venue.bots) {
            bot->session.on_tick(venue.now);
            bot->at_server->on_tick(venue.now);
        }
        venue.settle();
    }
}

void expect_ledgers_equal(const Venue& venue, const ReferenceMatcher& reference) {
    std::size_t traded = 0;
    for (const auto& bot : venue.bots) {
        EXPECT_EQ(bot->unreadable, 0);
        const std::string& name = bot->at_server->peer();
        const auto expected = reference.positions.find(name);
        const auto& own = bot->ledger.positions;
        ASSERT_EQ(expected != reference.positions.end(), !own.empty()) << name;
        if (own.empty()) continue;
        ASSERT_EQ(own.size(), expected->second.size()) << name;
        for (const auto& [symbol, position] : own) {
            const ReferencePosition mine{position.shares, position.money};
            EXPECT_EQ(mine, expected->second.at(symbol)) << name << " " << symbol;
            ++traded;
        }
    }
    EXPECT_GT(traded, 0u);
}

/// What each session has open is what its live orders sum up to.
void expect_exposures_right(Venue& venue) {
    std::map<const Session*, Exposure> expected;
    for (OrderId id = 1; id <= venue.orders.size(); ++id) {
        const OrderState& state = venue.orders.at(id);
        const auto& tick = venue.instruments.all[state.instrument].tick;
        if (state.is_live()) expected[state.owner].add({1, {state.order.price * tick.units * state.leaves()}});
    }
    for (const auto& bot : venue.bots)
        EXPECT_EQ(venue.orders.exposure(*bot->at_server), expected[bot->at_server]) << bot->at_server->peer();
}

TEST(Replay, reference_matcher_finds_the_fills_and_ledgers_of_random_flows) {
    std::uint64_t replaced = 0;
    for (unsigned seed = 1; seed <= 40; ++seed) {
        Venue venue{6};
        trade(venue, seed, 400, false);
        const ReferenceMatcher reference{venue.journal.text()};
        ASSERT_EQ(reference.faults, 0) << "seed " << seed;
        ASSERT_GT(reference.fills.size(), 20u) << "seed " << seed;
        ASSERT_EQ(reference.journalled, reference.fills) << "seed " << seed;
        EXPECT_EQ(venue.orders.totals.fills, reference.fills.size());
        replaced += venue.orders.totals.replaced;
        expect_exposures_right(venue);
        expect_ledgers_equal(venue, reference);
    }
    EXPECT_GT(replaced, 50u);
}

TEST(Replay, dropped_connections_lose_no_report_and_repeat_none) {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        Venue venue{6};
        trade(venue, seed, 400, true);
        const ReferenceMatcher reference{venue.journal.text()};
        ASSERT_EQ(reference.journalled, reference.fills) << "seed " << seed;
        for (const auto& bot : venue.bots) ASSERT_TRUE(bot->session.is_logged_on()) << bot->session.reason();
        expect_ledgers_equal(venue, reference);
        if (HasFailure()) FAIL() << "seed " << seed;
    }
}

TEST(Replay, ten_thousand_orders_of_one_seed_give_the_same_journal_twice) {
    const auto run = [](unsigned seed) {
        Venue venue{10};
        trade(venue, seed, 13'500, true); // three of four actions are orders
        EXPECT_GE(venue.orders.totals.accepted + venue.orders.totals.refused, 10'000u);
        EXPECT_GT(venue.orders.totals.replaced, 100u);
        EXPECT_GT(std::ranges::count(venue.journal.text(), 'R'), 100);
        return std::pair{venue.journal.hash(), venue.journal.lines()};
    };
    const auto first = run(1);
    EXPECT_EQ(run(1), first);
    EXPECT_NE(run(2), first);
    EXPECT_GT(first.second, 10'000u);
}

TEST(Ledger, books_fills_and_nothing_else) {
    const Instruments instruments{{{"ACME", fix::Decimal{fix::Decimal::one / 100}, 10'000}}};
    Ledger ledger;
    const auto book = [&](const char* body) {
        const std::string text = whole(body);
        return ledger.book_report(fix::Message{text}, instruments);
    };
    EXPECT_TRUE(book("35=8|150=0|55=ACME|54=1|"));
    EXPECT_TRUE(ledger.positions.empty());
    EXPECT_TRUE(book("35=8|150=F|55=ACME|54=1|32=5|31=100.01|"));
    EXPECT_TRUE(book("35=8|150=F|55=ACME|54=2|32=2|31=99|"));
    EXPECT_EQ(ledger.positions.at("ACME"), (Position{3, -30'205}));
    for (const char* bad : {"35=8|", "35=8|150=F|55=ACME|54=1|32=5|", "35=8|150=F|55=BOLT|54=1|32=5|31=100|",
                            "35=8|150=F|55=ACME|54=1|32=5|31=100.001|"})
        EXPECT_FALSE(book(bad)) << bad;
    EXPECT_EQ(ledger.positions.at("ACME"), (Position{3, -30'205}));
}

} // namespace
} // namespace exchange::test
