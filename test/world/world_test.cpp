// World and WorldBuilder: registration, look-up, life and death of resources, plugins, drivers, systems, reports.
#include "nexus/world/builder.hpp"
#include "test/world/fake_fiber.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace game {
struct Book {
    int orders = 0;
};
struct Risk {
    int limit = 10;
};
struct Names {
    std::string first, second;
};
struct Clock {
    int now = 0;
};
} // namespace game

namespace {

using game::Book;
using game::Clock;
using game::Names;
using game::Risk;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(WorldBuilder, X1_adds_values_defaults_and_aggregates) {
    nexus::WorldBuilder builder;
    builder.add<Book>().add(Risk{7}).add<Names>("a", std::string("b")).add<int>(5);
    const std::string text = "copied";
    builder.add(text);
    builder.add<std::vector<int>>(std::size_t{3}, 9);
    builder.add<std::array<int, 4>>(1, 2, 3, 4);
    const nexus::World world = builder.build();
    EXPECT_EQ(world.size(), 7U);
    EXPECT_EQ(world.res<Book>()->orders, 0);
    EXPECT_EQ(world.res<Risk>()->limit, 7);
    EXPECT_EQ(world.res<Names>()->second, "b");
    EXPECT_EQ(*world.res<int>().borrow(), 5);
    EXPECT_EQ(*world.res<std::string>().borrow(), "copied");
    EXPECT_EQ(world.res<std::vector<int>>()->size(), 3U);
    const auto digits = world.res<std::array<int, 4>>();
    EXPECT_EQ(digits->back(), 4);
}

TEST(WorldBuilder, accepts_what_can_be_neither_copied_nor_moved) {
    struct Pinned {
        explicit Pinned(int v) : value(v) {}
        Pinned(const Pinned&) = delete;
        Pinned& operator=(const Pinned&) = delete;
        std::atomic<int> value;
    };
    const nexus::World world = nexus::WorldBuilder{}.add<Pinned>(3).build();
    EXPECT_EQ(world.res<Pinned>()->value, 3);
}

TEST(WorldBuilder, respects_alignment) {
    struct alignas(128) Line {
        char bytes[128] = {};
    };
    const nexus::World world = nexus::WorldBuilder{}.add<char>('x').add<Line>().build();
    // SAFETY: only its number is looked at.
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&*world.res<Line>().borrow()) % 128, 0U);
}

TEST(WorldBuilder, X2_ensure_adds_only_what_is_missing) {
    const nexus::World world = nexus::WorldBuilder{}.add(Risk{3}).ensure<Risk>().ensure(Risk{4}).ensure<Book>().build();
    EXPECT_EQ(world.res<Risk>()->limit, 3);
    EXPECT_TRUE(world.contains<Book>());
    EXPECT_FALSE(world.contains<Clock>());
}

TEST(WorldBuilder, X2_a_second_resource_of_a_type_is_reported_with_both_places) {
    nexus::WorldBuilder builder;
    const int line = __LINE__ + 1;
    builder.add<Book>();
    builder.add(Book{});
    const std::string text = fake::usage_error([&] { (void)builder.build(); });
    EXPECT_TRUE(contains(text, "resource game::Book is registered twice: first at ")) << text;
    EXPECT_TRUE(contains(text, "world_test.cpp:" + std::to_string(line) + " (TestBody), again at ")) << text;
    EXPECT_TRUE(contains(text, "world_test.cpp:" + std::to_string(line + 1) + " (TestBody)")) << text;
}

TEST(WorldBuilder, a_throwing_constructor_registers_nothing) {
    struct Fragile {
        Fragile() { throw std::runtime_error("no"); }
    };
    nexus::WorldBuilder builder;
    EXPECT_THROW(builder.add<Fragile>(), std::runtime_error);
    EXPECT_EQ(builder.build().size(), 0U);
}

TEST(WorldBuilder, is_spent_after_build) {
    nexus::WorldBuilder builder;
    const nexus::World world = builder.build();
    EXPECT_TRUE(
        contains(fake::usage_error([&] { builder.add<Book>(); }), "WorldBuilder::add was called after build()"));
    EXPECT_TRUE(contains(fake::usage_error([&] { (void)builder.build(); }), "WorldBuilder::build was called after"));
    EXPECT_THROW(builder.add_system([] {}), nexus::UsageError);
    EXPECT_THROW(builder.require<Book>(), nexus::UsageError);
}

