// Market data: requests and their refusals, snapshots, refreshes, readers that lag, and random flows after which the
// reader's book is the venue's.
#include "market_data.hpp"

#include "gateway_fixture.hpp"
#include "market_view.hpp"
#include "reference_matcher.hpp"

namespace exchange::test {
namespace {

class MarketDataTest : public GatewayTest {
protected:
    /// The fields of a request.
    static std::string request(const std::string& id, char kind, const std::string& types = "012",
                               const std::vector<std::string>& symbols = {"ACME"}) {
        std::string fields = "262=" + id + "|263=" + kind + "|264=0|265=1|267=" + std::to_string(types.size()) + "|";
        for (const char type : types) fields += std::string("269=") + type + "|";
        fields += "146=" + std::to_string(symbols.size()) + "|";
        for (const std::string& symbol : symbols) fields += "55=" + symbol + "|";
        return fields;
    }
    void order(Client& client, const std::string& id, char side, int quantity, const std::string& price,
               const std::string& symbol = "ACME") {
        act(client, "D",
            "11=" + id + "|55=" + symbol + "|54=" + side + "|38=" + std::to_string(quantity) + "|40=2|44=" + price +
                "|");
    }
    /// What follows NoMDEntries in the messages of this type since the last call.
    static std::vector<std::string> entries(Client& client, const std::string& type) {
        std::vector<std::string> all;
        for (const std::string& message : take(client)) {
            if (value_of(message, 35) != type) continue;
            const std::size_t begin = message.find("|268=") + 5;
            all.push_back(message.substr(begin, message.find("10=") - begin));
        }
        return all;
    }
    using Texts = std::vector<std::string>;
};

TEST_F(MarketDataTest, a_snapshot_has_the_levels_of_both_sides_best_first) {
    order(bot, "a", '1', 10, "99");
    order(bot, "b", '1', 5, "100");
    order(bot, "c", '1', 1, "99");
    order(bot, "d", '2', 7, "101");
    act(other, "V", request("m", '0', "012", {"ACME", "ACME"}));
    const std::string snapshot = only(other); // one for each symbol
    expect(snapshot, {{35, "W"}, {262, "m"}, {55, "ACME"}, {268, "3"}, {813, ""}});
    EXPECT_NE(snapshot.find("|268=3|269=0|270=100|271=5|269=0|270=99|271=11|269=1|270=101|271=7|10="), snapshot.npos)
        << snapshot;
    order(bot, "e", '1', 10, "98");
    EXPECT_TRUE(take(other).empty()) << "no subscription: nothing follows";
    EXPECT_TRUE(venue.subscriptions.empty());
}

TEST_F(MarketDataTest, only_what_was_asked_for_is_sent) {
    order(bot, "a", '1', 10, "99");
    order(bot, "b", '2', 10, "101");
    order(other, "x", '2', 1, "99");
    (void)take(other);
    act(other, "V", request("bids", '1', "0"));
    EXPECT_EQ(entries(other, "W"), Texts{"1|269=0|270=99|271=9|"});
    act(other, "V", request("trades", '1', "2"));
    EXPECT_EQ(entries(other, "W"), Texts{"1|269=2|270=99|271=1|"});
    order(bot, "c", '2', 10, "102");
    EXPECT_TRUE(entries(other, "X").empty());
    order(bot, "d", '1', 2, "101");
    EXPECT_EQ(entries(other, "X"), Texts{"1|279=0|269=2|55=ACME|270=101|271=2|"});
    order(bot, "e", '1', 3, "98", "ACME");
    EXPECT_EQ(entries(other, "X"), Texts{"1|279=0|269=0|55=ACME|270=98|271=3|"});
    order(bot, "f", '1', 3, "20", "BOLT");
    EXPECT_TRUE(entries(other, "X").empty());
}

TEST_F(MarketDataTest, refreshes_tell_new_changed_and_deleted_levels_and_trades) {
    act(other, "V", request("m", '1'));
    EXPECT_EQ(entries(other, "W"), Texts{"0|"});
    order(bot, "a", '1', 10, "100");
    EXPECT_EQ(entries(other, "X"), Texts{"1|279=0|269=0|55=ACME|270=100|271=10|"});
    order(bot, "b", '1', 5, "100");
    EXPECT_EQ(entries(other, "X"), Texts{"1|279=1|269=0|55=ACME|270=100|271=15|"});
    act(bot, "G", "11=c|41=a|55=ACME|54=1|38=6|40=2|44=100|");
    EXPECT_EQ(entries(other, "X"), Texts{"1|279=1|269=0|55=ACME|270=100|271=11|"});
    act(bot, "G", "11=d|41=c|55=ACME|54=1|38=6|40=2|44=99|");
    EXPECT_EQ(entries(other, "X"), Texts{"2|279=1|269=0|55=ACME|270=100|271=5|279=0|269=0|55=ACME|270=99|271=6|"});
    order(bot, "e", '2', 7, "99");
    EXPECT_EQ(entries(other, "X"), Texts{"4|279=0|269=2|55=ACME|270=100|271=5|279=2|269=0|55=ACME|270=100|"
                                         "279=0|269=2|55=ACME|270=99|271=2|279=1|269=0|55=ACME|270=99|271=4|"});
    act(bot, "F", "11=f|41=d|55=ACME|54=1|");
    EXPECT_EQ(entries(other, "X"), Texts{"1|279=2|269=0|55=ACME|270=99|"});
    order(bot, "g", '2', 5, "101");
    act(bot, "G", "11=h|41=g|55=ACME|54=2|38=9|40=2|44=101|");
    EXPECT_EQ(entries(other, "X"),
              (Texts{"1|279=0|269=1|55=ACME|270=101|271=5|", "1|279=1|269=1|55=ACME|270=101|271=9|"}));
    act(bot, "D", "11=i|55=ACME|54=1|38=99|40=2|44=101|59=4|");
    act(bot, "D", "11=j|55=ACME|54=1|38=9|40=2|44=100|59=3|");
    EXPECT_TRUE(entries(other, "X").empty()) << "killed orders do not show";
}

TEST_F(MarketDataTest, many_changes_at_once_are_sent_in_small_messages) {
    act(other, "V", request("m", '1'));
    (void)take(other);
    for (int i = 0; i < 50; ++i) {
        venue.send(bot, "D",
                   "11=" + std::to_string(i) + "|55=ACME|54=1|38=1|40=2|44=" + std::to_string(95 + i % 5) + "|");
    }
    venue.step(bot);
    venue.settle();
    std::vector<std::string> counts;
    for (const std::string& message : take(other)) counts.push_back(value_of(message, 268));
    EXPECT_EQ(counts, (Texts{"20", "20", "10"}));
}

TEST_F(MarketDataTest, unsubscribing_ends_it) {
    act(other, "V", request("m", '1'));
    act(other, "V", request("n", '1'));
    (void)take(other);
    venue.send(bot, "D", "11=a|55=ACME|54=1|38=1|40=2|44=95|");
    venue.step(bot); // published, and not yet sent
    const auto ended = venue.subscriptions[0];
    venue.send(other, "V", "262=m|263=2|");
    venue.step(other);
    venue.market.refresh(*ended, *ended->events.try_recv(), venue.instruments, venue.books, venue.now);
    order(bot, "b", '1', 10, "100");
    for (const std::string& message : take(other)) EXPECT_EQ(value_of(message, 262), "n");
    act(other, "V", request("n", '2')); // as others write it
    order(bot, "c", '1', 10, "100");
    EXPECT_TRUE(take(other).empty());
    EXPECT_TRUE(venue.subscriptions.empty());
    act(other, "V", "262=m|263=2|");
    expect(only(other), {{35, "Y"}, {262, "m"}, {281, ""}, {58, "no such subscription"}});
    act(other, "V", request("m", '1'));
    EXPECT_EQ(entries(other, "W").size(), 1u) << "the id is free again";
}

TEST_F(MarketDataTest, requests_are_refused_with_a_reason) {
    const auto expect_refused = [&](const std::string& fields, const char* reason, const char* text) {
        act(bot, "V", fields);
        expect(only(bot), {{35, "Y"}, {262, value_of("|" + fields, 262)}, {281, reason}, {58, text}});
    };
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string fields = request("r", '1');
        return fields.replace(fields.find(from), from.size(), to);
    };
    expect_refused(request("r", '1', "0", {"NONE"}), "0", "unknown symbol");
    expect_refused(request("r", '1', "0", {"ACME", "NONE"}), "0", "unknown symbol");
    expect_refused(with("263=1", "263=3"), "4", "unsupported SubscriptionRequestType");
    expect_refused(with("264=0", "264=1"), "5", "MarketDepth has to be 0, the whole book");
    expect_refused(with("264=0", "264=-1"), "5", "MarketDepth has to be 0, the whole book");
    expect_refused(with("265=1", "265=0"), "6", "MDUpdateType has to be 1, incremental");
    expect_refused(request("r", '1') + "266=N|", "7", "only aggregated books");
    expect_refused(request("r", '1', "03"), "8", "unsupported MDEntryType");
    expect_refused(with("269=0", "269=00"), "8", "unsupported MDEntryType");
    expect_refused(request(std::string(65, 'x'), '1'), "", "MDReqID is too long");
    act(bot, "V", request("r", '1') + "266=Y|");
    EXPECT_EQ(entries(bot, "W").size(), 1u);
    expect_refused(request("r", '1'), "1", "duplicate MDReqID");
    for (const char* id : {"s", "t"}) act(bot, "V", request(id, '1'));
    (void)take(bot);
    expect_refused(request("u", '1'), "2", "too many subscriptions");
    act(bot, "V", request("u", '0'));
    EXPECT_EQ(entries(bot, "W").size(), 1u) << "a snapshot alone is none";
    act(other, "V", request("r", '1'));
    EXPECT_EQ(entries(other, "W").size(), 1u) << "every session has its own";
}

TEST_F(MarketDataTest, missing_and_malformed_fields_are_rejected_with_their_tag) {
    const std::string good = request("r", '1', "01", {"ACME", "BOLT"});
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string fields = good;
        return fields.replace(fields.find(from), from.size(), to);
    };
    for (const int tag : {262, 263, 264, 265}) {
        const std::string field = std::to_string(tag) + "=" + value_of("|" + good, tag) + "|";
        expect_rejected("V", with(field, ""), tag, 1);
    }
    expect_rejected("V", with("146=2|", ""), 146, 1);
    expect_rejected("V", with("267=2|", ""), 267, 1);
    expect_rejected("V", with("264=0", "264=all"), 264, 6);
    expect_rejected("V", with("267=2", "267=3"), 267, 16);
    expect_rejected("V", with("146=2", "146=1"), 146, 16);
    expect_rejected("V", "262=r|263=1|264=0|265=1|267=1|269=0|146=0|", 146, 16);
    expect_rejected("V", good + "266=maybe|", 266, 6);
    EXPECT_TRUE(venue.subscriptions.empty());
}

