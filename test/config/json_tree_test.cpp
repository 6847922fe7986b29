#include "nexus/config/private/json_tree.hpp"

#include "test/config/problems.hpp"

#include <gtest/gtest.h>

#include <random>

namespace {

using nexus::config_detail::max_depth;
using nexus::config_detail::max_text_bytes;
using nexus::config_detail::Node;
using nexus::config_detail::parse_json;
using nexus::config_detail::Place;
using nexus::config_detail::ProblemList;
using nexus::test::problems_of;

Node tree(std::string_view text) {
    ProblemList problems("t");
    auto root = parse_json(text, problems);
    problems.throw_if_any();
    return std::move(*root);
}

std::string wrong(std::string_view text) {
    return problems_of([&] { (void)tree(text); });
}

std::string at(Place place) { return std::to_string(place.line) + ':' + std::to_string(place.column); }

// Follows keys and indices.
const Node& down(const Node& root, std::initializer_list<std::string> path) {
    const Node* node = &root;
    for (const std::string& token : path)
        node = node->is_array() ? &node->children.at(std::stoul(token)) : node->find(token);
    return *node;
}

TEST(JsonTree, keys_and_values_know_their_places) {
    const Node root = tree("{\n  \"a\": 1,\n  \"b\": {\"c\": [true, null]}\n}");
    EXPECT_EQ(at(root.place), "1:1");
    EXPECT_EQ(at(down(root, {"a"}).key_place), "2:3");
    EXPECT_EQ(at(down(root, {"a"}).place), "2:8");
    EXPECT_EQ(at(down(root, {"b"}).place), "3:8");
    EXPECT_EQ(at(down(root, {"b", "c"}).key_place), "3:9");
    EXPECT_EQ(at(down(root, {"b", "c", "0"}).place), "3:15");
    EXPECT_EQ(at(down(root, {"b", "c", "1"}).place), "3:21");
}

TEST(JsonTree, a_tab_is_one_column) { EXPECT_EQ(at(down(tree("{\n\t\t\"a\":\t1}"), {"a"}).place), "2:8"); }

TEST(JsonTree, a_column_is_a_character_and_not_a_byte) {
    const Node root = tree("{\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x99\x82\": 1, /* \xC3\xA4 */ \"b\": 2}");
    EXPECT_EQ(at(down(root, {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x99\x82"}).place), "1:9");
    EXPECT_EQ(at(down(root, {"b"}).key_place), "1:20");
}

TEST(JsonTree, escapes_count_as_they_are_written) {
    const Node root = tree(R"({"\u00e4\n": "x\\", "b": 2})");
    EXPECT_EQ(at(down(root, {"\xC3\xA4\n"}).place), "1:14");
    EXPECT_EQ(at(down(root, {"b"}).key_place), "1:21");
}

TEST(JsonTree, comments_are_space) {
    const Node root = tree("// first\n/* a\n * b */ { // c\n \"a\" /* d */ : /**/ 1 /* ** / */\n}\n// end");
    EXPECT_EQ(at(root.place), "3:9");
    EXPECT_EQ(at(down(root, {"a"}).place), "4:21");
}

TEST(JsonTree, carriage_returns_do_not_count_as_lines) {
    EXPECT_EQ(at(down(tree("{\r\n\"a\":\r\n 1}"), {"a"}).place), "3:2");
}

TEST(JsonTree, a_byte_order_mark_has_no_column) { EXPECT_EQ(at(tree("\xEF\xBB\xBF{}").place), "1:1"); }

TEST(JsonTree, strings_are_decoded) {
    EXPECT_EQ(tree(R"("\"\\\/\b\f\n\r\t")").value, "\"\\/\b\f\n\r\t");
    EXPECT_EQ(tree(R"("\u0041\u00e4\u20AC\ud83d\ude42")").value, "A\xC3\xA4\xE2\x82\xAC\xF0\x9F\x99\x82");
    EXPECT_EQ(tree("\"// no comment /* */\"").value, "// no comment /* */");
}

TEST(JsonTree, numbers_keep_their_kind) {
    EXPECT_TRUE(tree("7").value.is_number_unsigned());
    EXPECT_TRUE(tree("-7").value.is_number_integer());
    EXPECT_TRUE(tree("7.0").value.is_number_float());
    EXPECT_TRUE(tree("1e3").value.is_number_float());
    EXPECT_EQ(tree("18446744073709551615").value, 18446744073709551615U);
    EXPECT_TRUE(tree("18446744073709551616").value.is_number_float());
    EXPECT_EQ(tree("-9223372036854775808").value, std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(tree("1e-999").value, 0.0);
    EXPECT_EQ(tree("0." + std::string(400, '0') + "1").value, 0.0);
}

struct Case {
    std::string_view text;
    std::string_view problems;
};

TEST(JsonTree, syntax_errors_say_where_what_and_what_instead) {
    for (const Case& c : std::initializer_list<Case>{
             {"", "t:1:1: found the end of the text, expected a value"},
             {" \n ", "t:2:2: found the end of the text, expected a value"},
             {"{", "t:1:2: found the end of the text, expected a key in double quotes"},
             {"{\"a\"", "t:1:5: /a: found the end of the text, expected ':' after the key"},
             {"{\"a\" 1}", "t:1:6: /a: found 1, expected ':' after the key"},
             {"{\"a\":}", "t:1:6: /a: found '}', expected a value"},
             {"{\"a\":1", "t:1:7: found the end of the text, expected ',' or '}'"},
             {"{\"a\":[1,\n2", "t:2:2: /a: found the end of the text, expected ',' or ']'"},
             {"{\"a\":[1,}]", "t:1:9: /a/1: found '}', expected a value"},
             {"{runtime: 1}", "t:1:2: found runtime, expected a key in double quotes"},
             {"{'a': 1}", "t:1:2: found ''', expected a key in double quotes"},
             {"[1 2]", "t:1:4: found 2, expected ',' or ']'"},
             {"{} {}", "t:1:4: found '{', expected nothing more after the end of the document"},
             {"{}\n\xC3\xA4", "t:2:1: found '\xC3\xA4', expected nothing more after the end of the document"},
             {"\x01", "t:1:1: found byte 0x01, expected a value"},
             {"\xFF", "t:1:1: found byte 0xff, expected a value"},
             {std::string_view("\0", 1), "t:1:1: found byte 0x00, expected a value"},
             {"True", "t:1:1: found True, expected a value; did you mean true?"},
             {"nul", "t:1:1: found nul, expected a value; did you mean null?"},
             {"NaN", "t:1:1: found NaN, expected a value"},
             {"[012]", "t:1:2: /0: found 012, expected a number as JSON writes it: 10, -3, 0.5, 1e6"},
             {"[+1]", "t:1:2: /0: found +1, expected a number as JSON writes it: 10, -3, 0.5, 1e6"},
             {"[.5]", "t:1:2: /0: found .5, expected a number as JSON writes it: 10, -3, 0.5, 1e6"},
             {"[5.]", "t:1:2: /0: found 5., expected a number as JSON writes it: 10, -3, 0.5, 1e6"},
             {"[1e]", "t:1:2: /0: found 1e, expected a number as JSON writes it: 10, -3, 0.5, 1e6"},
             {"[0x1F]", "t:1:2: /0: found 0x1F, expected a number as JSON writes it: 10, -3, 0.5, 1e6"},
             {"[50us]", "t:1:2: /0: found 50us, expected a number as JSON writes it: 10, -3, 0.5, 1e6"},
             {"[-]", "t:1:2: /0: found -, expected a number as JSON writes it: 10, -3, 0.5, 1e6"},
             {"[1e999]", "t:1:2: /0: found 1e999, expected a number that fits a double"},
             {"\"abc", "t:1:1: found a string without its closing quote, expected '\"' on the same line"},
             {"[\"abc\n\"]", "t:1:2: /0: found a string without its closing quote, expected '\"' on the same line"},
             {"\"a\\", "t:1:3: found escape \\, expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX\n"
                       "t:1:1: found a string without its closing quote, expected '\"' on the same line"},
             {"{\"a\": 1 /* x", "t:1:9: found a comment without its end, expected */ before the end of the text"},
             {"{\"a\": 1 / 2}", "t:1:9: found '/', expected ',' or '}'"},
         }) {
        std::string found = wrong(c.text);
        // Two problems of one string: the one that stands first comes first.
        if (c.text == "\"a\\") {
            EXPECT_NE(found.find("closing quote"), std::string::npos);
            EXPECT_NE(found.find("t:1:3: found escape \\, expected one of"), std::string::npos);
            continue;
        }
        EXPECT_EQ(found, c.problems) << c.text;
    }
}

TEST(JsonTree, wrong_strings_are_reported_and_reading_goes_on) {
    EXPECT_EQ(
        wrong("{\"a\": \"\\q\",\n \"b\": \"\\u12x\",\n \"c\": \"\\ud800\",\n \"d\": \"a\tb\",\n \"e\": \"\xC3(\"}"),
        "t:1:8: /a: found escape \\q, expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX\n"
        "t:2:8: /b: found an incomplete \\u escape, expected four hexadecimal digits after \\u\n"
        "t:3:8: /c: found unpaired surrogate \\ud800, expected a pair \\uD800-\\uDBFF \\uDC00-\\uDFFF\n"
        "t:4:9: /d: found control character 0x09 in a string, expected it escaped: \\t\n"
        "t:5:8: /e: found byte 0xc3 in a string, expected valid UTF-8");
}

TEST(JsonTree, only_a_low_surrogate_completes_a_high_one) {
    for (const char* pair : {"\\ud83d\\u0041", "\\ud83d\\ud83d", "\\ud83d\\udbff", "\\ud83d\\ue000"}) {
        EXPECT_EQ(wrong('"' + std::string(pair) + '"'),
                  "t:1:2: found unpaired surrogate \\ud83d, expected a pair \\uD800-\\uDBFF \\uDC00-\\uDFFF");
    }
    EXPECT_EQ(tree(R"("\ud800\udc00\udbff\udfff")").value, "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
}

TEST(JsonTree, overlong_and_impossible_utf8_is_refused) {
    for (const char* bytes : {"\xC0\xAF", "\xC1\xBF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF0\x80\x80\xAF",
                              "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\x80", "\xE2\x82"}) {
        EXPECT_NE(wrong('"' + std::string(bytes) + '"'), "no error");
    }
}

TEST(JsonTree, forgotten_and_superfluous_commas_do_not_hide_what_follows) {
    EXPECT_EQ(wrong("{\"a\": 1\n \"b\": tru,\n \"c\": [1, 2,],\n}"),
              "t:2:2: found '\"', expected ',' or '}'\n"
              "t:2:7: /b: found tru, expected a value; did you mean true?\n"
              "t:3:12: /c: found ',', expected no comma before ']'\n"
              "t:3:14: found ',', expected no comma before '}'");
}

TEST(JsonTree, duplicate_keys_are_problems) {
    EXPECT_EQ(wrong("{\"a\": 1, \"b\": {\"x\": 1, \"x\": 2},\n \"a\": 3}"),
              "t:1:24: /b/x: duplicate key \"x\", given before at 1:16\n"
              "t:2:2: /a: duplicate key \"a\", given before at 1:2");
}

TEST(JsonTree, duplicate_keys_are_compared_as_decoded) {
    EXPECT_EQ(wrong(R"({"a": 1, "\u0061": 2})"), "t:1:10: /a: duplicate key \"a\", given before at 1:2");
}

TEST(JsonTree, pointers_are_escaped) {
    EXPECT_EQ(wrong(R"({"a/b~c": [{"d": }]})"), "t:1:18: /a~1b~0c/0/d: found '}', expected a value");
}

TEST(JsonTree, depth_is_limited) {
    const std::string open(max_depth, '[');
    const std::string close(max_depth, ']');
    EXPECT_EQ(wrong(open + close), "no error");
    EXPECT_EQ(wrong('[' + open + close + ']'),
              "t:1:101: found more than 100 nested objects and arrays, expected a flatter document");
    EXPECT_EQ(wrong(std::string(5'000'000, '[')),
              "t:1:101: found more than 100 nested objects and arrays, expected a flatter document");
    EXPECT_EQ(wrong("[" + open.substr(1) + close.substr(1) + "," + open.substr(1) + close.substr(1) + "]"), "no error");
}

TEST(JsonTree, size_is_limited) {
    EXPECT_EQ(wrong(std::string(max_text_bytes + 1, ' ')),
              "t:1:1: found 16777217 bytes, expected at most 16777216 bytes");
}

TEST(JsonTree, a_long_line_is_read_in_linear_time) {
    std::string text = "[0";
    while (text.size() < 4'000'000) text += ",1";
    const Node root = tree(text + "]");
    EXPECT_EQ(root.children.back().place.column, text.size());
}

// The JSON library accepts exactly the same texts, and reads the same from them.
void expect_same_as_library(const std::string& text) {
    ProblemList problems("t");
    const auto root = parse_json(text, problems);
    const bool is_accepted = root.has_value() && problems.empty();
    const auto expected = nlohmann::json::parse(text, nullptr, false, true);
    ASSERT_TRUE(is_accepted || !problems.empty());
    if (!is_accepted) {
        // Duplicate keys are our own rule.
        if (problems.take().front().message.starts_with("duplicate")) return;
        ASSERT_TRUE(expected.is_discarded()) << text;
        return;
    }
    ASSERT_FALSE(expected.is_discarded()) << text;
    // As text: == takes -1 and 2^64-1 for equal.
    ASSERT_EQ(to_json(*root).dump(), expected.dump()) << text;
}

TEST(JsonTree, random_documents_read_as_the_library_reads_them) {
    std::mt19937 random(20240607);
    const auto below = [&](std::size_t limit) { return random() % limit; };
    const std::string alphabet = "{}[]:,\"\\ \n\t/*tfn019-+.eEu\xC3\xA4 aA";
    for (int round = 0; round < 60'000; ++round) {
        std::string text;
        for (std::size_t i = below(12) + 1; i > 0; --i) text += alphabet[below(alphabet.size())];
        expect_same_as_library(text);
        if (HasFatalFailure()) return;
    }
}

TEST(JsonTree, mutated_documents_read_as_the_library_reads_them) {
    const std::string original = R"({"runtime": {"mode": "busy", "spin_window": "50us", "stack_size": 65536},
        "log": {"level": "debug"}, // comment
        "resources": {"list": [1, -2.5e3, true, null, {"k": "\u00e4\ud83d\ude42\n"}], "s": "ä€🙂"}})";
    std::mt19937 random(4711);
    const auto below = [&](std::size_t limit) { return random() % limit; };
    for (int round = 0; round < 20'000; ++round) {
        std::string text = original;
        for (std::size_t edits = below(4) + 1; edits > 0 && !text.empty(); --edits) {
            const std::size_t where = below(text.size());
            switch (below(4)) {
            case 0: text[where] = static_cast<char>(random()); break;
            case 1: text.erase(where, below(6)); break;
            case 2: text.insert(where, text.substr(below(text.size()), below(6))); break;
            case 3: text.resize(where); break;
            }
        }
        // The library takes these two for the end of a comment; for us a line ends where editors number the next.
        if (text.find_first_of(std::string_view("\r\0", 2)) != text.npos) continue;
        expect_same_as_library(text);
        if (HasFatalFailure()) return;
    }
}

} // namespace
