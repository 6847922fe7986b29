// Handlers: which callables are accepted, where parameters come from, and what is reported when resolving.
#include "nexus/world/builder.hpp"
#include "test/world/fake_fiber.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace desk {

struct Book {
    int orders = 0;
};
struct Risk {
    int limit = 10;
};
struct Venue {
    std::string name = "XNEX";
};
struct Absent {};

int place(nexus::ResMut<Book> book, int quantity, nexus::Res<Risk> risk) {
    return book->orders += std::min(quantity, risk->limit);
}
int quiet(nexus::Res<Book> book) noexcept { return book->orders; }

struct Functor {
    int operator()(nexus::Res<Risk> risk, int by) const { return risk->limit * by; }
};
struct Once {
    int operator()(nexus::Res<Risk> risk) && { return risk->limit; }
};
struct Overloaded {
    int operator()(int) const { return 1; }
    int operator()(const std::string&) const { return 2; }
};

/// A parameter made of others (H-29).
struct Desk {
    nexus::ResMut<Book> book;
    nexus::Res<Risk> risk;
    nexus::Local<int> calls;
};
/// A parameter that is no resource.
struct Ticket {
    int number;
};
/// A parameter that needs the runtime that resolves.
struct Host {
    void* runtime;
};

} // namespace desk

template <>
struct nexus::inject<desk::Desk>
    : nexus::inject_members<desk::Desk, nexus::ResMut<desk::Book>, nexus::Res<desk::Risk>, nexus::Local<int>> {};

template <>
struct nexus::inject<desk::Ticket> {
    using State = int;
    static void describe(nexus::Access&) {}
    static State init(nexus::ResolveContext&) { return 100; }
    static desk::Ticket fetch(State& next) { return desk::Ticket{next++}; }
};

template <>
struct nexus::inject<desk::Host> {
    using State = void*;
    static void describe(nexus::Access&) {}
    static State init(nexus::ResolveContext& context) { return context.environment().runtime; }
    static desk::Host fetch(State& state) { return {state}; }
};