TEST_F(MarketDataTest, a_reader_that_lags_is_told_and_gets_a_fresh_snapshot) {
    act(other, "V", request("m", '1', "012", {"ACME", "BOLT"}));
    MarketView view;
    for (const std::string& message : take(other)) view.take(message);
    for (int i = 0; i < 100; ++i) { // more than the 64 that are kept
        venue.send(bot, "D", "11=" + std::to_string(i) + "|55=ACME|54=1|38=1|40=2|44=9" + std::to_string(i % 10) + "|");
        (void)venue.step(bot); // nobody feeds the subscription meanwhile
    }
    venue.settle();
    const auto messages = take(other);
    ASSERT_EQ(messages.size(), 2u);
    expect(messages[0], {{35, "W"}, {262, "m"}, {55, "ACME"}, {813, "36"}, {814, "1"}});
    expect(messages[1], {{35, "W"}, {262, "m"}, {55, "BOLT"}, {813, "36"}, {814, "1"}});
    for (const std::string& message : messages) view.take(message);
    const auto price = [](Ticks ticks) { return std::to_string(ticks / 100); };
    EXPECT_TRUE(view.shows("ACME", venue.books.all[0], price));
    order(bot, "later", '1', 5, "100");
    for (const std::string& message : take(other)) view.take(message);
    EXPECT_TRUE(view.shows("ACME", venue.books.all[0], price)) << "and it goes on from there";
    EXPECT_EQ(view.faults, 0);
}

