// The FIX session layer: each rule of the standard that the session keeps has a test named after it.
#include "session.hpp"

#include "fix_tools.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace exchange::test {
namespace {

using namespace std::chrono_literals;
using Event = Session::Event;

class SessionTest : public testing::Test {
protected:
    static SessionConfig config() {
        SessionConfig c;
        c.stored_messages = 100;
        c.max_unsent_bytes = 20'000;
        return c;
    }

    SessionTest() {
        session.set_log([this](std::string_view text) { logged.emplace_back(text); });
    }

    /// What the peer says: type, further fields, MsgSeqNum (0: the peer's next).
    Event say(std::string_view type, const std::string& fields = "", std::int64_t seq = 0) {
        if (seq == 0) seq = peer_seq++;
        return say_raw("35=" + std::string{type} + "|49=PEER|56=NEXUS|34=" + std::to_string(seq) + "|52=" + stamp(now) +
                       "|" + fields);
    }

    Event say_raw(const std::string& body, std::string_view begin_string = "FIX.4.4") {
        const std::string text = whole(body, begin_string);
        return session.on_message(fix::Message{text}, now);
    }

    static std::string stamp(Time time) {
        fix::Fields fields;
        const std::string text{fields.add(52, time).text()};
        return text.substr(3, text.size() - 4);
    }

    /// What the session has sent since the last call.
    std::vector<std::string> heard() {
        std::string bytes;
        (void)session.take_output(bytes);
        return split(bytes);
    }

    std::string heard_one() {
        const auto messages = heard();
        EXPECT_EQ(messages.size(), 1u);
        return messages.empty() ? "" : messages.front();
    }

    void log_on(const std::string& more = "") {
        session.connected(now);
        EXPECT_EQ(say("A", "98=0|108=30|" + more), Event::logged_on);
        (void)heard();
    }

    void send_report(int number) {
        session.compose().add(58, number);
        session.send("8", now);
    }

    void reconnect() {
        session.connection_lost();
        (void)heard();
        session.connected(now);
    }

    /// The session sent one Reject that names this tag and reason, and stays connected.
    void expect_reject(int tag, int reason, std::int64_t ref_seq) {
        const std::string reject = heard_one();
        EXPECT_EQ(value_of(reject, 35), "3");
        EXPECT_EQ(value_of(reject, 45), std::to_string(ref_seq));
        EXPECT_EQ(value_of(reject, 371), tag == 0 ? "" : std::to_string(tag));
        EXPECT_EQ(value_of(reject, 373), std::to_string(reason));
        EXPECT_NE(value_of(reject, 58), "");
        EXPECT_FALSE(session.wants_disconnect());
    }

    /// The session sent a Logout as its last message and wants to disconnect for this reason.
    void expect_failure(const std::string& reason) {
        const auto messages = heard();
        ASSERT_FALSE(messages.empty());
        EXPECT_EQ(value_of(messages.back(), 35), "5");
        EXPECT_EQ(value_of(messages.back(), 58), reason);
        EXPECT_TRUE(session.wants_disconnect());
        EXPECT_EQ(session.reason(), reason);
    }

    void expect_silent_end(const std::string& reason) {
        EXPECT_TRUE(heard().empty());
        EXPECT_TRUE(session.wants_disconnect());
        EXPECT_EQ(session.reason(), reason);
    }

