// The FIX codec: framing, reading, writing.
#include "fix_message.hpp"

#include "allocation_count.hpp"
#include "fix_tools.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>

namespace exchange::test {
namespace {

using fix::Frame;
using fix::Framer;
using Kind = fix::Frame::Kind;

void put(Framer& framer, std::string_view bytes) {
    const auto space = framer.space();
    ASSERT_GE(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), bytes.size());
    framer.filled(bytes.size());
}

Frame::Kind kind_of(std::string_view bytes, std::string* why = nullptr) {
    Framer framer;
    put(framer, bytes);
    const Frame frame = framer.next();
    if (why != nullptr) *why = frame.why;
    return frame.kind;
}

const std::string heartbeat = whole("35=0|49=A|56=B|34=1|52=20260102-03:04:05|");

/// Feeds everything in pieces of random size; returns the messages found.
std::vector<std::string> feed(Framer& framer, std::string_view bytes, std::mt19937& random, std::size_t largest) {
    std::vector<std::string> messages;
    while (!bytes.empty()) {
        const auto space = framer.space();
        EXPECT_FALSE(space.empty());
        const std::size_t size = std::min({bytes.size(), space.size(), 1 + random() % largest});
        std::memcpy(space.data(), bytes.data(), size);
        framer.filled(size);
        bytes.remove_prefix(size);
        for (Frame frame = framer.next(); frame.kind != Kind::none; frame = framer.next()) {
            if (frame.kind == Kind::too_long) {
                messages.push_back("too long");
                return messages;
            }
            EXPECT_FALSE(frame.text.empty());
            if (frame.kind == Kind::message) messages.emplace_back(frame.text);
        }
    }
    return messages;
}

TEST(Framer, a_message_is_complete_only_with_its_last_byte) {
    Framer framer;
    for (std::size_t i = 0; i < heartbeat.size(); ++i) {
        EXPECT_EQ(framer.next().kind, Kind::none) << i;
        put(framer, std::string_view{heartbeat}.substr(i, 1));
    }
    const Frame frame = framer.next();
    EXPECT_EQ(frame.kind, Kind::message);
    EXPECT_EQ(frame.text, heartbeat);
    EXPECT_EQ(framer.next().kind, Kind::none);
}

TEST(Framer, several_messages_in_one_read_come_out_in_order) {
    Framer framer;
    const std::string second = whole("35=1|34=2|112=x|");
    put(framer, heartbeat + second + heartbeat.substr(0, 11));
    EXPECT_EQ(framer.next().text, heartbeat);
    EXPECT_EQ(framer.next().text, second);
    EXPECT_EQ(framer.next().kind, Kind::none);
    put(framer, heartbeat.substr(11));
    EXPECT_EQ(framer.next().text, heartbeat);
}

TEST(Framer, takes_a_message_that_another_engine_wrote) {
    const std::string sample = with_soh(
        "8=FIX.4.2|9=178|35=8|49=PHLX|56=PERS|52=20071123-05:30:00.000|11=ATOMNOCCC9990900|20=3|150=E|39=E|55=MSFT|"
        "167=CS|54=1|38=15|40=2|44=15|58=PHLX EQUITY TESTING|59=0|47=C|32=0|31=0|151=15|14=0|6=0|10=128|");
    EXPECT_EQ(kind_of(sample), Kind::message);
}

TEST(Framer, a_wrong_checksum_is_garbled_and_the_next_message_is_found) {
    std::string wrong = heartbeat;
    wrong[wrong.size() - 2] = wrong[wrong.size() - 2] == '0' ? '1' : '0';
    Framer framer;
    put(framer, wrong + heartbeat);
    const Frame frame = framer.next();
    EXPECT_EQ(frame.kind, Kind::garbled);
    EXPECT_EQ(frame.text, wrong);
    EXPECT_STREQ(frame.why, "CheckSum is wrong");
    EXPECT_EQ(framer.next().text, heartbeat);
}

TEST(Framer, a_checksum_has_three_digits) {
    std::string wrong = heartbeat;
    wrong.erase(wrong.size() - 4, 1);
    EXPECT_EQ(kind_of(wrong + heartbeat), Kind::garbled);
}

TEST(Framer, a_wrong_body_length_is_garbled_and_the_next_message_is_found) {
    const std::size_t at = heartbeat.find("9=") + 2;
    for (const char* length : {"1", "40", "42", "60"}) {
        std::string wrong = heartbeat;
        ASSERT_EQ(wrong.substr(at, 2), "41");
        wrong.replace(at, 2, length);
        Framer framer;
        put(framer, wrong + heartbeat);
        const Frame frame = framer.next();
        EXPECT_EQ(frame.kind, Kind::garbled);
        EXPECT_STREQ(frame.why, "BodyLength is wrong") << length;
        EXPECT_EQ(framer.next().text, heartbeat);
    }
}

TEST(Framer, a_body_ends_with_a_separator) {
    std::string why;
    EXPECT_EQ(kind_of(whole("35=0|58=text"), &why), Kind::garbled);
    EXPECT_EQ(why, "BodyLength is wrong");
}

TEST(Framer, the_first_three_fields_have_their_order) {
    std::string why;
    EXPECT_EQ(kind_of(with_soh("9=5|8=FIX.4.4|35=0|10=000|"), &why), Kind::garbled);
    EXPECT_EQ(why, "BeginString is not first");
    EXPECT_EQ(kind_of(with_soh("8=FIX.4.4|35=0|9=5|10=000|"), &why), Kind::garbled);
    EXPECT_EQ(why, "BodyLength is not second");
    EXPECT_EQ(kind_of(whole("34=1|35=0|"), &why), Kind::garbled);
    EXPECT_EQ(why, "MsgType is not third");
    EXPECT_EQ(kind_of(whole(""), &why), Kind::garbled);
}

TEST(Framer, a_body_length_that_is_no_number_is_garbled) {
    for (const char* text : {"8=FIX.4.4|9=|35=0|10=000|", "8=FIX.4.4|9=-5|35=0|", "8=FIX.4.4|9=5x|35=0|"})
        EXPECT_EQ(kind_of(with_soh(text)), Kind::garbled) << text;
    EXPECT_EQ(kind_of(with_soh("8=FIX.4.4|9=") + std::string(40, '0')), Kind::garbled);
    EXPECT_EQ(kind_of("8=FIX.4" + std::string(40, '4')), Kind::garbled);
}

TEST(Framer, leading_zeros_of_a_body_length_are_allowed) {
    std::string zeros = with_soh("8=FIX.4.4|9=0005|35=0|");
    unsigned sum = 0;
    for (const char c : zeros) sum += static_cast<unsigned char>(c);
    EXPECT_EQ(kind_of(zeros + with_soh("10=" + std::to_string(sum % 256 + 1000).substr(1) + "|")), Kind::message);
}

TEST(Framer, an_over_long_message_is_announced_before_it_has_arrived) {
    EXPECT_EQ(kind_of(with_soh("8=FIX.4.4|9=8193")), Kind::too_long);
    EXPECT_EQ(kind_of(with_soh("8=FIX.4.4|9=99999999999999999999999999")), Kind::too_long);
    EXPECT_EQ(kind_of(with_soh("8=FIX.4.4|9=8192|")), Kind::too_long);
    EXPECT_EQ(kind_of(with_soh("8=FIX.4.4|9=8169|")), Kind::too_long); // 17 + 8169 + 7 = 8193
    EXPECT_EQ(kind_of(with_soh("8=FIX.4.4|9=8168|")), Kind::none);     // 8192: just fits
}

TEST(Framer, the_longest_message_fits) {
    const std::string longest = whole("35=0|58=" + std::string(8168 - 9, 'x') + "|");
    ASSERT_EQ(longest.size(), 8192u);
    Framer framer;
    std::mt19937 random{1};
    EXPECT_EQ(feed(framer, longest + heartbeat + longest, random, 8192), (std::vector{longest, heartbeat, longest}));
}

TEST(Framer, a_message_after_garbage_is_found_even_when_the_garbage_ends_like_its_start) {
    for (const char* garbage : {"x", "GET / HTTP/1.1\r\n\r\n", "8", "8=", "8=FI", "8=FIX8=FIX", "\0\0\0", "8=FIX8"}) {
        Framer framer;
        put(framer, garbage);
        while (framer.next().kind == Kind::garbled) {}
        put(framer, heartbeat);
        Frame frame = framer.next();
        while (frame.kind == Kind::garbled) frame = framer.next();
        EXPECT_EQ(frame.text, heartbeat) << garbage;
    }
}

TEST(Framer, messages_between_random_garbage_are_all_found) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::mt19937 random{seed};
        std::string bytes;
        std::vector<std::string> sent;
        for (int i = 0; i < 20; ++i) {
            for (auto size = random() % 100; size > 0; --size) {
                const auto c = static_cast<char>(random());
                bytes += c == '8' ? '7' : c; // so that no garbage looks like a start
            }
            sent.push_back(whole("35=D|34=" + std::to_string(i) + "|58=" + std::string(random() % 300, 'y') + "|"));
            bytes += sent.back();
        }
        Framer framer;
        EXPECT_EQ(feed(framer, bytes, random, 1 + random() % 500), sent) << "seed " << seed;
    }
}

