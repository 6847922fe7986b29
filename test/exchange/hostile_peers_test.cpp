// The exchange as a program, with peers that break every rule. Beside each of them two sessions trade with each other
// and get every report once and in order, and the log says why the peer was sent away.
#include "tcp_peers.hpp"

#include <gtest/gtest.h>

#include <iostream>
#include <random>

namespace exchange::test {
namespace {

using namespace std::chrono_literals;

bool has_text(const std::string& bytes, const std::string& text) {
    return with_bars(bytes).find(text) != std::string::npos;
}

class HostilePeers : public testing::Test {
protected:
    void SetUp() override { trade(10); }

    void TearDown() override {
        trade(10);
        EXPECT_EQ(seller.reports, expected_reports("BOT1"));
        EXPECT_EQ(buyer.reports, expected_reports("BOT2"));
        for (const TradingPeer* each : {&seller, &buyer}) {
            EXPECT_TRUE(each->session().is_logged_on()) << each->session().reason();
            // Logon, reports, heartbeats: nothing else was ever sent, so nothing was sent twice.
            EXPECT_GE(each->session().next_in(), 2 + 2 * each->orders);
        }
        EXPECT_EQ(exchange.stop(), 0);
        EXPECT_EQ(exchange.log().find("asking for a resend"), std::string::npos);
        EXPECT_EQ(exchange.log().find("BOT1: disconnecting: slow"), std::string::npos);
        if (HasFailure()) std::cout << exchange.log();
    }

    /// Each order of the one fills the order of the other.
    void trade(int count) {
        for (int i = 0; i < count; ++i) {
            seller.order('2', '0');
            ASSERT_TRUE(seller.wait_for_reports(static_cast<std::size_t>(2 * seller.orders - 1)));
            buyer.order('1', '3');
            ASSERT_TRUE(buyer.wait_for_reports(static_cast<std::size_t>(2 * buyer.orders)));
            ASSERT_TRUE(seller.wait_for_reports(static_cast<std::size_t>(2 * seller.orders)));
        }
    }

    /// Trades until the log has the text.
    void trade_until_log_says(const std::string& text) {
        const auto end = std::chrono::steady_clock::now() + 30s;
        while (exchange.log().find(text) == std::string::npos) {
            ASSERT_LT(std::chrono::steady_clock::now(), end) << "not in the log: " << text << '\n' << exchange.log();
            trade(1);
        }
    }

    [[nodiscard]] std::vector<std::string> expected_reports(const std::string& name) const {
        std::vector<std::string> all;
        for (int i = 1; i <= seller.orders; ++i) {
            for (const char* type : {" 0", " F"}) all.push_back(name + "-" + std::to_string(i) + type);
        }
        return all;
    }