    Time now = std::chrono::sys_days{std::chrono::year{2026} / 1 / 2} + 9h;
    Session session{config(), "PEER"};
    std::int64_t peer_seq = 1;
    std::vector<std::string> logged;
};

// ---- Logon ------------------------------------------------------------------------------------------------------

TEST_F(SessionTest, logon_is_answered_with_a_logon) {
    session.connected(now);
    EXPECT_FALSE(session.is_logged_on());
    EXPECT_EQ(say("A", "98=0|108=30|"), Event::logged_on);
    EXPECT_TRUE(session.is_logged_on());
    EXPECT_EQ(heard_one(), with_bars(whole("35=A|49=NEXUS|56=PEER|34=1|52=20260102-09:00:00.000|98=0|108=30|")));
    EXPECT_EQ(session.next_in(), 2);
    EXPECT_EQ(session.next_out(), 2);
}

TEST_F(SessionTest, first_message_that_is_no_logon_disconnects_without_an_answer) {
    session.connected(now);
    EXPECT_EQ(say("D"), Event::none);
    expect_silent_end("first message is not a Logon");
}

TEST_F(SessionTest, nothing_is_heard_before_connecting_or_after_the_end) {
    EXPECT_EQ(say("A", "98=0|108=30|"), Event::none);
    session.connected(now);
    (void)say("D");
    EXPECT_EQ(say("A", "98=0|108=30|"), Event::none);
    EXPECT_TRUE(heard().empty());
}

TEST_F(SessionTest, logon_with_encryption_is_refused) {
    session.connected(now);
    EXPECT_EQ(say("A", "98=1|108=30|"), Event::none);
    expect_failure("Logon refused: EncryptMethod is not 0, tag 98");
    EXPECT_EQ(session.next_in(), 2) << "a refused Logon counts";
}

TEST_F(SessionTest, logon_without_encrypt_method_is_refused) {
    session.connected(now);
    EXPECT_EQ(say("A", "108=30|"), Event::none);
    expect_failure("Logon refused: required tag missing, tag 98");
}

TEST_F(SessionTest, logon_with_a_heartbeat_outside_the_limits_is_refused) {
    for (const char* interval : {"0", "-1", "61"}) {
        session.connected(now);
        EXPECT_EQ(say("A", "98=0|108=" + std::string{interval} + "|"), Event::none);
        expect_failure("Logon refused: HeartBtInt is outside the limits, tag 108");
        session.connection_lost();
    }
}

TEST_F(SessionTest, logon_that_never_comes_disconnects) {
    session.connected(now);
    now += 9999ms;
    session.on_tick(now);
    EXPECT_FALSE(session.wants_disconnect());
    now += 1ms;
    session.on_tick(now);
    expect_silent_end("no Logon in 10 s");
}

TEST_F(SessionTest, logon_of_another_fix_version_is_refused) {
    session.connected(now);
    EXPECT_EQ(say_raw("35=A|49=PEER|56=NEXUS|34=1|52=" + stamp(now) + "|98=0|108=30|", "FIX.4.2"), Event::none);
    expect_failure("BeginString is not FIX.4.4");
}

TEST_F(SessionTest, logon_with_reset_starts_both_sequences_again) {
    log_on();
    send_report(1);
    reconnect();
    peer_seq = 1;
    EXPECT_EQ(say("A", "98=0|108=30|141=Y|"), Event::logged_on);
    const std::string answer = heard_one();
    EXPECT_EQ(value_of(answer, 34), "1");
    EXPECT_EQ(value_of(answer, 141), "Y");
    EXPECT_EQ(session.next_in(), 2);
    EXPECT_EQ(session.next_out(), 2);
    (void)say("1", "112=x|"); // the Heartbeat gets the number that the report had
    (void)heard();
    (void)say("2", "7=1|16=0|");
    const std::string gap = heard_one();
    EXPECT_EQ(value_of(gap, 35), "4") << "the old messages are forgotten";
    EXPECT_EQ(value_of(gap, 36), "3");
}

TEST_F(SessionTest, logon_with_reset_and_a_higher_number_is_refused) {
    session.connected(now);
    EXPECT_EQ(say("A", "98=0|108=30|141=Y|", 2), Event::none);
    expect_failure("Logon refused: ResetSeqNumFlag with a MsgSeqNum other than 1, tag 34");
}

TEST_F(SessionTest, logon_with_reset_while_logged_on_starts_again) {
    log_on();
    (void)say("0");
    peer_seq = 1;
    EXPECT_EQ(say("A", "98=0|108=30|141=Y|"), Event::logged_on);
    EXPECT_EQ(value_of(heard_one(), 34), "1");
    EXPECT_EQ(session.next_in(), 2);
}

TEST_F(SessionTest, a_second_logon_is_rejected) {
    log_on();
    EXPECT_EQ(say("A", "98=0|108=30|"), Event::none);
    expect_reject(0, 99, 2);
}

TEST_F(SessionTest, logon_with_too_low_a_number_is_refused) {
    log_on();
    reconnect();
    EXPECT_EQ(say("A", "98=0|108=30|", 1), Event::none);
    expect_failure("MsgSeqNum too low, expecting 2 but received 1");
    EXPECT_EQ(session.next_in(), 2);
}

TEST_F(SessionTest, logon_with_too_high_a_number_is_answered_and_a_resend_asked_for) {
    session.connected(now);
    EXPECT_EQ(say("A", "98=0|108=30|", 5), Event::logged_on);
    const auto messages = heard();
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(value_of(messages[0], 35), "A");
    EXPECT_EQ(value_of(messages[1], 35), "2");
    EXPECT_EQ(value_of(messages[1], 7), "1");
    EXPECT_EQ(value_of(messages[1], 16), "0");
    EXPECT_EQ(say("4", "123=Y|43=Y|122=" + stamp(now) + "|36=6|", 1), Event::none);
    EXPECT_EQ(session.next_in(), 6);
    EXPECT_EQ(say("D", "", 6), Event::application);
}

TEST_F(SessionTest, logon_resent_with_poss_dup_is_not_taken_for_a_new_one) {
    log_on();
    reconnect();
    EXPECT_EQ(say("A", "98=0|108=30|43=Y|122=" + stamp(now) + "|", 1), Event::none);
    EXPECT_FALSE(session.wants_disconnect());
    EXPECT_FALSE(session.is_logged_on());
}

// ---- Header -----------------------------------------------------------------------------------------------------

TEST_F(SessionTest, wrong_sender_comp_id_is_rejected_and_ends_the_session) {
    log_on();
    EXPECT_EQ(say_raw("35=D|49=OTHER|56=NEXUS|34=2|52=" + stamp(now) + "|"), Event::none);
    const auto messages = heard();
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(value_of(messages[0], 35), "3");
    EXPECT_EQ(value_of(messages[0], 371), "49");
    EXPECT_EQ(value_of(messages[0], 373), "9");
    EXPECT_EQ(value_of(messages[1], 35), "5");
    EXPECT_TRUE(session.wants_disconnect());
    EXPECT_EQ(session.reason(), "SenderCompID is wrong");
    EXPECT_EQ(session.next_in(), 3) << "the message was counted";
}

TEST_F(SessionTest, wrong_target_comp_id_is_rejected_and_ends_the_session) {
    log_on();
    EXPECT_EQ(say_raw("35=D|49=PEER|56=OTHER|34=2|52=" + stamp(now) + "|"), Event::none);
    const auto messages = heard();
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(value_of(messages[0], 371), "56");
    EXPECT_EQ(session.reason(), "TargetCompID is wrong");
}

TEST_F(SessionTest, message_of_another_fix_version_ends_the_session) {
    log_on();
    EXPECT_EQ(say_raw("35=0|49=PEER|56=NEXUS|34=2|52=" + stamp(now) + "|", "FIX.4.3"), Event::none);
    expect_failure("BeginString is not FIX.4.4");
}

TEST_F(SessionTest, missing_sending_time_is_rejected) {
    log_on();
    EXPECT_EQ(say_raw("35=D|49=PEER|56=NEXUS|34=2|"), Event::none);
    expect_reject(52, 1, 2);
    EXPECT_EQ(session.next_in(), 3);
}

TEST_F(SessionTest, sending_time_far_from_ours_is_rejected_and_ends_the_session) {
    for (const auto skew : {-121s, 121s}) {
        log_on("141=Y|");
        EXPECT_EQ(say_raw("35=D|49=PEER|56=NEXUS|34=2|52=" + stamp(now + skew) + "|"), Event::none);
        const auto messages = heard();
        ASSERT_EQ(messages.size(), 2u);
        EXPECT_EQ(value_of(messages[0], 371), "52");
        EXPECT_EQ(value_of(messages[0], 373), "10");
        EXPECT_TRUE(session.wants_disconnect());
        session.connection_lost();
        peer_seq = 1;
    }
}

TEST_F(SessionTest, missing_sequence_number_ends_the_session) {
    for (const char* field : {"", "34=|", "34=x|", "34=0|", "34=-3|"}) {
        log_on("141=Y|");
        EXPECT_EQ(say_raw("35=0|49=PEER|56=NEXUS|" + std::string{field} + "52=" + stamp(now) + "|"), Event::none);
        expect_failure("MsgSeqNum is missing or not a number");
        session.connection_lost();
        peer_seq = 1;
    }
}

// ---- Sequence numbers -------------------------------------------------------------------------------------------

TEST_F(SessionTest, application_messages_in_sequence_are_handed_on) {
    log_on();
    EXPECT_EQ(say("D"), Event::application);
    EXPECT_EQ(say("F"), Event::application);
    EXPECT_EQ(session.next_in(), 4);
    EXPECT_TRUE(heard().empty());
}

TEST_F(SessionTest, too_low_a_number_ends_the_session) {
    log_on();
    (void)say("0");
    EXPECT_EQ(say("D", "", 2), Event::none);
    expect_failure("MsgSeqNum too low, expecting 3 but received 2");
}

TEST_F(SessionTest, too_low_a_number_with_poss_dup_is_ignored) {
    log_on();
    EXPECT_EQ(say("D"), Event::application);
    EXPECT_EQ(say("D", "43=Y|122=" + stamp(now) + "|", 2), Event::none);
    EXPECT_TRUE(heard().empty());
    EXPECT_FALSE(session.wants_disconnect());
    EXPECT_EQ(session.next_in(), 3);
}

TEST_F(SessionTest, poss_dup_without_orig_sending_time_is_rejected) {
    log_on();
    (void)say("0");
    EXPECT_EQ(say("D", "43=Y|", 2), Event::none);
    expect_reject(122, 1, 2);
    EXPECT_EQ(session.next_in(), 3);
}

TEST_F(SessionTest, poss_dup_with_orig_sending_time_after_sending_time_ends_the_session) {
    log_on();
    EXPECT_EQ(say("D", "43=Y|122=" + stamp(now + 1s) + "|"), Event::none);
    const auto messages = heard();
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(value_of(messages[0], 371), "122");
    EXPECT_EQ(value_of(messages[0], 373), "10");
    EXPECT_TRUE(session.wants_disconnect());
}

TEST_F(SessionTest, too_high_a_number_asks_for_a_resend_once_and_the_gap_is_filled_in_order) {
    log_on();
    EXPECT_EQ(say("D", "", 4), Event::none);
    EXPECT_EQ(say("D", "", 5), Event::none);
    const std::string request = heard_one();
    EXPECT_EQ(value_of(request, 35), "2");
    EXPECT_EQ(value_of(request, 7), "2");
    EXPECT_EQ(value_of(request, 16), "0");
    const std::string again = "43=Y|122=" + stamp(now) + "|";
    for (std::int64_t seq = 2; seq <= 5; ++seq) EXPECT_EQ(say("D", again, seq), Event::application);
    EXPECT_EQ(say("D", "", 6), Event::application);
    EXPECT_TRUE(heard().empty());
}

TEST_F(SessionTest, a_new_gap_after_a_filled_one_is_asked_for_again) {
    log_on();
    (void)say("D", "", 3);
    EXPECT_EQ(value_of(heard_one(), 7), "2");
    (void)say("4", "123=Y|43=Y|122=" + stamp(now) + "|36=4|", 2);
    (void)say("D", "", 6);
    EXPECT_EQ(value_of(heard_one(), 7), "4");
}

TEST_F(SessionTest, a_gap_within_a_resend_does_not_shorten_what_is_waited_for) {
    log_on();
    const std::string again = "43=Y|122=" + stamp(now) + "|";
    (void)say("D", "", 9);
    (void)heard();
    (void)say("D", again, 5);
    for (std::int64_t seq = 2; seq <= 5; ++seq) EXPECT_EQ(say("D", again, seq), Event::application);
    (void)say("D", "", 10);
    EXPECT_TRUE(heard().empty());
}

TEST_F(SessionTest, a_gap_left_by_a_lost_connection_is_asked_for_on_the_next) {
    log_on();
    (void)say("D", "", 5);
    reconnect();
    (void)say("A", "98=0|108=30|", 6);
    const auto messages = heard();
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(value_of(messages[1], 35), "2");
    EXPECT_EQ(value_of(messages[1], 7), "2");
}

TEST_F(SessionTest, a_resend_that_does_not_come_is_asked_for_again) {
    log_on();
    (void)say("D", "", 4);
    (void)heard();
    now += 29s;
    (void)say("0", "", 5);
    session.on_tick(now);
    EXPECT_TRUE(heard().empty());
    now += 1s;
    session.on_tick(now);
    const auto messages = heard();
    ASSERT_FALSE(messages.empty());
    EXPECT_EQ(value_of(messages.back(), 35), "2");
    EXPECT_EQ(value_of(messages.back(), 7), "2");
}

TEST_F(SessionTest, sequence_numbers_survive_a_reconnect) {
    log_on();
    (void)say("D");
    send_report(1);
    reconnect();
    EXPECT_EQ(say("A", "98=0|108=30|"), Event::logged_on);
    EXPECT_EQ(value_of(heard_one(), 34), "3");
    EXPECT_EQ(session.next_in(), 4);
}

// ---- Resend requests --------------------------------------------------------------------------------------------

TEST_F(SessionTest, resend_gap_fills_admin_messages_and_resends_application_messages) {
    log_on();                 // 1: Logon
    send_report(1);           // 2
    send_report(2);           // 3
    (void)say("1", "112=x|"); // 4: Heartbeat
    (void)say("1", "112=y|"); // 5: Heartbeat
    send_report(3);           // 6
    (void)heard();
    const Time before = now;
    now += 5s;
    EXPECT_EQ(say("2", "7=1|16=0|"), Event::none);
    const auto messages = heard();
    ASSERT_EQ(messages.size(), 5u);
    const auto expect_gap = [&](const std::string& message, const char* seq, const char* next) {
        EXPECT_EQ(value_of(message, 35), "4");
        EXPECT_EQ(value_of(message, 34), seq);
        EXPECT_EQ(value_of(message, 36), next);
        EXPECT_EQ(value_of(message, 123), "Y");
        EXPECT_EQ(value_of(message, 43), "Y");
        EXPECT_NE(value_of(message, 122), "");
    };
    const auto expect_report = [&](const std::string& message, const char* seq, const char* text) {
        EXPECT_EQ(value_of(message, 35), "8");
        EXPECT_EQ(value_of(message, 34), seq);
        EXPECT_EQ(value_of(message, 58), text);
        EXPECT_EQ(value_of(message, 43), "Y");
        EXPECT_EQ(value_of(message, 122), stamp(before));
        EXPECT_EQ(value_of(message, 52), stamp(now));
    };
    expect_gap(messages[0], "1", "2");
    expect_report(messages[1], "2", "1");
    expect_report(messages[2], "3", "2");
    expect_gap(messages[3], "4", "6");
    expect_report(messages[4], "6", "3");
    EXPECT_EQ(session.next_out(), 7) << "a resend uses no new number";
}

TEST_F(SessionTest, resend_of_a_range_ends_where_it_was_asked_to) {
    log_on();
    for (int i = 1; i <= 5; ++i) send_report(i);
    (void)heard();
    (void)say("2", "7=3|16=4|");
    const auto messages = heard();
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(value_of(messages[0], 34), "3");
    EXPECT_EQ(value_of(messages[1], 34), "4");
    (void)say("2", "7=6|16=999999|");
    EXPECT_EQ(value_of(heard_one(), 34), "6");
}

TEST_F(SessionTest, resend_of_admin_messages_at_the_end_is_a_gap_fill_to_the_next_number) {
    log_on();
    (void)say("1", "112=x|");
    (void)heard();
    (void)say("2", "7=1|16=0|");
    const std::string gap = heard_one();
    EXPECT_EQ(value_of(gap, 35), "4");
    EXPECT_EQ(value_of(gap, 36), "3");
}

TEST_F(SessionTest, resend_of_what_was_never_sent_is_rejected) {
    log_on();
    (void)say("2", "7=2|16=0|");
    expect_reject(7, 5, 2);
    (void)say("2", "7=0|16=0|");
    expect_reject(7, 5, 3);
    send_report(1);
    send_report(2);
    (void)heard();
    (void)say("2", "7=3|16=2|");
    expect_reject(16, 5, 4);
    (void)say("2", "16=2|");
    expect_reject(7, 1, 5);
}

TEST_F(SessionTest, resend_request_with_too_high_a_number_is_answered_before_our_own) {
    log_on();
    send_report(1);
    (void)heard();
    (void)say("2", "7=2|16=0|", 4);
    const auto messages = heard();
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(value_of(messages[0], 35), "8");
    EXPECT_EQ(value_of(messages[1], 35), "2");
    EXPECT_EQ(value_of(messages[1], 7), "2");
}

TEST_F(SessionTest, messages_too_old_for_the_store_are_gap_filled) {
    log_on();
    for (int i = 0; i < 250; ++i) {
        send_report(i); // numbers 2 to 251, of which the last 100 are kept
        (void)heard();
    }
    (void)say("2", "7=1|16=0|");
    const auto messages = heard();
    ASSERT_EQ(messages.size(), 101u);
    EXPECT_EQ(value_of(messages[0], 35), "4");
    EXPECT_EQ(value_of(messages[0], 36), "152");
    EXPECT_EQ(value_of(messages[1], 34), "152");
    EXPECT_EQ(value_of(messages[100], 34), "251");
}

TEST_F(SessionTest, what_is_not_kept_is_sent_once_and_then_gap_filled) {
    log_on();
    const auto send_unkept = [this](int number) {
        session.compose().add(58, number);
        session.send_unkept("X", now);
    };
    send_unkept(1);
    const std::string first = heard_one();
    EXPECT_EQ(value_of(first, 35), "X");
    EXPECT_EQ(value_of(first, 34), "2");
    send_report(2);
    for (int i = 0; i < 150; ++i) send_unkept(3); // more than the store holds: they push no report out
    send_report(4);
    (void)heard();
    reconnect();
    send_unkept(5);
    EXPECT_TRUE(heard().empty()) << "nobody is there";
    (void)say("A", "98=0|108=30|");
    (void)heard();
    (void)say("2", "7=1|16=0|");
    const auto resent = heard();
    ASSERT_EQ(resent.size(), 5u);
    const std::vector<std::pair<const char*, const char*>> expected{
        {"4", "1"}, {"8", "3"}, {"4", "4"}, {"8", "154"}, {"4", "155"}};
    for (std::size_t i = 0; i < resent.size(); ++i) {
        EXPECT_EQ(value_of(resent[i], 35), expected[i].first);
        EXPECT_EQ(value_of(resent[i], 34), expected[i].second);
    }
    EXPECT_EQ(value_of(resent[2], 36), "154");
}

TEST_F(SessionTest, reports_sent_while_offline_reach_the_peer_by_a_resend) {
    log_on();
    session.connection_lost();
    send_report(1);
    send_report(2);
    EXPECT_TRUE(heard().empty());
    session.connected(now);
    (void)say("A", "98=0|108=30|");
    EXPECT_EQ(value_of(heard_one(), 34), "4") << "the peer sees the gap 2 to 3";
    (void)say("2", "7=2|16=0|");
    const auto messages = heard();
    ASSERT_EQ(messages.size(), 3u);
    EXPECT_EQ(value_of(messages[0], 58), "1");
    EXPECT_EQ(value_of(messages[1], 58), "2");
    EXPECT_EQ(value_of(messages[2], 36), "5");
}

// ---- Sequence resets --------------------------------------------------------------------------------------------

TEST_F(SessionTest, gap_fill_in_sequence_moves_the_expected_number) {
    log_on();
    (void)say("4", "123=Y|36=10|");
    EXPECT_EQ(session.next_in(), 10);
    EXPECT_EQ(say("D", "", 10), Event::application);
}

TEST_F(SessionTest, gap_fill_backwards_is_rejected) {
    log_on();
    (void)say("4", "123=Y|36=2|");
    expect_reject(36, 5, 2);
    EXPECT_EQ(session.next_in(), 3);
}

TEST_F(SessionTest, sequence_numbers_cannot_be_driven_to_their_end) {
    log_on();
    (void)say("4", "123=Y|36=9223372036854775807|");
    expect_reject(36, 5, 2);
    (void)say("4", "36=9223372036854775807|");
    expect_reject(36, 5, 3);
    (void)say("D", "", 9223372036854775807);
    EXPECT_EQ(value_of(heard_one(), 35), "2");
}

TEST_F(SessionTest, gap_fill_ahead_of_a_gap_asks_for_a_resend) {
    log_on();
    (void)say("4", "123=Y|36=10|", 5);
    EXPECT_EQ(value_of(heard_one(), 35), "2");
    EXPECT_EQ(session.next_in(), 2);
}

TEST_F(SessionTest, gap_fill_with_too_low_a_number_ends_the_session_unless_poss_dup) {
    log_on();
    (void)say("0");
    (void)say("4", "123=Y|43=Y|122=" + stamp(now) + "|36=10|", 2);
    EXPECT_EQ(session.next_in(), 3);
    EXPECT_FALSE(session.wants_disconnect());
    (void)say("4", "123=Y|36=10|", 2);
    expect_failure("MsgSeqNum too low, expecting 3 but received 2");
}

TEST_F(SessionTest, sequence_reset_moves_the_expected_number_whatever_its_own) {
    log_on();
    (void)say("4", "36=20|", 15);
    EXPECT_EQ(session.next_in(), 20);
    (void)say("4", "123=N|36=30|", 1);
    EXPECT_EQ(session.next_in(), 30);
    EXPECT_TRUE(heard().empty());
}

TEST_F(SessionTest, sequence_reset_backwards_is_rejected) {
    log_on();
    (void)say("0");
    (void)say("4", "36=2|", 3);
    expect_reject(36, 5, 3);
    EXPECT_EQ(session.next_in(), 3);
    (void)say("4", "123=N|", 3);
    expect_reject(36, 1, 3);
}

// ---- Heartbeats -------------------------------------------------------------------------------------------------

TEST_F(SessionTest, test_request_is_answered_with_its_id) {
    log_on();
    (void)say("1", "112=are you there|");
    const std::string answer = heard_one();
    EXPECT_EQ(value_of(answer, 35), "0");
    EXPECT_EQ(value_of(answer, 112), "are you there");
}

TEST_F(SessionTest, test_request_without_id_is_rejected) {
    log_on();
    (void)say("1");
    expect_reject(112, 1, 2);
}

TEST_F(SessionTest, heartbeat_is_sent_after_an_interval_without_output) {
    log_on();
    now += 15s;
    send_report(1);
    (void)say("0");
    (void)heard();
    now += 29s;
    (void)say("0");
    session.on_tick(now);
    EXPECT_TRUE(heard().empty());
    now += 1s;
    session.on_tick(now);
    EXPECT_EQ(value_of(heard_one(), 35), "0");
    session.on_tick(now);
    EXPECT_TRUE(heard().empty());
}

TEST_F(SessionTest, silent_peer_gets_a_test_request_and_is_disconnected_after_two_intervals) {
    log_on();
    now += 30s;
    session.on_tick(now);
    EXPECT_EQ(value_of(heard_one(), 35), "0");
    now += 6s;
    session.on_tick(now);
    const std::string request = heard_one();
    EXPECT_EQ(value_of(request, 35), "1");
    EXPECT_NE(value_of(request, 112), "");
    now += 23s;
    session.on_tick(now);
    EXPECT_TRUE(heard().empty());
    now += 1s;
    session.on_tick(now);
    expect_silent_end("silent for 60 s, TestRequest unanswered");
}

TEST_F(SessionTest, any_message_answers_a_test_request) {
    log_on();
    now += 36s;
    session.on_tick(now);
    (void)say("D");
    now += 35s;
    session.on_tick(now);
    EXPECT_FALSE(session.wants_disconnect());
    now += 2s;
    (void)heard();
    session.on_tick(now);
    EXPECT_EQ(value_of(heard_one(), 35), "1") << "a new silence is asked about again";
}

TEST_F(SessionTest, a_server_that_was_late_itself_asks_before_it_disconnects) {
    log_on();
    now += 500s;
    session.on_tick(now);
    EXPECT_FALSE(session.wants_disconnect());
    EXPECT_EQ(value_of(heard().front(), 35), "1");
    now += 10s;
    session.on_tick(now);
    EXPECT_FALSE(session.wants_disconnect());
    now += 14s;
    session.on_tick(now);
    EXPECT_TRUE(session.wants_disconnect());
}

TEST_F(SessionTest, garbled_input_is_ignored_not_counted_and_no_sign_of_life) {
    log_on();
    for (int i = 0; i < 36; ++i) {
        now += 1s;
        session.on_garbled("CheckSum is wrong");
    }
    EXPECT_EQ(session.next_in(), 2);
    EXPECT_TRUE(heard().empty());
    session.on_tick(now);
    EXPECT_EQ(value_of(heard().front(), 35), "1");
    EXPECT_EQ(say("D"), Event::application);
    EXPECT_EQ(std::ranges::count(logged, "ignoring garbled input: CheckSum is wrong"), 1) << "once in a row";
    session.on_garbled("CheckSum is wrong");
    EXPECT_EQ(std::ranges::count(logged, "ignoring garbled input: CheckSum is wrong"), 2);
}

// ---- Rejects ----------------------------------------------------------------------------------------------------

TEST_F(SessionTest, malformed_message_is_rejected_with_the_tag_and_counted) {
    log_on();
    EXPECT_EQ(say("D", "11=|"), Event::none);
    expect_reject(11, 4, 2);
    EXPECT_EQ(say("D", "x=1|"), Event::none);
    expect_reject(0, 0, 3);
    EXPECT_EQ(session.next_in(), 4);
}

TEST_F(SessionTest, reject_names_the_type_of_the_message) {
    log_on();
    (void)say("D", "11=|");
    EXPECT_EQ(value_of(heard_one(), 372), "D");
}

TEST_F(SessionTest, type_that_fix_does_not_have_is_rejected) {
    log_on();
    for (const char* type : {"ZZ", "BI", "@", "DDD"}) {
        EXPECT_EQ(say(type), Event::none) << type;
        expect_reject(35, 11, peer_seq - 1);
    }
    for (const char* type : {"AE", "BH", "g", "R"}) EXPECT_EQ(say(type), Event::application) << type;
}

TEST_F(SessionTest, a_peers_reject_is_logged_and_not_answered) {
    log_on();
    EXPECT_EQ(say("3", "45=7|58=no such thing|"), Event::none);
    EXPECT_TRUE(heard().empty());
    EXPECT_EQ(logged.back(), "peer rejected a message: no such thing");
}

// ---- Logout -----------------------------------------------------------------------------------------------------

TEST_F(SessionTest, logout_of_the_peer_is_answered_and_the_peer_may_close) {
    log_on();
    EXPECT_EQ(say("5", "58=good night|"), Event::none);
    EXPECT_EQ(value_of(heard_one(), 35), "5");
    EXPECT_FALSE(session.is_logged_on());
    EXPECT_FALSE(session.wants_disconnect());
    EXPECT_EQ(say("D"), Event::none) << "after a Logout nothing counts";
    now += 5s;
    session.on_tick(now);
    expect_silent_end("peer logged out: good night");
}

TEST_F(SessionTest, logout_of_the_peer_keeps_its_reason_when_it_closes) {
    log_on();
    (void)say("5");
    session.connection_lost();
    EXPECT_EQ(session.reason(), "peer logged out");
    EXPECT_EQ(session.next_in(), 3);
}

TEST_F(SessionTest, logout_of_ours_waits_for_the_answer) {
    log_on();
    session.logout("closing time", now);
    const std::string logout = heard_one();
    EXPECT_EQ(value_of(logout, 35), "5");
    EXPECT_EQ(value_of(logout, 58), "closing time");
    EXPECT_EQ(say("D"), Event::application) << "what the peer had sent before still counts";
    EXPECT_EQ(say("5"), Event::none);
    expect_silent_end("logged out");
}

TEST_F(SessionTest, logout_of_ours_that_is_not_answered_ends_after_a_limit) {
    log_on();
    session.logout("closing time", now);
    (void)heard();
    now += 4s;
    session.on_tick(now);
    EXPECT_FALSE(session.wants_disconnect());
    now += 1s;
    session.on_tick(now);
    expect_silent_end("Logout unanswered for 5 s");
}

TEST_F(SessionTest, logout_with_too_high_a_number_is_answered_and_the_gap_stays) {
    log_on();
    (void)say("5", "", 9);
    EXPECT_EQ(value_of(heard_one(), 35), "5");
    EXPECT_EQ(session.next_in(), 2);
}

TEST_F(SessionTest, a_dropped_connection_is_named) {
    log_on();
    session.connection_lost();
    EXPECT_EQ(session.reason(), "connection lost");
    EXPECT_FALSE(session.is_connected());
}

// ---- Slow readers -----------------------------------------------------------------------------------------------

TEST_F(SessionTest, slow_reader_is_disconnected_and_gets_everything_after_its_next_logon) {
    log_on();
    int sent = 0;
    while (!session.wants_disconnect() && sent < 1000) send_report(sent++);
    ASSERT_LT(sent, 1000);
    EXPECT_EQ(session.reason().find("slow reader: "), 0u) << session.reason();
    send_report(sent++);
    reconnect();
    (void)say("A", "98=0|108=30|");
    (void)say("2", "7=2|16=0|");
    std::string bytes;
    (void)session.take_output(bytes);
    EXPECT_GE(split(bytes).size(), 100u);
    EXPECT_FALSE(session.wants_disconnect());
}

TEST_F(SessionTest, resend_may_exceed_the_limit_once_but_not_pile_up) {
    log_on();
    for (int i = 0; i < 100; ++i) {
        session.compose().add(58, std::string(400, 'x'));
        session.send("8", now);
        (void)heard();
    }
    (void)say("2", "7=1|16=0|");
    EXPECT_FALSE(session.wants_disconnect()) << "40 kB of resends pass a limit of 20 kB";
    send_report(1);
    EXPECT_FALSE(session.wants_disconnect());
    (void)say("2", "7=1|16=0|");
    EXPECT_TRUE(session.wants_disconnect());
    EXPECT_EQ(session.reason(), "slow reader: resend asked for, the last unread");
}

TEST_F(SessionTest, output_hook_tells_of_output_and_of_the_end) {
    int calls = 0;
    session.set_output_hook([&] { ++calls; });
    session.connected(now);
    (void)say("A", "98=0|108=30|");
    EXPECT_EQ(calls, 1);
    session.disconnect("enough");
    EXPECT_EQ(calls, 2);
}

// ---- Initiator --------------------------------------------------------------------------------------------------

/// Two sessions joined by wires that may be cut at any byte.
class TwoSessions : public testing::Test {
protected:
    static SessionConfig named(std::string comp_id) {
        SessionConfig config;
        config.comp_id = std::move(comp_id);
        return config;
    }

