// Sixteen programs that break the borrow rules, each caught with both places named, and sixteen that keep them and hear
// nothing. The fibers are simulated: ledgers are swapped and waits checked as an executor does it.
#include "nexus/world/builder.hpp"
#include "test/world/fake_fiber.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Book {
    std::vector<int> orders{1, 2, 3};
    int last = 0;
    void add(int order) { orders.push_back(order); }
    [[nodiscard]] int next() const { return static_cast<int>(orders.size()) + 1; }
};
struct Risk {
    int limit = 10;
};
struct Upstream {
    std::string address = "127.0.0.1:9";
};

/// A guard whose end is not that of a scope, as on the stack of a fiber that waits.
template <class T>
using Kept = std::unique_ptr<nexus::Borrow<T>>;
template <class T, class Handle>
Kept<T> on_heap(const Handle& handle) {
    return Kept<T>(new nexus::Borrow<T>(handle.borrow()));
}

struct Program : ::testing::Test {
    nexus::World world = nexus::WorldBuilder{}.add<Book>().add<Risk>().add_const<Upstream>().build();
    fake::Fiber fiber{"session-7"};
    fake::Fiber strict{"strict-1", true};
    fake::Fiber other{"session-8"};

    /// What a handler does when it receives: the peer is slow, so the fiber waits.
    static int receive(bool is_strict = false) {
        fake::Fiber::wait("recv", is_strict);
        return 42;
    }
    static void connect(const std::string& address) {
        EXPECT_FALSE(address.empty());
        fake::Fiber::wait("connect", true);
    }
    void TearDown() override {
        EXPECT_EQ(fiber.ledger().live + strict.ledger().live + other.ledger().live, 0U);
        EXPECT_EQ(nexus::current_ledger().live, 0U);
    }
};

class Violation : public Program {
protected:
    void SetUp() override {
#if !NEXUS_BORROW_CHECKS
        GTEST_SKIP() << "built with borrow_checks=false";
#endif
    }
    /// The report names the resource, the fiber, handlers and two places.
    static void expect_report(const std::string& text, const std::string& resource, const std::string& fiber_name) {
        EXPECT_NE(text.find(resource), std::string::npos) << text;
        EXPECT_NE(text.find("in fiber \"" + fiber_name + "\""), std::string::npos) << text;
        EXPECT_NE(text.find("by handler "), std::string::npos) << text;
        EXPECT_GE(places_in(text), 2U) << text;
    }
    static std::size_t places_in(const std::string& text) {
        std::size_t places = 0;
        for (const std::string mark : {"borrow_violations_test.cpp:", "+0x"}) {
            for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) ++places;
        }
        return places;
    }
    template <class F>
    std::string caught(fake::Fiber& in, F handler) {
        return in.run([&] { return fake::usage_error([&] { world.run(std::move(handler)); }); });
    }
};

TEST_F(Violation, V01_mutable_guard_across_a_wait) {
    expect_report(caught(fiber,
                         [](nexus::ResMut<Book> book) {
                             auto guard = book.borrow();
                             guard->add(receive());
                         }),
                  "Book is still borrowed mutably while its fiber waits (recv)", "session-7");
}

TEST_F(Violation, V02_wait_inside_with) {
    expect_report(caught(fiber, [](nexus::ResMut<Book> book) { book.with([](Book& b) { b.add(receive()); }); }),
                  "Book is still borrowed mutably while its fiber waits (recv)", "session-7");
}

TEST_F(Violation, V03_argument_of_a_call_on_a_resource_waits) {
    expect_report(caught(fiber, [](nexus::ResMut<Book> book) { book->add(receive()); }),
                  "Book is still borrowed mutably", "session-7");
}

void log_remote(int) { fake::Fiber::wait("send", false); }

TEST_F(Violation, V04_callee_waits_while_the_caller_holds_a_guard) {
    expect_report(caught(fiber,
                         [](nexus::ResMut<Book> book) {
                             auto guard = book.borrow();
                             guard->last = 1;
                             log_remote(guard->last);
                         }),
                  "Book is still borrowed mutably while its fiber waits (send)", "session-7");
}

TEST_F(Violation, V05_loop_over_a_resource_waits_in_its_body) {
    expect_report(caught(fiber,
                         [](nexus::ResMut<Book> book) {
                             auto guard = book.borrow();
                             for (int& order : guard->orders) order += receive();
                         }),
                  "Book is still borrowed mutably", "session-7");
}

TEST_F(Violation, V06_guard_on_the_heap_across_a_wait) {
    expect_report(caught(fiber,
                         [](nexus::ResMut<Book> book) {
                             const auto guard = on_heap<Book>(book);
                             receive();
                         }),
                  "Book is still borrowed mutably", "session-7");
}

