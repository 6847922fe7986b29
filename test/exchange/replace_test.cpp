// OrderCancelReplaceRequest and OrderStatusRequest: every outcome, as the client sees it.
#include "gateway_fixture.hpp"

namespace exchange::test {
namespace {

class ReplaceTest : public GatewayTest {
protected:
    /// A replace of the order whose ClOrdID is `original`.
    static std::string request(const std::string& id, const std::string& original, int quantity,
                               const std::string& price, const std::string& side = "1") {
        return "11=" + id + "|41=" + original + "|55=ACME|54=" + side + "|38=" + std::to_string(quantity) +
               "|40=2|44=" + price + "|";
    }

    void buy(Client& client, const std::string& id, int quantity, const std::string& price) {
        act(client, "D", "11=" + id + "|55=ACME|54=1|38=" + std::to_string(quantity) + "|40=2|44=" + price + "|");
        (void)take(client);
    }

    /// Sells that much and says whose orders it met, in order: "bot 4, other 2".
    std::string sell(int quantity) {
        static int number = 0;
        (void)take(bot), (void)take(other);
        const auto lines = venue.journal.text().size();
        act(other, "D",
            "11=sell" + std::to_string(++number) + "|55=ACME|54=2|38=" + std::to_string(quantity) + "|40=1|");
        std::istringstream in{venue.journal.text().substr(lines)};
        std::string met;
        for (std::string line; std::getline(in, line);) {
            std::istringstream words{line};
            std::string kind, time, taker, maker, price, filled;
            words >> kind >> time >> taker >> maker >> price >> filled;
            if (kind == "F") met += (met.empty() ? "" : ", ") + maker + ":" + filled;
        }
        (void)take(bot), (void)take(other);
        return met;
    }