TEST(WorldBuilder, bindings_are_made_by_build_in_their_place) {
    std::vector<std::string> made;
    nexus::WorldBuilder builder;
    builder.add(nexus::ResourceBinding<Risk>("risk", [&] {
        made.emplace_back("risk");
        return Risk{99};
    }));
    EXPECT_TRUE(made.empty());
    EXPECT_TRUE(builder.contains<Risk>());
    builder.add_const<Names>(nexus::ResourceBinding<Names>("names", [&] {
        made.emplace_back("names");
        return Names{"x", "y"};
    }));
    const nexus::World world = builder.build();
    EXPECT_EQ(made, (std::vector<std::string>{"risk", "names"}));
    EXPECT_EQ(world.res<Risk>()->limit, 99);
    EXPECT_EQ(world.const_res<Names>()->first, "x");
}

void trade(nexus::Res<Book> /*book*/, nexus::ResMut<Clock> /*clock*/) {}

TEST(WorldBuilder, build_reports_everything_at_once) {
    nexus::WorldBuilder builder;
    builder.add<Risk>();
    builder.add<Risk>();
    builder.add(nexus::ResourceBinding<Names>("names (config key \"resources.names\")", []() -> Names {
        throw std::runtime_error("a.json:1:2: wrong type\na.json:3:4: unknown key");
    }));
    builder.require<Book>();
    builder.add_system(nexus::fn<trade>);
    builder.add_system([](nexus::ResMut<Risk>, nexus::Res<Risk>) {}, {.name = "aliasing"});
    builder.add_system([](nexus::ConstRes<Risk>) {}, {.name = "constant", .after = {"nobody"}});
    const std::string text = fake::usage_error([&] { (void)builder.build(); });
    EXPECT_TRUE(text.starts_with("the World cannot be built: 8 problems\n")) << text;
    EXPECT_TRUE(contains(text, "\n  resource game::Risk is registered twice")) << text;
    EXPECT_TRUE(contains(text,
                         "could not be made from names (config key \"resources.names\"):\n    a.json:1:2: wrong type\n"
                         "    a.json:3:4: unknown key\n"))
        << text;
    EXPECT_TRUE(contains(text, "\n  resource game::Book is required at ")) << text;
    EXPECT_TRUE(contains(text, "trade (added at ")) << text;
    EXPECT_TRUE(contains(text, "): game::Book (for Res<game::Book>) is not registered\n")) << text;
    EXPECT_TRUE(contains(text, "): game::Clock (for ResMut<game::Clock>) is not registered\n")) << text;
    EXPECT_TRUE(contains(text, "system aliasing (added at ")) << text;
    EXPECT_TRUE(contains(text,
                         "): ResMut<game::Risk> and Res<game::Risk> reach the same resource game::Risk, and not both "
                         "only to read"))
        << text;
    EXPECT_TRUE(contains(text, "is to run after \"nobody\", but no system has that name")) << text;
    EXPECT_TRUE(contains(text, "system constant")) << text;
    EXPECT_TRUE(contains(text, "it may change; take Res, or register it with add_const")) << text;
}

struct MarketPlugin {
    int limit;
    void build(nexus::WorldBuilder& builder) const { builder.add<Book>().add(Risk{limit}); }
};

TEST(WorldBuilder, plugins_are_objects_or_callables) {
    nexus::WorldBuilder builder;
    builder.add_plugin(MarketPlugin{5}).add_plugin([](nexus::WorldBuilder& b) { b.add<Clock>(); });
    const nexus::World world = builder.build();
    EXPECT_EQ(world.res<Risk>()->limit, 5);
    EXPECT_TRUE(world.contains<Clock>());
}

struct ClockDriver {
    struct Poller {
        nexus::ResMut<Clock> clock;
        void poll(int now) const { clock->now = now; }
    };
    static Poller install(nexus::WorldBuilder& builder) {
        builder.add<Clock>();
        return {builder.res_mut<Clock>()};
    }
};

