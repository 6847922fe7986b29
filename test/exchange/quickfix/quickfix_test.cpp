// A FIX engine that is not ours trades with the exchange: QuickFIX as Debian has it, each scenario with an exchange
// of its own as a child process. Built as C++14 (QuickFIX's headers have dynamic exception specifications) and without
// nexus; EXCHANGE_PROGRAM names the program.
#include "../exchange_process.hpp"
#include "cuttable_line.hpp"
#include "trader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>

namespace exchange {
namespace test {
namespace {

constexpr char buy = '1', sell = '2', ioc = '3', fok = '4';

/// An ExecutionReport's ExecType, OrdStatus, CumQty and LeavesQty: "F 2 10 0".
std::string outcome(const FIX::Message& report) {
    return value(report, 150) + " " + value(report, 39) + " " + value(report, 14) + " " + value(report, 151);
}

std::ptrdiff_t count(const std::vector<FIX::Message>& messages, const char* type) {
    return std::count_if(messages.begin(), messages.end(),
                         [type](const FIX::Message& message) { return value(message, 35) == type; });
}

/// An exchange and two clients who are logged on.
class QuickFix : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(eventually([this] { return a.is_logged_on() && b.is_logged_on(); })) << exchange.log();
    }
    void TearDown() override {
        EXPECT_EQ(exchange.stop(), 0) << exchange.log();
        for (const auto* trader : {first.get(), &b})
            EXPECT_EQ(count(trader != nullptr ? trader->sent() : std::vector<FIX::Message>{}, "3"), 0)
                << "QuickFIX finds nothing to reject";
        if (HasFailure()) std::cout << exchange.log() << exchange.journal();
    }
    std::string report(Trader& trader, const std::string& cl_ord_id) { return outcome(trader.take("8", cl_ord_id)); }