    void expect_refused(const std::string& fields, const char* reason, const std::string& text) {
        const auto records = venue.journal.lines();
        act(bot, "G", fields);
        expect(only(bot), {{35, "9"},
                           {102, reason},
                           {434, "2"},
                           {58, text},
                           {11, value_of("|" + fields, 11)},
                           {41, value_of("|" + fields, 41)}});
        EXPECT_EQ(venue.journal.lines(), records) << "a refused request changes nothing";
    }
};

TEST_F(ReplaceTest, is_reported_with_both_ids_and_the_new_terms) {
    buy(bot, "a", 10, "99");
    act(bot, "G", request("b", "a", 20, "99.50"));
    expect(only(bot), {{35, "8"},
                       {150, "5"},
                       {39, "0"},
                       {37, "1"},
                       {11, "b"},
                       {41, "a"},
                       {38, "20"},
                       {44, "99.5"},
                       {151, "20"},
                       {14, "0"}});
    EXPECT_EQ(venue.books.all[0].best(Side::buy), 9950);
    EXPECT_EQ(venue.books.all[0].quantity_at(Side::buy, 9900), 0);
    EXPECT_EQ(venue.orders.totals.replaced, 1u);
    EXPECT_NE(venue.journal.text().find("R 1767344400000000000 1 9950 20\n"), std::string::npos);
    act(other, "D", "11=x|55=ACME|54=2|38=20|40=2|44=99.50|");
    expect(only(bot), {{150, "F"}, {11, "b"}, {41, ""}, {14, "20"}, {39, "2"}});
}

TEST_F(ReplaceTest, less_quantity_at_the_same_price_keeps_the_place) {
    buy(bot, "a", 10, "100");
    buy(other, "x", 10, "100");
    act(bot, "G", request("b", "a", 6, "100"));
    EXPECT_EQ(venue.books.all[0].quantity_at(Side::buy, 10'000), 16);
    EXPECT_EQ(sell(8), "1:6, 2:2");
}

TEST_F(ReplaceTest, the_same_terms_again_keep_the_place) {
    buy(bot, "a", 10, "100");
    buy(other, "x", 10, "100");
    act(bot, "G", request("b", "a", 10, "100"));
    EXPECT_EQ(sell(12), "1:10, 2:2");
}

TEST_F(ReplaceTest, more_quantity_goes_behind_the_others) {
    buy(bot, "a", 10, "100");
    buy(other, "x", 10, "100");
    act(bot, "G", request("b", "a", 11, "100"));
    EXPECT_EQ(sell(12), "2:10, 1:2");
}

TEST_F(ReplaceTest, another_price_and_back_goes_behind_the_others) {
    buy(bot, "a", 10, "100");
    buy(other, "x", 10, "100");
    act(bot, "G", request("b", "a", 10, "99"));
    act(bot, "G", request("c", "b", 5, "100"));
    EXPECT_EQ(sell(12), "2:10, 1:2");
}

TEST_F(ReplaceTest, of_a_partly_filled_order_counts_what_is_filled) {
    buy(bot, "a", 10, "100");
    buy(other, "x", 10, "100");
    EXPECT_EQ(sell(4), "1:4");
    act(bot, "G", request("b", "a", 9, "100")); // less than 10: 5 left instead of 6
    expect(only(bot), {{150, "5"}, {39, "1"}, {38, "9"}, {14, "4"}, {151, "5"}, {6, "100"}});
    EXPECT_EQ(sell(6), "1:5, 2:1");
    EXPECT_EQ(venue.orders.at(1).status, Status::filled);
}

TEST_F(ReplaceTest, more_for_a_partly_filled_order_loses_the_place_but_not_its_fills) {
    buy(bot, "a", 10, "100");
    buy(other, "x", 10, "100");
    EXPECT_EQ(sell(4), "1:4");
    act(bot, "G", request("b", "a", 12, "100"));
    expect(only(bot), {{150, "5"}, {39, "1"}, {38, "12"}, {14, "4"}, {151, "8"}});
    EXPECT_EQ(sell(18), "2:10, 1:8");
}

TEST_F(ReplaceTest, quantity_that_is_filled_already_is_refused) {
    buy(bot, "a", 10, "100");
    EXPECT_EQ(sell(4), "1:4");
    for (const int quantity : {4, 3, 1})
        expect_refused(request("b", "a", quantity, "100"), "99", "as much as the new quantity is filled already");
    act(bot, "G", request("b", "a", 5, "100"));
    expect(only(bot), {{150, "5"}, {151, "1"}, {14, "4"}});
}

TEST_F(ReplaceTest, a_price_that_meets_the_other_side_fills_at_the_price_of_who_rested) {
    act(other, "D", "11=x|55=ACME|54=2|38=4|40=2|44=101|");
    buy(bot, "a", 10, "100");
    act(bot, "G", request("b", "a", 10, "102"));
    const auto reports = take(bot);
    ASSERT_EQ(reports.size(), 2u);
    expect(reports[0], {{150, "5"}, {39, "0"}, {41, "a"}, {151, "10"}});
    expect(reports[1], {{150, "F"}, {39, "1"}, {11, "b"}, {41, ""}, {31, "101"}, {32, "4"}, {151, "6"}});
    EXPECT_EQ(venue.books.all[0].best(Side::buy), 10'200);
    EXPECT_EQ(venue.books.all[0].best(Side::sell), std::nullopt);
}

TEST_F(ReplaceTest, a_chain_is_known_by_its_last_id) {
    buy(bot, "a", 10, "100");
    act(bot, "G", request("b", "a", 9, "100"));
    act(bot, "G", request("c", "b", 8, "100"));
    expect(take(bot).back(), {{150, "5"}, {11, "c"}, {41, "b"}, {37, "1"}});
    for (const char* old : {"a", "b"})
        expect_refused(request("d", old, 7, "100"), "99", "OrigClOrdID is not the order's last ClOrdID");
    for (const char* used : {"a", "b", "c"}) {
        expect_refused(request(used, "c", 7, "100"), "6", "duplicate ClOrdID");
        act(bot, "D", order_with(11, used));
        expect(only(bot), {{150, "8"}, {103, "6"}});
    }
    act(bot, "F", "11=d|41=b|55=ACME|54=1|");
    expect(only(bot), {{35, "9"}, {102, "99"}, {434, "1"}});
    act(bot, "F", "11=d|41=c|55=ACME|54=1|");
    expect(only(bot), {{150, "4"}, {39, "4"}, {11, "d"}, {41, "c"}});
    expect_refused(request("e", "c", 7, "100"), "0", "too late");
    EXPECT_EQ(venue.books.all[0].resting(), 0u);
}

TEST_F(ReplaceTest, of_a_long_chain_the_last_ids_are_remembered) {
    buy(bot, "0", 10, "100");
    const int links = static_cast<int>(Orders::longest_chain) + 20;
    for (int i = 1; i <= links; ++i)
        act(bot, "G", request(std::to_string(i), std::to_string(i - 1), 10, i % 2 == 0 ? "100" : "99"));
    EXPECT_EQ(venue.orders.totals.replaced, static_cast<std::uint64_t>(links));
    EXPECT_EQ(venue.orders.find(*bot.at_server, "20"), nullptr);
    EXPECT_NE(venue.orders.find(*bot.at_server, "21"), nullptr);
    (void)take(bot);
    act(bot, "F", "11=end|41=" + std::to_string(links) + "|55=ACME|54=1|");
    expect(only(bot), {{150, "4"}});
}

TEST_F(ReplaceTest, refusals_name_their_reason) {
    venue.limits.max_notional = 200'000;
    buy(bot, "a", 10, "100");
    buy(bot, "done", 1, "101");
    EXPECT_EQ(sell(1), "2:1");
    buy(other, "x", 10, "100");
    expect_refused(request("b", "nothing", 10, "100"), "1", "unknown order");
    expect_refused(request("b", "x", 10, "100"), "1", "unknown order"); // another's
    expect_refused(request("b", "done", 10, "100"), "0", "too late");
    expect_refused(request("b", "a", 10, "100", "2"), "99", "the order has another side");
    expect_refused("11=b|41=a|55=BOLT|54=1|38=10|40=2|44=20|", "99", "the order has another symbol");
    expect_refused(request("a", "a", 10, "100"), "6", "duplicate ClOrdID");
    expect_refused(request(std::string(65, 'x'), "a", 10, "100"), "99", "ClOrdID is too long");
    expect_refused(request("b", "a", 0, "100"), "99", "quantity is not positive");
    expect_refused(request("b", "a", -10, "100"), "99", "quantity is not positive");
    expect_refused(request("b", "a", 1001, "100"), "2", "quantity above the limit");
    expect_refused(request("b", "a", 1000, "110.01"), "99", "price outside the band around the reference price");
    expect_refused(request("b", "a", 10, "100.001"), "99", "price is not a multiple of the tick");
    expect_refused(request("b", "a", 10, "-100"), "99", "price is not positive");
    expect_refused("11=b|41=a|55=ACME|54=1|38=1.5|40=2|44=100|", "99", "quantity is not a whole number");
    expect_refused("11=b|41=a|55=ACME|54=1|38=10|40=1|", "99", "only price and quantity can change");
    expect_refused(request("b", "a", 10, "100") + "59=3|", "99", "only price and quantity can change");
    expect_refused(request("b", "a", 10, "100") + "59=4|", "99", "only price and quantity can change");
    venue.limits.max_notional = 1'000;
    expect_refused(request("b", "a", 11, "100"), "2", "notional of the open orders above the limit");
    act(bot, "G", request("b", "a", 10, "100"));
    expect(only(bot), {{150, "5"}, {39, "0"}, {151, "10"}});
}

TEST_F(ReplaceTest, missing_and_malformed_fields_are_rejected_with_their_tag) {
    buy(bot, "a", 10, "100");
    for (const int missing : {11, 41, 55, 54, 38, 40, 44}) {
        std::string fields;
        for (const auto& [tag, text] : std::vector<std::pair<int, const char*>>{
                 {11, "b|"}, {41, "a|"}, {55, "ACME|"}, {54, "1|"}, {38, "5|"}, {40, "2|"}, {44, "100|"}})
            if (tag != missing) fields += std::to_string(tag) + "=" + text;
        expect_rejected("G", fields, missing, 1);
    }
    expect_rejected("G", "11=b|41=a|55=ACME|54=1|38=many|40=2|44=100|", 38, 6);
    EXPECT_EQ(venue.orders.totals.replaced, 0u);
    EXPECT_EQ(venue.books.all[0].quantity_at(Side::buy, 10'000), 10);
}

class StatusTest : public GatewayTest {
protected:
    void expect_status(const std::string& id, std::vector<std::pair<int, std::string>> fields) {
        const auto records = venue.journal.lines();
        (void)take(bot);
        act(bot, "H", "11=" + id + "|55=ACME|54=1|");
        const std::string report = only(bot);
        expect(report, {{35, "8"}, {150, "I"}, {32, ""}, {31, ""}});
        expect(report, std::move(fields));
        EXPECT_EQ(venue.journal.lines(), records);
    }
};

TEST_F(StatusTest, tells_each_state_of_an_order) {
    act(bot, "D", order_with(0, ""));
    expect_status("a", {{39, "0"}, {37, "1"}, {38, "10"}, {44, "100"}, {151, "10"}, {14, "0"}, {6, "0"}, {11, "a"}});
    act(other, "D", "11=x|55=ACME|54=2|38=4|40=1|");
    expect_status("a", {{39, "1"}, {151, "6"}, {14, "4"}, {6, "100"}});
    act(bot, "G", "11=b|41=a|55=ACME|54=1|38=12|40=2|44=101|");
    for (const char* name : {"a", "b"}) expect_status(name, {{39, "1"}, {11, "b"}, {38, "12"}, {151, "8"}, {14, "4"}});
    act(other, "D", "11=y|55=ACME|54=2|38=8|40=1|");
    expect_status("b", {{39, "2"}, {151, "0"}, {14, "12"}});
    act(bot, "D", "11=c|55=ACME|54=1|38=5|40=2|44=99|");
    act(bot, "F", "11=d|41=c|55=ACME|54=1|");
    expect_status("c", {{39, "4"}, {151, "0"}, {14, "0"}, {11, "d"}});
}

TEST_F(StatusTest, of_an_unknown_order_is_rejected) {
    act(bot, "D", order_with(0, ""));
    const auto refused = venue.orders.totals.refused;
    const std::vector<std::pair<int, std::string>> unknown{{39, "8"}, {103, "5"}, {37, "NONE"}, {58, "unknown order"}};
    expect_status("nothing", unknown);
    (void)take(bot);
    for (const char* other_terms : {"11=a|55=BOLT|54=1|", "11=a|55=ACME|54=2|", "11=a|55=NONE|54=1|"}) {
        act(bot, "H", other_terms);
        expect(only(bot), {{150, "I"}, {39, "8"}, {103, "5"}, {11, "a"}});
    }
    (void)take(other);
    act(other, "H", "11=a|55=ACME|54=1|");
    expect(only(other), {{150, "I"}, {39, "8"}});
    EXPECT_EQ(venue.orders.totals.refused, refused) << "a question is no order";
}

TEST_F(StatusTest, echoes_the_id_of_the_question) {
    act(bot, "D", order_with(0, ""));
    (void)take(bot);
    act(bot, "H", "11=a|55=ACME|54=1|790=question|");
    const std::string first = only(bot);
    expect(first, {{790, "question"}, {150, "I"}});
    act(bot, "H", "11=b|55=ACME|54=1|790=other|");
    const std::string second = only(bot);
    expect(second, {{790, "other"}, {39, "8"}});
    EXPECT_NE(value_of(first, 17), value_of(second, 17)) << "ExecIDs are unique";
}

TEST_F(StatusTest, missing_fields_are_rejected_with_their_tag) {
    expect_rejected("H", "55=ACME|54=1|", 11, 1);
    expect_rejected("H", "11=a|54=1|", 55, 1);
    expect_rejected("H", "11=a|55=ACME|", 54, 1);
    expect_rejected("H", "11=a|55=ACME|54=12|", 54, 6);
}

} // namespace
} // namespace exchange::test