    static void carry(Session& from, Session& to, fix::Framer& framer, std::vector<std::string>& received, Time now) {
        std::string bytes;
        (void)from.take_output(bytes);
        for (std::string_view rest = bytes; !rest.empty();) {
            const auto space = framer.space();
            const std::size_t size = std::min(rest.size(), space.size());
            std::copy_n(rest.begin(), size, space.begin());
            framer.filled(size);
            rest.remove_prefix(size);
            for (auto frame = framer.next(); frame.kind != fix::Frame::Kind::none; frame = framer.next()) {
                ASSERT_EQ(frame.kind, fix::Frame::Kind::message);
                const fix::Message message{frame.text};
                if (to.on_message(message, now) == Event::application) received.emplace_back(*message.find(58));
            }
        }
    }

    void run() {
        for (int i = 0; i < 20; ++i) {
            carry(client, server, to_server, at_server, now);
            carry(server, client, to_client, at_client, now);
        }
    }

    void connect(bool reset = false) {
        to_server = fix::Framer{};
        to_client = fix::Framer{};
        server.connected(now);
        client.connected(now, 30, reset);
        run();
    }

    void cut(bool lose_output) {
        std::string lost;
        if (lose_output) (void)client.take_output(lost), (void)server.take_output(lost);
        client.connection_lost();
        server.connection_lost();
    }

