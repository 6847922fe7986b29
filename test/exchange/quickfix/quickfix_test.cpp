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

constexpr char buy = '1', sell = '2', ioc = '3';

/// An ExecutionReport's ExecType, OrdStatus, CumQty and LeavesQty: "F 2 10 0".
std::string outcome(const FIX::Message& report) {
    return value(report, 150) + " " + value(report, 39) + " " + value(report, 14) + " " + value(report, 151);
}

/// An exchange and two clients who are logged on.
class QuickFix : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(eventually([this] { return a.is_logged_on() && b.is_logged_on(); })) << exchange.log();
    }
    void TearDown() override {
        EXPECT_EQ(exchange.stop(), 0) << exchange.log();
        if (HasFailure()) std::cout << exchange.log() << exchange.journal();
    }
    std::string report(Trader& trader, const std::string& cl_ord_id) { return outcome(trader.take("8", cl_ord_id)); }

    ExchangeProcess exchange;
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

TEST_F(QuickFix, what_the_venue_does_not_do_is_refused_and_disturbs_nothing) {
    FIX::Message request;
    request.getHeader().setField(FIX::MsgType("H")); // OrderStatusRequest
    request.setField(FIX::ClOrdID("1"));
    a.send(request);
    const FIX::Message refused = a.take("j");
    EXPECT_EQ(value(refused, 372), "H");
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

    const auto count = [](const std::vector<FIX::Message>& messages, const char* type) {
        return std::count_if(messages.begin(), messages.end(),
                             [type](const FIX::Message& message) { return value(message, 35) == type; });
    };
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