TEST(WorldBuilder, X60_installing_a_driver_returns_its_poller) {
    nexus::WorldBuilder builder;
    const ClockDriver::Poller poller = builder.install(ClockDriver{});
    const nexus::World world = builder.build();
    poller.poll(17);
    EXPECT_EQ(world.res<Clock>()->now, 17);
}

TEST(WorldBuilder, handles_before_build) {
    nexus::WorldBuilder builder;
    const std::string text = fake::usage_error([&] { (void)builder.res<Book>(); });
    EXPECT_TRUE(text.starts_with(
        "WorldBuilder::res:\n  game::Book (for Res<game::Book>) is not registered\nRegister what is missing before "
        "build() (builder.add<T>()), or take std::optional<Res<T>> where it may be absent.\n  asked for by\n"))
        << text;
    int made = 0;
    builder.add(nexus::ResourceBinding<Risk>("risk", [&] {
        ++made;
        return Risk{1};
    }));
    EXPECT_EQ(builder.res<Risk>()->limit, 1) << "asking for it makes it";
    const nexus::World world = builder.build();
    EXPECT_EQ(made, 1);
}

struct Mourner {
    Mourner(std::vector<int>& log, int id) : log_(&log), id_(id) {}
    Mourner(const Mourner&) = delete;
    Mourner& operator=(const Mourner&) = delete;
    ~Mourner() { log_->push_back(id_); }
    std::vector<int>* log_;
    int id_;
};
template <int N>
struct Numbered : Mourner {
    using Mourner::Mourner;
};

TEST(World, resources_die_in_reverse_order_of_registration) {
    std::vector<int> log;
    {
        nexus::WorldBuilder builder;
        builder.add<Numbered<1>>(log, 1).add<Numbered<2>>(log, 2).add<Numbered<3>>(log, 3);
        nexus::World world = builder.build();
        world = nexus::World(std::move(world));
    }
    EXPECT_EQ(log, (std::vector<int>{3, 2, 1}));
    log.clear();
    { nexus::WorldBuilder{}.add<Numbered<1>>(log, 1).add<Numbered<2>>(log, 2); }
    EXPECT_EQ(log, (std::vector<int>{2, 1})) << "also without build()";
}

TEST(World, is_a_movable_handle_to_pinned_state) {
    nexus::World first = nexus::WorldBuilder{}.add<Book>().build();
    const nexus::ResMut<Book> handle = first.res_mut<Book>();
    auto handler = first.resolve([](nexus::ResMut<Book> book, int by) { return book->orders += by; });
    nexus::World second = std::move(first);
    handle->orders = 4;
    EXPECT_EQ(handler(2), 6);
    EXPECT_EQ(second.res<Book>()->orders, 6);
    EXPECT_EQ(
        fake::usage_error([&] { (void)first.contains<Book>(); }), // NOLINT(bugprone-use-after-move): that is the test
        "this World was moved from; use the World that it was moved to");
}

TEST(World, X4_look_ups) {
    const nexus::World world = nexus::WorldBuilder{}.add<Book>().add_const(Risk{2}).build();
    EXPECT_TRUE(world.try_res<Book>());
    EXPECT_TRUE(world.try_res_mut<Book>());
    EXPECT_TRUE(world.try_const_res<Risk>());
    EXPECT_FALSE(world.try_res<Clock>());
    EXPECT_FALSE(world.try_res_mut<Clock>());
    EXPECT_FALSE(world.try_const_res<Clock>());
    EXPECT_EQ(world.res<Risk>()->limit, 2) << "a constant can be read in both ways";
    EXPECT_TRUE(contains(fake::usage_error([&] { (void)world.res_mut<Clock>(); }),
                         "World::res_mut:\n  game::Clock (for ResMut<game::Clock>) is not registered"));
    const std::string text = fake::usage_error([&] { (void)world.try_res_mut<Risk>(); });
    EXPECT_TRUE(contains(text, "was registered with add_const at ")) << text;
    EXPECT_TRUE(contains(text, ": it never changes; take Res or ConstRes")) << text;
    EXPECT_THROW((void)world.const_res<Book>(), nexus::UsageError);
}

