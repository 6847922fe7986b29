#include "nexus/config/private/resource_check.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/config/config.hpp"
#include "test/config/problems.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <sstream>
#include <stdexcept>

namespace shop {

struct Listen {
    std::string address = "127.0.0.1:7000";
    int backlog = 128;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Listen, address, backlog)

struct Band {
    double low = 0.5;
    double high = 2.0;
};
// Insists on every key.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Band, low, high)

struct Instrument {
    std::string symbol = "NONE";
    std::int32_t tick = 1;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Instrument, symbol, tick)

struct Market {
    std::vector<Instrument> instruments = {Instrument{}};
    std::vector<Instrument> extra;
    std::map<std::string, int> limits;
    std::array<int, 3> triple = {1, 2, 3};
    Band band;
    bool open = false;
    std::uint16_t port = 80;
    nlohmann::json anything;
    nlohmann::json pair = {1, "one"};
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Market, instruments, extra, limits, triple, band, open, port, anything,
                                                pair)

// Has rules of its own.
struct Window {
    int low = 1;
    int high = 9;
    std::string zone = "utc";
};
void to_json(nlohmann::json& json, const Window& window) {
    json = {{"low", window.low}, {"high", window.high}, {"zone", window.zone}};
}
void from_json(const nlohmann::json& json, Window& window) {
    json.at("low").get_to(window.low);
    json.at("high").get_to(window.high);
    json.at("zone").get_to(window.zone);
    if (window.zone != "utc" && window.zone != "local") throw std::invalid_argument("zone must be utc or local");
    if (window.low > window.high) throw std::invalid_argument("low must not exceed high");
}

// Its defaults are against its own rules.
struct Broken {
    int value = 0;
};
void to_json(nlohmann::json& json, const Broken& broken) { json = {{"value", broken.value}}; }
void from_json(const nlohmann::json& json, Broken&) {
    if (json.at("value") == 0) throw std::invalid_argument("value must not be 0");
}

// JSON for it is a plain string.
struct Name {
    std::string text = "nobody";
};
void to_json(nlohmann::json& json, const Name& name) { json = name.text; }
void from_json(const nlohmann::json& json, Name& name) { json.get_to(name.text); }

} // namespace shop

