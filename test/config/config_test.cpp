#include "nexus/config/config.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/log/log.hpp"
#include "nexus/world/builder.hpp"
#include "test/config/problems.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace {

using namespace std::chrono_literals;
using nexus::Config;
using nexus::ConfigError;
using nexus::LogLevel;
using nexus::LogOptions;
using nexus::LoopMode;
using nexus::RuntimeOptions;
using nexus::test::problems_of;

std::string wrong(std::string_view text) {
    return problems_of([&] { (void)Config::parse(text, "c"); });
}

std::string printed(const Config& config) {
    std::ostringstream out;
    config.print(out);
    return out.str();
}

// A file that is gone when the test is over.
class TemporaryFile {
public:
    explicit TemporaryFile(std::string_view text)
        : path_(std::filesystem::temp_directory_path() /
                ("nexus_config_test_" + std::to_string(std::random_device{}()) + ".json")) {
        std::ofstream(path_) << text;
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() { std::filesystem::remove(path_); }
    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

TEST(Config, defaults_are_those_of_the_options) {
    for (const Config& config : {Config(), Config::parse("{}"), Config::parse(R"({"runtime": {}, "log": {}})")}) {
        const RuntimeOptions given = config.runtime();
        const RuntimeOptions expected;
        EXPECT_EQ(given.mode, expected.mode);
        EXPECT_EQ(given.spin_window, expected.spin_window);
        EXPECT_EQ(given.tasks_per_cycle, expected.tasks_per_cycle);
        EXPECT_EQ(given.stack_size, expected.stack_size);
        EXPECT_EQ(given.strict_borrows, expected.strict_borrows);
    }
}

TEST(Config, log_defaults_are_those_of_the_log) {
    const LogOptions given = Config().log();
    const LogOptions expected;
    EXPECT_EQ(given.level, expected.level);
    EXPECT_EQ(given.flush_level, expected.flush_level);
    EXPECT_EQ(given.pattern, expected.pattern);
    EXPECT_EQ(given.file, expected.file);
    EXPECT_EQ(given.max_file_bytes, expected.max_file_bytes);
    EXPECT_EQ(given.max_files, expected.max_files);
}

TEST(Config, every_runtime_option_arrives) {
    const RuntimeOptions given = Config::parse(R"({"runtime": {
        "mode": "adaptive", "spin_window": "70us", "tasks_per_cycle": 1000000, "event_interval": 1,
        "event_capacity": 65536, "cross_thread_drain_limit": 4294967295, "stack_size": "128KiB",
        "root_stack_size": 1048576, "guard_size": 0, "preallocated_stacks": 12, "prefault_stacks": true,
        "timer_slack": "1.5ms", "signal_handlers": true, "overflow_report": true, "strict_borrows": true}})")
                                     .runtime();
    EXPECT_EQ(given.mode, LoopMode::adaptive);
    EXPECT_EQ(given.spin_window, 70us);
    EXPECT_EQ(given.tasks_per_cycle, 1'000'000U);
    EXPECT_EQ(given.event_interval, 1U);
    EXPECT_EQ(given.event_capacity, 65'536U);
    EXPECT_EQ(given.cross_thread_drain_limit, 4'294'967'295U);
    EXPECT_EQ(given.stack_size, 131'072U);
    EXPECT_EQ(given.root_stack_size, 1'048'576U);
    EXPECT_EQ(given.guard_size, 0U);
    EXPECT_EQ(given.preallocated_stacks, 12U);
    EXPECT_TRUE(given.prefault_stacks);
    EXPECT_EQ(given.timer_slack, 1500us);
    EXPECT_TRUE(given.signal_handlers);
    EXPECT_TRUE(given.overflow_report);
    EXPECT_TRUE(given.strict_borrows);
    EXPECT_FALSE(Config::parse(R"({"runtime": {"strict_borrows": false}})").runtime().strict_borrows);
}

TEST(Config, every_loop_mode_has_its_name) {
    for (const auto& [name, mode] :
         {std::pair{"park", LoopMode::park}, {"busy", LoopMode::busy}, {"adaptive", LoopMode::adaptive}}) {
        EXPECT_EQ(Config::parse(R"({"runtime": {"mode": ")" + std::string(name) + "\"}}").runtime().mode, mode);
    }
}

TEST(Config, every_log_option_arrives) {
    const LogOptions given = Config::parse(R"({"log": {"level": "debug", "flush_level": "error", "pattern": "%v",
        "file": "a.log", "max_file_bytes": "3MiB", "max_files": 9}})")
                                 .log();
    EXPECT_EQ(given.level, LogLevel::debug);
    EXPECT_EQ(given.flush_level, LogLevel::error);
    EXPECT_EQ(given.pattern, "%v");
    EXPECT_EQ(given.file, "a.log");
    EXPECT_EQ(given.max_file_bytes, 3'145'728U);
    EXPECT_EQ(given.max_files, 9);
}

