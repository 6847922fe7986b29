// The exchange and its bots as programs: what each bot counted from the reports that reached it is what the reference
// matcher computes from the journal.
#include "exchange_process.hpp"
#include "reference_matcher.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace exchange::test {
namespace {

TEST(Bots, journal_and_ledgers_agree_with_the_reference_matcher) {
    ExchangeProcess exchange;
    const std::string ledgers = exchange.new_file("ledgers"), output = exchange.new_file("output");
    Process bots({program_from("EXCHANGE_BOTS_PROGRAM"), "--config", exchange.config_file(), "--connect",
                  "127.0.0.1:" + std::to_string(exchange.port()), "--seconds", "2", "--ledgers", ledgers},
                 output);
    EXPECT_EQ(bots.wait(), 0) << content_of(output);
    EXPECT_EQ(exchange.stop(), 0) << exchange.log();

    const ReferenceMatcher reference(exchange.journal());
    EXPECT_EQ(reference.faults, 0);
    EXPECT_GT(reference.fills.size(), 100U);
    EXPECT_EQ(reference.journalled, reference.fills);
    std::map<std::string, std::map<std::string, ReferencePosition>> counted;
    std::istringstream lines(content_of(ledgers));
    std::string bot, symbol;
    for (ReferencePosition position; lines >> bot >> symbol >> position.shares >> position.money;) {
        counted[bot][symbol] = position;
    }
    EXPECT_EQ(counted.size(), 4U);
    EXPECT_TRUE(counted == reference.positions) << content_of(ledgers) << exchange.log() << content_of(output);
    for (const char* kind : {"\nC ", "\nR "}) // the bots cancel and replace, too
        EXPECT_NE(exchange.journal().find(kind), std::string::npos) << kind;
    // The first bot's market data is over with its session; the others may go on trading for a moment.
    const std::string text = content_of(output);
    const auto at = text.find("market data: ");
    ASSERT_NE(at, std::string::npos) << text;
    const std::size_t trades = std::stoul(text.substr(at + 13));
    EXPECT_GT(trades, 100U);
    EXPECT_LE(trades, reference.fills.size());
}

TEST(Exchange, does_not_start_with_limits_out_of_range) {
    try {
        const ExchangeProcess exchange("", "", R"(, "max_notional": 0, "max_open_orders": 2000000)");
        FAIL() << exchange.log();
    } catch (const std::runtime_error& failure) {
        const std::string text = failure.what();
        EXPECT_NE(text.find("/resources/limits/max_notional"), std::string::npos) << text;
        EXPECT_NE(text.find("/resources/limits/max_open_orders"), std::string::npos) << text;
    }
}

TEST(Bots, without_fills_or_without_an_exchange_they_fail) {
    ExchangeProcess exchange;
    const std::string output = exchange.new_file("output"), address = "127.0.0.1:" + std::to_string(exchange.port());
    EXPECT_EQ(exchange.stop(), 0) << exchange.log();
    Process bots({program_from("EXCHANGE_BOTS_PROGRAM"), "--config", exchange.config_file(), "--connect", address,
                  "--seconds", "1"},
                 output);
    EXPECT_EQ(bots.wait(), 1);
    EXPECT_NE(content_of(output).find("refused"), std::string::npos) << content_of(output);
}

} // namespace
} // namespace exchange::test
