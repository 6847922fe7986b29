// The lists of live borrows by themselves: ledgers, targets, records, and what is thrown or counted.
#include "nexus/base/borrow.hpp"

#include "nexus/base/usage_error.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace {

using nexus::BorrowKind;
using nexus::BorrowLedger;
using nexus::BorrowRecord;
using nexus::BorrowTarget;
using nexus::CallSite;

/// Makes a ledger current for a scope, as the switch to a fiber does.
class OnFiber {
public:
    explicit OnFiber(BorrowLedger& ledger) : previous_(nexus::set_current_ledger(&ledger)) {}
    OnFiber(const OnFiber&) = delete;
    OnFiber& operator=(const OnFiber&) = delete;
    ~OnFiber() { nexus::set_current_ledger(previous_); }

private:
    BorrowLedger* previous_;
};

class BorrowTest : public ::testing::Test {
protected:
    void SetUp() override {
#if !NEXUS_BORROW_CHECKS
        GTEST_SKIP() << "built with borrow_checks=false";
#endif
    }
    void TearDown() override {
        EXPECT_EQ(nexus::current_ledger().live, 0U);
        EXPECT_EQ(book.newest, nullptr);
    }

    BorrowTarget book{nullptr, "Book"};
    BorrowTarget risk{nullptr, "Risk"};
};

std::string text_of(auto&& action) {
    try {
        action();
    } catch (const nexus::UsageError& error) {
        return error.what();
    }
    return "(nothing was thrown)";
}

TEST(BorrowLedger, is_32_bytes_because_every_task_has_one) { EXPECT_EQ(sizeof(BorrowLedger), 32U); }

TEST(BorrowLedger, slot_is_where_the_current_ledger_is_kept) {
    BorrowLedger fiber;
    BorrowLedger* const outside = &nexus::current_ledger();
    *nexus::ledger_slot() = &fiber;
    EXPECT_EQ(&nexus::current_ledger(), &fiber);
    EXPECT_EQ(nexus::set_current_ledger(nullptr), &fiber);
    EXPECT_EQ(&nexus::current_ledger(), outside) << "null stands for the thread's own ledger";
}

#if NEXUS_BORROW_CHECKS

TEST_F(BorrowTest, counts_what_lives) {
    BorrowLedger& ledger = nexus::current_ledger();
    {
        const BorrowRecord shared(book, BorrowKind::shared, CallSite::current());
        const BorrowRecord again(book, BorrowKind::shared, CallSite::current());
        EXPECT_EQ(ledger.live, 2U);
        EXPECT_EQ(ledger.mutable_live, 0U);
        const BorrowRecord other(risk, BorrowKind::exclusive, CallSite::current());
        EXPECT_EQ(ledger.live, 3U);
        EXPECT_EQ(ledger.mutable_live, 1U);
    }
    EXPECT_EQ(ledger.live, 0U);
    EXPECT_EQ(ledger.mutable_live, 0U);
    EXPECT_EQ(ledger.newest, nullptr);
}

TEST_F(BorrowTest, records_may_leave_in_any_order) {
    std::optional<BorrowRecord> a;
    std::optional<BorrowRecord> b;
    std::optional<BorrowRecord> c;
    a.emplace(book, BorrowKind::shared, CallSite::current());
    b.emplace(book, BorrowKind::shared, CallSite::current());
    c.emplace(risk, BorrowKind::shared, CallSite::current());
    a.reset();
    EXPECT_TRUE(text_of([&] { BorrowRecord(book, BorrowKind::exclusive, {}); }).starts_with("resource Book"));
    b.reset();
    EXPECT_EQ(nexus::current_ledger().live, 1U);
    const BorrowRecord mine(book, BorrowKind::exclusive, CallSite::current());
    c.reset();
}

TEST_F(BorrowTest, a_refused_borrow_changes_nothing) {
    const BorrowRecord first(book, BorrowKind::exclusive, CallSite::current());
    EXPECT_THROW(BorrowRecord(book, BorrowKind::shared, {}), nexus::UsageError);
    EXPECT_THROW(BorrowRecord(book, BorrowKind::exclusive, {}), nexus::UsageError);
    EXPECT_EQ(nexus::current_ledger().live, 1U);
    EXPECT_EQ(book.newest, &first);
}

TEST_F(BorrowTest, a_borrow_belongs_to_the_ledger_that_was_current) {
    BorrowLedger fiber{.fiber_name = "a"};
    std::optional<BorrowRecord> record;
    {
        const OnFiber on(fiber);
        record.emplace(book, BorrowKind::exclusive, CallSite::current());
    }
    EXPECT_EQ(fiber.mutable_live, 1U);
    EXPECT_EQ(nexus::current_ledger().live, 0U);
    record.reset(); // while another ledger is current
    EXPECT_EQ(fiber.live, 0U);
    EXPECT_EQ(fiber.newest, nullptr);
}

