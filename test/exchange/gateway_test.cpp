// Order entry: every outcome of an order and of a cancel, as the client sees it.
#include "gateway.hpp"

#include "gateway_fixture.hpp"

namespace exchange::test {
namespace {

TEST_F(GatewayTest, order_that_rests_is_reported_new) {
    act(bot, "D", "11=a|55=ACME|54=1|38=10|40=2|44=99.50|");
    expect(only(bot), {{35, "8"},
                       {150, "0"},
                       {39, "0"},
                       {11, "a"},
                       {37, "1"},
                       {17, "1"},
                       {55, "ACME"},
                       {54, "1"},
                       {38, "10"},
                       {40, "2"},
                       {44, "99.5"},
                       {59, "0"},
                       {151, "10"},
                       {14, "0"},
                       {6, "0"},
                       {31, ""},
                       {32, ""}});
    EXPECT_EQ(venue.books.all[0].best(Side::buy), 9950);
    EXPECT_EQ(venue.orders.totals.accepted, 1u);
    EXPECT_TRUE(other.received.empty());
}

TEST_F(GatewayTest, partial_fill_and_fill_are_reported_to_both_sides) {
    act(bot, "D", "11=a|55=ACME|54=1|38=10|40=2|44=100|");
    (void)take(bot);
    act(other, "D", "11=b|55=ACME|54=2|38=4|40=2|44=99.50|");
    expect(only(bot), {{150, "F"}, {39, "1"}, {11, "a"}, {31, "100"}, {32, "4"}, {151, "6"}, {14, "4"}, {6, "100"}});
    auto reports = take(other);
    ASSERT_EQ(reports.size(), 2u);
    expect(reports[0], {{150, "0"}, {39, "0"}, {11, "b"}});
    expect(reports[1], {{150, "F"}, {39, "2"}, {11, "b"}, {31, "100"}, {32, "4"}, {151, "0"}, {14, "4"}, {6, "100"}});
    act(other, "D", "11=c|55=ACME|54=2|38=6|40=1|");
    expect(only(bot), {{150, "F"}, {39, "2"}, {32, "6"}, {151, "0"}, {14, "10"}});
    EXPECT_EQ(venue.orders.totals.fills, 2u);
}

TEST_F(GatewayTest, average_price_is_exact) {
    act(bot, "D", "11=a|55=BOLT|54=2|38=1|40=2|44=20|");
    act(bot, "D", "11=b|55=BOLT|54=2|38=2|40=2|44=20.05|");
    act(other, "D", "11=c|55=BOLT|54=1|38=3|40=2|44=21|");
    expect(take(other).back(), {{6, "20.03333333"}, {14, "3"}, {39, "2"}});
}

TEST_F(GatewayTest, execution_ids_are_unique) {
    act(bot, "D", "11=a|55=ACME|54=1|38=10|40=2|44=100|");
    act(other, "D", "11=a|55=ACME|54=2|38=10|40=2|44=100|");
    std::vector<std::string> ids;
    for (Client* client : {&bot, &other})
        for (const std::string& report : client->received) ids.push_back(value_of(report, 17));
    std::ranges::sort(ids);
    EXPECT_EQ(ids, (std::vector<std::string>{"1", "2", "3", "4"}));
}

TEST_F(GatewayTest, ioc_remainder_is_cancelled) {
    act(bot, "D", "11=a|55=ACME|54=1|38=4|40=2|44=100|");
    act(other, "D", "11=b|55=ACME|54=2|38=10|40=2|44=100|59=3|");
    const auto reports = take(other);
    ASSERT_EQ(reports.size(), 3u);
    expect(reports[0], {{150, "0"}, {59, "3"}});
    expect(reports[1], {{150, "F"}, {39, "1"}, {151, "6"}});
    expect(reports[2], {{150, "4"}, {39, "4"}, {151, "0"}, {14, "4"}, {11, "b"}, {41, ""}});
}

TEST_F(GatewayTest, market_order_in_an_empty_book_is_cancelled) {
    act(bot, "D", "11=a|55=ACME|54=1|38=4|40=1|");
    const auto reports = take(bot);
    ASSERT_EQ(reports.size(), 2u);
    expect(reports[0], {{150, "0"}, {44, ""}});
    expect(reports[1], {{150, "4"}, {39, "4"}, {151, "0"}, {14, "0"}});
}

TEST_F(GatewayTest, orders_are_refused_with_a_reason) {
    expect_order_refused(order_with(55, "NONE"), "1", "unknown symbol");
    expect_order_refused(order_with(54, "5"), "11", "unsupported side");
    expect_order_refused(order_with(40, "3"), "11", "unsupported order type");
    expect_order_refused(order_with(59, "1"), "11", "unsupported time in force");
    expect_order_refused(order_with(38, "1.5"), "13", "quantity is not a whole number");
    expect_order_refused(order_with(38, "0"), "13", "quantity is not positive");
    expect_order_refused(order_with(38, "-5"), "13", "quantity is not positive");
    expect_order_refused(order_with(38, "1001"), "3", "quantity above the limit");
    expect_order_refused(order_with(44, "100.005"), "99", "price is not a multiple of the tick");
    expect_order_refused(order_with(44, "110.01"), "99", "price outside the band around the reference price");
    expect_order_refused(order_with(44, "89.99"), "99", "price outside the band around the reference price");
    expect_order_refused(order_with(44, "-1"), "99", "price is not positive");
    expect_order_refused(order_with(11, std::string(65, 'x')), "99", "ClOrdID is too long");
    EXPECT_EQ(venue.orders.totals.refused, 13u);
    EXPECT_EQ(venue.books.all[0].resting(), 0u);
}

TEST_F(GatewayTest, order_at_the_limits_is_accepted) {
    act(bot, "D", "11=a|55=ACME|54=1|38=1000.0|40=2|44=110.00|");
    expect(only(bot), {{150, "0"}, {38, "1000"}});
    act(bot, "D", "11=b|55=BOLT|54=1|38=1|40=2|44=18|");
    expect(only(bot), {{150, "0"}});
}

TEST_F(GatewayTest, duplicate_cl_ord_id_is_refused_within_a_session_only) {
    act(bot, "D", order_with(0, ""));
    (void)take(bot);
    expect_order_refused(order_with(0, ""), "6", "duplicate ClOrdID");
    act(other, "D", order_with(0, ""));
    expect(only(other), {{150, "0"}});
}

TEST_F(GatewayTest, cl_ord_id_of_a_refused_order_may_be_used_again) {
    expect_order_refused(order_with(38, "0"), "13", "quantity is not positive");
    act(bot, "D", order_with(0, ""));
    expect(only(bot), {{150, "0"}, {11, "a"}});
}

TEST_F(GatewayTest, missing_and_malformed_fields_are_rejected_with_their_tag) {
    for (const int tag : {11, 55, 54, 38, 40, 44}) expect_rejected("D", order_with(tag, ""), tag, 1);
    expect_rejected("D", order_with(44, "1e5"), 44, 6);
    expect_rejected("D", order_with(38, "ten"), 38, 6);
    expect_rejected("D", order_with(54, "buy"), 54, 6);
    expect_rejected("D", order_with(0, "") + "38=11|", 38, 13);
    expect_rejected("D", order_with(0, "") + "60=yesterday|", 60, 13);
    for (const int tag : {11, 41, 55, 54}) {
        std::string fields;
        for (const auto& [field, text] :
             std::vector<std::pair<int, const char*>>{{11, "b|"}, {41, "a|"}, {55, "ACME|"}, {54, "1|"}})
            if (field != tag) fields += std::to_string(field) + "=" + text;
        expect_rejected("F", fields, tag, 1);
    }
    EXPECT_EQ(venue.journal.lines(), 0u);
    act(bot, "D", order_with(0, ""));
    expect(only(bot), {{150, "0"}});
}

TEST_F(GatewayTest, cancel_is_reported_with_both_ids) {
    act(bot, "D", "11=a|55=ACME|54=1|38=10|40=2|44=100|");
    act(other, "D", "11=x|55=ACME|54=2|38=4|40=2|44=100|");
    (void)take(bot);
    act(bot, "F", "11=b|41=a|55=ACME|54=1|");
    expect(only(bot),
           {{35, "8"}, {150, "4"}, {39, "4"}, {11, "b"}, {41, "a"}, {37, "1"}, {151, "0"}, {14, "4"}, {38, "10"}});
    EXPECT_EQ(venue.books.all[0].resting(), 0u);
    EXPECT_EQ(venue.orders.totals.cancelled, 1u);
}

TEST_F(GatewayTest, cancels_are_rejected_with_a_reason) {
    act(bot, "D", "11=a|55=ACME|54=1|38=10|40=2|44=100|");
    act(bot, "D", "11=done|55=ACME|54=2|38=1|40=2|44=100|59=3|");
    (void)take(bot);
    const auto expect_refused = [&](const std::string& fields, const char* reason, const char* status,
                                    const char* order) {
        act(bot, "F", fields);
        expect(only(bot), {{35, "9"},
                           {102, reason},
                           {39, status},
                           {37, order},
                           {434, "1"},
                           {11, value_of("|" + fields, 11)},
                           {41, value_of("|" + fields, 41)}});
    };
    expect_refused("11=c1|41=nothing|55=ACME|54=1|", "1", "8", "NONE");
    expect_refused("11=c1|41=done|55=ACME|54=2|", "0", "2", "2");
    expect_refused("11=c1|41=a|55=BOLT|54=1|", "99", "1", "1");
    expect_refused("11=c1|41=a|55=ACME|54=2|", "99", "1", "1");
    expect_refused("11=a|41=a|55=ACME|54=1|", "6", "1", "1");
    expect_refused("11=" + std::string(65, 'x') + "|41=a|55=ACME|54=1|", "99", "1", "1");
    act(bot, "F", "11=c1|41=a|55=ACME|54=1|");
    expect(only(bot), {{150, "4"}});
    expect_refused("11=c2|41=a|55=ACME|54=1|", "0", "4", "1");
    expect_refused("11=c1|41=a|55=ACME|54=1|", "6", "4", "1");
    act(other, "F", "11=c1|41=a|55=ACME|54=1|");
    expect(only(other), {{35, "9"}, {102, "1"}});
}

TEST_F(GatewayTest, id_of_a_cancel_cannot_name_an_order_any_more) {
    act(bot, "D", order_with(0, ""));
    act(bot, "F", "11=b|41=a|55=ACME|54=1|");
    (void)take(bot);
    expect_order_refused(order_with(11, "b"), "6", "duplicate ClOrdID");
}

TEST_F(GatewayTest, other_types_get_a_business_reject) {
    act(bot, "E", "11=b|41=a|");
    expect(only(bot), {{35, "j"}, {45, "2"}, {372, "E"}, {380, "3"}, {58, "unsupported message type"}});
    act(bot, "AF", "584=1|");
    expect(only(bot), {{35, "j"}, {45, "3"}, {372, "AF"}, {380, "3"}});
}

TEST_F(GatewayTest, fill_of_an_offline_owner_is_resent_after_its_next_logon) {
    act(bot, "D", "11=a|55=ACME|54=1|38=10|40=2|44=100|");
    (void)take(bot);
    venue.drop(bot);
    act(other, "D", "11=b|55=ACME|54=2|38=4|40=2|44=100|");
    EXPECT_TRUE(bot.received.empty());
    venue.connect(bot);
    venue.settle();
    expect(only(bot), {{35, "8"}, {150, "F"}, {32, "4"}, {43, "Y"}});
}

TEST_F(GatewayTest, journal_has_accepted_orders_fills_and_cancels) {
    act(bot, "D", "11=a|55=ACME|54=1|38=10|40=2|44=100|");
    act(other, "D", "11=b|55=ACME|54=2|38=4|40=1|");
    act(bot, "F", "11=c|41=a|55=ACME|54=1|");
    EXPECT_EQ(venue.journal.text(), "O 1767344400000000000 1 BOT1 ACME 1 2 0 10000 10\n"
                                    "O 1767344400000000000 2 BOT2 ACME 2 1 0 0 4\n"
                                    "F 1767344400000000000 2 1 10000 4\n"
                                    "C 1767344400000000000 1 6\n");
}

TEST_F(GatewayTest, finished_orders_beyond_the_limit_are_forgotten_live_ones_never) {
    venue.orders = Orders{10};
    act(bot, "D", "11=live|55=BOLT|54=1|38=1|40=2|44=20|");
    for (int i = 0; i < 50; ++i) act(other, "D", "11=" + std::to_string(i) + "|55=ACME|54=1|38=1|40=1|");
    EXPECT_EQ(venue.orders.size(), 51u) << "the oldest lives";
    act(bot, "F", "11=c|41=live|55=BOLT|54=1|");
    act(other, "D", "11=0|55=ACME|54=1|38=1|40=1|");
    expect(other.received.back(), {{150, "8"}, {103, "6"}});
    act(other, "D", "11=50|55=ACME|54=1|38=1|40=1|");
    EXPECT_EQ(venue.orders.size(), 10u);
    act(other, "D", "11=0|55=ACME|54=1|38=1|40=1|");
    expect(other.received.back(), {{150, "4"}, {11, "0"}, {37, "53"}});
    act(bot, "D", "11=c|55=ACME|54=1|38=1|40=1|");
    expect(bot.received.back(), {{150, "4"}, {11, "c"}});
}

TEST_F(GatewayTest, random_fields_are_survived_and_answered) {
    std::mt19937 random{11};
    const std::vector<std::string> odd{"0", "-1", "9223372036854775807", "92233720368", "0.01", "x",
                                       "3", "8",  std::string(100, '9')};
    std::size_t answers = 0;
    for (int i = 0; i < 5000; ++i) {
        std::string fields;
        for (const auto& [tag, good] :
             std::vector<std::pair<int, std::string>>{{11, "r" + std::to_string(i)},
                                                      {41, "r" + std::to_string(random() % 5000)},
                                                      {55, "ACME"},
                                                      {54, "1"},
                                                      {38, "10"},
                                                      {40, "2"},
                                                      {44, "100"},
                                                      {262, "m"},
                                                      {263, "1"},
                                                      {264, "0"},
                                                      {265, "1"},
                                                      {267, "1"},
                                                      {269, "0"},
                                                      {146, "1"}}) {
            const auto dice = random() % 20;
            if (dice > 0) fields += std::to_string(tag) + "=" + (dice == 1 ? odd[random() % odd.size()] : good) + "|";
        }
        const std::vector<std::string> types{"D", "D", "F", "G", "H", "V"};
        act(bot, types[random() % types.size()], fields);
        answers += take(bot).size();
        ASSERT_TRUE(bot.session.is_logged_on());
    }
    EXPECT_GT(answers, 3000u);
    const auto& totals = venue.orders.totals;
    EXPECT_GT(totals.accepted, 0u);
    EXPECT_GT(totals.refused, 500u);
}

} // namespace
} // namespace exchange::test
