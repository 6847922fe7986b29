#include "nexus/config/private/option_table.hpp"

#include "nexus/config/config.hpp"

#include <gtest/gtest.h>

#include <regex.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace {

using nexus::Config;
using nexus::config_detail::Option;
using nexus::config_detail::OptionKind;
using nexus::config_detail::OptionValue;
using nexus::config_detail::Section;
using Json = nlohmann::ordered_json;

const std::array<const Section*, 2>& sections() {
    static const std::array<const Section*, 2> all = {&nexus::config_detail::runtime_section(),
                                                      &nexus::config_detail::log_section()};
    return all;
}

TEST(OptionTable, entries_are_complete) {
    for (const Section* section : sections()) {
        std::set<std::string_view> keys;
        for (const Option& option : section->options) {
            EXPECT_TRUE(keys.insert(option.key).second) << option.key;
            EXPECT_TRUE(option.doc.ends_with('.') || option.doc.ends_with(')')) << option.key;
            EXPECT_LE(option.least, option.most) << option.key;
            EXPECT_EQ(option.choices.empty(), option.kind != OptionKind::choice) << option.key;
        }
    }
}

TEST(OptionTable, defaults_are_in_range) {
    for (const Section* section : sections()) {
        for (const Option& option : section->options) {
            if (option.kind == OptionKind::text) continue;
            const std::uint64_t value = option.get(section->defaults).number;
            EXPECT_GE(value, option.least) << option.key;
            EXPECT_LE(value, option.most) << option.key;
        }
    }
}

// Setting one option changes that one, and its extremes fit the field.
TEST(OptionTable, each_entry_sets_the_field_that_it_gets) {
    for (const bool of_runtime : {true, false}) {
        const Section& section = *sections()[of_runtime ? 0 : 1];
        for (const Option& option : section.options) {
            for (const std::uint64_t number : {option.least, option.most}) {
                nexus::RuntimeOptions runtime;
                nexus::config_detail::LogSection log;
                void* options = &runtime;
                if (!of_runtime) options = &log;
                option.set(options, {number, "text"});
                for (const Option& other : section.options) {
                    const OptionValue expected = &other == &option ? OptionValue{number, "text"}
                                                                   : other.get(section.defaults);
                    const OptionValue found = other.get(options);
                    if (other.kind == OptionKind::text) {
                        EXPECT_EQ(found.text, expected.text) << option.key << " and " << other.key;
                    } else {
                        EXPECT_EQ(found.number, expected.number) << option.key << " and " << other.key;
                    }
                }
            }
        }
    }
}