template <int N>
struct Many {
    int value = N;
};
template <int... N>
void add_many(nexus::WorldBuilder& builder, std::integer_sequence<int, N...>) {
    (builder.add<Many<N>>(), ...);
}
template <int... N>
bool all_found(const nexus::World& world, std::integer_sequence<int, N...>) {
    return (true && ... && (world.res<Many<N>>()->value == N));
}

TEST(World, finds_each_of_many) {
    nexus::WorldBuilder builder;
    add_many(builder, std::make_integer_sequence<int, 100>{});
    const nexus::World world = builder.build();
    EXPECT_TRUE(all_found(world, std::make_integer_sequence<int, 100>{}));
    EXPECT_FALSE(world.contains<Many<100>>());
}

TEST(World, changes_are_numbered) {
    const nexus::World world = nexus::WorldBuilder{}.add<Book>().add<Risk>().build();
    EXPECT_EQ(world.sequence(), 0U);
    EXPECT_EQ(world.change_sequence<Book>(), 0U) << "never used mutably";
    const nexus::ResMut<Book> book = world.res_mut<Book>();
    book->orders = 1;
    EXPECT_EQ(world.change_sequence<Book>(), 1U);
    (void)world.res<Risk>()->limit;
    (void)book.as_res()->orders;
    EXPECT_EQ(world.sequence(), 1U) << "reading changes nothing";
    world.res_mut<Risk>().with([](Risk& risk) { risk.limit = 1; });
    { auto guard = book.borrow(); }
    EXPECT_EQ(world.change_sequence<Risk>(), 2U);
    EXPECT_EQ(book.change_sequence(), 3U) << "taking the borrow counts";
    EXPECT_EQ(world.res<Book>().change_sequence(), 3U);
}

TEST(Systems, X50_run_in_order_and_say_what_changed) {
    std::vector<int> log;
    nexus::WorldBuilder builder;
    builder.add<Book>();
    builder.add_system([&](nexus::ResMut<Book>) { log.push_back(1); });
    builder.add_system([&](nexus::Local<int> runs) {
        log.push_back(2);
        return ++*runs == 2;
    });
    nexus::World world = builder.build();
    EXPECT_EQ(world.system_count(), 2U);
    EXPECT_EQ(world.run_systems(), 1U);
    EXPECT_EQ(world.run_systems(), 2U);
    EXPECT_EQ(log, (std::vector<int>{1, 2, 1, 2}));
}

TEST(Systems, order_follows_after_and_before) {
    std::string log;
    nexus::WorldBuilder builder;
    builder.add_system([&] { log += "d"; }, {.name = "draw", .after = {"move"}});
    builder.add_system([&] { log += "x"; });
    builder.add_system([&] { log += "m"; }, {.name = "move"});
    builder.add_system([&] { log += "i"; }, {.name = "input", .before = {"move"}});
    nexus::World world = builder.build();
    world.run_systems();
    EXPECT_EQ(log, "ximd");
}

TEST(Systems, circles_are_reported) {
    nexus::WorldBuilder builder;
    builder.add_system([] {}, {.name = "a", .after = {"b"}});
    builder.add_system([] {}, {.name = "b", .after = {"a"}});
    builder.add_system([] {}, {.name = "c"});
    EXPECT_TRUE(contains(fake::usage_error([&] { (void)builder.build(); }),
                         "systems cannot be ordered: these wait for each other through `after` and `before`: a, b"));
}

TEST(Systems, a_run_inside_a_run_is_refused_and_a_throwing_one_ends) {
    nexus::World* self = nullptr;
    bool fail = false;
    nexus::WorldBuilder builder;
    builder.add_system([&] {
        if (fail) throw std::runtime_error("tick failed");
        self->run_systems();
    });
    nexus::World world = builder.build();
    self = &world;
    EXPECT_TRUE(contains(fake::usage_error([&] { world.run_systems(); }), "run_systems() was called while a run"));
    fail = true;
    EXPECT_THROW(world.run_systems(), std::runtime_error);
    EXPECT_THROW(world.run_systems(), std::runtime_error) << "not UsageError: the first run is over";
}

} // namespace