TEST_F(BorrowTest, a_suspension_reports_the_mutable_borrow_first) {
    BorrowLedger fiber{.fiber_name = "reader"};
    const OnFiber on(fiber);
    const nexus::HandlerScope handler("serve");
    const BorrowRecord exclusive(risk, BorrowKind::exclusive, CallSite::current("desk.cpp", 7, "serve"));
    const BorrowRecord shared(book, BorrowKind::shared, CallSite::current("desk.cpp", 8, "serve"));
    const std::string text = text_of([&] { nexus::check_suspension(fiber, "recv", false); });
    const std::string expected = "resource Risk is still borrowed mutably while its fiber waits (recv)\n"
                                 "  borrow: mutable, by handler serve in fiber \"reader\", at desk.cpp:7 (serve)\n"
                                 "  wait:   recv in fiber \"reader\", called from\n";
    EXPECT_TRUE(text.starts_with(expected)) << text;
    EXPECT_NE(
        text.find("copy out what the wait needs, and borrow again afterwards.\nFor names instead of numbers, link "),
        std::string::npos)
        << text;
}

TEST_F(BorrowTest, a_shared_borrow_may_cross_a_suspension_unless_strict) {
    BorrowLedger fiber{.fiber_name = "reader"};
    const OnFiber on(fiber);
    const BorrowRecord shared(book, BorrowKind::shared, CallSite::current("desk.cpp", 8, "serve"));
    EXPECT_NO_THROW(nexus::check_suspension(fiber, "recv", false));
    const std::string text = text_of([&] { nexus::check_suspension(fiber, "recv", true); });
    EXPECT_TRUE(
        text.starts_with("resource Book is still borrowed while its fiber waits (recv)\n"
                         "  borrow: shared, by code outside handlers in fiber \"reader\", at desk.cpp:8 (serve)\n"))
        << text;
}

TEST_F(BorrowTest, a_conflict_names_both_sides) {
    BorrowLedger other{.fiber_name = "writer", .handler_name = "write"};
    std::optional<BorrowRecord> held;
    {
        const OnFiber on(other);
        held.emplace(book, BorrowKind::shared, CallSite::current("a.cpp", 1, "write"));
    }
    const std::string text = text_of(
        [&] { BorrowRecord(book, BorrowKind::exclusive, CallSite::current("b.cpp", 2, "main")); });
    EXPECT_EQ(text,
              "resource Book cannot be borrowed mutably while another borrow of it is alive\n"
              "  this borrow:  mutable, by code outside handlers outside fibers, at b.cpp:2 (main)\n"
              "  other borrow: shared, by handler write in fiber \"writer\", at a.cpp:1 (write)\n"
              "The other fiber holds its borrow across a wait. Let it end the borrow before it waits: copy what the "
              "wait needs.");
}

TEST_F(BorrowTest, while_an_exception_unwinds_violations_are_counted) {
    struct Cleanup {
        BorrowTarget& target;
        ~Cleanup() {
            const BorrowRecord record(target, BorrowKind::exclusive, CallSite::current());
            nexus::check_suspension(nexus::current_ledger(), "flush");
        }
    };
    const std::uint64_t before = nexus::borrow_violations_counted();
    try {
        const BorrowRecord outer(book, BorrowKind::exclusive, CallSite::current());
        const Cleanup cleanup{book};
        throw 1;
    } catch (int) {}
    EXPECT_EQ(nexus::borrow_violations_counted(), before + 2) << "one conflict, one suspension";
}

TEST_F(BorrowTest, guards_that_outlive_their_fiber_move_to_the_thread) {
    const std::uint64_t before = nexus::borrow_violations_counted();
    auto fiber = std::make_unique<BorrowLedger>();
    std::optional<BorrowRecord> a;
    std::optional<BorrowRecord> b;
    {
        const OnFiber on(*fiber);
        a.emplace(book, BorrowKind::shared, CallSite::current());
        b.emplace(risk, BorrowKind::exclusive, CallSite::current());
    }
    nexus::close_ledger(*fiber);
    EXPECT_EQ(fiber->live, 0U);
    fiber.reset();
    EXPECT_EQ(nexus::borrow_violations_counted(), before + 2);
    EXPECT_EQ(nexus::current_ledger().live, 2U);
    EXPECT_EQ(nexus::current_ledger().mutable_live, 1U);
    a.reset();
    b.reset();
    EXPECT_EQ(nexus::current_ledger().live, 0U);
}

TEST_F(BorrowTest, handler_scopes_nest) {
    const nexus::HandlerScope outer("outer");
    {
        const nexus::HandlerScope inner("inner");
        EXPECT_STREQ(nexus::current_ledger().handler_name, "inner");
    }
    EXPECT_STREQ(nexus::current_ledger().handler_name, "outer");
}

#endif

} // namespace
