// Names and identities of types. Across shared libraries: test/world/type_identity_test.cpp.
#include "nexus/base/type_id.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace type_id_test {
struct Book {};
template <class T>
struct Wrapper {};
void echo(int) {}
} // namespace type_id_test

namespace {

using nexus::base::TypeId;

struct Hidden {};

TEST(TypeName, is_the_qualified_name) {
    EXPECT_EQ(nexus::base::type_name<int>(), "int");
    EXPECT_EQ(nexus::base::type_name<type_id_test::Book>(), "type_id_test::Book");
    EXPECT_EQ(nexus::base::type_name<type_id_test::Wrapper<type_id_test::Book>>(),
              "type_id_test::Wrapper<type_id_test::Book>");
    static_assert(nexus::base::type_name<int>().data()[3] == '\0', "ends with a zero byte");
}

TEST(TypeName, of_a_function_value_is_its_name) {
    EXPECT_EQ(nexus::base::value_name<type_id_test::echo>(), "type_id_test::echo");
    EXPECT_EQ(nexus::base::value_name<&type_id_test::echo>(), "type_id_test::echo");
}

TEST(TypeId, tells_types_apart) {
    EXPECT_EQ(TypeId::of<int>(), TypeId::of<int>());
    EXPECT_FALSE(TypeId::of<int>() == TypeId::of<long>());
    EXPECT_FALSE(TypeId::of<Hidden>() == TypeId::of<type_id_test::Book>());
    EXPECT_EQ(TypeId::of<std::vector<int>>().hash(), TypeId::of<std::vector<int>>().hash());
}

TEST(TypeId, tells_types_apart_that_share_a_spelling) {
    const auto first = [] {
        struct Same {};
        return TypeId::of<Same>();
    }();
    const auto second = [] {
        struct Same {};
        return TypeId::of<Same>();
    }();
    EXPECT_FALSE(first == second);
    const auto a = [] {};
    const auto b = [] {};
    EXPECT_FALSE(TypeId::of<decltype(a)>() == TypeId::of<decltype(b)>());
}

} // namespace
