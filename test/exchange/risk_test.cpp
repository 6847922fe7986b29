// Limits of quantity and price; conversion between prices and ticks.
#include "instrument.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace exchange::test {
namespace {

const Instrument instrument{"ACME", fix::Decimal{fix::Decimal::one / 4}, 400}; // quarters around 100
const RiskLimits limits{1000, 500};

std::optional<Refusal> check(Ticks price, Quantity quantity, OrderType type = OrderType::limit) {
    return check_risk(limits, instrument, {1, Side::buy, type, TimeInForce::day, price, quantity});
}

TEST(Risk, quantity_up_to_the_limit_passes) {
    EXPECT_FALSE(check(400, 1));
    EXPECT_FALSE(check(400, 1000));
    ASSERT_TRUE(check(400, 1001));
    EXPECT_EQ(check(400, 1001)->reason, 3);
    EXPECT_EQ(check(400, std::numeric_limits<Quantity>::max())->reason, 3);
}

TEST(Risk, quantity_must_be_positive) {
    for (const Quantity quantity : {Quantity{0}, Quantity{-1}, std::numeric_limits<Quantity>::min()}) {
        ASSERT_TRUE(check(400, quantity));
        EXPECT_EQ(check(400, quantity)->reason, 13);
    }
}

TEST(Risk, both_edges_of_the_band_pass) {
    EXPECT_FALSE(check(380, 1));
    EXPECT_FALSE(check(420, 1));
    EXPECT_TRUE(check(379, 1));
    EXPECT_TRUE(check(421, 1));
    EXPECT_TRUE(check(std::numeric_limits<Ticks>::max(), 1));
    EXPECT_TRUE(check(std::numeric_limits<Ticks>::min(), 1));
    EXPECT_EQ(check(421, 1)->reason, 99);
}

TEST(Risk, a_price_is_positive_even_in_a_wide_band) {
    const RiskLimits wide{1000, 20'000};
    EXPECT_TRUE(check_risk(wide, instrument, {1, Side::buy, OrderType::limit, TimeInForce::day, 0, 1}));
    EXPECT_FALSE(check_risk(wide, instrument, {1, Side::buy, OrderType::limit, TimeInForce::day, 1, 1}));
}

TEST(Risk, market_orders_have_no_price_to_check) {
    EXPECT_FALSE(check(0, 10, OrderType::market));
    EXPECT_TRUE(check(0, 1001, OrderType::market));
}

TEST(Instrument, prices_convert_exactly_or_not_at_all) {
    EXPECT_EQ(instrument.to_ticks(*fix::parse_decimal("100.25")), 401);
    EXPECT_EQ(instrument.to_ticks(*fix::parse_decimal("100.2")), std::nullopt);
    EXPECT_EQ(instrument.to_decimal(401), *fix::parse_decimal("100.25"));
}

TEST(Instrument, average_of_fills_needs_no_floating_point) {
    EXPECT_EQ(instrument.average(0, 0), fix::Decimal{});
    EXPECT_EQ(instrument.average(400 * 10 + 402 * 10, 20), *fix::parse_decimal("100.25"));
    EXPECT_EQ(instrument.average(400 * 1 + 401 * 2, 3), *fix::parse_decimal("100.16666666"));
}

TEST(Instruments, are_found_by_symbol) {
    const Instruments instruments{{{"A", {}, 1}, {"B", {}, 2}}};
    EXPECT_EQ(instruments.find("B"), 1u);
    EXPECT_EQ(instruments.find("C"), std::nullopt);
    EXPECT_EQ(Books{instruments}.all.size(), 2u);
}

} // namespace
} // namespace exchange::test