    static void send(Session& from, int number, Time now) {
        from.compose().add(58, number);
        from.send("B", now);
    }

    Time now = std::chrono::sys_days{std::chrono::year{2026} / 1 / 2} + 9h;
    Session server{named("SERVER"), "CLIENT"};
    Session client{named("CLIENT"), "SERVER", Session::Role::initiator};
    fix::Framer to_server, to_client;
    std::vector<std::string> at_server, at_client;
};

TEST_F(TwoSessions, initiator_logs_on_and_out) {
    connect();
    EXPECT_TRUE(client.is_logged_on());
    EXPECT_TRUE(server.is_logged_on());
    client.logout("done", now);
    run();
    EXPECT_TRUE(client.wants_disconnect());
    EXPECT_EQ(client.reason(), "logged out");
    server.connection_lost();
    EXPECT_EQ(server.reason(), "peer logged out: done");
}

TEST_F(TwoSessions, initiator_resets_both_sides) {
    connect();
    send(client, 1, now);
    run();
    cut(true);
    connect(true);
    EXPECT_EQ(client.next_in(), 2);
    EXPECT_EQ(client.next_out(), 2);
    EXPECT_EQ(server.next_in(), 2);
    EXPECT_EQ(server.next_out(), 2);
}

TEST_F(TwoSessions, initiator_that_is_refused_knows_why) {
    connect();
    cut(true);
    Session forgetful{named("CLIENT"), "SERVER", Session::Role::initiator};
    server.connected(now);
    forgetful.connected(now);
    carry(forgetful, server, to_server, at_server, now);
    carry(server, forgetful, to_client, at_client, now);
    EXPECT_TRUE(forgetful.wants_disconnect());
    EXPECT_EQ(forgetful.reason(), "Logon refused: MsgSeqNum too low, expecting 2 but received 1");
}

TEST_F(TwoSessions, everything_arrives_once_and_in_order_across_dropped_connections) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        std::mt19937 random{seed};
        server = Session{named("SERVER"), "CLIENT"};
        client = Session{named("CLIENT"), "SERVER", Session::Role::initiator};
        at_server.clear();
        at_client.clear();
        std::vector<std::string> from_client, from_server;
        connect();
        for (int i = 0; i < 300; ++i) {
            now += std::chrono::milliseconds{random() % 500};
            switch (random() % 8) {
            case 0:
            case 1:
            case 2:
                send(client, i, now);
                from_client.push_back(std::to_string(i));
                break;
            case 3:
            case 4:
            case 5:
                send(server, i, now);
                from_server.push_back(std::to_string(i));
                break;
            case 6: carry(client, server, to_server, at_server, now); break;
            default:
                if (random() % 4 == 0) {
                    cut(random() % 2 == 0);
                    send(server, i, now);
                    from_server.push_back(std::to_string(i));
                    connect();
                }
            }
        }
        run();
        now += 40s;
        server.on_tick(now), client.on_tick(now);
        run();
        now += 31s;
        server.on_tick(now), client.on_tick(now);
        run();
        EXPECT_EQ(at_server, from_client) << "seed " << seed;
        EXPECT_EQ(at_client, from_server) << "seed " << seed;
        cut(true);
    }
}

