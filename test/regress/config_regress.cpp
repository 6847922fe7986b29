// Bugs of the configuration.
#include "nexus/config/private/units.hpp"

#include <gtest/gtest.h>

namespace {

using nexus::config_detail::parse_duration;
using nexus::config_detail::parse_size;

TEST(ConfigRegress, fractions_are_exact_or_refused) {
    for (const char* text : {"1.05ns", "0.00000000001s", "1.00000001ms", "0.1ns"})
        EXPECT_FALSE(parse_duration(text)) << text;
    for (const char* text : {"1.05B", "1.005KiB", "1.00001KiB", "0.3KiB"}) EXPECT_FALSE(parse_size(text)) << text;
    EXPECT_EQ(parse_size("1.5KiB"), 1536U);
    EXPECT_EQ(parse_size("0.5MiB"), 512U * 1024);
    EXPECT_EQ(parse_size("0.25GiB"), 256U * 1024 * 1024);
    EXPECT_EQ(parse_size("1.000B"), 1U);
    EXPECT_EQ(parse_duration("1.5ms"), 1'500'000U);
    EXPECT_EQ(parse_duration("0.000000001s"), 1U);
    EXPECT_EQ(parse_duration("1.10s"), 1'100'000'000U);
    EXPECT_FALSE(parse_duration("0.00000000000000000000000000001s"));
    EXPECT_EQ(parse_duration("2.0000000000000000000000000000000s"), 2'000'000'000U);
}

} // namespace
