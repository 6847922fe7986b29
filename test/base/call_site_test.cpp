// Places as text.
#include "nexus/base/call_site.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

namespace {

std::string where(nexus::CallSite site = nexus::CallSite::current()) { return site.describe(); }
std::string passed_on(nexus::CallSite site = nexus::CallSite::current()) { return where(site); }

TEST(CallSite, default_argument_is_the_place_of_the_call) {
    const int line = __LINE__ + 1;
    const std::string here = where();
    EXPECT_NE(here.find("call_site_test.cpp:" + std::to_string(line) + " (TestBody)"), std::string::npos) << here;
    EXPECT_NE(passed_on().find("call_site_test.cpp:" + std::to_string(__LINE__) + " "), std::string::npos);
}

TEST(CallSite, unknown_says_so) {
    EXPECT_FALSE(nexus::CallSite{}.known());
    EXPECT_EQ(nexus::CallSite{}.describe(), "an unknown place");
}

TEST(CallSite, program_counter_falls_back_to_module_and_offset) {
    const std::string here = nexus::CallSite::program_counter().describe();
    EXPECT_NE(here.find("+0x"), std::string::npos) << here;
}

TEST(CallSite, exported_functions_are_named) {
    // SAFETY: only looked up.
    const auto* address = reinterpret_cast<const char*>(&std::abort);
    EXPECT_EQ(nexus::base::function_name(address), "abort");
    EXPECT_EQ(nexus::CallSite::at(address + 1).describe(), "abort+0x1");
    EXPECT_EQ(nexus::base::function_name(address + 1), "") << "not the start of a function";
    EXPECT_EQ(nexus::base::describe_address(nullptr), "0x0");
}

TEST(CallSite, callers_are_listed_innermost_first_and_bounded) {
    const std::string two = nexus::base::describe_callers(0, 2, "  ");
    EXPECT_EQ(std::count(two.begin(), two.end(), '\n'), 2) << two;
    EXPECT_TRUE(two.starts_with("  ")) << two;
}

TEST(CallSite, the_way_to_names_is_said_where_it_helps) {
    EXPECT_EQ(nexus::base::names_hint("at main.cpp:3 (main)"), "");
    EXPECT_TRUE(nexus::base::names_hint("at program+0x1234").starts_with("\nFor names instead of numbers, link"))
        << "this program does not export its names";
}

} // namespace
