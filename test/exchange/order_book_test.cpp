// Matching by price and time, and random flows against the reference.
#include "order_book.hpp"

#include "allocation_count.hpp"
#include "journal.hpp"
#include "reference_matcher.hpp"

#include <gtest/gtest.h>

#include <map>
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

TEST_F(OrderBookTest, fill_or_kill_takes_all_or_nothing_within_its_price) {
    (void)sell(1, 100, 4);
    (void)sell(2, 101, 4);
    (void)sell(3, 102, 4);
    EXPECT_EQ(submit(4, Side::buy, 101, 9, TimeInForce::fok), 9);
    EXPECT_TRUE(fills.empty());
    EXPECT_EQ(book.resting(), 3u);
    EXPECT_EQ(submit(5, Side::buy, 101, 8, TimeInForce::fok), 0);
    EXPECT_EQ(fills, (std::vector<Fill>{{5, 1, 100, 4}, {5, 2, 101, 4}}));
    EXPECT_EQ(submit(6, Side::buy, 0, 5, TimeInForce::fok, OrderType::market), 5);
    EXPECT_EQ(submit(7, Side::buy, 0, 4, TimeInForce::fok, OrderType::market), 0);
    EXPECT_EQ(submit(8, Side::buy, 200, 1, TimeInForce::fok), 1) << "nothing is there";
    EXPECT_EQ(book.resting(), 0u);
}

TEST_F(OrderBookTest, replace_keeps_the_place_only_when_just_the_quantity_goes_down) {
    const auto replace = [&](OrderId id, Ticks price, Quantity quantity) {
        return book.replace({id, Side::buy, OrderType::limit, TimeInForce::day, price, quantity},
                            [&](const Fill& fill) { fills.push_back(fill); });
    };
    for (const OrderId id : {1U, 2U, 3U}) (void)buy(id, 100, 10);
    EXPECT_EQ(replace(1, 100, 4), 4);
    EXPECT_EQ(replace(2, 100, 11), 11);
    EXPECT_EQ(book.quantity_at(Side::buy, 100), 25);
    (void)sell(4, 100, 16);
    EXPECT_EQ(fills, (std::vector<Fill>{{4, 1, 100, 4}, {4, 3, 100, 10}, {4, 2, 100, 2}}));
    EXPECT_EQ(replace(2, 99, 9), 9);
    EXPECT_EQ(book.quantity_at(Side::buy, 100), 0);
    EXPECT_EQ(book.quantity_at(Side::buy, 99), 9);
    EXPECT_EQ(replace(1, 99, 5), 0) << "it does not rest any more";
    EXPECT_EQ(book.resting(), 1u);
}

TEST_F(OrderBookTest, replace_with_a_price_that_meets_the_other_side_fills) {
    (void)buy(1, 100, 10);
    (void)sell(2, 102, 4);
    fills.clear();
    EXPECT_EQ(book.replace({1, Side::buy, OrderType::limit, TimeInForce::day, 103, 7},
                           [&](const Fill& fill) { fills.push_back(fill); }),
              3);
    EXPECT_EQ(fills, (std::vector<Fill>{{1, 2, 102, 4}}));
    EXPECT_EQ(book.best(Side::buy), 103);
    EXPECT_EQ(book.cancel(1), 3);
}

TEST_F(OrderBookTest, levels_have_the_quantity_of_their_orders_best_first) {
    using Levels = std::vector<std::pair<Ticks, Quantity>>;
    const auto levels = [&](Side side) {
        Levels all;
        book.each_level(side, [&](Ticks price, Quantity quantity) { all.emplace_back(price, quantity); });
        return all;
    };
    EXPECT_TRUE(levels(Side::buy).empty());
    (void)buy(1, 99, 10);
    (void)buy(2, 100, 5);
    (void)buy(3, 99, 1);
    (void)sell(4, 101, 7);
    (void)sell(5, 103, 2);
    EXPECT_EQ(levels(Side::buy), (Levels{{100, 5}, {99, 11}}));
    EXPECT_EQ(levels(Side::sell), (Levels{{101, 7}, {103, 2}}));
    (void)sell(6, 100, 8);
    (void)book.cancel(1);
    EXPECT_EQ(levels(Side::buy), (Levels{{99, 1}}));
    EXPECT_EQ(levels(Side::sell), (Levels{{100, 3}, {101, 7}, {103, 2}}));
    EXPECT_EQ(book.quantity_at(Side::sell, 102), 0);
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
    if (random() % 5 == 0) order.time_in_force = random() % 2 == 0 ? TimeInForce::ioc : TimeInForce::fok;
    if (order.type == OrderType::limit) order.price = static_cast<Ticks>(90 + random() % 21);
    return order;
}

/// A book, what is journalled about it, and what rests in it by a count of our own.
struct CountedBook {
    OrderBook book;
    Journal journal = Journal::in_memory();
    std::map<OrderId, NewOrder> resting; ///< with what is left

    void submit(const NewOrder& order) {
        journal.accepted(Time{}, "X", "S", order);
        count(order, book.submit(order, [this](const Fill& fill) { filled(fill); }));
    }
    void replace(const NewOrder& order) {
        journal.replaced(Time{}, order.id, order.price, order.quantity);
        count(order, book.replace(order, [this](const Fill& fill) { filled(fill); }));
    }
    void cancel(OrderId id) {
        const Quantity left = book.cancel(id);
        ASSERT_EQ(left, resting.contains(id) ? resting[id].quantity : 0);
        resting.erase(id);
        if (left > 0) journal.cancelled(Time{}, id, left);
    }
    void filled(const Fill& fill) {
        journal.filled(Time{}, fill);
        if ((resting[fill.maker].quantity -= fill.quantity) == 0) resting.erase(fill.maker);
    }
    void count(NewOrder order, Quantity left) {
        order.quantity = left;
        resting.erase(order.id);
        if (left > 0 && order.type == OrderType::limit && order.time_in_force == TimeInForce::day)
            resting[order.id] = order;
    }
    void check() const {
        ASSERT_EQ(book.resting(), resting.size());
        for (const Side side : {Side::buy, Side::sell}) {
            std::map<Ticks, Quantity> expected, seen;
            for (const auto& [id, order] : resting)
                if (order.side == side) expected[order.price] += order.quantity;
            book.each_level(side, [&](Ticks price, Quantity quantity) { seen[price] = quantity; });
            ASSERT_EQ(seen, expected);
        }
        if (book.best(Side::buy) && book.best(Side::sell)) {
            ASSERT_LT(*book.best(Side::buy), *book.best(Side::sell));
        }
    }
};

TEST(OrderBook, random_flows_give_the_fills_of_the_reference) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        std::mt19937 random{seed};
        CountedBook counted;
        for (OrderId id = 1; id <= 400; ++id) {
            if (random() % 4 == 0) counted.cancel(1 + random() % id);
            counted.submit(random_order(random, id));
            if (random() % 3 == 0 && !counted.resting.empty()) {
                const auto index = static_cast<std::ptrdiff_t>(random() % counted.resting.size());
                NewOrder changed = std::next(counted.resting.begin(), index)->second;
                if (random() % 2 == 0) changed.price = static_cast<Ticks>(90 + random() % 21);
                changed.quantity = static_cast<Quantity>(1 + random() % 50);
                counted.replace(changed);
            }
            if (id % 4 == 0) counted.check();
            if (HasFatalFailure()) FAIL() << "seed " << seed;
        }
        const ReferenceMatcher reference{counted.journal.text()};
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
