#include "nexus/log/detail/format.hpp"

#include "nexus/log/log.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

namespace place {

enum class Side { buy, sell };
std::string to_string(Side side) { return side == Side::buy ? "buy" : "sell"; }

struct Order {
    [[nodiscard]] std::string_view to_string() const { return "order 7"; }
};

} // namespace place

namespace {

using nexus::Log;
using nexus::LogLevel;

template <class... Args>
std::string line(nexus::log_detail::FormatString<std::type_identity_t<Args>...> format, const Args&... args) {
    std::string text;
    Log log = Log::to_callback([&](LogLevel, std::string_view written) { text = written; }, {.pattern = "%v"});
    log.log(LogLevel::info, format, args...);
    return text;
}

TEST(LogFormat, numbers) {
    EXPECT_EQ(line("{} {} {}", 1, -2L, 3U), "1 -2 3");
    EXPECT_EQ(line("{}", std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
    EXPECT_EQ(line("{}", std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
    EXPECT_EQ(line("{} {:.2f} {}", 0.5, 3.14159, 2.0F), "0.5 3.14 2");
    EXPECT_EQ(line("{:>6}|{:<6}|{:06}|{:x}", 42, 42, 42, 255), "    42|42    |000042|ff");
    EXPECT_EQ(line("{} {}", static_cast<std::uint8_t>(65), static_cast<std::int8_t>(-1)), "65 -1");
}

TEST(LogFormat, truth_and_characters) { EXPECT_EQ(line("{} {} {}", true, false, 'x'), "true false x"); }

TEST(LogFormat, strings) {
    const std::string owned = "owned";
    const char* none = nullptr;
    char buffer[8] = "buf";
    EXPECT_EQ(line("{} {} {} {} {}", "literal", owned, std::string_view("view"), none, buffer),
              "literal owned view (null) buf");
    EXPECT_EQ(line("[{:>7}]", owned), "[  owned]");
}

TEST(LogFormat, pointers) {
    int value = 0;
    EXPECT_TRUE(line("{}", &value).starts_with("0x"));
}

TEST(LogFormat, types_with_a_text_of_their_own) {
    EXPECT_EQ(line("{} {}", place::Side::sell, place::Order{}), "sell order 7");
    EXPECT_EQ(line("{}", nexus::Error(nexus::errc::timed_out, "connect", "host:1")),
              nexus::Error(nexus::errc::timed_out, "connect", "host:1").message());
    EXPECT_EQ(line("{}", std::make_error_code(std::errc::timed_out)), "Connection timed out");
    EXPECT_EQ(line("{}", std::runtime_error("broken")), "broken");
    EXPECT_EQ(line("{}", LogLevel::warn), "warn");
    EXPECT_EQ(line("[{:>5}]", place::Side::buy), "[  buy]");
}

TEST(LogFormat, doubled_braces_are_braces) { EXPECT_EQ(line("{{{}}} }}", 1), "{1} }"); }

// The checker runs at compile time, where naming an error function ends the compilation; here it runs where that is
// a call that does nothing, so only what it accepts can be shown.
TEST(LogFormat, accepted_formats) {
    constexpr bool is_accepted = [] {
        nexus::log_detail::check_format("", 0);
        nexus::log_detail::check_format("{}", 1);
        nexus::log_detail::check_format("{{}}", 0);
        nexus::log_detail::check_format("a{:>8}b{}{{", 2);
        return true;
    }();
    static_assert(is_accepted);
}

template <std::size_t Arguments, class Text>
concept Accepted = requires {
    typename std::bool_constant<(nexus::log_detail::check_format(Text::value, Arguments), true)>;
};

struct OneOpen {
    static constexpr std::string_view value = "{";
};
struct OneClosed {
    static constexpr std::string_view value = "a}";
};
struct One {
    static constexpr std::string_view value = "{}";
};
struct Numbered {
    static constexpr std::string_view value = "{0}";
};
struct Nested {
    static constexpr std::string_view value = "{:{}}";
};

TEST(LogFormat, refused_formats) {
    static_assert(Accepted<1, One>);
    static_assert(!Accepted<0, One>);
    static_assert(!Accepted<2, One>);
    static_assert(!Accepted<1, OneOpen>);
    static_assert(!Accepted<0, OneClosed>);
    static_assert(!Accepted<1, Numbered>);
    static_assert(!Accepted<2, Nested>);
}

} // namespace