TEST_F(MarketDataTest, a_subscription_ends_with_its_connection_and_is_never_resent) {
    act(bot, "V", request("m", '1'));
    order(other, "x", '1', 10, "100");
    EXPECT_EQ(take(bot).size(), 2u);
    order(bot, "a", '2', 1, "105");
    venue.send(other, "D", "11=y|55=ACME|54=1|38=1|40=2|44=105|"); // fills a
    (void)venue.step(other);
    (void)venue.feed();
    (void)take(bot);
    venue.drop(bot); // the report and the refresh are lost
    EXPECT_TRUE(venue.subscriptions.empty());
    venue.connect(bot);
    venue.settle();
    expect(only(bot), {{35, "8"}, {150, "F"}, {43, "Y"}});
    EXPECT_TRUE(bot.session.is_logged_on());
    act(bot, "V", request("m", '1'));
    EXPECT_EQ(entries(bot, "W"), Texts{"2|269=0|270=100|271=10|269=2|270=105|271=1|"});
}

TEST(MarketData, of_random_flows_builds_the_venues_books_and_counts_its_trades) {
    std::uint64_t lags = 0;
    for (unsigned seed = 1; seed <= 12; ++seed) {
        Venue venue{4};
        std::mt19937 random{seed};
        venue.connect_all();
        Client& reader = *venue.bots[0];
        venue.send(reader, "V", "262=m|263=1|264=0|265=1|267=3|269=0|269=1|269=2|146=1|55=BOLT|");
        venue.settle();
        MarketView view;
        const bool often = seed % 2 == 0;
        for (int i = 0; i < 600; ++i) {
            Client& bot = *venue.bots[1 + random() % 3];
            random_action(venue, bot, random);
            (void)venue.step(bot);
            if (random() % (often ? 3 : 60) == 0) venue.settle();
        }
        venue.settle();
        for (const std::string& message : reader.received)
            if (message.find("|262=m|") != message.npos) view.take(message);
        const Instrument& bolt = venue.instruments.all[1];
        const auto price = [&](Ticks ticks) {
            fix::Fields text;
            text.add(1, bolt.to_decimal(ticks));
            return std::string{text.text().substr(2, text.text().size() - 3)};
        };
        ASSERT_TRUE(view.shows("BOLT", venue.books.all[1], price)) << "seed " << seed;
        ASSERT_EQ(view.faults, 0) << "seed " << seed;
        EXPECT_GT(view.levels.size(), 0u);
        lags += view.missed > 0 ? 1 : 0;
        if (view.missed > 0) continue;
        std::size_t fills = 0;
        for (const ReferenceFill& fill : ReferenceMatcher{venue.journal.text()}.fills)
            if (venue.orders.at(fill.taker).instrument == 1) ++fills;
        EXPECT_EQ(view.trades.size(), fills) << "seed " << seed;
        EXPECT_GT(fills, 10u);
    }
    EXPECT_GT(lags, 2u);
    EXPECT_LT(lags, 10u);
}

} // namespace
} // namespace exchange::test
