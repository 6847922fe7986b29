// Limits on what a session has open, fill-or-kill orders, and how the configuration's limits are checked.
#include "gateway_fixture.hpp"
#include "settings.hpp"

namespace exchange::test {
namespace {

class LimitsTest : public GatewayTest {
protected:
    std::string outcome(Client& client, const std::string& fields) {
        (void)take(client);
        act(client, "D", fields);
        const auto reports = take(client);
        EXPECT_FALSE(reports.empty());
        if (reports.empty()) return "";
        const std::string& first = reports.front();
        return value_of(first, 150) + (value_of(first, 150) == "8" ? ": " + value_of(first, 58) : "");
    }
    std::string buy(Client& client, const std::string& id, int quantity, const std::string& price,
                    const std::string& further = "") {
        return outcome(client, "11=" + id + "|55=ACME|54=1|38=" + std::to_string(quantity) + "|40=2|44=" + price + "|" +
                                   further);
    }

    static constexpr auto too_much = "8: notional of the open orders above the limit";
    static constexpr auto too_many = "8: too many open orders";
};

TEST_F(LimitsTest, notional_of_all_open_orders_may_reach_the_limit) {
    venue.limits.max_notional = 2'000;
    EXPECT_EQ(buy(bot, "a", 15, "100"), "0");
    EXPECT_EQ(buy(bot, "b", 6, "100"), too_much);
    EXPECT_EQ(outcome(bot, "11=b|55=ACME|54=2|38=5|40=2|44=100.01|"), too_much) << "both sides count";
    EXPECT_EQ(buy(bot, "b", 5, "100"), "0");
    EXPECT_EQ(buy(bot, "c", 1, "90"), too_much);
    EXPECT_EQ(outcome(bot, "11=c|55=BOLT|54=1|38=1|40=2|44=18|"), too_much) << "all instruments count";
    EXPECT_EQ(venue.orders.exposure(*bot.at_server), (Exposure{2, *fix::parse_decimal("2000")}));
    EXPECT_EQ(buy(other, "a", 20, "99"), "0") << "every session has its own";
}

TEST_F(LimitsTest, what_is_filled_cancelled_or_replaced_counts_no_more) {
    venue.limits.max_notional = 2'000;
    EXPECT_EQ(buy(bot, "a", 20, "100"), "0");
    act(other, "D", "11=x|55=ACME|54=2|38=5|40=1|");
    EXPECT_EQ(buy(bot, "b", 6, "100"), too_much);
    EXPECT_EQ(buy(bot, "b", 5, "100"), "0");
    act(bot, "F", "11=c|41=b|55=ACME|54=1|");
    EXPECT_EQ(venue.orders.exposure(*bot.at_server), (Exposure{1, *fix::parse_decimal("1500")}));
    act(bot, "G", "11=d|41=a|55=ACME|54=1|38=15|40=2|44=90|"); // 10 left
    EXPECT_EQ(venue.orders.exposure(*bot.at_server), (Exposure{1, *fix::parse_decimal("900")}));
    EXPECT_EQ(buy(bot, "e", 11, "100"), "0");
    (void)take(bot);
    act(bot, "G", "11=f|41=d|55=ACME|54=1|38=16|40=2|44=90|");
    expect(only(bot), {{35, "9"}, {102, "2"}, {434, "2"}});
    act(other, "D", "11=y|55=ACME|54=2|38=11|40=1|");
    act(other, "D", "11=z|55=ACME|54=2|38=10|40=1|");
    EXPECT_EQ(venue.orders.exposure(*bot.at_server), Exposure{});
}

TEST_F(LimitsTest, orders_that_do_not_rest_count_only_while_they_are_looked_at) {
    venue.limits.max_notional = 1'100;
    venue.limits.max_open_orders = 1;
    for (const char* id : {"a", "b", "c"}) EXPECT_EQ(buy(bot, id, 10, "100", "59=3|"), "0");
    for (const char* id : {"d", "e", "f"}) EXPECT_EQ(buy(bot, id, 10, "100", "59=4|"), "0");
    EXPECT_EQ(buy(bot, "g", 11, "100.01", "59=3|"), too_much);
    // A market order may have to pay the dearest price of the band, which is 110 here.
    EXPECT_EQ(outcome(bot, "11=h|55=ACME|54=1|38=10|40=1|"), "0");
    EXPECT_EQ(outcome(bot, "11=i|55=ACME|54=1|38=11|40=1|"), too_much);
    EXPECT_EQ(venue.orders.exposure(*bot.at_server), Exposure{});
}

TEST_F(LimitsTest, so_many_orders_may_be_open_and_no_more) {
    venue.limits.max_open_orders = 2;
    EXPECT_EQ(buy(bot, "a", 1, "99"), "0");
    EXPECT_EQ(buy(bot, "b", 1, "98"), "0");
    EXPECT_EQ(buy(bot, "c", 1, "97"), too_many);
    EXPECT_EQ(buy(bot, "c", 1, "97", "59=3|"), "0") << "it cannot stay open";
    EXPECT_EQ(buy(other, "a", 1, "97"), "0");
    (void)take(bot);
    act(bot, "G", "11=d|41=b|55=ACME|54=1|38=5|40=2|44=96|");
    expect(only(bot), {{150, "5"}});
    act(other, "D", "11=x|55=ACME|54=2|38=1|40=1|"); // fills a
    EXPECT_EQ(buy(bot, "e", 1, "95"), "0");
    EXPECT_EQ(buy(bot, "f", 1, "94"), too_many);
    act(bot, "F", "11=g|41=d|55=ACME|54=1|");
    EXPECT_EQ(buy(bot, "f", 1, "94"), "0");
}

TEST_F(LimitsTest, numbers_that_no_notional_can_hold_are_above_the_limit) {
    const Instrument dear{"DEAR", fix::Decimal{fix::Decimal::one}, 1'000'000'000'000};
    RiskLimits limits;
    limits.max_notional = 90'000'000'000;
    const NewOrder order{1, Side::buy, OrderType::limit, TimeInForce::day, 1'000'000'000'000, 1'000'000};
    for (const Quantity quantity : {Quantity{1}, Quantity{1'000'000}, std::numeric_limits<Quantity>::max()})
        EXPECT_TRUE(check_exposure(limits, dear, order, quantity, {})) << quantity;
    const NewOrder cheap{1, Side::buy, OrderType::limit, TimeInForce::day, 1, 1};
    EXPECT_FALSE(check_exposure(limits, dear, cheap, 1, {}));
    EXPECT_TRUE(check_exposure(limits, dear, cheap, 1, {0, {std::numeric_limits<std::int64_t>::max()}}));
}

TEST_F(LimitsTest, fill_or_kill_is_filled_whole_or_not_at_all) {
    act(other, "D", "11=x|55=ACME|54=2|38=4|40=2|44=100|");
    act(other, "D", "11=y|55=ACME|54=2|38=4|40=2|44=101|");
    act(other, "D", "11=z|55=ACME|54=2|38=9|40=2|44=102|");
    act(bot, "D", "11=a|55=ACME|54=1|38=9|40=2|44=101|59=4|");
    auto reports = take(bot);
    ASSERT_EQ(reports.size(), 2u);
    expect(reports[0], {{150, "0"}, {39, "0"}, {59, "4"}, {151, "9"}});
    expect(reports[1], {{150, "4"}, {39, "4"}, {151, "0"}, {14, "0"}, {41, ""}});
    EXPECT_EQ(venue.orders.totals.fills, 0u);
    EXPECT_EQ(venue.books.all[0].quantity_at(Side::sell, 10'000), 4);
    act(bot, "D", "11=b|55=ACME|54=1|38=8|40=2|44=101|59=4|");
    reports = take(bot);
    ASSERT_EQ(reports.size(), 3u);
    expect(reports[1], {{150, "F"}, {39, "1"}, {31, "100"}, {32, "4"}});
    expect(reports[2], {{150, "F"}, {39, "2"}, {31, "101"}, {32, "4"}, {151, "0"}, {14, "8"}});
    act(bot, "D", "11=c|55=ACME|54=1|38=10|40=1|59=4|");
    expect(take(bot).back(), {{150, "4"}, {14, "0"}});
    act(bot, "D", "11=d|55=ACME|54=1|38=9|40=1|59=4|");
    expect(take(bot).back(), {{150, "F"}, {39, "2"}, {14, "9"}});
}

/// What is wrong with this configuration, "" for nothing.
std::string fault_of(const std::string& resources) {
    try {
        const nexus::Config config = nexus::Config::parse("{\"resources\": {" + resources + "}}", "exchange.json");
        (void)config.resource<RiskLimits>("limits").make();
        (void)config.resource<MarketLimits>("market_data").make();
        config.check();
        return "";
    } catch (const nexus::ConfigError& error) {
        return error.what();
    }
}

TEST(Settings, limits_out_of_range_are_named) {
    EXPECT_EQ(fault_of(R"("limits": {"max_notional": 1, "max_open_orders": 1, "price_band_bp": 100000},
                          "market_data": {"kept_events": 1})"),
              "");
    for (const auto& [text, field] : std::vector<std::pair<std::string, std::string>>{
             {R"("limits": {"max_notional": 0})", "/resources/limits/max_notional: "},
             {R"("limits": {"max_notional": 90000000001})", "/resources/limits/max_notional: "},
             {R"("limits": {"max_notional": -5})", "/resources/limits/max_notional: "},
             {R"("limits": {"max_open_orders": 0})", "/resources/limits/max_open_orders: "},
             {R"("limits": {"max_open_orders": "many"})", "/resources/limits/max_open_orders: "},
             {R"("limits": {"max_quantity": 0})", "/resources/limits/max_quantity: "},
             {R"("limits": {"price_band_bp": 0})", "/resources/limits/price_band_bp: "},
             {R"("limits": {"max_order": 5})", "unknown key"},
             {R"("market_data": {"kept_events": 0})", "/resources/market_data/kept_events: "},
             {R"("market_data": {"kept_events": 1.5})", "/resources/market_data/kept_events: "},
             {R"("market_data": {"max_subscriptions": 1001})", "/resources/market_data/max_subscriptions: "}}) {
        const std::string fault = fault_of(text);
        EXPECT_NE(fault.find(field), std::string::npos) << text << ": " << fault;
    }
    EXPECT_NE(fault_of(R"("limits": {"max_notional": 0})").find("has to be from 1 to 90000000000"), std::string::npos);
}

} // namespace
} // namespace exchange::test