TEST(Config, every_log_level_has_its_name) {
    for (int level = 0; level <= static_cast<int>(LogLevel::off); ++level) {
        const auto expected = static_cast<LogLevel>(level);
        const std::string text = R"({"log": {"level": ")" + std::string(to_string(expected)) + "\"}}";
        EXPECT_EQ(Config::parse(text).log().level, expected);
    }
}

TEST(Config, a_host_may_read_the_log_section_into_its_own_struct) {
    struct Own {
        int level, flush_level;
        std::string pattern, file;
        std::size_t max_file_bytes;
        int max_files;
    };
    EXPECT_EQ(Config::parse(R"({"log": {"level": "warn"}})").log<Own>().level, 3);
}

TEST(Config, four_mistakes_at_once) {
    const TemporaryFile file("// the exchange\n"
                             "{\n"
                             "    \"runtime\": {\n"
                             "        \"mode\": \"bussy\",\n"
                             "        \"tasks_per_cycle\": \"many\",\n"
                             "        \"signal_handler\": true,\n"
                             "        \"spin_window\": 250\n"
                             "    }\n"
                             "}\n");
    const std::string f = file.path();
    EXPECT_EQ(problems_of([&] { (void)Config::load(f); }),
              f +
                  ":4:17: /runtime/mode: found \"bussy\", expected one of \"park\", \"busy\", \"adaptive\"; "
                  "did you mean \"busy\"?\n" +
                  f + ":5:28: /runtime/tasks_per_cycle: found \"many\", expected an integer from 1 to 1000000\n" + f +
                  ":6:9: /runtime/signal_handler: unknown key \"signal_handler\"; "
                  "did you mean \"signal_handlers\"?\n" +
                  f +
                  ":7:24: /runtime/spin_window: found 250, expected a duration from 0s to 10s, "
                  "as text with its unit (ns, us, ms, s, min, h); did you mean \"250ns\"?");
}

TEST(Config, a_problem_is_also_data) {
    try {
        (void)Config::parse("{\"runtime\":\n {\"signal_handler\": 1}}", "c");
        FAIL();
    } catch (const ConfigError& error) {
        ASSERT_EQ(error.problems().size(), 1U);
        const nexus::ConfigProblem& problem = error.problems().front();
        EXPECT_EQ(problem.file, "c");
        EXPECT_EQ(problem.line, 2U);
        EXPECT_EQ(problem.column, 3U);
        EXPECT_EQ(problem.pointer, "/runtime/signal_handler");
        EXPECT_EQ(problem.found, "unknown key \"signal_handler\"");
        EXPECT_NE(problem.allowed.find("\"signal_handlers\""), std::string::npos);
        EXPECT_EQ(problem.nearest, "signal_handlers");
    }
}

struct Case {
    const char* text;
    const char* problems;
};