TEST(Framer, one_damaged_byte_loses_at_most_its_own_message) {
    for (unsigned seed = 1; seed <= 2000; ++seed) {
        std::mt19937 random{seed};
        std::vector<std::string> sent;
        std::string bytes;
        const std::size_t damaged = random() % 10;
        for (std::size_t i = 0; i < 60; ++i) {
            std::string message = whole("35=D|34=" + std::to_string(i) + "|58=" + std::string(200, 'z') + "|");
            if (i == damaged)
                message[random() % message.size()] ^= static_cast<char>(1 + random() % 127);
            else
                sent.push_back(message);
            bytes += message;
        }
        Framer framer;
        const auto found = feed(framer, bytes, random, 1000);
        if (found.back() == "too long") continue; // the damage made the length one that is refused
        EXPECT_EQ(found, sent) << "seed " << seed;
    }
}

TEST(Framer, pure_noise_is_survived) {
    for (unsigned seed = 1; seed <= 300; ++seed) {
        std::mt19937 random{seed};
        static constexpr std::string_view alphabet = "8=FIX.4|\x01"
                                                     "9=10=35=0123456789D";
        std::string bytes;
        for (int i = 0; i < 5000; ++i) bytes += alphabet[random() % alphabet.size()];
        Framer framer{256};
        (void)feed(framer, bytes, random, 64);
    }
}