    ExchangeProcess exchange{"", "", R"(, "max_notional": 200000, "max_open_orders": 3)"};
    CuttableLine line{exchange.port()};
    std::unique_ptr<Trader> first{new Trader("BOT1", line.port())};
    Trader& a = *first;
    Trader b{"BOT2", exchange.port()};
};

TEST_F(QuickFix, logs_on_and_out) {
    EXPECT_EQ(value(a.take("A"), 108), "30");
    a.log_out();
    EXPECT_EQ(value(a.take("5"), 49), "NEXUS");
    EXPECT_TRUE(exchange.logs("BOT1 is gone: peer logged out"));
    EXPECT_TRUE(b.is_logged_on());
}

TEST_F(QuickFix, starts_anew_with_ResetSeqNumFlag) {
    a.limit("1", buy, 10, 99.50);
    EXPECT_EQ(report(a, "1"), "0 0 0 10");
    a.log_out();
    ASSERT_TRUE(exchange.logs("BOT1 is gone"));
    first.reset(); // QuickFIX knows a session once in a process
    Trader again("BOT1", exchange.port(), "ResetOnLogon=Y\n");
    ASSERT_TRUE(eventually([&again] { return again.is_logged_on(); })) << exchange.log();
    const FIX::Message logon = again.take("A");
    EXPECT_EQ(value(logon, 141), "Y");
    EXPECT_EQ(value(logon, 34), "1");
    again.cancel("2", "1", buy); // the order has survived
    EXPECT_EQ(report(again, "2"), "4 4 0 0");
}

TEST_F(QuickFix, a_resting_order_is_filled_in_parts_on_both_sides) {
    a.limit("rest", buy, 100, 99.50);
    const FIX::Message accepted = a.take("8", "rest");
    EXPECT_EQ(outcome(accepted), "0 0 0 100");
    EXPECT_EQ(std::stod(value(accepted, 44)), 99.5);
    b.limit("cross", sell, 40, 99.00);
    EXPECT_EQ(report(b, "cross"), "0 0 0 40");
    const FIX::Message taken = b.take("8", "cross");
    EXPECT_EQ(outcome(taken), "F 2 40 0");
    EXPECT_EQ(std::stod(value(taken, 31)), 99.5); // the price of the order that rested
    EXPECT_EQ(report(a, "rest"), "F 1 40 60");
    b.limit("rest of it", sell, 60, 99.50);
    EXPECT_EQ(report(b, "rest of it"), "0 0 0 60");
    EXPECT_EQ(report(b, "rest of it"), "F 2 60 0");
    const FIX::Message last = a.take("8", "rest");
    EXPECT_EQ(outcome(last), "F 2 100 0");
    EXPECT_EQ(std::stod(value(last, 6)), 99.5);
}

TEST_F(QuickFix, immediate_or_cancel_takes_what_there_is) {
    a.limit("rest", sell, 30, 100.00);
    EXPECT_EQ(report(a, "rest"), "0 0 0 30");
    b.limit("ioc", buy, 50, 100.00, ioc);
    EXPECT_EQ(report(b, "ioc"), "0 0 0 50");
    EXPECT_EQ(report(b, "ioc"), "F 1 30 20");
    EXPECT_EQ(report(b, "ioc"), "4 4 30 0");
}

TEST_F(QuickFix, fill_or_kill_takes_all_or_nothing) {
    a.limit("rest", sell, 30, 100.00);
    EXPECT_EQ(report(a, "rest"), "0 0 0 30");
    b.limit("more", buy, 31, 100.00, fok);
    EXPECT_EQ(report(b, "more"), "0 0 0 31");
    EXPECT_EQ(report(b, "more"), "4 4 0 0");
    b.limit("all", buy, 30, 100.00, fok);
    EXPECT_EQ(report(b, "all"), "0 0 0 30");
    EXPECT_EQ(report(b, "all"), "F 2 30 0");
    EXPECT_EQ(report(a, "rest"), "F 2 30 0");
}

TEST_F(QuickFix, a_replaced_order_goes_on_under_its_new_id) {
    a.limit("one", buy, 100, 99.50);
    EXPECT_EQ(report(a, "one"), "0 0 0 100");
    b.limit("behind", buy, 10, 99.50);
    EXPECT_EQ(report(b, "behind"), "0 0 0 10");
    b.limit("taker", sell, 40, 99.50);
    EXPECT_EQ(report(a, "one"), "F 1 40 60");
    a.replace("two", "one", buy, 80, 99.50); // less: it stays ahead of the other
    const FIX::Message replaced = a.take("8", "two");
    EXPECT_EQ(outcome(replaced), "5 1 40 40");
    EXPECT_EQ(value(replaced, 41), "one");
    EXPECT_EQ(value(replaced, 38), "80");
    b.market("taker 2", sell, 10);
    EXPECT_EQ(report(a, "two"), "F 1 50 30");
    a.replace("three", "two", buy, 90, 99.50); // more: it goes behind
    EXPECT_EQ(report(a, "three"), "5 1 50 40");
    b.market("taker 3", sell, 10);
    EXPECT_EQ(report(b, "behind"), "F 2 10 0");
    a.replace("four", "three", buy, 90, 99.40);
    EXPECT_EQ(report(a, "four"), "5 1 50 40");
    a.cancel("five", "four", buy);
    const FIX::Message cancelled = a.take("8", "five");
    EXPECT_EQ(outcome(cancelled), "4 4 50 0");
    EXPECT_EQ(value(cancelled, 41), "four");
}

TEST_F(QuickFix, replaces_that_cannot_be_are_refused_and_change_nothing) {
    const auto refusal = [this](const std::string& id) {
        const FIX::Message refused = a.take("9", id);
        EXPECT_EQ(value(refused, 434), "2");
        return value(refused, 102) + " " + value(refused, 39) + " " + value(refused, 58);
    };
    a.limit("rest", buy, 100, 99.50);
    b.limit("taker", sell, 40, 99.50);
    EXPECT_EQ(report(a, "rest"), "0 0 0 100");
    EXPECT_EQ(report(a, "rest"), "F 1 40 60");
    a.replace("1", "never", buy, 100, 99.50);
    EXPECT_EQ(refusal("1"), "1 8 unknown order");
    a.replace("2", "rest", buy, 40, 99.50);
    EXPECT_EQ(refusal("2"), "99 1 as much as the new quantity is filled already");
    a.replace("3", "rest", buy, 1001, 99.50);
    EXPECT_EQ(refusal("3"), "2 1 quantity above the limit");
    a.replace("4", "rest", buy, 100, 111);
    EXPECT_EQ(refusal("4"), "99 1 price outside the band around the reference price");
    a.replace("5", "rest", sell, 100, 99.50);
    EXPECT_EQ(refusal("5"), "99 1 the order has another side");
    a.replace("6", "rest", buy, 101, 99.50);
    EXPECT_EQ(report(a, "6"), "5 1 40 61");
    a.replace("7", "rest", buy, 102, 99.50);
    EXPECT_EQ(refusal("7"), "99 1 OrigClOrdID is not the order's last ClOrdID");
    a.cancel("8", "6", buy);
    EXPECT_EQ(report(a, "8"), "4 4 40 0");
    a.replace("9", "6", buy, 200, 99.50);
    EXPECT_EQ(refusal("9"), "0 4 too late");
}

TEST_F(QuickFix, asks_what_became_of_an_order) {
    const auto status = [this](const std::string& id) {
        a.ask_status(id, buy);
        FIX::Message report;
        do report = a.take("8", id);
        while (value(report, 150) != "I" && !value(report, 150).empty());
        return outcome(report) + (value(report, 103).empty() ? "" : " refused: " + value(report, 58));
    };
    EXPECT_EQ(status("rest"), "I 8 0 0 refused: unknown order");
    a.limit("rest", buy, 100, 99.50);
    EXPECT_EQ(status("rest"), "I 0 0 100");
    b.limit("taker", sell, 40, 99.50);
    EXPECT_EQ(report(b, "taker"), "0 0 0 40");
    EXPECT_EQ(status("rest"), "I 1 40 60");
    b.limit("taker 2", sell, 60, 99.50);
    EXPECT_EQ(report(b, "taker 2"), "0 0 0 60");
    EXPECT_EQ(status("rest"), "I 2 100 0");
}

TEST_F(QuickFix, market_data_is_a_snapshot_and_then_what_changes) {
    using Entries = std::vector<std::string>;
    b.limit("bid", buy, 10, 99.50);
    EXPECT_EQ(report(b, "bid"), "0 0 0 10");
    a.ask_market_data("book", '1');
    EXPECT_EQ(a.take_entries("W"), Entries{"0 99.5 10"});
    b.limit("offer", sell, 20, 100.00);
    EXPECT_EQ(a.take_entries("X"), Entries{"0 1 100 20"});
    b.replace("less", "offer", sell, 15, 100.00);
    EXPECT_EQ(a.take_entries("X"), Entries{"1 1 100 15"});
    b.limit("taker", buy, 5, 100.00, ioc);
    EXPECT_EQ(a.take_entries("X"), (Entries{"0 2 100 5", "1 1 100 10"}));
    b.cancel("away", "less", sell);
    EXPECT_EQ(a.take_entries("X"), Entries{"2 1 100 "});
    a.ask_market_data("now", '0');
    EXPECT_EQ(a.take_entries("W"), (Entries{"0 99.5 10", "2 100 5"}));

    a.ask_market_data("book", '2');
    a.ask_market_data("again", '1'); // answered after the one above
    EXPECT_EQ(a.take_entries("W").size(), 2u);
    b.limit("last", sell, 1, 101.00);
    const FIX::Message refresh = a.take("X");
    EXPECT_EQ(value(refresh, 262), "again");
    b.cancel("last away", "last", sell);
    EXPECT_EQ(value(a.take("X"), 262), "again");
}

TEST_F(QuickFix, market_data_that_there_is_not_is_refused) {
    const auto refusal = [this] {
        const FIX::Message refused = a.take("Y");
        return value(refused, 262) + " " + value(refused, 281) + " " + value(refused, 58);
    };
    a.ask_market_data("1", '1', "NONE");
    EXPECT_EQ(refusal(), "1 0 unknown symbol");
    a.ask_market_data("2", '1', "ACME", 5);
    EXPECT_EQ(refusal(), "2 5 MarketDepth has to be 0, the whole book");
    a.ask_market_data("3", '7');
    EXPECT_EQ(refusal(), "3 4 unsupported SubscriptionRequestType");
    a.ask_market_data("4", '1');
    EXPECT_TRUE(a.take_entries("W").empty());
    a.ask_market_data("4", '1');
    EXPECT_EQ(refusal(), "4 1 duplicate MDReqID");
}

TEST_F(QuickFix, a_lost_connection_ends_a_subscription_and_reports_are_resent_without_it) {
    a.ask_market_data("book", '1');
    EXPECT_TRUE(a.take_entries("W").empty());
    a.limit("rest", buy, 10, 99.50);
    EXPECT_EQ(a.take_entries("X").size(), 1u);
    line.cut();
    b.limit("taker", sell, 4, 99.50);
    EXPECT_EQ(report(b, "taker"), "0 0 0 4");
    ASSERT_TRUE(exchange.logs("BOT1 is gone"));
    b.limit("taker 2", sell, 6, 99.50);
    EXPECT_EQ(report(b, "taker 2"), "0 0 0 6");
    line.mend();
    EXPECT_EQ(report(a, "rest"), "F 1 4 6");
    EXPECT_EQ(report(a, "rest"), "F 2 10 0");
    a.ask_market_data("book", '1'); // the id is free, since the old subscription is gone
    EXPECT_EQ(a.take_entries("W"), std::vector<std::string>{"2 99.5 6"});
    for (const FIX::Message& message : a.received()) {
        const std::string type = value(message, 35);
        EXPECT_FALSE((type == "W" || type == "X") && value(message, 43) == "Y") << message;
    }
}

TEST_F(QuickFix, a_market_order_takes_the_best_prices_first) {
    a.limit("dear", sell, 10, 100.10);
    a.limit("cheap", sell, 10, 100.00);
    EXPECT_EQ(report(a, "cheap"), "0 0 0 10");
    b.market("market", buy, 15);
    EXPECT_EQ(report(b, "market"), "0 0 0 15");
    FIX::Message fill = b.take("8", "market");
    EXPECT_EQ(outcome(fill), "F 1 10 5");
    EXPECT_EQ(std::stod(value(fill, 31)), 100.0);
    fill = b.take("8", "market");
    EXPECT_EQ(outcome(fill), "F 2 15 0");
    EXPECT_EQ(std::stod(value(fill, 31)), 100.1);
    b.market("nobody", sell, 5);
    EXPECT_EQ(report(b, "nobody"), "0 0 0 5");
    EXPECT_EQ(report(b, "nobody"), "4 4 0 0");
}

TEST_F(QuickFix, cancels_its_own_orders_only) {
    a.limit("rest", buy, 10, 99.50);
    EXPECT_EQ(report(a, "rest"), "0 0 0 10");
    b.cancel("theirs", "rest", buy);
    FIX::Message refused = b.take("9", "theirs");
    EXPECT_EQ(value(refused, 102), "1");
    EXPECT_EQ(value(refused, 58), "unknown order");
    a.cancel("away", "rest", buy);
    const FIX::Message cancelled = a.take("8", "away");
    EXPECT_EQ(outcome(cancelled), "4 4 0 0");
    EXPECT_EQ(value(cancelled, 41), "rest");
    a.cancel("late", "rest", buy);
    refused = a.take("9", "late");
    EXPECT_EQ(value(refused, 102), "0");
    EXPECT_EQ(value(refused, 434), "1");
    a.cancel("unknown", "never", buy);
    EXPECT_EQ(value(a.take("9", "unknown"), 58), "unknown order");
}

TEST_F(QuickFix, orders_beyond_the_limits_are_refused_with_the_reason) {
    const auto refusal = [this](const std::string& id) {
        const FIX::Message report = a.take("8", id);
        EXPECT_EQ(outcome(report), "8 8 0 0");
        return value(report, 58);
    };
    a.limit("much", buy, 1001, 99.50);
    EXPECT_EQ(refusal("much"), "quantity above the limit");
    a.limit("high", buy, 10, 110.01);
    EXPECT_EQ(refusal("high"), "price outside the band around the reference price");
    a.limit("low", sell, 10, 89.99);
    EXPECT_EQ(refusal("low"), "price outside the band around the reference price");
    a.limit("other", buy, 10, 99.50, '0', "NONE");
    EXPECT_EQ(refusal("other"), "unknown symbol");
    a.limit("edge", buy, 1000, 110.00);
    EXPECT_EQ(report(a, "edge"), "0 0 0 1000");
    a.limit("edge", buy, 1, 110.00);
    EXPECT_EQ(refusal("edge"), "duplicate ClOrdID");
}

TEST_F(QuickFix, what_a_session_has_open_is_limited) {
    const auto refusal = [this](const std::string& id) {
        const FIX::Message report = a.take("8", id);
        EXPECT_EQ(outcome(report), "8 8 0 0");
        return value(report, 103) + " " + value(report, 58);
    };
    a.limit("1", buy, 1000, 100.00);
    a.limit("2", buy, 990, 100.00);
    EXPECT_EQ(report(a, "2"), "0 0 0 990");
    a.limit("3", buy, 11, 100.00);
    EXPECT_EQ(refusal("3"), "3 notional of the open orders above the limit");
    a.limit("4", buy, 9, 100.00);
    EXPECT_EQ(report(a, "4"), "0 0 0 9");
    a.limit("5", buy, 1, 100.00);
    EXPECT_EQ(refusal("5"), "3 too many open orders");
    a.replace("6", "2", buy, 1000, 100.00);
    EXPECT_EQ(value(a.take("9", "6"), 102), "2");
    a.cancel("7", "2", buy);
    EXPECT_EQ(report(a, "7"), "4 4 0 0");
    a.limit("8", buy, 900, 100.00);
    EXPECT_EQ(report(a, "8"), "0 0 0 900");
}

TEST_F(QuickFix, what_the_venue_does_not_do_is_refused_and_disturbs_nothing) {
    FIX::Message request;
    request.getHeader().setField(FIX::MsgType("AF")); // OrderMassStatusRequest
    request.setField(FIX::MassStatusReqID("1"));
    a.send(request);
    const FIX::Message refused = a.take("j");
    EXPECT_EQ(value(refused, 372), "AF");
    EXPECT_EQ(value(refused, 380), "3");
    FIX::Message incomplete;
    incomplete.getHeader().setField(FIX::MsgType("D"));
    incomplete.setField(FIX::ClOrdID("2"));
    a.send(incomplete);
    const FIX::Message rejected = a.take("3");
    EXPECT_EQ(value(rejected, 371), "55");
    EXPECT_EQ(value(rejected, 373), "1");
    a.limit("3", buy, 10, 99.50);
    EXPECT_EQ(report(a, "3"), "0 0 0 10");
}

TEST_F(QuickFix, a_connection_lost_while_orders_fill_loses_no_report) {
    constexpr int fills = 50;
    a.limit("rest", buy, fills, 99.50);
    EXPECT_EQ(report(a, "rest"), "0 0 0 50");
    for (int i = 1; i <= fills; ++i) {
        if (i == 10) line.cut(); // what is on its way now is lost
        const std::string id = std::to_string(i);
        b.limit(id, sell, 1, 99.50);
        EXPECT_EQ(report(b, id), "0 0 0 1");
        EXPECT_EQ(report(b, id), "F 2 1 0");
    }
    ASSERT_TRUE(exchange.logs("BOT1 is gone"));
    a.limit("while away", buy, 7, 99.40); // QuickFIX keeps it for the next connection
    line.mend();

    for (int i = 1; i <= fills; ++i) {
        const FIX::Message report = a.take("8", "rest");
        const std::string left = std::to_string(fills - i);
        ASSERT_EQ(outcome(report), std::string("F ") + (i == fills ? "2 " : "1 ") + std::to_string(i) + " " + left);
        if (i == fills) {
            EXPECT_EQ(value(report, 43), "Y");
        }
    }
    EXPECT_EQ(report(a, "while away"), "0 0 0 7");

    EXPECT_GE(count(a.sent(), "2"), 1) << "QuickFIX asked for what it had missed";
    EXPECT_GE(count(a.received(), "2"), 1) << "the exchange asked for what it had missed";
    std::set<std::string> exec_ids; // no report came twice
    for (const FIX::Message& message : a.received()) {
        if (value(message, 35) != "8") continue;
        EXPECT_TRUE(exec_ids.insert(value(message, 17)).second) << message;
    }
    EXPECT_EQ(exec_ids.size(), fills + 2U);
}

TEST_F(QuickFix, SIGTERM_logs_everybody_out) {
    a.limit("rest", buy, 10, 99.50);
    EXPECT_EQ(report(a, "rest"), "0 0 0 10");
    exchange.terminate();
    EXPECT_EQ(value(a.take("5"), 58), "the exchange stops");
    EXPECT_EQ(value(b.take("5"), 58), "the exchange stops");
    EXPECT_EQ(exchange.wait(), 0);
    EXPECT_NE(exchange.log().find("stopped: 2 connections, 1 orders accepted"), std::string::npos) << exchange.log();
}

} // namespace
} // namespace test
} // namespace exchange