// POSIX, because g++ warns inside std::regex when it instruments code.
bool matches(const std::string& pattern, const std::string& text) {
    regex_t compiled;
    if (regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
    const bool found = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
    regfree(&compiled);
    return found;
}

// As much of JSON Schema as ours uses; an unknown keyword fails.
std::string violation(const Json& schema, const Json& value, const std::string& at = "") {
    static const std::set<std::string> known = {
        "$schema", "title",   "description", "default", "type", "properties", "additionalProperties",
        "minimum", "maximum", "enum",        "pattern", "anyOf"};
    for (const auto& [keyword, unused] : schema.items()) {
        if (!known.contains(keyword)) return at + ": unknown keyword " + keyword;
    }
    if (schema.contains("anyOf")) {
        for (const Json& one : schema["anyOf"]) {
            if (violation(one, value, at).empty()) return {};
        }
        return at + ": anyOf";
    }
    const std::string type = schema.value("type", "");
    const bool fits = type.empty() || (type == "object" && value.is_object()) ||
                      (type == "string" && value.is_string()) || (type == "boolean" && value.is_boolean()) ||
                      (type == "integer" && value.is_number_integer());
    if (!fits) return at + ": type";
    if (schema.contains("minimum") && value < schema["minimum"]) return at + ": minimum";
    if (schema.contains("maximum") && value > schema["maximum"]) return at + ": maximum";
    if (schema.contains("enum")) {
        const Json& choices = schema["enum"];
        if (std::find(choices.begin(), choices.end(), value) == choices.end()) return at + ": enum";
    }
    if (schema.contains("pattern") && !matches(schema["pattern"].get<std::string>(), value.get<std::string>()))
        return at + ": pattern";
    if (!value.is_object()) return {};
    for (const auto& [key, member] : value.items()) {
        if (schema.contains("properties") && schema["properties"].contains(key)) {
            const std::string found = violation(schema["properties"][key], member, at + '/' + key);
            if (!found.empty()) return found;
        } else if (schema.contains("additionalProperties")) {
            return at + '/' + key + ": additional";
        }
    }
    return {};
}

TEST(Schema, is_json_of_a_known_draft) {
    const Json schema = Json::parse(Config::schema());
    EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    EXPECT_EQ(schema["properties"]["runtime"]["properties"]["tasks_per_cycle"]["maximum"], 1'000'000);
    EXPECT_EQ(schema["properties"]["runtime"]["properties"]["stack_size"]["default"], "64KiB");
    EXPECT_EQ(schema["properties"]["log"]["properties"]["level"]["default"], "info");
}

TEST(Schema, does_not_depend_on_the_build) {
    EXPECT_FALSE(
        Json::parse(Config::schema())["properties"]["runtime"]["properties"]["strict_borrows"].contains("default"));
}

TEST(Schema, accepts_the_effective_configuration) {
    const Json schema = Json::parse(Config::schema());
    EXPECT_EQ(violation(schema, Config().to_json()), "");
    EXPECT_EQ(violation(schema, Json::object()), "");
    EXPECT_EQ(violation(schema, Json::parse(R"({"$schema": "x", "resources": {"a": 1}})")), "");
}

TEST(Schema, every_default_in_it_is_accepted_by_itself) {
    const Json schema = Json::parse(Config::schema());
    for (const Section* section : sections()) {
        for (const auto& [key, option] : schema["properties"][std::string(section->key)]["properties"].items()) {
            if (option.contains("default")) {
                EXPECT_EQ(violation(option, option["default"], key), "");
            }
            EXPECT_TRUE(option.contains("description")) << key;
        }
    }
}

TEST(Schema, agrees_with_the_reader_on_what_is_wrong) {
    const Json schema = Json::parse(Config::schema());
    for (const char* text : {R"({"runtime": {"tasks_per_cycle": 0}})", R"({"runtime": {"mode": "x"}})",
                             R"({"runtime": {"spin_window": 250}})", R"({"runtime": {"spin_window": "250"}})",
                             R"({"runtime": {"stack_size": "64KB"}})", R"({"runtime": {"stack_size": 1}})",
                             R"({"runtime": {"nope": 1}})", R"({"nope": 1})", R"({"log": {"max_files": 1001}})",
                             R"({"runtime": {"signal_handlers": 1}})", R"({"resources": []})", R"({"$schema": 1})"}) {
        EXPECT_NE(violation(schema, Json::parse(text)), "") << text;
        EXPECT_THROW((void)Config::parse(text), nexus::ConfigError) << text;
    }
}

// The generated part of docs/config.md stands between these lines.
std::string marker(const Section& section, const char* which) {
    return "<!-- options of " + std::string(section.key) + ": " + which + " -->\n";
}

std::filesystem::path document() {
    // This file's path is absolute or relative to where the compiler ran.
    return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "docs" / "config.md";
}

// NEXUS_UPDATE_DOCS=1 writes the tables instead of comparing them.
TEST(Docs, tables_of_options_are_those_of_the_code) {
    std::ifstream in(document());
    ASSERT_TRUE(in) << "run this test in the build directory; it looks for " << document();
    std::stringstream buffer;
    buffer << in.rdbuf();
    std::string text = buffer.str();
    for (const Section* section : sections()) {
        const std::string begin = marker(*section, "begin");
        const std::size_t from = text.find(begin);
        const std::size_t to = text.find(marker(*section, "end"));
        ASSERT_NE(from, text.npos) << begin;
        ASSERT_NE(to, text.npos) << begin;
        const std::string expected = section_markdown(*section);
        if (std::getenv("NEXUS_UPDATE_DOCS") != nullptr) {
            text.replace(from + begin.size(), to - from - begin.size(), expected);
        } else {
            EXPECT_EQ(text.substr(from + begin.size(), to - from - begin.size()), expected);
        }
    }
    if (std::getenv("NEXUS_UPDATE_DOCS") != nullptr) std::ofstream(document()) << text;
}

} // namespace
