#include "nexus/config/private/units.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace {

using nexus::config_detail::format_duration;
using nexus::config_detail::format_size;
using nexus::config_detail::parse_duration;
using nexus::config_detail::parse_size;

TEST(Units, durations_have_a_unit) {
    EXPECT_EQ(parse_duration("250ns"), 250U);
    EXPECT_EQ(parse_duration("250us"), 250'000U);
    EXPECT_EQ(parse_duration("5ms"), 5'000'000U);
    EXPECT_EQ(parse_duration("2s"), 2'000'000'000U);
    EXPECT_EQ(parse_duration("3min"), 180'000'000'000U);
    EXPECT_EQ(parse_duration("1h"), 3'600'000'000'000U);
    EXPECT_EQ(parse_duration("0s"), 0U);
}

TEST(Units, durations_may_have_a_fraction_that_is_exact) {
    EXPECT_EQ(parse_duration("1.5ms"), 1'500'000U);
    EXPECT_EQ(parse_duration("0.000000001s"), 1U);
    EXPECT_EQ(parse_duration("1.000000000000s"), 1'000'000'000U);
    EXPECT_EQ(parse_duration("0.0000000001s"), std::nullopt);
    EXPECT_EQ(parse_duration("1.5ns"), std::nullopt);
    EXPECT_EQ(parse_duration("1.0ns"), 1U);
    EXPECT_EQ(parse_duration("0.25min"), 15'000'000'000U);
}

TEST(Units, what_is_no_duration_is_nothing) {
    for (const char* text : {"", "5", "ms", "-5ms", "+5ms", "5 ms", " 5ms", "5ms ", "5MS", "5m", "1e3ms", ".5s", "5.s",
                             "5..0s", "0x5s", "5KiB", "99999999999999999999s", "9223372036854775808ns", "2562048h"}) {
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
    }
    EXPECT_EQ(parse_duration("9223372036854775807ns"), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(parse_duration("9223372036.854775807s"), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(parse_duration("9223372036.854775808s"), std::nullopt);
}

TEST(Units, sizes_have_binary_units) {
    EXPECT_EQ(parse_size("100B"), 100U);
    EXPECT_EQ(parse_size("64KiB"), 65'536U);
    EXPECT_EQ(parse_size("16MiB"), 16'777'216U);
    EXPECT_EQ(parse_size("2GiB"), 2'147'483'648U);
    EXPECT_EQ(parse_size("64KB"), std::nullopt);
    EXPECT_EQ(parse_size("64k"), std::nullopt);
    EXPECT_EQ(parse_size("64"), std::nullopt);
}

TEST(Units, a_fraction_of_a_size_must_be_whole_bytes) {
    EXPECT_EQ(parse_size("1.0KiB"), 1024U);
    EXPECT_EQ(parse_size("1.1KiB"), std::nullopt);
}

TEST(Units, format_takes_the_largest_unit_without_a_fraction) {
    EXPECT_EQ(format_duration(0), "0s");
    EXPECT_EQ(format_duration(50'000), "50us");
    EXPECT_EQ(format_duration(1'500'000), "1500us");
    EXPECT_EQ(format_duration(90'000'000'000), "90s");
    EXPECT_EQ(format_duration(7'200'000'000'000), "2h");
    EXPECT_EQ(format_size(0), "0B");
    EXPECT_EQ(format_size(1000), "1000B");
    EXPECT_EQ(format_size(65'536), "64KiB");
}

TEST(Units, what_is_formatted_is_read_back) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 20'000; ++i) {
        const std::uint64_t value = random() >> (1 + random() % 63);
        ASSERT_EQ(parse_duration(format_duration(value)), value);
        ASSERT_EQ(parse_size(format_size(value)), value);
    }
}

} // namespace