    ExchangeProcess exchange{R"(, "max_unsent_bytes": 65536)", R"(, "logon_timeout_ms": 500, "write_timeout_ms": 500)"};
    TradingPeer seller{exchange.port(), "BOT1"}, buyer{exchange.port(), "BOT2"};
    Peer peer{exchange.port()};
};

std::string garbage(unsigned seed) {
    std::mt19937 random{seed};
    std::string bytes(20'000, ' ');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes + "8=FIX.4.4\x01" + "9=abc\x01" + "8=FIX.4.4\x01" + "9=5\x01" + "35=0\x01" + "10=000\x01";
}

TEST_F(HostilePeers, garbage_before_the_Logon_ends_with_the_time_for_it) {
    for (unsigned seed = 1; seed <= 10; ++seed) peer.send(garbage(seed));
    trade_until_log_says("disconnected: no Logon: ");
    (void)peer.read_all();
    EXPECT_TRUE(peer.is_over());
}

TEST_F(HostilePeers, garbage_in_a_session_is_ignored) {
    peer.send(logon());
    peer.send(garbage(1));
    trade_until_log_says("BOT3: ignoring garbled input");
    peer.send(garbage(2) + message("1", 2, "112=still here|") + message("5", 3, ""));
    EXPECT_TRUE(has_text(peer.read_until("|35=5|"), "|112=still here|"));
}

TEST_F(HostilePeers, truncated_messages_do_nothing) {
    const std::string order = message("D", 2, order_fields("1", '1', '0'));
    {
        Peer cut(exchange.port());
        cut.send(logon() + order.substr(0, order.size() / 2));
        EXPECT_TRUE(has_text(cut.read_until("|35=A|"), "|35=A|"));
    }
    trade_until_log_says("BOT3 is gone: connection lost");
    const std::string missing_middle = order.substr(0, 60) + order.substr(70);
    Peer again(exchange.port());
    again.send(message("A", 1, "98=0|108=30|141=Y|") + missing_middle + message("5", 2, ""));
    const std::string answers = again.read_until("|35=5|");
    EXPECT_FALSE(has_text(answers, "|35=8|")) << answers;
    EXPECT_TRUE(has_text(answers, "|35=5|")) << answers;
    trade_until_log_says("BOT3: ignoring garbled input");
}

TEST_F(HostilePeers, an_oversized_message_ends_the_connection) {
    peer.send(with_soh("8=FIX.4.4|9=1000000|35=A|49=BOT3|"));
    trade_until_log_says("disconnected: message too long");
    (void)peer.read_all();
    EXPECT_TRUE(peer.is_over());
    Peer known(exchange.port());
    known.send(logon());
    known.send(message("D", 2, "58=" + std::string(100'000, 'x') + "|"));
    trade_until_log_says("BOT3: disconnecting: message too long");
    (void)known.read_all();
    EXPECT_TRUE(known.is_over());
}

TEST_F(HostilePeers, wrong_CompIDs_are_sent_away_unanswered) {
    peer.send(logon("MALLORY"));
    EXPECT_EQ(peer.read_all(), "");
    trade_until_log_says("disconnected: SenderCompID is unknown");
    Peer lost(exchange.port());
    lost.send(logon("BOT3", "ELSEWHERE"));
    EXPECT_EQ(lost.read_all(), "");
    trade_until_log_says("disconnected: TargetCompID is not ours");
    Peer impostor(exchange.port());
    impostor.send(logon("BOT1"));
    EXPECT_EQ(impostor.read_all(), "");
    trade_until_log_says("disconnected: SenderCompID is already connected");
    Peer changes(exchange.port());
    changes.send(logon() + message("D", 2, order_fields("1", '1', '0'), "BOT1"));
    const std::string answers = changes.read_all();
    EXPECT_TRUE(has_text(answers, "|373=9|")) << with_bars(answers);
    EXPECT_FALSE(has_text(answers, "|35=8|"));
    trade_until_log_says("BOT3: disconnecting: SenderCompID is wrong");
}

TEST_F(HostilePeers, a_first_message_that_is_no_Logon_ends_the_connection) {
    peer.send(message("D", 1, order_fields("1", '1', '0')));
    EXPECT_EQ(peer.read_all(), "");
    trade_until_log_says("disconnected: first message is not a Logon");
}

TEST_F(HostilePeers, a_silent_peer_is_asked_and_then_sent_away) {
    peer.send(logon("BOT3", "NEXUS", 1));
    trade_until_log_says("BOT3: disconnecting: silent for 2 s, TestRequest unanswered");
    const std::string answers = peer.read_all();
    EXPECT_TRUE(has_text(answers, "|35=1|")) << with_bars(answers);
}

TEST_F(HostilePeers, a_slow_reader_is_sent_away_when_too_much_piles_up) {
    Peer slow(exchange.port(), 4096);
    slow.send(logon());
    std::int64_t seq = 2;
    const auto end = std::chrono::steady_clock::now() + 60s;
    for (bool open = true; open && std::chrono::steady_clock::now() < end;) {
        std::string burst;
        for (int i = 0; i < 200; ++i, ++seq) burst += message("D", seq, order_fields(std::to_string(seq), '2', '3'));
        open = slow.send(burst);
        trade(1);
    }
    trade_until_log_says("BOT3 is gone: ");
    const std::string log = exchange.log();
    EXPECT_TRUE(log.find("BOT3: disconnecting: slow reader: ") != std::string::npos ||
                log.find("BOT3: disconnecting: cannot write: ") != std::string::npos)
        << log;
}

TEST(SlowMarketData, its_reader_is_told_what_it_missed_and_not_sent_away) {
    ExchangeProcess exchange("", R"(, "write_timeout_ms": 60000, "send_buffer_bytes": 65536)", "",
                             R"(, "kept_events": 64)");
    Peer reader(exchange.port(), 65'536), trader(exchange.port());
    std::string requests = logon();
    for (int i = 0; i < 16; ++i) { // so many that little trade fills what the kernel keeps for us
        const std::string id = std::to_string(i);
        requests += message("V", 2 + i, "262=" + id + "|263=1|264=0|265=1|267=3|269=0|269=1|269=2|146=1|55=ACME|");
    }
    reader.send(requests);
    EXPECT_TRUE(has_text(reader.read_until("|262=15|"), "|35=W|"));
    trader.send(logon("BOT4"));
    std::int64_t seq = 2;
    for (int burst = 0; burst < 10; ++burst) {
        std::string orders;
        for (int i = 0; i < 200; ++i, ++seq)
            orders += message("D", seq, order_fields(std::to_string(seq), i % 2 == 0 ? '1' : '2', '0'), "BOT4");
        orders += message("1", seq++, "112=burst " + std::to_string(burst) + "|", "BOT4");
        trader.send(orders);
        const std::string answer = "|112=burst " + std::to_string(burst) + "|";
        ASSERT_TRUE(has_text(trader.read_until(answer), answer)) << exchange.log();
    }
    const std::string text = reader.read_until("|814=1|");
    const std::size_t told = text.find("|813=");
    ASSERT_NE(told, text.npos) << text.size() << " bytes came" << exchange.log();
    EXPECT_GT(std::stoul(text.substr(told + 5)), 0U);
    reader.send(message("1", 18, "112=still here|"));
    EXPECT_TRUE(has_text(reader.read_until("|112=still here|"), "|112=still here|"));
    EXPECT_EQ(exchange.stop(), 0);
    EXPECT_EQ(exchange.log().find("slow reader"), std::string::npos) << exchange.log();
}

} // namespace
} // namespace exchange::test