TEST(Config, wrong_values_golden) {
    for (const Case& c : {
             // Integers.
             Case{R"({"runtime": {"tasks_per_cycle": 0}})",
                  "c:1:33: /runtime/tasks_per_cycle: found 0, expected an integer from 1 to 1000000"},
             Case{R"({"runtime": {"tasks_per_cycle": 1000001}})",
                  "c:1:33: /runtime/tasks_per_cycle: found 1000001, expected an integer from 1 to 1000000"},
             Case{R"({"runtime": {"tasks_per_cycle": -1}})",
                  "c:1:33: /runtime/tasks_per_cycle: found -1, expected an integer from 1 to 1000000"},
             Case{R"({"runtime": {"tasks_per_cycle": 64.0}})",
                  "c:1:33: /runtime/tasks_per_cycle: found 64.0, expected an integer from 1 to 1000000; "
                  "did you mean 64?"},
             Case{R"({"runtime": {"tasks_per_cycle": "64"}})",
                  "c:1:33: /runtime/tasks_per_cycle: found \"64\", expected an integer from 1 to 1000000; "
                  "did you mean 64?"},
             Case{R"({"runtime": {"tasks_per_cycle": 1e300}})",
                  "c:1:33: /runtime/tasks_per_cycle: found 1e+300, expected an integer from 1 to 1000000"},
             Case{R"({"runtime": {"tasks_per_cycle": null}})",
                  "c:1:33: /runtime/tasks_per_cycle: found null, expected an integer from 1 to 1000000"},
             Case{R"({"runtime": {"tasks_per_cycle": [64]}})",
                  "c:1:33: /runtime/tasks_per_cycle: found an array, expected an integer from 1 to 1000000"},
             Case{R"({"runtime": {"cross_thread_drain_limit": 4294967296}})",
                  "c:1:42: /runtime/cross_thread_drain_limit: found 4294967296, expected an integer from 0 to "
                  "4294967295"},
             // Booleans.
             Case{R"({"runtime": {"signal_handlers": "yes"}})",
                  "c:1:33: /runtime/signal_handlers: found \"yes\", expected true or false; did you mean true?"},
             Case{R"({"runtime": {"signal_handlers": 0}})",
                  "c:1:33: /runtime/signal_handlers: found 0, expected true or false; did you mean false?"},
             Case{R"({"runtime": {"signal_handlers": {}}})",
                  "c:1:33: /runtime/signal_handlers: found an object, expected true or false"},
             // Durations.
             Case{R"({"runtime": {"timer_slack": 0}})",
                  "c:1:29: /runtime/timer_slack: found 0, expected a duration from 0s to 10s, as text with its unit "
                  "(ns, us, ms, s, min, h); did you mean \"0s\"?"},
             Case{
                 R"({"runtime": {"timer_slack": "5"}})",
                 "c:1:29: /runtime/timer_slack: found \"5\", expected a duration from 0s to 10s, as text with its unit "
                 "(ns, us, ms, s, min, h)"},
             Case{R"({"runtime": {"timer_slack": "5 MS"}})",
                  "c:1:29: /runtime/timer_slack: found \"5 MS\", expected a duration from 0s to 10s, as text with its "
                  "unit (ns, us, ms, s, min, h); did you mean \"5ms\"?"},
             Case{
                 "{\"runtime\": {\"timer_slack\": \"5\xC2\xB5s\"}}",
                 "c:1:29: /runtime/timer_slack: found \"5\xC2\xB5s\", expected a duration from 0s to 10s, as text with "
                 "its unit (ns, us, ms, s, min, h); did you mean \"5us\"?"},
             Case{R"({"runtime": {"timer_slack": "11s"}})",
                  "c:1:29: /runtime/timer_slack: found \"11s\", expected a duration from 0s to 10s"},
             Case{R"({"runtime": {"timer_slack": -5}})",
                  "c:1:29: /runtime/timer_slack: found -5, expected a duration from 0s to 10s, as text with its unit "
                  "(ns, us, ms, s, min, h)"},
             // Sizes.
             Case{R"({"runtime": {"stack_size": "1KiB"}})",
                  "c:1:28: /runtime/stack_size: found \"1KiB\", expected a size from 16KiB to 64MiB"},
             Case{R"({"runtime": {"stack_size": 16383}})",
                  "c:1:28: /runtime/stack_size: found 16383, expected a size from 16KiB to 64MiB"},
             Case{R"({"runtime": {"stack_size": "64kb"}})",
                  "c:1:28: /runtime/stack_size: found \"64kb\", expected a size from 16KiB to 64MiB, in bytes or as "
                  "text with its unit (B, KiB, MiB, GiB); did you mean \"64KiB\"?"},
             Case{R"({"runtime": {"stack_size": 65536.5}})",
                  "c:1:28: /runtime/stack_size: found 65536.5, expected a size from 16KiB to 64MiB, in bytes or as "
                  "text with its unit (B, KiB, MiB, GiB)"},
             // Choices and texts.
             Case{R"({"runtime": {"mode": "Park"}})", "c:1:22: /runtime/mode: found \"Park\", expected one of "
                                                      "\"park\", \"busy\", \"adaptive\"; did you mean "
                                                      "\"park\"?"},
             Case{R"({"runtime": {"mode": true}})",
                  "c:1:22: /runtime/mode: found true, expected one of \"park\", \"busy\", \"adaptive\""},
             Case{R"({"log": {"level": "warning"}})",
                  "c:1:19: /log/level: found \"warning\", expected one of \"trace\", \"debug\", \"info\", \"warn\", "
                  "\"error\", \"critical\", \"off\"; did you mean \"warn\"?"},
             Case{R"({"log": {"file": 3}})", "c:1:18: /log/file: found 3, expected a string without NUL characters"},
             Case{R"({"log": {"file": "a\u0000b"}})",
                  "c:1:18: /log/file: found \"a\\u0000b\", expected a string without NUL characters"},
         }) {
        EXPECT_EQ(wrong(c.text), c.problems) << c.text;
    }
}