TEST_F(Violation, V07_strict_shared_guard_across_a_wait) {
    expect_report(caught(strict,
                         [](nexus::Res<Book> book) {
                             auto guard = book.borrow();
                             for (const int order : guard->orders) EXPECT_LT(order, receive(true));
                         }),
                  "Book is still borrowed while its fiber waits (recv)", "strict-1");
}

TEST_F(Violation, V08_strict_argument_taken_from_a_resource) {
    expect_report(caught(strict, [](nexus::Res<Upstream> upstream) { connect(upstream->address); }),
                  "Upstream is still borrowed while its fiber waits (connect)", "strict-1");
}

TEST_F(Violation, V09_strict_wait_inside_shared_with) {
    expect_report(caught(strict, [](nexus::Res<Risk> risk) { risk.with([](const Risk&) { receive(true); }); }),
                  "Risk is still borrowed while its fiber waits", "strict-1");
}

TEST_F(Violation, V10_two_mutable_guards_of_one_resource) {
    expect_report(caught(fiber,
                         [](nexus::ResMut<Book> book) {
                             auto first = book.borrow();
                             auto second = book.borrow();
                         }),
                  "Book cannot be borrowed mutably while another borrow of it is alive", "session-7");
}

TEST_F(Violation, V11_changing_a_resource_while_reading_it) {
    expect_report(caught(fiber,
                         [](nexus::ResMut<Book> book) {
                             auto reading = book.as_res().borrow();
                             for (const int order : reading->orders) book->add(order);
                         }),
                  "Book cannot be borrowed mutably", "session-7");
}

TEST_F(Violation, V12_reading_a_resource_while_changing_it) {
    expect_report(caught(fiber,
                         [](nexus::ResMut<Book> book) {
                             auto changing = book.borrow();
                             changing->last = book.as_res()->last;
                         }),
                  "Book cannot be borrowed while a mutable borrow of it is alive", "session-7");
}

TEST_F(Violation, V13_nested_handler_reaches_the_same_resource) {
    nexus::World* outer = &world;
    expect_report(caught(fiber,
                         [outer](nexus::ResMut<Risk> risk) {
                             auto guard = risk.borrow();
                             outer->run([](nexus::Res<Risk> same) { return same->limit; });
                         }),
                  "Risk cannot be borrowed while a mutable borrow of it is alive", "session-7");
}

TEST_F(Violation, V14_another_fiber_changes_what_is_read_across_a_wait) {
    Kept<const Book> held;
    fiber.run([&] {
        world.run([&](nexus::Res<Book> book) {
            held = on_heap<const Book>(book);
            receive();
        });
    });
    const std::string text = caught(other, [](nexus::ResMut<Book> book) { book->add(1); });
    held.reset();
    expect_report(text, "Book cannot be borrowed mutably", "session-7");
    expect_report(text, "The other fiber holds its borrow across a wait", "session-8");
}

TEST_F(Violation, V15_one_expression_uses_a_resource_twice) {
    expect_report(caught(fiber, [](nexus::ResMut<Book> book) { book->add(book->next()); }),
                  "Book cannot be borrowed mutably while another borrow of it is alive", "session-7");
}

TEST_F(Violation, V16_system_changes_what_its_caller_holds) {
    nexus::WorldBuilder builder;
    builder.add<Book>().add_system([](nexus::ResMut<Book> book) { book->last = 1; });
    nexus::World game = builder.build();
    const std::string text = fiber.run([&] {
        return fake::usage_error([&] {
            game.run([&](nexus::Res<Book> book) {
                auto guard = book.borrow();
                game.run_systems();
            });
        });
    });
    expect_report(text, "Book cannot be borrowed mutably", "session-7");
}

/// Programs that keep the rules; also run by a strict fiber, unless said otherwise.
class Correct : public Program {
protected:
    template <class F>
    auto silently(fake::Fiber& in, F handler) {
        const std::uint64_t before = nexus::borrow_violations_counted();
        auto result = in.run([&] { return world.run(std::move(handler)); });
        EXPECT_EQ(nexus::borrow_violations_counted(), before);
        return result;
    }
};

TEST_F(Correct, C01_handles_live_across_waits) {
    EXPECT_EQ(silently(strict,
                       [](nexus::ResMut<Book> book, nexus::Res<Risk> risk) {
                           receive(true);
                           book->last = risk->limit;
                           return receive(true);
                       }),
              42);
}

TEST_F(Correct, C02_use_before_and_after_a_wait) {
    EXPECT_EQ(silently(strict,
                       [](nexus::ResMut<Book> book) {
                           book->last = 1;
                           const int order = receive(true);
                           book->last += order;
                           return book->last;
                       }),
              43);
}

TEST_F(Correct, C03_guard_ends_before_the_wait) {
    EXPECT_EQ(silently(strict,
                       [](nexus::ResMut<Book> book) {
                           {
                               auto guard = book.borrow();
                               for (int& order : guard->orders) ++order;
                           }
                           return receive(true);
                       }),
              42);
}