TEST(Message, finds_fields_by_tag) {
    const std::string text = whole("35=D|34=7|11=abc|58=a=b|");
    const fix::Message message{text};
    EXPECT_FALSE(message.error());
    EXPECT_EQ(message.type(), "D");
    EXPECT_EQ(message.find(11), "abc");
    EXPECT_EQ(message.find(58), "a=b");
    EXPECT_EQ(message.find(8), "FIX.4.4");
    EXPECT_EQ(message.find(1), std::nullopt);
    EXPECT_GE(message.find(11)->data(), text.data());
    EXPECT_LT(message.find(11)->data(), text.data() + text.size());
}

TEST(Message, the_first_fault_is_named_and_the_rest_still_read) {
    struct Case {
        const char* body;
        int tag;
        int reason;
    };
    for (const Case& c : {Case{"35=D|11=|34=7|", 11, 4}, Case{"35=D|x=1|34=7|", 0, 0}, Case{"35=D|=1|34=7|", 0, 0},
                          Case{"35=D|11|34=7|", 0, 0}, Case{"35=D|0=1|34=7|", 0, 0}, Case{"35=D|-1=1|34=7|", 0, 0},
                          Case{"35=D|011=1|34=7|", 0, 0}, Case{"35=D|99999999999=1|34=7|", 0, 0},
                          Case{"35=D||34=7|", 0, 0}, Case{"35=D|11=|x=3|34=7|", 11, 4}}) {
        const std::string text = whole(c.body);
        const fix::Message message{text};
        ASSERT_TRUE(message.error()) << c.body;
        EXPECT_EQ(message.error()->tag, c.tag) << c.body;
        EXPECT_EQ(message.error()->reason, c.reason) << c.body;
        EXPECT_EQ(message.find(34), "7") << c.body;
    }
}

TEST(Message, too_many_fields_are_a_fault) {
    std::string body = "35=D|34=7|";
    while (body.size() < 6 * fix::Message::max_fields) body += "58=x|";
    const std::string text = whole(body);
    const fix::Message message{text};
    ASSERT_TRUE(message.error());
    EXPECT_STREQ(message.error()->text, "too many fields");
    EXPECT_EQ(message.find(34), "7");
}

