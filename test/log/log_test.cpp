#include "nexus/log/log.hpp"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using nexus::Log;
using nexus::LogLevel;
using nexus::LogOptions;

struct Lines {
    std::vector<std::string> text;
    Log log;

    explicit Lines(LogOptions options = {.pattern = "%l %v"}) {
        log = Log::to_callback([this](LogLevel, std::string_view line) { text.emplace_back(line); }, options);
    }
    Lines(const Lines&) = delete;
    Lines& operator=(const Lines&) = delete;
};

// A folder that is gone when the test is over.
class Folder {
public:
    Folder()
        : path_(std::filesystem::temp_directory_path() / ("nexus_log_test_" + std::to_string(std::random_device{}()))) {
        std::filesystem::create_directory(path_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
    [[nodiscard]] std::string text(const std::string& name) const {
        std::ifstream in(file(name));
        std::stringstream buffer;
        buffer << in.rdbuf();
        return buffer.str();
    }
    [[nodiscard]] std::set<std::string> names() const {
        std::set<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(path_))
            found.insert(entry.path().filename().string());
        return found;
    }

private:
    std::filesystem::path path_;
};

TEST(Log, null_writes_nothing_and_never_fails) {
    for (Log log : {Log(), Log::null()}) {
        EXPECT_FALSE(log.is_enabled(LogLevel::critical));
        log.critical("lost {}", 1);
        log.write(LogLevel::critical, "lost");
        log.set_level(LogLevel::trace);
        log.flush();
        EXPECT_EQ(log.lost(), 0U);
    }
}

TEST(Log, lines_have_level_and_text) {
    Lines lines({.level = LogLevel::trace, .pattern = "%l %v"});
    lines.log.trace("a");
    lines.log.debug("b {}", 1);
    lines.log.info("c");
    lines.log.warn("d");
    lines.log.error("e");
    lines.log.critical("f");
    EXPECT_EQ(lines.text,
              (std::vector<std::string>{"trace a", "debug b 1", "info c", "warning d", "error e", "critical f"}));
}

TEST(Log, below_its_level_nothing_is_formatted) {
    struct Dear {
        int* asked;
        [[nodiscard]] std::string to_string() const { return ++*asked, "dear"; }
    };
    int asked = 0;
    Lines lines;
    lines.log.debug("{}", Dear{&asked});
    EXPECT_EQ(asked, 0);
    lines.log.info("{}", Dear{&asked});
    EXPECT_EQ(asked, 1);
    EXPECT_EQ(lines.text, std::vector<std::string>{"info dear"});
}

TEST(Log, the_level_can_change_for_all_copies) {
    Lines lines;
    Log copy = lines.log;
    EXPECT_FALSE(copy.is_enabled(LogLevel::debug));
    lines.log.set_level(LogLevel::debug);
    EXPECT_TRUE(copy.is_enabled(LogLevel::debug));
    copy.set_level(LogLevel::off);
    EXPECT_FALSE(lines.log.is_enabled(LogLevel::critical));
    EXPECT_FALSE(lines.log.is_enabled(LogLevel::off));
}

TEST(Log, braces_in_ready_text_mean_nothing) {
    Lines lines;
    lines.log.write(LogLevel::info, "{} {{ %v");
    EXPECT_EQ(lines.text, std::vector<std::string>{"info {} {{ %v"});
}

TEST(Log, the_default_line_has_a_time_in_utc) {
    std::string line;
    Log log = Log::to_callback([&](LogLevel, std::string_view text) { line = text; });
    log.info("hello");
    EXPECT_EQ(line.size(), std::string("2024-01-02T03:04:05.123456Z info hello").size()) << line;
    EXPECT_TRUE(line.ends_with("Z info hello")) << line;
}

TEST(Log, a_callback_gets_the_level) {
    LogLevel seen = LogLevel::off;
    Log log = Log::to_callback([&](LogLevel level, std::string_view) { seen = level; });
    log.warn("x");
    EXPECT_EQ(seen, LogLevel::warn);
}

TEST(Log, a_callback_that_throws_is_counted) {
    Log log = Log::to_callback([](LogLevel, std::string_view) { throw std::runtime_error("full"); });
    log.info("x");
    log.info("y");
    EXPECT_EQ(log.lost(), 2U);
}

// How a fiber is ended from outside is no std::exception and must get through.
TEST(Log, what_is_no_exception_passes_through_a_callback) {
    struct Ended {};
    Log log = Log::to_callback([](LogLevel, std::string_view) { throw Ended{}; });
    EXPECT_THROW(log.info("x"), Ended);
}

TEST(Log, a_callback_may_log) {
    Log log;
    std::vector<std::string> lines;
    log = Log::to_callback(
        [&](LogLevel level, std::string_view line) {
            lines.emplace_back(line);
            if (level == LogLevel::error) log.info("after {}", line);
        },
        {.pattern = "%v"});
    log.error("x");
    EXPECT_EQ(lines, (std::vector<std::string>{"x", "after x"}));
    log = Log();
}

TEST(Log, a_format_that_does_not_suit_its_argument_is_reported_in_place) {
    Lines lines;
    lines.log.info("n={:d}", "text");
    ASSERT_EQ(lines.text.size(), 1U);
    EXPECT_TRUE(lines.text[0].starts_with("info cannot format the log line \"n={:d}\": ")) << lines.text[0];
    EXPECT_EQ(lines.log.lost(), 1U);
}

TEST(Log, no_logger_is_registered_globally) {
    const auto before = spdlog::default_logger();
    const Folder folder;
    Lines lines;
    lines.log.info("x");
    Log file = Log::open({.file = folder.file("a")}).value();
    file.info("x");
    int registered = 0;
    spdlog::apply_all([&](const std::shared_ptr<spdlog::logger>&) { ++registered; });
    EXPECT_EQ(registered, 1) << "only the default logger of spdlog itself";
    EXPECT_EQ(spdlog::get("nexus"), nullptr);
    EXPECT_EQ(spdlog::default_logger(), before);
}

TEST(Log, without_a_file_lines_go_to_the_standard_error_stream) {
    testing::internal::CaptureStderr();
    Log::open({.pattern = "%v"}).value().info("to stderr {}", 7);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "to stderr 7\n");
}