TEST(Config, wrong_structure_golden) {
    for (const Case& c : {
             Case{"[]", "c:1:1: found an array, expected an object"},
             Case{"[{}]", "c:1:1: found an array, expected an object"},
             Case{"3", "c:1:1: found 3, expected an object"},
             Case{R"({"runtime": []})", "c:1:13: /runtime: found an array, expected an object"},
             Case{R"({"log": null})", "c:1:9: /log: found null, expected an object"},
             Case{R"({"resources": "x"})", "c:1:15: /resources: found \"x\", expected an object"},
             Case{R"({"$schema": 1})", "c:1:13: /$schema: found 1, expected a string"},
             Case{R"({"runtme": {}})", "c:1:2: /runtme: unknown key \"runtme\"; did you mean \"runtime\"?"},
             Case{R"({"network": {}})",
                  "c:1:2: /network: unknown key \"network\", expected one of \"runtime\", \"log\", \"resources\""},
             Case{R"({"tasks_per_cycle": 3})",
                  "c:1:2: /tasks_per_cycle: unknown key \"tasks_per_cycle\"; it belongs into the section \"runtime\""},
             Case{R"({"level": "info"})", "c:1:2: /level: unknown key \"level\"; it belongs into the section \"log\""},
             Case{R"({"log": {"zzz": 1}})",
                  "c:1:10: /log/zzz: unknown key \"zzz\", expected one of \"level\", \"flush_level\", \"pattern\", "
                  "\"file\", \"max_file_bytes\", \"max_files\""},
             Case{R"({"log": {"": 1}})",
                  "c:1:10: /log/: unknown key \"\", expected one of \"level\", \"flush_level\", \"pattern\", "
                  "\"file\", \"max_file_bytes\", \"max_files\""},
         }) {
        EXPECT_EQ(wrong(c.text), c.problems) << c.text;
    }
}

TEST(Config, long_values_are_shortened_between_characters) {
    const std::string long_text(100, 'x');
    EXPECT_EQ(wrong(R"({"log": {"level": ")" + long_text + "\"}}"),
              "c:1:19: /log/level: found \"" + long_text.substr(0, 48) +
                  "...\", expected one of \"trace\", \"debug\", \"info\", \"warn\", \"error\", \"critical\", \"off\"");
    std::string wide = "x";
    for (int i = 0; i < 60; ++i) wide += "\xC3\xA4";
    const std::string found = wrong(R"({"log": {"level": ")" + wide + "\"}}");
    EXPECT_NE(found.find("\xC3\xA4...\""), std::string::npos) << found;
}

