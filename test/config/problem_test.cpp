#include "nexus/config/problem.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace {

using nexus::ConfigError;
using nexus::ConfigProblem;

ConfigProblem problem(std::uint32_t line, std::uint32_t column, std::string message) {
    ConfigProblem made;
    made.file = "a.json";
    made.line = line;
    made.column = column;
    made.message = std::move(message);
    return made;
}

TEST(ConfigProblem, text_has_only_the_parts_that_are_known) {
    ConfigProblem one = problem(0, 0, "cannot be read: Is a directory");
    EXPECT_EQ(one.to_string(), "a.json: cannot be read: Is a directory");
    one.line = 3;
    one.column = 14;
    EXPECT_EQ(one.to_string(), "a.json:3:14: cannot be read: Is a directory");
    one.pointer = "/log";
    EXPECT_EQ(one.to_string(), "a.json:3:14: /log: cannot be read: Is a directory");
}

TEST(ConfigError, lists_problems_in_the_order_of_their_places) {
    const ConfigError error({problem(2, 7, "third"), problem(1, 9, "first"), problem(2, 1, "second")});
    EXPECT_STREQ(error.what(), "a.json:1:9: first\na.json:2:1: second\na.json:2:7: third");
    ASSERT_EQ(error.problems().size(), 3U);
    EXPECT_EQ(error.problems()[2].message, "third");
}

TEST(ConfigError, a_flood_of_problems_is_cut_in_the_text_only) {
    std::vector<ConfigProblem> problems;
    for (std::uint32_t i = 1; i <= ConfigError::max_listed + 7; ++i) problems.push_back(problem(i, 1, "wrong"));
    const ConfigError error(problems);
    const std::string text = error.what();
    EXPECT_TRUE(text.ends_with("\na.json:100:1: wrong\n... and 7 more problems")) << text;
    EXPECT_EQ(error.problems().size(), ConfigError::max_listed + 7);
}

TEST(ConfigError, is_a_runtime_error_that_copies_without_throwing) {
    static_assert(std::is_base_of_v<std::runtime_error, ConfigError>);
    static_assert(std::is_nothrow_copy_constructible_v<ConfigError>);
}

} // namespace
