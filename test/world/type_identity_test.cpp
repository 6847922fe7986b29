// TypeId across a shared library that shares no symbols with the program (hidden visibility, RTLD_LOCAL).
#include "test/world/plugin.hpp"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <vector>

namespace {
struct Hidden {};
} // namespace

TEST(TypeIdentity, holds_across_shared_libraries) {
    using nexus::base::TypeId;
    void* library = dlopen(NEXUS_TEST_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    // SAFETY: the plugin defines it with this type.
    const auto fill = reinterpret_cast<void (*)(plugin::Types*)>(dlsym(library, "plugin_types"));
    ASSERT_NE(fill, nullptr);
    plugin::Types theirs{TypeId::of<int>(), TypeId::of<int>(), TypeId::of<int>()};
    fill(&theirs);
    EXPECT_EQ(theirs.book, TypeId::of<plugin::Book>());
    EXPECT_NE(theirs.book.name().data(), TypeId::of<plugin::Book>().name().data())
        << "another TypeInfo, or this tests nothing";
    EXPECT_EQ(theirs.books, TypeId::of<std::vector<plugin::Book>>());
    EXPECT_FALSE(theirs.books == theirs.book);
    EXPECT_FALSE(theirs.hidden == TypeId::of<Hidden>()) << "same spelling, other type";
    dlclose(library);
}
