// docs/world.md shows errors verbatim: this makes them and looks for them on the page.
#include "nexus/world/builder.hpp"
#include "test/world/fake_fiber.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>

struct Order {
    int quantity = 0;
};
struct Book {
    int orders = 0;
    int add(Order order) { return orders += order.quantity; }
    [[nodiscard]] int next_id() const { return orders + 1; }
};
struct Risk {
    int limit = 100;
};
void place(nexus::ResMut<Book> book, nexus::Res<Risk> risk, Order order) {
    if (order.quantity <= risk->limit) book->add(order);
}
void rebalance(nexus::ResMut<Book> /*a*/, nexus::Res<Book> /*b*/) {}
void on_order(nexus::ResMut<Book> book) {
    auto guard = book.borrow();
    ++guard->orders;
    fake::Fiber::wait("recv", false);
}
void twice(nexus::ResMut<Book> book) { book->add(Order{book->next_id()}); }

namespace {

class WorldPage : public ::testing::Test {
protected:
    void SetUp() override {
        std::ifstream file(NEXUS_WORLD_PAGE);
        ASSERT_TRUE(file) << NEXUS_WORLD_PAGE;
        page_.assign(std::istreambuf_iterator<char>(file), {});
    }
    /// Each line of `text`, indented as code, is on the page; what follows `cut` in a line may differ (places).
    void expect_shown(const std::string& text, const std::string& cut = "\n") const {
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            const std::string shown = "    " + line.substr(0, line.find(cut));
            EXPECT_NE(page_.find(shown), std::string::npos) << shown;
        }
    }
    /// Without the callers, which every program has of its own (lines with an indent of 12), and with the types of
    /// functions as g++ writes them.
    static std::string without_callers(const std::string& text) {
        std::istringstream lines(text);
        std::string rest;
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with(std::string(12, ' '))) continue;
            if (const std::size_t type = line.find("void ("); type != std::string::npos) line.erase(type + 4, 1);
            rest += line + "\n";
        }
        return rest;
    }
    nexus::World world_ = nexus::WorldBuilder{}.add<Book>().add<Risk>().build();
    nexus::World empty_ = nexus::WorldBuilder{}.build();

private:
    std::string page_;
};

TEST_F(WorldPage, shows_what_resolving_reports) {
    const auto expect_report = [this](const std::string& text) {
        EXPECT_NE(text, without_callers(text)) << "who asked?";
        expect_shown(without_callers(text));
    };
    expect_report(fake::usage_error([&] { (void)empty_.resolve(nexus::fn<place>); }));
    expect_report(fake::usage_error([&] { (void)empty_.resolve(place); }));
    expect_report(fake::usage_error([&] { (void)world_.resolve(nexus::fn<rebalance>); }));
    expect_report(fake::usage_error([] { (void)nexus::bind_handler(nullptr, nexus::fn<place>, Order{}); }));
}

#if NEXUS_BORROW_CHECKS
TEST_F(WorldPage, shows_what_borrow_checks_report) {
    fake::Fiber fiber("session-7");
    fiber.run([&] { expect_shown(fake::usage_error([&] { world_.run(nexus::fn<twice>); }), ", at "); });
    const std::string text = fiber.run([&] { return fake::usage_error([&] { world_.run(nexus::fn<on_order>); }); });
    const std::string callers = ", called from\n";
    const std::size_t frames = text.find(callers) + callers.size();
    expect_shown(text.substr(0, frames), ", at ");
    expect_shown(text.substr(text.find("Others run")));
}
#endif

TEST_F(WorldPage, shows_what_build_reports) {
    nexus::WorldBuilder builder;
    builder.add<Book>();
    builder.add(Book{});
    builder.add(nexus::ResourceBinding<Order>("order (config key \"resources.order\")", []() -> Order {
        throw std::runtime_error("exchange.json:4:17: /resources/order/quantity: found \"many\", expected an integer");
    }));
    builder.add_system([](nexus::Res<Risk>) {}, {.name = "check limits"});
    expect_shown(fake::usage_error([&] { (void)builder.build(); }), "at ");
}

} // namespace
