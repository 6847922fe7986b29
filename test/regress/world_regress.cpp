// Bugs of the World's builder.
#include "nexus/base/usage_error.hpp"
#include "nexus/world/binding.hpp"
#include "nexus/world/builder.hpp"
#include "nexus/world/world.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace {

using nexus::ResourceBinding;
using nexus::WorldBuilder;

struct Pool {
    int size = 3;
};
struct A {
    int value = 0;
};
template <int>
struct Extra {
    int value = 0;
};

TEST(WorldRegress, a_binding_may_register_resources_while_it_is_made) {
    WorldBuilder builder;
    builder.add(ResourceBinding<A>("test", [&builder] {
        builder.ensure<Extra<1>>();
        builder.ensure<Extra<2>>();
        builder.ensure<Extra<3>>();
        builder.ensure<Extra<4>>();
        return A{7};
    }));
    builder.add<Extra<0>>();
    nexus::World world = builder.build();
    EXPECT_EQ(world.run([](nexus::Res<A> a) { return a->value; }), 7);
    EXPECT_TRUE(world.contains<Extra<4>>());
}

TEST(WorldRegress, a_binding_that_asks_for_itself_is_told_so) {
    WorldBuilder builder;
    builder.add(ResourceBinding<A>("test", [&builder] {
        (void)builder.res<A>();
        return A{7};
    }));
    EXPECT_THROW((void)builder.res<A>(), nexus::UsageError);
}

TEST(WorldRegress, a_constructor_that_registers_and_throws_takes_only_itself_back) {
    struct Net {
        explicit Net(WorldBuilder& builder) {
            builder.add<Pool>();
            throw std::runtime_error("no network");
        }
    };
    WorldBuilder builder;
    EXPECT_THROW(builder.add<Net>(std::ref(builder)), std::runtime_error);
    EXPECT_FALSE(builder.contains<Net>());
    EXPECT_TRUE(builder.contains<Pool>());
    nexus::World world = builder.build();
    EXPECT_EQ(world.run([](nexus::Res<Pool> pool) { return pool->size; }), 3);
}

} // namespace