TEST(Config, syntax_and_meaning_are_reported_together) {
    EXPECT_EQ(wrong("{\"runtime\": {\"mode\": \"bus\",},\n\"logs\": {}}"),
              "c:1:22: /runtime/mode: found \"bus\", expected one of \"park\", \"busy\", \"adaptive\"; did you mean "
              "\"busy\"?\n"
              "c:1:27: /runtime: found ',', expected no comma before '}'\n"
              "c:2:1: /logs: unknown key \"logs\"; did you mean \"log\"?");
}

TEST(Config, what_is_no_value_is_reported_once) {
    EXPECT_EQ(wrong(R"({"runtime": {"signal_handlers": True}})"),
              "c:1:33: /runtime/signal_handlers: found True, expected a value; did you mean true?");
    EXPECT_EQ(wrong(R"({"runtime": {"mode": "\x"}})"),
              "c:1:23: /runtime/mode: found escape \\x, expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
}

TEST(Config, a_schema_reference_is_allowed) { EXPECT_EQ(wrong(R"({"$schema": "nexus.schema.json"})"), "no error"); }

TEST(Config, the_name_of_a_text_is_text) {
    EXPECT_EQ(problems_of([] { (void)Config::parse("["); }),
              "<text>:1:2: /0: found the end of the text, expected a value");
}

TEST(Config, load_reads_a_file) {
    const TemporaryFile file(R"({"runtime": {"event_interval": 7}})");
    EXPECT_EQ(Config::load(file.path()).runtime().event_interval, 7U);
}

TEST(Config, an_unreadable_file_is_a_problem) {
    EXPECT_EQ(problems_of([] { (void)Config::load("no/such.json"); }),
              "no/such.json: cannot be read: No such file or directory");
    const std::string folder = std::filesystem::temp_directory_path().string();
    EXPECT_EQ(problems_of([&] { (void)Config::load(folder); }), folder + ": cannot be read: Is a directory");
}

TEST(Config, a_file_without_end_is_refused) {
    EXPECT_NE(problems_of([] { (void)Config::load("/dev/zero"); }).find("expected at most 16777216 bytes"),
              std::string::npos);
}

TEST(Config, a_moved_from_config_stays_usable) {
    Config first = Config::parse(R"({"runtime": {"event_interval": 7}})");
    const Config second = std::move(first);
    EXPECT_EQ(first.runtime().event_interval, 7U); // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(second.runtime().event_interval, 7U);
}

TEST(Config, the_effective_configuration_is_read_back_as_itself) {
    const Config config = Config::parse(R"({"runtime": {"mode": "busy", "spin_window": "1.5ms", "stack_size": 100000},
        "log": {"pattern": "\u0001 ä\"", "max_file_bytes": 0}, "resources": {"x": {"b": 1, "a": [true, null]}}})");
    const std::string once = printed(config);
    EXPECT_EQ(printed(Config::parse(once)), once);
    const auto json = config.to_json();
    EXPECT_EQ(json["runtime"]["mode"], "busy");
    EXPECT_EQ(json["runtime"]["spin_window"], "1500us");
    EXPECT_EQ(json["runtime"]["stack_size"], "100000B");
    EXPECT_EQ(json["runtime"]["tasks_per_cycle"], 64);
    EXPECT_EQ(json["resources"]["x"]["a"][0], true);
    EXPECT_EQ(json["log"]["pattern"], "\x01 \xC3\xA4\"");
}