TEST(LogFile, lines_are_appended_and_there_when_the_call_returns) {
    const Folder folder;
    Log log = Log::open({.pattern = "%v", .file = folder.file("a")}).value();
    log.info("one");
    EXPECT_EQ(folder.text("a"), "one\n");
    Log::open({.pattern = "%v", .file = folder.file("a")}).value().info("two");
    EXPECT_EQ(folder.text("a"), "one\ntwo\n");
}

TEST(LogFile, lines_below_the_flush_level_wait_for_one_above) {
    const Folder folder;
    Log log = Log::open({.flush_level = LogLevel::warn, .pattern = "%v", .file = folder.file("a")}).value();
    log.info("one");
    EXPECT_EQ(folder.text("a"), "");
    log.warn("two");
    EXPECT_EQ(folder.text("a"), "one\ntwo\n");
    log.info("three");
    log.flush();
    EXPECT_EQ(folder.text("a"), "one\ntwo\nthree\n");
    log.info("four");
    log = Log();
    EXPECT_EQ(folder.text("a"), "one\ntwo\nthree\nfour\n");
}

TEST(LogFile, a_file_that_cannot_be_opened_is_an_error) {
    const Folder folder;
    const auto log = Log::open({.file = folder.file("missing/a")});
    ASSERT_FALSE(log.has_value());
    EXPECT_EQ(log.error(), std::errc::no_such_file_or_directory);
    EXPECT_STREQ(log.error().operation(), "open log file");
    EXPECT_EQ(Log::open({.file = folder.file("")}).error(), std::errc::is_a_directory);
}

