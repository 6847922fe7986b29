// Matching by price and time, and random flows against the reference.
#include "order_book.hpp"

#include "allocation_count.hpp"
#include "journal.hpp"
#include "reference_matcher.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace exchange::test {
namespace {

class OrderBookTest : public testing::Test {
protected:
    Quantity submit(OrderId id, Side side, Ticks price, Quantity quantity, TimeInForce tif = TimeInForce::day,
                    OrderType type = OrderType::limit) {
        fills.clear();
        return book.submit({id, side, type, tif, price, quantity}, [&](const Fill& fill) { fills.push_back(fill); });
    }
    Quantity buy(OrderId id, Ticks price, Quantity quantity) { return submit(id, Side::buy, price, quantity); }
    Quantity sell(OrderId id, Ticks price, Quantity quantity) { return submit(id, Side::sell, price, quantity); }

    OrderBook book;
    std::vector<Fill> fills;
};

TEST_F(OrderBookTest, orders_that_do_not_meet_rest) {
    EXPECT_EQ(buy(1, 99, 10), 10);
    EXPECT_EQ(sell(2, 101, 5), 5);
    EXPECT_TRUE(fills.empty());
    EXPECT_EQ(book.best(Side::buy), 99);
    EXPECT_EQ(book.best(Side::sell), 101);
    EXPECT_EQ(book.resting(), 2u);
}

TEST_F(OrderBookTest, an_empty_side_has_no_best_price) {
    EXPECT_EQ(book.best(Side::buy), std::nullopt);
    EXPECT_EQ(book.best(Side::sell), std::nullopt);
}

TEST_F(OrderBookTest, the_best_price_is_filled_first_at_the_makers_price) {
    (void)sell(1, 103, 10);
    (void)sell(2, 101, 10);
    (void)sell(3, 102, 10);
    EXPECT_EQ(buy(4, 103, 25), 0);
    EXPECT_EQ(fills, (std::vector<Fill>{{4, 2, 101, 10}, {4, 3, 102, 10}, {4, 1, 103, 5}}));
    (void)buy(5, 90, 10);
    (void)buy(6, 92, 10);
    EXPECT_EQ(sell(7, 80, 15), 0);
    EXPECT_EQ(fills, (std::vector<Fill>{{7, 6, 92, 10}, {7, 5, 90, 5}}));
}

TEST_F(OrderBookTest, at_one_price_the_oldest_is_filled_first_and_a_partial_fill_keeps_its_place) {
    (void)buy(1, 100, 10);
    (void)buy(2, 100, 10);
    (void)sell(3, 100, 4);
    EXPECT_EQ(fills, (std::vector<Fill>{{3, 1, 100, 4}}));
    (void)sell(4, 100, 10);
    EXPECT_EQ(fills, (std::vector<Fill>{{4, 1, 100, 6}, {4, 2, 100, 4}}));
}

TEST_F(OrderBookTest, what_is_left_of_a_day_order_rests) {
    (void)sell(1, 100, 4);
    EXPECT_EQ(buy(2, 100, 10), 6);
    EXPECT_EQ(book.best(Side::buy), 100);
    EXPECT_EQ(book.best(Side::sell), std::nullopt);
    EXPECT_EQ(book.cancel(2), 6);
}

TEST_F(OrderBookTest, what_is_left_of_an_ioc_order_is_dropped) {
    (void)sell(1, 100, 4);
    (void)sell(2, 101, 4);
    EXPECT_EQ(submit(3, Side::buy, 100, 10, TimeInForce::ioc), 6);
    EXPECT_EQ(fills, (std::vector<Fill>{{3, 1, 100, 4}}));
    EXPECT_EQ(book.best(Side::buy), std::nullopt);
    EXPECT_EQ(book.resting(), 1u);
}

TEST_F(OrderBookTest, a_market_order_takes_any_price_and_never_rests) {
    (void)sell(1, 100, 4);
    (void)sell(2, 5000, 4);
    EXPECT_EQ(submit(3, Side::buy, 0, 10, TimeInForce::day, OrderType::market), 2);
    EXPECT_EQ(fills, (std::vector<Fill>{{3, 1, 100, 4}, {3, 2, 5000, 4}}));
    EXPECT_EQ(book.resting(), 0u);
    (void)buy(4, 7, 1);
    EXPECT_EQ(submit(5, Side::sell, 0, 1, TimeInForce::ioc, OrderType::market), 0);
}

TEST_F(OrderBookTest, cancel_takes_an_order_out_once) {
    (void)buy(1, 100, 10);
    (void)buy(2, 100, 20);
    (void)sell(3, 100, 4);
    EXPECT_EQ(book.cancel(1), 6);
    EXPECT_EQ(book.cancel(1), 0);
    EXPECT_EQ(book.cancel(3), 0);
    EXPECT_EQ(book.cancel(99), 0);
    (void)sell(4, 100, 4);
    EXPECT_EQ(fills, (std::vector<Fill>{{4, 2, 100, 4}}));
    EXPECT_EQ(book.cancel(2), 16);
    EXPECT_EQ(book.best(Side::buy), std::nullopt);
}

TEST_F(OrderBookTest, a_moved_book_works_on) {
    (void)buy(1, 100, 10);
    OrderBook moved{std::move(book)};
    Quantity filled = 0;
    EXPECT_EQ(moved.submit({2, Side::sell, OrderType::limit, TimeInForce::day, 100, 4},
                           [&](const Fill& fill) { filled += fill.quantity; }),
              0);
    EXPECT_EQ(filled, 4);
    EXPECT_EQ(moved.cancel(1), 6);
}

/// A random order near a price that wanders; every field takes each of its values now and then.
NewOrder random_order(std::mt19937& random, OrderId id) {
    NewOrder order{id, Side::buy, OrderType::limit, TimeInForce::day, 0, static_cast<Quantity>(1 + random() % 50)};
    if (random() % 2 == 0) order.side = Side::sell;
    if (random() % 10 == 0) order.type = OrderType::market;
    if (random() % 5 == 0) order.time_in_force = TimeInForce::ioc;
    if (order.type == OrderType::limit) order.price = static_cast<Ticks>(90 + random() % 21);
    return order;
}

TEST(OrderBook, random_flows_give_the_fills_of_the_reference) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::mt19937 random{seed};
        OrderBook book;
        Journal journal = Journal::in_memory();
        for (OrderId id = 1; id <= 400; ++id) {
            if (random() % 4 == 0) {
                const OrderId victim = 1 + random() % id;
                if (const Quantity left = book.cancel(victim); left > 0) journal.cancelled(Time{}, victim, left);
            }
            const NewOrder order = random_order(random, id);
            journal.accepted(Time{}, "X", "S", order);
            (void)book.submit(order, [&](const Fill& fill) { journal.filled(Time{}, fill); });
            if (book.best(Side::buy) && book.best(Side::sell)) {
                ASSERT_LT(*book.best(Side::buy), *book.best(Side::sell));
            }
        }
        const ReferenceMatcher reference{journal.text()};
        ASSERT_EQ(reference.faults, 0) << "seed " << seed;
        ASSERT_GT(reference.fills.size(), 50u);
        ASSERT_EQ(reference.journalled, reference.fills) << "seed " << seed;
    }
}

TEST(OrderBook, a_book_that_has_reached_its_size_allocates_nothing) {
    OrderBook book;
    std::mt19937 random{7};
    OrderId id = 0;
    Quantity filled = 0;
    const auto round = [&] {
        const OrderId first = id + 1;
        for (int i = 0; i < 1000; ++i)
            (void)book.submit(random_order(random, ++id), [&](const Fill& f) { filled += f.quantity; });
        for (OrderId cancelled = first; cancelled <= id; ++cancelled) (void)book.cancel(cancelled);
    };
    for (int i = 0; i < 20; ++i) round();
    const std::size_t before = allocations;
    for (int i = 0; i < 5; ++i) round();
    EXPECT_EQ(allocations, before);
    EXPECT_EQ(book.resting(), 0u);
}

} // namespace
} // namespace exchange::test