TEST_F(Correct, C04_copy_out_and_wait) {
    EXPECT_EQ(silently(strict,
                       [](nexus::Res<Upstream> upstream) {
                           const std::string address = upstream->address;
                           connect(address);
                           return 0;
                       }),
              0);
}

TEST_F(Correct, C05_with_returns_a_value_to_wait_with) {
    EXPECT_EQ(silently(strict,
                       [](nexus::ResMut<Book> book) {
                           const int order = book.with([](Book& b) { return b.orders.back(); });
                           return receive(true) + order;
                       }),
              45);
}

TEST_F(Correct, C06_shared_guard_across_a_wait_when_not_strict) {
    EXPECT_EQ(silently(fiber,
                       [](nexus::Res<Book> book) {
                           auto guard = book.borrow();
                           return receive() + guard->last;
                       }),
              42);
}

TEST_F(Correct, C07_fibers_share_across_waits_when_not_strict) {
    Kept<const Book> held;
    fiber.run([&] { held = on_heap<const Book>(world.res<Book>()); });
    EXPECT_EQ(silently(other, [](nexus::Res<Book> book) { return book->orders.front() + receive(); }), 43);
    fiber.run([&] { held.reset(); });
}

TEST_F(Correct, C08_constants_are_referred_to_across_waits) {
    EXPECT_EQ(silently(strict,
                       [](nexus::ConstRes<Upstream> upstream) {
                           const std::string& address = upstream->address;
                           connect(address);
                           connect((*upstream).address);
                           return receive(true);
                       }),
              42);
}

TEST_F(Correct, C09_two_resources_are_changed_together) {
    EXPECT_EQ(silently(strict,
                       [](nexus::ResMut<Book> book, nexus::ResMut<Risk> risk) {
                           auto b = book.borrow();
                           auto r = risk.borrow();
                           return b->last + r->limit;
                       }),
              10);
}

TEST_F(Correct, C10_one_is_read_while_another_is_changed) {
    EXPECT_EQ(silently(strict,
                       [](nexus::ResMut<Book> book, nexus::Res<Risk> risk) {
                           auto reading = risk.borrow();
                           book->last = reading->limit;
                           return book->last;
                       }),
              10);
}

TEST_F(Correct, C11_nested_handler_uses_something_else) {
    EXPECT_EQ(silently(strict,
                       [this](nexus::ResMut<Book> book) {
                           auto guard = book.borrow();
                           return world.run([](nexus::ResMut<Risk> risk) { return risk->limit; });
                       }),
              10);
}

TEST_F(Correct, C12_local_state_across_waits) {
    EXPECT_EQ(silently(strict,
                       [](nexus::Local<int> count) {
                           int& mine = *count;
                           mine += receive(true);
                           return mine;
                       }),
              42);
}

TEST_F(Correct, C13_exceptions_end_borrows) {
    EXPECT_EQ(silently(strict,
                       [](nexus::ResMut<Book> book) {
                           try {
                               auto guard = book.borrow();
                               throw std::runtime_error("rejected");
                           } catch (const std::runtime_error&) {
                               book->last = receive(true);
                           }
                           return book->last;
                       }),
              42);
}

TEST_F(Correct, C14_guards_end_in_any_order) {
    EXPECT_EQ(silently(strict,
                       [](nexus::Res<Book> book, nexus::Res<Risk> risk) {
                           Kept<const Book> first;
                           first = on_heap<const Book>(book);
                           Kept<const Risk> second;
                           second = on_heap<const Risk>(risk);
                           Kept<const Book> third;
                           third = on_heap<const Book>(book);
                           first.reset();
                           third.reset();
                           second.reset();
                           return receive(true);
                       }),
              42);
}

TEST_F(Correct, C15_systems_change_one_resource_in_turn) {
    nexus::WorldBuilder builder;
    builder.add<Book>();
    builder.add_system([](nexus::ResMut<Book> book) { book->add(1); });
    builder.add_system([](nexus::ResMut<Book> book) { book->add(2); });
    nexus::World game = builder.build();
    EXPECT_EQ(strict.run([&] { return game.run_systems(); }), 2U);
    EXPECT_EQ(game.res<Book>()->orders, (std::vector<int>{1, 2, 3, 1, 2}));
}

TEST_F(Correct, C16_fibers_take_turns) {
    auto add = world.resolve([](nexus::ResMut<Book> book, int order) {
        book->add(order);
        receive(true);
        book->last = order;
    });
    strict.run([&] { add(4); });
    other.run([&] { add(5); });
    strict.run([&] { add(6); });
    EXPECT_EQ(world.res<Book>()->last, 6);
}

} // namespace