TEST(LogFile, rotates_before_a_line_would_exceed_the_limit) {
    const Folder folder;
    Log log = Log::open({.pattern = "%v", .file = folder.file("a"), .max_file_bytes = 10, .max_files = 2}).value();
    log.info("1234");
    log.info("5678");
    EXPECT_EQ(folder.text("a"), "1234\n5678\n");
    log.info("9");
    EXPECT_EQ(folder.text("a"), "9\n");
    EXPECT_EQ(folder.text("a.1"), "1234\n5678\n");
    log.info("longer than ten");
    EXPECT_EQ(folder.text("a"), "longer than ten\n");
    EXPECT_EQ(folder.text("a.1"), "9\n");
    EXPECT_EQ(folder.text("a.2"), "1234\n5678\n");
    log.info("z");
    EXPECT_EQ(folder.text("a.2"), "9\n");
    EXPECT_EQ(folder.names(), (std::set<std::string>{"a", "a.1", "a.2"}));
    EXPECT_EQ(log.lost(), 0U);
}

TEST(LogFile, an_empty_file_is_not_rotated) {
    const Folder folder;
    Log log = Log::open({.pattern = "%v", .file = folder.file("a"), .max_file_bytes = 4}).value();
    log.info("longer than four");
    EXPECT_EQ(folder.names(), std::set<std::string>{"a"});
}

TEST(LogFile, what_is_in_the_file_counts) {
    const Folder folder;
    std::ofstream(folder.file("a")) << "12345678\n";
    Log log = Log::open({.pattern = "%v", .file = folder.file("a"), .max_file_bytes = 10}).value();
    log.info("xx");
    EXPECT_EQ(folder.text("a.1"), "12345678\n");
    EXPECT_EQ(folder.text("a"), "xx\n");
}

TEST(LogFile, keeps_no_rotated_file_when_told_so_and_never_rotates_at_zero) {
    const Folder folder;
    Log none = Log::open({.pattern = "%v", .file = folder.file("a"), .max_file_bytes = 4, .max_files = 0}).value();
    none.info("aaa");
    none.info("bbb");
    EXPECT_EQ(folder.text("a"), "bbb\n");
    Log endless = Log::open({.pattern = "%v", .file = folder.file("b"), .max_file_bytes = 0}).value();
    for (int i = 0; i < 100; ++i) endless.info("0123456789");
    EXPECT_EQ(folder.text("b").size(), 1100U);
    EXPECT_EQ(folder.names(), (std::set<std::string>{"a", "b"}));
}

TEST(LogFile, a_rotation_that_fails_loses_nothing) {
    const Folder folder;
    // A folder where the rotated file should go cannot be replaced by a file.
    std::filesystem::create_directory(folder.file("a.1"));
    Log log = Log::open({.pattern = "%v", .file = folder.file("a"), .max_file_bytes = 4, .max_files = 1}).value();
    log.info("aaa");
    log.info("bbb");
    EXPECT_EQ(folder.text("a"), "aaa\nbbb\n");
    EXPECT_EQ(log.lost(), 0U);
}

TEST(LogFile, lines_that_cannot_be_written_are_counted) {
    if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "needs the device that is always full";
    Log log = Log::open({.file = "/dev/full"}).value();
    log.info("x");
    log.info("y");
    EXPECT_EQ(log.lost(), 2U);
}

TEST(LogFile, the_descriptor_is_not_inherited) {
    const Folder folder;
    const Log log = Log::open({.file = folder.file("a")}).value();
    bool is_seen = false;
    for (int fd = 0; fd < 256; ++fd) {
        struct stat here {};
        struct stat file {};
        if (fstat(fd, &here) != 0 || stat(folder.file("a").c_str(), &file) != 0) continue;
        if (here.st_dev != file.st_dev || here.st_ino != file.st_ino) continue;
        is_seen = true;
        EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    }
    EXPECT_TRUE(is_seen);
}

TEST(LogFile, lines_of_several_threads_do_not_mix) {
    const Folder folder;
    Log log = Log::open({.pattern = "%v", .file = folder.file("a")}).value();
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([log, i]() mutable {
                for (int n = 0; n < 500; ++n) log.info("{}{}{}{}{}", i, i, i, i, i);
            });
        }
    }
    std::istringstream lines(folder.text("a"));
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        ASSERT_EQ(line, std::string(5, line[0]));
    }
    EXPECT_EQ(count, 2000);
}

} // namespace
