#include "nexus/config/private/nearest.hpp"

#include <gtest/gtest.h>

#include <array>

namespace {

using nexus::config_detail::edit_distance;
using nexus::config_detail::nearest;
using nexus::config_detail::quoted_list;

TEST(Nearest, distance_counts_edits) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("abc", ""), 3U);
    EXPECT_EQ(edit_distance("mode", "node"), 1U);
    EXPECT_EQ(edit_distance("mode", "modes"), 1U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Nearest, a_swap_of_neighbours_is_one_edit) {
    EXPECT_EQ(edit_distance("satck", "stack"), 1U);
    EXPECT_EQ(edit_distance("ab", "ba"), 1U);
}

TEST(Nearest, case_and_dashes_do_not_count) {
    EXPECT_EQ(edit_distance("Stack-Size", "stack_size"), 0U);
    EXPECT_EQ(edit_distance("stackSize", "stack_size"), 1U);
}

TEST(Nearest, finds_what_was_meant_and_nothing_when_nothing_is_alike) {
    const std::array<std::string, 3> keys = {"park", "busy", "adaptive"};
    EXPECT_EQ(nearest("perk", keys), "park");
    EXPECT_EQ(nearest("adaptiv", keys), "adaptive");
    EXPECT_EQ(nearest("sleep", keys), "");
    EXPECT_EQ(nearest("", keys), "");
    EXPECT_EQ(nearest("x", {}), "");
}

TEST(Nearest, of_equals_the_first_wins) {
    const std::array<std::string, 2> keys = {"stack_a", "stack_b"};
    EXPECT_EQ(nearest("stack_c", keys), "stack_a");
}

TEST(Nearest, a_huge_word_is_not_compared) {
    const std::array<std::string, 1> keys = {std::string(1'000'000, 'a')};
    EXPECT_EQ(nearest(std::string(1'000'000, 'a'), keys), "");
}

TEST(Nearest, lists_are_quoted) {
    const std::array<std::string, 2> words = {"a", "b"};
    EXPECT_EQ(quoted_list(words), R"("a", "b")");
    EXPECT_EQ(quoted_list({}), "");
}

} // namespace