TEST(Message, random_text_is_survived) {
    std::mt19937 random{5};
    for (int i = 0; i < 5000; ++i) {
        std::string text;
        for (auto size = random() % 200; size > 0; --size) text += "135=|\x01x"[random() % 7];
        const fix::Message message{with_soh(text)};
        (void)message.type();
    }
}

TEST(FieldReader, reads_and_converts) {
    const std::string text = whole("35=D|34=7|44=100.25|54=1|43=Y|97=N|52=20260102-03:04:05.678|");
    const fix::Message message{text};
    fix::FieldReader in{message};
    EXPECT_EQ(in.integer(34), 7);
    EXPECT_EQ(in.decimal(44).units, 10'025'000'000);
    EXPECT_EQ(in.character(54), '1');
    EXPECT_TRUE(in.flag(43));
    EXPECT_FALSE(in.flag(97));
    EXPECT_FALSE(in.flag(141));
    EXPECT_EQ(in.time(52), fix::parse_time("20260102-03:04:05.678"));
    EXPECT_FALSE(in.error());
}

TEST(FieldReader, groups_have_as_many_members_as_they_say) {
    const auto group = [](const char* body) {
        const std::string text = whole(body);
        const fix::Message message{text};
        fix::FieldReader in{message};
        std::string all;
        for (const std::string_view value : in.group(146, 55)) all += std::string{value} + " ";
        return in.error() ? std::to_string(in.error()->tag) + ": " + std::to_string(in.error()->reason) : all;
    };
    EXPECT_EQ(group("35=V|146=2|55=ACME|55=BOLT|"), "ACME BOLT ");
    EXPECT_EQ(group("35=V|146=1|55=ACME|"), "ACME ");
    EXPECT_EQ(group("35=V|146=1|55=ACME|55=BOLT|"), "146: 16");
    EXPECT_EQ(group("35=V|146=3|55=ACME|55=BOLT|"), "146: 16");
    EXPECT_EQ(group("35=V|146=0|"), "146: 16");
    EXPECT_EQ(group("35=V|146=-1|55=ACME|"), "146: 16");
    EXPECT_EQ(group("35=V|55=ACME|"), "146: 1");
    EXPECT_EQ(group("35=V|146=two|55=ACME|55=BOLT|"), "146: 6");
    EXPECT_EQ(group("35=V|146=1|55=ACME|146=1|"), "146: 13");
}

TEST(FieldReader, the_first_error_stays_and_names_its_tag) {
    struct Case {
        const char* body;
        int reason;
        int tag;
    };
    for (const Case& c :
         {Case{"35=D|", 1, 34}, Case{"35=D|34=x|", 6, 34}, Case{"35=D|34=1|34=2|", 13, 34}, Case{"35=D|34=1|", 1, 54},
          Case{"35=D|34=1|54=12|", 6, 54}, Case{"35=D|34=1|54=1|43=X|", 6, 43}, Case{"35=D|11=|", 4, 11}}) {
        const std::string text = whole(c.body);
        const fix::Message message{text};
        fix::FieldReader in{message};
        (void)in.integer(34);
        (void)in.character(54);
        (void)in.flag(43);
        ASSERT_TRUE(in.error()) << c.body;
        EXPECT_EQ(in.error()->tag, c.tag) << c.body;
        EXPECT_EQ(in.error()->reason, c.reason) << c.body;
    }
}

TEST(Numbers, integers_are_strict) {
    EXPECT_EQ(fix::parse_integer("0007"), 7);
    EXPECT_EQ(fix::parse_integer("-7"), -7);
    for (const char* bad : {"", "+7", " 7", "7 ", "7.0", "0x7", "99999999999999999999"})
        EXPECT_FALSE(fix::parse_integer(bad)) << bad;
}

TEST(Numbers, decimals_are_exact_and_strict) {
    const auto units = [](const char* text) { return fix::parse_decimal(text).value_or(fix::Decimal{-1}).units; };
    EXPECT_EQ(units("100"), 10'000'000'000);
    EXPECT_EQ(units("0.00000001"), 1);
    EXPECT_EQ(units("0.000000010000"), 1);
    EXPECT_EQ(units("-1.5"), -150'000'000);
    EXPECT_EQ(units("1."), 100'000'000);
    EXPECT_EQ(units(".5"), 50'000'000);
    EXPECT_EQ(units("92233720368.54775807"), std::numeric_limits<std::int64_t>::max());
    for (const char* bad : {"", ".", "-", "+1", "1e5", "1,5", "1.2.3", "0.000000001", "92233720368.54775808", "--1",
                            "nan", "-.", "1.x", "1.123456789", "99999999999999999999", " 1", "1 "})
        EXPECT_FALSE(fix::parse_decimal(bad)) << bad;
}

TEST(Numbers, decimals_are_written_as_short_as_they_can_be_and_read_back) {
    const auto written = [](std::int64_t units) {
        fix::Fields fields;
        return with_bars(fields.add(44, fix::Decimal{units}).text());
    };
    EXPECT_EQ(written(10'025'000'000), "44=100.25|");
    EXPECT_EQ(written(0), "44=0|");
    EXPECT_EQ(written(-1), "44=-0.00000001|");
    EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "44=-92233720368.54775808|");
    std::mt19937_64 random{3};
    for (int i = 0; i < 10'000; ++i) {
        const auto units = static_cast<std::int64_t>(random()) >> (random() % 60);
        const std::string text = written(units);
        EXPECT_EQ(fix::parse_decimal(text.substr(3, text.size() - 4)), fix::Decimal{units}) << text;
    }
}

TEST(Numbers, times_are_read_strictly_and_written_with_milliseconds) {
    const Time time = std::chrono::sys_days{std::chrono::year{2024} / 2 / 29} + std::chrono::hours{23} +
                      std::chrono::minutes{59} + std::chrono::seconds{58} + std::chrono::milliseconds{7};
    fix::Fields fields;
    EXPECT_EQ(with_bars(fields.add(52, time).text()), "52=20240229-23:59:58.007|");
    EXPECT_EQ(fix::parse_time("20240229-23:59:58.007"), time);
    EXPECT_EQ(fix::parse_time("20240229-23:59:58.007000000"), time);
    EXPECT_EQ(fix::parse_time("20240229-23:59:60.007"), time + std::chrono::seconds{2}) << "a leap second";
    EXPECT_EQ(fix::parse_time("20240229-23:59:58"), time - std::chrono::milliseconds{7});
    for (const char* bad : {"", "20240229", "20230229-00:00:00", "20240229-24:00:00", "20240229-00:60:00",
                            "20240229-00:00:61", "99990101-00:00:00", "19691231-23:59:59", "2024-1-1-00:00:00",
                            "20240229 00:00:00", "20240229-00:00:00.", "20240229-00:00:00.1", "20241329-00:00:00",
                            "2024022x-00:00:00", "20240229-00:00:00.12x", "20240229-00:00:00x"})
        EXPECT_FALSE(fix::parse_time(bad)) << bad;
}

TEST(Writer, lengths_and_checksums_are_right) {
    fix::Fields head, body;
    head.add(35, "D").add(34, 7);
    body.add(11, "abc").add(54, '1').add(38, 100);
    std::string out;
    fix::append_message(out, head.text(), body.text());
    EXPECT_EQ(out, whole("35=D|34=7|11=abc|54=1|38=100|"));
    fix::append_message(out, head.text(), {});
    EXPECT_EQ(out, whole("35=D|34=7|11=abc|54=1|38=100|") + whole("35=D|34=7|"));
}

TEST(Writer, allocates_nothing_once_its_buffers_have_grown) {
    fix::Fields head, body;
    std::string out;
    std::size_t before = 0;
    for (int round = 0; round < 100; ++round) {
        if (round == 2) before = allocations;
        head.clear();
        body.clear();
        out.clear();
        head.add(35, "8").add(34, 1'000'000 + round).add(52, Time{});
        body.add(11, "a-client-order-id")
            .add(44, fix::Decimal{10'025'000'000})
            .add(58, "a text that is no short string");
        fix::append_message(out, head.text(), body.text());
    }
    EXPECT_EQ(allocations, before);
}

TEST(Reading, allocates_nothing) {
    Framer framer;
    const std::string text = whole("35=D|34=7|11=abc|44=100.25|52=20260102-03:04:05|");
    put(framer, text);
    const std::size_t before = allocations;
    const Frame frame = framer.next();
    const fix::Message message{frame.text};
    fix::FieldReader in{message};
    EXPECT_EQ(in.decimal(44).units + in.integer(34), 10'025'000'007);
    EXPECT_NE(in.time(52), Time{});
    EXPECT_EQ(allocations, before);
}

} // namespace
} // namespace exchange::test