namespace {

using desk::Absent;
using desk::Book;
using desk::Desk;
using desk::Risk;
using desk::Ticket;
using desk::Venue;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct HandlerTest : ::testing::Test {
    nexus::World world = nexus::WorldBuilder{}.add<Book>().add<Risk>().add_const<Venue>().build();
};

// ---- shapes
// ----------------------------------------------------------------------------------------------------------

static_assert(nexus::Injected<nexus::Res<Book>> && nexus::Injected<const nexus::ResMut<Book>&>);
static_assert(nexus::Injected<std::optional<nexus::Res<Book>>> && nexus::Injected<nexus::Local<int>>);
static_assert(nexus::Injected<Desk> && !nexus::Injected<int> && !nexus::Injected<Book>);
static_assert(std::is_empty_v<nexus::Fn<desk::place>>);
static_assert(std::is_same_v<nexus::HandlerResult<decltype(desk::place), int>, int>);
static_assert(std::is_same_v<nexus::HandlerResult<decltype([] {})>, void>);
static_assert(!std::is_copy_constructible_v<nexus::BoundHandler<decltype([] {})>>);
static_assert(std::is_nothrow_move_constructible_v<nexus::BoundHandler<decltype([] {})>>);
static_assert(sizeof(nexus::Res<Book>) == sizeof(void*) && sizeof(nexus::ResMut<Book>) == sizeof(void*));
static_assert(std::is_trivially_copyable_v<nexus::ResMut<Book>> && !std::is_move_constructible_v<nexus::Borrow<Book>>);
template <class Handle>
concept HasStar = requires(Handle handle) {
    *handle;
};
static_assert(!HasStar<nexus::Res<Book>> && !HasStar<nexus::ResMut<Book>> && HasStar<nexus::ConstRes<Book>>);

TEST_F(HandlerTest, functions_pointers_lambdas_functors) {
    EXPECT_EQ(world.run(desk::place, 3), 3);
    EXPECT_EQ(world.run(&desk::place, 50), 13) << "caller's arguments go around the injected ones";
    EXPECT_EQ(world.run(nexus::fn<desk::place>, 1), 14);
    EXPECT_EQ(world.run(desk::quiet), 14);
    EXPECT_EQ(world.run(nexus::fn<desk::quiet>), 14);
    EXPECT_EQ(world.run(desk::Functor{}, 2), 20);
    const desk::Functor named;
    EXPECT_EQ(world.run(named, 3), 30);
    EXPECT_EQ(world.run(std::ref(named), 4), 40);
    EXPECT_EQ(nexus::bind_handler(&world, desk::Once{})(), 10);
    EXPECT_EQ(world.run([](nexus::ConstRes<Venue> venue) noexcept { return venue->name.size(); }), 4U);
    EXPECT_EQ(world.run(std::function<int(nexus::Res<Risk>, int)>(desk::Functor{}), 5), 50);
    int calls = 0;
    world.run([calls, &total = calls](nexus::Res<Book>) mutable { total = ++calls; });
    EXPECT_EQ(calls, 1);
    const auto move_only = [kept = std::make_unique<int>(6)](nexus::Res<Book>) { return *kept; };
    EXPECT_EQ(world.run(move_only), 6);
}

TEST_F(HandlerTest, generic_and_overloaded_ones_get_only_the_callers_arguments) {
    EXPECT_EQ(world.run(desk::Overloaded{}, std::string("x")), 2);
    EXPECT_EQ(world.run([](auto a, auto&& b) { return a + b; }, 1, 2), 3);
    EXPECT_EQ(nexus::bind_handler(
                  nullptr, [](auto&&... all) { return sizeof...(all); }, 1, 2, 3)(),
              3U);
    int seen = 0;
    nexus::bind_handler(
        nullptr, [](auto& target) { target = 9; }, std::ref(seen))();
    EXPECT_EQ(seen, 9) << "std::ref arrives as a reference";
}

TEST_F(HandlerTest, injected_parameters_by_value_and_by_const_reference) {
    EXPECT_EQ(
        world.run([](const nexus::Res<Risk>& risk, nexus::ResMut<Book>&& book) { return risk->limit + book->orders; }),
        10);
}

TEST_F(HandlerTest, arguments_are_decayed_as_std_thread_does) {
    std::string text = "abc";
    const char array[] = "xyz";
    auto bound = nexus::bind_handler(
        &world,
        [](std::string by_value, const std::string& by_reference, std::string&& moved, const char* decayed,
           std::uint64_t converted) { return by_value + by_reference + moved + decayed + std::to_string(converted); },
        text, text, text, array, 7);
    text = "changed";
    EXPECT_EQ(bound(), "abcabcabcxyz7");
}

TEST_F(HandlerTest, move_only_arguments_are_moved_through) {
    auto bound = nexus::bind_handler(
        &world, [](std::unique_ptr<int> value, nexus::Res<Risk> risk) { return *value + risk->limit; },
        std::make_unique<int>(5));
    auto moved = std::move(bound);
    EXPECT_EQ(moved(), 15);
}

TEST_F(HandlerTest, std_ref_is_a_reference) {
    int seen = 0;
    nexus::bind_handler(
        &world, [](nexus::Res<Risk> risk, int& target) { target = risk->limit; }, std::ref(seen))();
    EXPECT_EQ(seen, 10);
    world.run([](int& target) { ++target; }, seen); // a direct call refers to what the caller has
    world.run([](int& target) { ++target; }, std::ref(seen));
    EXPECT_EQ(seen, 12);
}

TEST_F(HandlerTest, results_pass_through) {
    int value = 1;
    int& alias = world.run([&](nexus::Res<Risk>) -> int& { return value; });
    EXPECT_EQ(&alias, &value);
    EXPECT_EQ(*world.run([] { return std::make_unique<int>(2); }), 2);
}

TEST_F(HandlerTest, a_handler_without_resources_needs_no_world) {
    EXPECT_EQ(nexus::bind_handler(
                  nullptr, [](int a) { return a; }, 4)(),
              4);
    EXPECT_EQ(nexus::bind_handler(nullptr, [](Ticket ticket) { return ticket.number; })(), 100);
}

// ---- resolving
// -------------------------------------------------------------------------------------------------------

TEST_F(HandlerTest, X10_is_resolved_once_and_called_often) {
    auto handler = world.resolve(desk::place);
    EXPECT_EQ(handler(1), 1);
    EXPECT_EQ(handler(2), 3);
}

TEST_F(HandlerTest, missing_resources_are_reported_all_at_once_when_resolving) {
    const auto needy = [](nexus::Res<Absent>, nexus::ResMut<Book>, nexus::ResMut<std::string>) {};
    const std::string text = fake::usage_error([&] { (void)world.resolve(needy); });
    EXPECT_TRUE(text.starts_with("handler ")) << text;
    EXPECT_TRUE(contains(text, "lambda")) << text;
    EXPECT_TRUE(
        contains(text, " cannot be resolved:\n  desk::Absent (for Res<desk::Absent>) is not registered\n  std::"))
        << text;
    EXPECT_TRUE(contains(text, ") is not registered\nRegister what is missing before build()")) << text;
    EXPECT_FALSE(contains(text, "Book (for")) << text;
    EXPECT_THROW((void)nexus::bind_handler(&world, needy), nexus::UsageError) << "when binding, not when calling";
    EXPECT_THROW(world.run(needy), nexus::UsageError);
}

void needs_absent(nexus::Res<Absent>) {}

TEST_F(HandlerTest, names_in_reports) {
    EXPECT_TRUE(
        contains(fake::usage_error([&] { (void)world.resolve(nexus::fn<needs_absent>); }), "needs_absent cannot be"));
    const std::string pointer = fake::usage_error([&] { (void)world.resolve(needs_absent); });
    EXPECT_TRUE(contains(pointer, "nexus::Res<desk::Absent>) cannot be resolved")) << pointer;
    EXPECT_TRUE(contains(pointer, "write nexus::fn<f> instead of f.")) << pointer;
    EXPECT_TRUE(contains(pointer, "link the program with -rdynamic")) << "its names are not exported\n" << pointer;
    EXPECT_EQ(nexus::detail::handler_name(desk::Functor{}).describe(), "desk::Functor");
}

TEST_F(HandlerTest, without_a_world_resources_are_refused) {
    const std::string text = fake::usage_error([] { (void)nexus::bind_handler(nullptr, nexus::fn<desk::place>, 1); });
    EXPECT_TRUE(text.starts_with(
        "handler desk::place cannot be resolved without a World:\n"
        "  desk::Book (for ResMut<desk::Book>) is not registered\n"
        "  desk::Risk (for Res<desk::Risk>) is not registered\n"
        "Resources come from a World: give one to the Runtime, or resolve the handler with world.resolve().\n"
        "  asked for by\n            "))
        << text;
}

TEST_F(HandlerTest, a_refused_handler_leaves_the_arguments_alone) {
    auto value = std::make_unique<int>(1);
    EXPECT_THROW((void)nexus::bind_handler(
                     nullptr, [](nexus::Res<Book>, std::unique_ptr<int>) {}, std::move(value)),
                 nexus::UsageError);
    EXPECT_NE(value, nullptr);
}

TEST_F(HandlerTest, X11_conflicting_parameters_are_refused_each_time) {
    const auto aliasing = [](nexus::ResMut<Book>, nexus::Res<Book>) {};
    for (int i = 0; i < 2; ++i) {
        const std::string text = fake::usage_error([&] { (void)world.resolve(aliasing); });
        EXPECT_TRUE(contains(text,
                             " has parameters that conflict:\n  ResMut<desk::Book> and Res<desk::Book> reach the same "
                             "resource desk::Book, and not both only to read\nTake one ResMut<T>"))
            << text;
    }
    EXPECT_THROW(world.run([](nexus::ResMut<Book>, nexus::ResMut<Book>) {}), nexus::UsageError);
    EXPECT_THROW(world.run([](nexus::Res<Book>, std::optional<nexus::ResMut<Book>>) {}), nexus::UsageError);
    EXPECT_THROW(world.run([](nexus::ConstRes<Venue>, nexus::ResMut<Venue>) {}), nexus::UsageError);
    EXPECT_NO_THROW(world.run([](nexus::Res<Book>, nexus::Res<Book>) {})) << "two readers do not conflict";
    EXPECT_NO_THROW(world.run([](nexus::ConstRes<Venue>, nexus::Res<Venue>) {}));
}

TEST_F(HandlerTest, H29_composites_take_part_in_the_check) {
    EXPECT_TRUE(
        contains(fake::usage_error([&] { world.run([](Desk, nexus::Res<Book>) {}); }), "reach the same resource"));
    EXPECT_THROW(world.run([](Desk, Desk) {}), nexus::UsageError);
    EXPECT_NO_THROW(world.run([](Desk, nexus::Res<Risk>) {}));
}

TEST_F(HandlerTest, optional_resources) {
    EXPECT_EQ(world.run([](std::optional<nexus::Res<Risk>> there, std::optional<nexus::ResMut<Absent>> not_there,
                           std::optional<nexus::ConstRes<Venue>> constant,
                           std::optional<nexus::ConstRes<double>> none) {
        return there.value()->limit + (not_there || none ? 100 : 0) + static_cast<int>(constant.value()->name.size());
    }),
              14);
    EXPECT_THROW(world.run([](std::optional<nexus::ResMut<Venue>>) {}), nexus::UsageError) << "there, but a constant";
}

// ---- injecting other things
// ------------------------------------------------------------------------------------------

TEST_F(HandlerTest, local_state_belongs_to_one_resolved_handler) {
    const auto count = [](nexus::Local<int> calls) { return ++*calls; };
    auto first = world.resolve(count);
    auto second = world.resolve(count);
    EXPECT_EQ(first(), 1);
    EXPECT_EQ(first(), 2);
    EXPECT_EQ(second(), 1);
    auto moved = std::move(first);
    EXPECT_EQ(moved(), 3) << "moves with the handler";
    auto copied = moved;
    EXPECT_EQ(copied(), 4);
    EXPECT_EQ(moved(), 4) << "a copy has its own";
    auto texts = world.resolve([](nexus::Local<std::vector<int>> seen, int value) {
        seen->push_back(value);
        return seen->size();
    });
    EXPECT_EQ(texts(1) + texts(2), 3U);
}

TEST_F(HandlerTest, users_types_are_injected) {
    auto handler = world.resolve([](Desk desk, int quantity, const Ticket& ticket) {
        desk.book->orders += std::min(quantity, desk.risk->limit);
        return std::to_string(++*desk.calls) + "/" + std::to_string(ticket.number) + "/" +
               std::to_string(desk.book->orders);
    });
    EXPECT_EQ(handler(4), "1/100/4");
    EXPECT_EQ(handler(40), "2/101/14");
}

TEST_F(HandlerTest, what_a_composite_misses_is_reported_by_its_parts) {
    const nexus::World empty = nexus::WorldBuilder{}.build();
    EXPECT_TRUE(contains(fake::usage_error([&] { empty.run([](Desk) {}); }),
                         "  desk::Book (for ResMut<desk::Book>) is not registered\n"
                         "  desk::Risk (for Res<desk::Risk>) is not registered\n"));
}

TEST_F(HandlerTest, the_environment_reaches_init) {
    int runtime = 0;
    const nexus::ResolveEnvironment environment(&world, &runtime);
    const nexus::World moved = std::move(world); // the environment does not mind
    EXPECT_EQ(nexus::bind_handler(environment, [](desk::Host host, nexus::Res<Book>) { return host.runtime; })(),
              &runtime);
}

TEST_F(HandlerTest, borrows_are_attributed_to_the_handler) {
#if NEXUS_BORROW_CHECKS
    fake::Fiber fiber("f");
    fiber.run([&] {
        world.run([&](nexus::Res<Book>) {
            EXPECT_TRUE(contains(nexus::current_ledger().handler_name, "lambda"));
            world.run(desk::Functor{}, 1);
            EXPECT_TRUE(contains(nexus::current_ledger().handler_name, "lambda"));
        });
        EXPECT_EQ(nexus::current_ledger().handler_name, nullptr);
        EXPECT_THROW(world.run([](nexus::Res<Book>) { throw 1; }), int);
        EXPECT_EQ(nexus::current_ledger().handler_name, nullptr) << "also after an exception";
    });
#endif
}

} // namespace