namespace {

using nexus::Config;
using nexus::test::problems_of;

Config with(std::string_view resources) {
    return Config::parse("{\"resources\": {\n" + std::string(resources) + "\n}}", "c");
}

template <class T>
T made(std::string_view section) {
    return with("\"r\": " + std::string(section)).resource<T>("r").make();
}

template <class T>
std::string wrong(std::string_view section) {
    return problems_of([&] { (void)made<T>(section); });
}

TEST(Resource, without_a_section_it_is_the_default) {
    const auto binding = Config().resource<shop::Listen>("listen");
    EXPECT_EQ(binding.make().address, "127.0.0.1:7000");
    EXPECT_EQ(binding.description(), "listen (config key \"resources.listen\")");
}

TEST(Resource, a_section_replaces_what_it_names) {
    const auto listen = made<shop::Listen>(R"({"address": "::1"})");
    EXPECT_EQ(listen.address, "::1");
    EXPECT_EQ(listen.backlog, 128);
    EXPECT_EQ(made<shop::Listen>("{}").address, "127.0.0.1:7000");
}

TEST(Resource, keys_that_are_missing_keep_defaults_also_where_from_json_insists_on_them) {
    const auto band = made<shop::Band>(R"({"high": 3})");
    EXPECT_EQ(band.low, 0.5);
    EXPECT_EQ(band.high, 3.0);
    EXPECT_EQ(made<shop::Market>(R"({"band": {"low": 0.25}})").band.high, 2.0);
}

TEST(Resource, outlives_its_config_and_can_be_made_again) {
    auto binding = [] { return with(R"("listen": {"backlog": 5})").resource<shop::Listen>("listen"); }();
    EXPECT_EQ(binding.make().backlog, 5);
    EXPECT_EQ(binding.make().backlog, 5);
}

TEST(Resource, every_problem_of_a_section_at_once) {
    EXPECT_EQ(wrong<shop::Market>("{\"port\": \"http\", \"opne\": true,\n \"band\": {\"low\": true, \"hihg\": 1},\n"
                                  " \"instruments\": [{\"symbol\": 5}, {\"tick\": 1.5, \"lot\": 1}, 7]}"),
              "c:2:15: /resources/r/port: found \"http\", expected an integer that is not negative\n"
              "c:2:23: /resources/r/opne: unknown key \"opne\"; did you mean \"open\"?\n"
              "c:3:18: /resources/r/band/low: found true, expected a number\n"
              "c:3:24: /resources/r/band/hihg: unknown key \"hihg\"; did you mean \"high\"?\n"
              "c:4:29: /resources/r/instruments/0/symbol: found 5, expected a string\n"
              "c:4:42: /resources/r/instruments/1/tick: found 1.5, expected an integer\n"
              "c:4:47: /resources/r/instruments/1/lot: unknown key \"lot\", expected one of \"symbol\", \"tick\"\n"
              "c:4:58: /resources/r/instruments/2: found 7, expected an object");
}

TEST(Resource, kinds_golden) {
    EXPECT_EQ(wrong<shop::Listen>("[]"), "c:2:6: /resources/r: found an array, expected an object");
    EXPECT_EQ(wrong<shop::Listen>("null"), "c:2:6: /resources/r: found null, expected an object");
    EXPECT_EQ(wrong<shop::Listen>(R"({"backlog": 5.0})"),
              "c:2:18: /resources/r/backlog: found 5.0, expected an integer");
    EXPECT_EQ(wrong<shop::Listen>(R"({"backlog": null})"),
              "c:2:18: /resources/r/backlog: found null, expected an integer");
    EXPECT_EQ(wrong<shop::Market>(R"({"open": 1})"), "c:2:15: /resources/r/open: found 1, expected true or false");
    EXPECT_EQ(wrong<shop::Market>(R"({"port": -1})"),
              "c:2:15: /resources/r/port: found -1, expected an integer that is not negative");
    EXPECT_EQ(wrong<shop::Market>(R"({"triple": {}})"),
              "c:2:17: /resources/r/triple: found an object, expected an array");
    EXPECT_EQ(wrong<shop::Name>("7"), "c:2:6: /resources/r: found 7, expected a string");
    EXPECT_EQ(made<shop::Name>("\"Ann\"").text, "Ann");
}

TEST(Resource, a_default_of_null_takes_any_value_and_an_empty_map_any_key) {
    const auto market = made<shop::Market>(R"({"anything": {"deep": [1]}, "limits": {"EUR": 3, "USD": 4}})");
    EXPECT_EQ(market.anything["deep"][0], 1);
    EXPECT_EQ(market.limits.at("USD"), 4);
}

TEST(Resource, defaults_of_several_kinds_say_nothing_about_other_elements) {
    EXPECT_EQ(made<shop::Market>(R"({"pair": ["two", 2]})").pair[0], "two");
}

TEST(Resource, elements_of_which_no_default_exists_are_judged_by_from_json) {
    EXPECT_EQ(wrong<shop::Market>("{\"extra\": [{\"symbol\": \"A\"},\n {\"symbol\": 1}]}"),
              "c:3:2: /resources/r/extra/1: found an object, which is refused: type must be string, but is number");
    EXPECT_EQ(wrong<shop::Market>(R"({"limits": {"EUR": "much"}})"),
              "c:2:17: /resources/r/limits: found an object, which is refused: type must be number, but is string");
    EXPECT_EQ(made<shop::Market>(R"({"extra": [{"symbol": "A"}, {}]})").extra.size(), 2U);
}

TEST(Resource, an_array_of_the_wrong_length_is_blamed_as_a_whole) {
    EXPECT_EQ(made<shop::Market>(R"({"triple": [4, 5, 6]})").triple[2], 6);
    const std::string text = wrong<shop::Market>(R"({"open": true, "triple": [4, 5]})");
    EXPECT_TRUE(text.starts_with("c:2:31: /resources/r/triple: found an array, which is refused: ")) << text;
}

TEST(Resource, what_from_json_refuses_is_reported_at_the_field_that_is_to_blame) {
    EXPECT_EQ(wrong<shop::Window>("{\"low\": 2,\n \"zone\": \"mars\"}"),
              "c:3:10: /resources/r/zone: found \"mars\", which is refused: zone must be utc or local");
    EXPECT_EQ(wrong<shop::Window>("{\"low\": 10, \"zone\": \"mars\"}"),
              "c:2:14: /resources/r/low: found 10, which is refused: low must not exceed high\n"
              "c:2:26: /resources/r/zone: found \"mars\", which is refused: zone must be utc or local");
}

TEST(Resource, fields_that_are_refused_only_together_are_reported_at_the_section) {
    EXPECT_EQ(wrong<shop::Window>(R"({"low": 6, "high": 5})"),
              "c:2:6: /resources/r: found an object, which is refused: low must not exceed high");
    EXPECT_EQ(made<shop::Window>(R"({"low": 10, "high": 20})").low, 10);
}

TEST(Resource, integers_that_do_not_fit_are_not_cut_silently) {
    EXPECT_EQ(
        wrong<shop::Market>("{\"port\": 65616,\n \"instruments\": [{\"tick\": 4294967297}]}"),
        "c:2:15: /resources/r/port: found 65616, expected an integer that fits its field (this one would become "
        "80)\n"
        "c:3:27: /resources/r/instruments/0/tick: found 4294967297, expected an integer that fits its field (this "
        "one would become 1)");
    EXPECT_EQ(wrong<shop::Listen>(R"({"backlog": 18446744073709551615})"),
              "c:2:18: /resources/r/backlog: found 18446744073709551615, expected an integer that fits its field (this "
              "one would become -1)");
    EXPECT_EQ(made<shop::Market>(R"({"port": 65535})").port, 65535);
}

TEST(Resource, a_type_that_refuses_its_own_defaults_is_the_programmers_mistake) {
    try {
        (void)made<shop::Broken>("{}");
        FAIL();
    } catch (const nexus::UsageError& error) {
        EXPECT_STREQ(error.what(),
                     "the resource for the configuration key /resources/r cannot be read back from its own "
                     "defaults: value must not be 0; make its to_json and from_json agree");
    }
    EXPECT_EQ(Config().resource<shop::Broken>("r").make().value, 0);
}

TEST(Resource, names_are_escaped_in_pointers) {
    const Config config = with(R"("a/b": 3)");
    EXPECT_EQ(problems_of([&] { (void)config.resource<shop::Listen>("a/b").make(); }),
              "c:2:8: /resources/a~1b: found 3, expected an object");
}

TEST(Resource, check_reports_all_sections_at_once_and_those_that_nobody_asked_for) {
    const Config config = with(
        "\"lisen\": {},\n\"market\": {\"port\": true},\n\"window\": {\"low\": 10},\n\"other\": 1");
    const auto listen = config.resource<shop::Listen>("listen");
    const auto market = config.resource<shop::Market>("market");
    const auto window = config.resource<shop::Window>("window");
    // Asking twice does not report twice.
    const auto again = config.resource<shop::Window>("window");
    EXPECT_EQ(problems_of([&] { config.check(); }),
              "c:2:1: /resources/lisen: unknown key \"lisen\"; did you mean \"listen\"?\n"
              "c:3:20: /resources/market/port: found true, expected an integer that is not negative\n"
              "c:4:19: /resources/window/low: found 10, which is refused: low must not exceed high\n"
              "c:5:1: /resources/other: unknown key \"other\", expected one of \"listen\", \"market\", \"window\"");
}

TEST(Resource, check_is_content_with_what_is_asked_for) {
    const Config config = with(R"("listen": {})");
    EXPECT_EQ(problems_of([&] { config.check(); }),
              "c:2:1: /resources/listen: unknown key \"listen\", expected no key at all");
    const Config copy = config;
    (void)copy.resource<shop::Listen>("listen");
    EXPECT_NO_THROW(config.check());
    EXPECT_NO_THROW(Config().check());
}

TEST(Resource, the_effective_configuration_has_bound_resources_with_their_defaults) {
    const Config config = with(R"("listen": {"backlog": 5}, "unbound": {"x": 1})");
    (void)config.resource<shop::Listen>("listen");
    (void)config.resource<shop::Band>("band");
    EXPECT_EQ(config.to_json()["resources"].dump(),
              R"({"listen":{"address":"127.0.0.1:7000","backlog":5},"band":{"high":2.0,"low":0.5},"unbound":{"x":1}})");
}

TEST(Resource, random_values_end_in_a_resource_or_in_problems) {
    std::uint32_t state = 1;
    const auto random = [&] { return state = state * 1664525U + 1013904223U, state >> 8U; };
    const std::array<const char*, 14> pieces = {"1",
                                                "-1",
                                                "1.5",
                                                "\"x\"",
                                                "true",
                                                "null",
                                                "{}",
                                                "[]",
                                                "[1,2,3]",
                                                "{\"symbol\": \"A\"}",
                                                "[{\"tick\": 2}]",
                                                "99999999999",
                                                "[{}]",
                                                "{\"low\": 1}"};
    const std::array<const char*, 8> keys = {"instruments", "extra", "limits", "triple",
                                             "band",        "open",  "port",   "anything"};
    int accepted = 0;
    for (int round = 0; round < 5'000; ++round) {
        std::string section = "{";
        const std::size_t first = random() % keys.size();
        for (std::size_t i = 0, count = 1 + random() % 2; i < count; ++i) {
            if (i != 0) section += ", ";
            section += '"' + std::string(keys[(first + i) % keys.size()]) + "\": " + pieces[random() % pieces.size()];
        }
        if (wrong<shop::Market>(section + "}") == "no error") ++accepted;
    }
    EXPECT_GT(accepted, 100);
    EXPECT_LT(accepted, 4'900);
}

} // namespace