// ---- Admission --------------------------------------------------------------------------------------------------

TEST(Sessions, a_connection_is_admitted_by_its_logon) {
    Sessions sessions{SessionConfig{}};
    Session& known = sessions.add("BOT1");
    const auto admit = [&](const char* body) {
        const std::string text = whole(body);
        return sessions.admit(fix::Message{text});
    };
    EXPECT_EQ(admit("35=A|49=BOT1|56=NEXUS|").session, &known);
    EXPECT_STREQ(admit("35=D|49=BOT1|56=NEXUS|").refusal, "first message is not a Logon");
    EXPECT_STREQ(admit("35=A|49=BOT1|56=OTHER|").refusal, "TargetCompID is not ours");
    EXPECT_STREQ(admit("35=A|49=BOT2|56=NEXUS|").refusal, "SenderCompID is unknown");
    EXPECT_STREQ(admit("35=A|").refusal, "TargetCompID is not ours");
    known.connected(Time{});
    EXPECT_STREQ(admit("35=A|49=BOT1|56=NEXUS|").refusal, "SenderCompID is already connected");
    known.connection_lost();
    EXPECT_EQ(admit("35=A|49=BOT1|56=NEXUS|").session, &known);
    EXPECT_EQ(sessions.find("BOT1"), &known);
    EXPECT_EQ(sessions.find("BOT2"), nullptr);
}

} // namespace
} // namespace exchange::test