TEST(Config, defaults_printed_golden) {
    const Config config = Config::parse(R"({"runtime": {"strict_borrows": true}})");
    EXPECT_EQ(printed(config), R"({
    "runtime": {
        "mode": "park",
        "spin_window": "50us",
        "tasks_per_cycle": 64,
        "event_interval": 61,
        "event_capacity": 1024,
        "cross_thread_drain_limit": 0,
        "stack_size": "64KiB",
        "root_stack_size": "256KiB",
        "guard_size": "16KiB",
        "preallocated_stacks": 0,
        "prefault_stacks": false,
        "timer_slack": "0s",
        "signal_handlers": false,
        "overflow_report": false,
        "strict_borrows": true
    },
    "log": {
        "level": "info",
        "flush_level": "trace",
        "pattern": "%Y-%m-%dT%H:%M:%S.%fZ %l %v",
        "file": "",
        "max_file_bytes": "64MiB",
        "max_files": 5
    },
    "resources": {}
}
)");
}

struct Listen {
    std::string address = "127.0.0.1:7000";
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Listen, address)

struct Limits {
    int orders = 10;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Limits, orders)

TEST(Config, a_world_gets_its_resources_from_the_file) {
    const Config config = Config::parse(R"({"resources": {"listen": {"address": "::1"}}})");
    nexus::WorldBuilder builder;
    builder.add(config.resource<Listen>("listen"));
    builder.add(config.resource<Limits>("limits"));
    builder.add(nexus::Log::null());
    const nexus::World world = builder.build();
    EXPECT_EQ(world.res<Listen>()->address, "::1");
    EXPECT_EQ(world.res<Limits>()->orders, 10);
}

TEST(Config, a_world_reports_the_problems_of_all_its_sections_at_once) {
    const Config config = Config::parse("{\"resources\": {\"listen\": {\"adress\": \"::1\"},\n"
                                        " \"limits\": {\"orders\": \"many\", \"order\": 1}}}",
                                        "c");
    nexus::WorldBuilder builder;
    builder.add(config.resource<Listen>("listen"));
    builder.add(config.resource<Limits>("limits"));
    try {
        (void)builder.build();
        FAIL();
    } catch (const nexus::UsageError& error) {
        const std::string text = error.what();
        for (const char* line : {"listen (config key \"resources.listen\")", "limits (config key \"resources.limits\")",
                                 "c:1:27: /resources/listen/adress: unknown key \"adress\"; did you mean \"address\"?",
                                 "c:2:23: /resources/limits/orders: found \"many\", expected an integer",
                                 "c:2:31: /resources/limits/order: unknown key \"order\"; did you mean \"orders\"?"}) {
            EXPECT_NE(text.find(line), text.npos) << line << "\nis not in\n" << text;
        }
    }
}

TEST(Config, random_mutations_end_in_a_config_or_in_problems) {
    const std::string original = printed(Config::parse(R"({"resources": {"x": {"a": [1, 2.5, "s"]}}})"));
    std::mt19937 random(99);
    const auto below = [&](std::size_t limit) { return random() % limit; };
    int accepted = 0;
    int refused = 0;
    for (int round = 0; round < 8'000; ++round) {
        std::string text = original;
        for (std::size_t edits = below(3) + 1; edits > 0 && !text.empty(); --edits) {
            const std::size_t where = below(text.size());
            switch (below(5)) {
            case 0: text[where] = static_cast<char>(random()); break;
            case 1: text[where] = static_cast<char>('0' + below(10)); break;
            case 2: text.erase(where, below(8)); break;
            case 3: text.insert(where, text.substr(below(text.size()), below(8))); break;
            case 4: text.resize(where); break;
            }
        }
        try {
            const Config config = Config::parse(text);
            ASSERT_EQ(printed(Config::parse(printed(config))), printed(config));
            ++accepted;
        } catch (const ConfigError& error) {
            ASSERT_FALSE(error.problems().empty());
            for (const auto& problem : error.problems()) {
                ASSERT_GT(problem.line, 0U);
                ASSERT_GT(problem.column, 0U);
                ASSERT_FALSE(problem.message.empty());
            }
            ++refused;
        }
    }
    EXPECT_GT(accepted, 100);
    EXPECT_GT(refused, 500);
}

} // namespace
