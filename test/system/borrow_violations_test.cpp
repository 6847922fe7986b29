// Sixteen programs that break the borrow rules with real fibers, each reported with the resource, the fiber and both
// places. The handlers are functions with names, so that a report can be asked for them. The same rules without a
// runtime: test/world/borrow_violations_test.cpp; programs that keep them: borrow_correct_test.cpp.
#include "test/system/borrow_programs.hpp"

#include <sys/socket.h>

using namespace std::chrono_literals;

namespace borrow_programs {

void in_sleep(nexus::ResMut<Book> book) {
    auto guard = book.borrow();
    nexus::sleep(1ms);
}

void in_yield(nexus::ResMut<Book> book) {
    auto guard = book.borrow();
    nexus::yield_now();
}

void in_join(nexus::ResMut<Book> book) {
    auto child = nexus::spawn([] { nexus::sleep(1ms); });
    auto guard = book.borrow();
    child.join();
}

void in_recv(nexus::ResMut<Book> book, nexus::local::Receiver<int> orders) { book->add(orders.recv().value()); }

void in_send(nexus::ResMut<Book> book) {
    auto [fills, kept] = nexus::local::channel<int>(1);
    while (fills.try_send(1)) {} // until it is full
    auto guard = book.borrow();
    for (const int order : guard->orders) (void)fills.send(order);
}

void in_read(nexus::ResMut<Book> book, nexus::TcpStream& stream) {
    auto guard = book.borrow();
    std::array<std::byte, 16> bytes{};
    (void)stream.read(bytes);
}

void in_select(nexus::ResMut<Book> book) {
    nexus::CancellationToken stop;
    nexus::Interval tick = nexus::interval(1s);
    auto guard = book.borrow();
    (void)nexus::select(stop, tick);
}

void in_notify(nexus::ResMut<Book> book, nexus::Notify& turn) {
    auto guard = book.borrow();
    turn.wait();
}

void in_timeout(nexus::ResMut<Book> book) {
    auto guard = book.borrow();
    (void)nexus::timeout(1s, [] { nexus::CancellationToken{}.cancelled(); });
}

/// The call on the loop's stack counts as the fiber's own.
void on_the_loop_stack(nexus::ResMut<Book> book) {
    auto guard = book.borrow();
    nexus::on_loop_stack([&] { book->add(4); });
}

[[gnu::noinline]] void innermost(nexus::Res<Risk> risk) {
    nexus::sleep(std::chrono::milliseconds(risk->limit));
    (void)risk->limit; // not a tail call: the report shows this function
}
void in_a_nested_handler(nexus::ResMut<Book> book, const nexus::World& world) {
    auto inner = world.resolve(innermost);
    auto guard = book.borrow();
    inner();
}

void through_a_composite(Desk desk) {
    auto guard = desk.book.borrow();
    guard->last = desk.risk->limit;
    nexus::sleep(1ms);
}

void through_an_optional(std::optional<nexus::ResMut<Book>> book, nexus::ShutdownSignal shutdown) {
    auto guard = book->borrow();
    shutdown.wait();
}

void inside_with(nexus::ResMut<Book> book) {
    book.with([](Book& mine) {
        nexus::Interval tick = nexus::interval(1ms);
        tick.tick();
        mine.last = 1;
    });
}

void reads_across_a_wait(nexus::Res<Book> book) {
    auto guard = book.borrow();
    nexus::sleep(2ms);
}
void writes_meanwhile(nexus::ResMut<Book> book) {
    nexus::sleep(1ms);
    book->add(7);
}

void accepts_while_it_reads(nexus::Res<Book> book) {
    auto listener = nexus::TcpListener::bind("127.0.0.1:0").value();
    auto guard = book.borrow();
    (void)listener.accept();
}

/// As in release builds: a shared borrow may live across a wait.
class Violation : public Programs {
protected:
    using Programs::configure;
    void configure(nexus::RuntimeOptions& options) override { options.strict_borrows = false; }
    void SetUp() override {
#if !NEXUS_BORROW_CHECKS
        GTEST_SKIP() << "built with borrow_checks=false";
#endif
        Programs::SetUp();
    }

    /// Runs the handler as fiber "session-7" and returns the report it ends with; the runtime goes on working.
    template <class F, class... Args>
    std::string report_of(F handler, Args&&... args) {
        return runtime().block_on([&] {
            auto fiber = nexus::spawn({.name = "session-7"}, handler, std::forward<Args>(args)...);
            std::string report = "(no report)";
            try {
                fiber.join();
            } catch (const nexus::UsageError& error) {
                report = error.what();
            }
            nexus::sleep(1ms);
            return report;
        });
    }

    static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
    /// `taken_in` and `seen_in` are functions: where the borrow began, and who did what it forbids.
    static void expect_places(const std::string& report, const std::string& taken_in, const std::string& seen_in) {
        EXPECT_TRUE(has(report, "in fiber \"session-7\"")) << report;
        EXPECT_TRUE(has(report, "by handler ")) << report;
        // `->` has no room for file and line: a program counter.
        EXPECT_TRUE(has(report, "borrow_violations_test.cpp:") || has(report, ", at borrow_programs::")) << report;
        EXPECT_TRUE(has(report, taken_in)) << report;
        EXPECT_TRUE(has(report, seen_in)) << report;
    }
    /// A wait with the Book borrowed mutably.
    static void expect_wait(const std::string& report, const std::string& wait, const std::string& handler) {
        EXPECT_TRUE(has(report, "Book is still borrowed mutably while its fiber waits (" + wait + ")")) << report;
        EXPECT_TRUE(has(report, "wait:   " + wait + " in fiber \"session-7\", called from\n")) << report;
        expect_places(report, handler, "borrow_programs::" + handler + "(");
    }
};

TEST_F(Violation, V01_sleep) { expect_wait(report_of(in_sleep), "sleep", "in_sleep"); }

TEST_F(Violation, V02_yield_now) { expect_wait(report_of(in_yield), "yield_now", "in_yield"); }

TEST_F(Violation, V03_join) { expect_wait(report_of(in_join), "join", "in_join"); }

TEST_F(Violation, V04_recv_as_the_argument_of_a_call_on_the_resource) {
    auto [orders, receiver] = nexus::local::channel<int>(4);
    expect_wait(report_of(in_recv, std::move(receiver)), "recv", "in_recv");
}

TEST_F(Violation, V05_send_into_a_full_channel) { expect_wait(report_of(in_send), "send", "in_send"); }

TEST_F(Violation, V06_read_from_a_socket) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    nexus::os::Fd ours(ends[0]);
    nexus::os::Fd peer(ends[1]);
    auto stream = nexus::TcpStream::from_fd(std::move(ours)).value();
    expect_wait(report_of(in_read, std::ref(stream)), "read", "in_read");
}

TEST_F(Violation, V07_select) { expect_wait(report_of(in_select), "select", "in_select"); }

TEST_F(Violation, V08_waiting_for_ones_turn) {
    nexus::Notify turn;
    expect_wait(report_of(in_notify, std::ref(turn)), "Notify::wait", "in_notify");
    EXPECT_EQ(turn.waiter_count(), 0U);
}

TEST_F(Violation, V09_wait_in_a_timeout) {
    expect_wait(report_of(in_timeout), "CancellationToken::cancelled", "in_timeout");
}

TEST_F(Violation, V10_second_borrow_on_the_loop_stack) {
    const std::string report = report_of(on_the_loop_stack);
    EXPECT_TRUE(has(report, "Book cannot be borrowed mutably while another borrow of it is alive")) << report;
    EXPECT_TRUE(has(report, "Let the other borrow end first")) << report;
    expect_places(report, "borrow_violations_test.cpp:", "+0x");
}

TEST_F(Violation, V11_nested_handler_waits) {
    const std::string report = report_of(in_a_nested_handler, std::cref(world()));
    expect_wait(report, "sleep", "in_a_nested_handler");
    EXPECT_TRUE(has(report, "borrow_programs::innermost(")) << report;
}

TEST_F(Violation, V12_borrow_of_a_composites_member) {
    expect_wait(report_of(through_a_composite), "sleep", "through_a_composite");
}

TEST_F(Violation, V13_borrow_of_an_optional_resource) {
    expect_wait(report_of(through_an_optional), "shutdown signal", "through_an_optional");
}

TEST_F(Violation, V14_wait_inside_with) { expect_wait(report_of(inside_with), "sleep", "inside_with"); }

TEST_F(Violation, V15_another_fiber_writes_what_is_read_across_a_wait) {
    const std::string report = runtime().block_on([] {
        auto reader = nexus::spawn({.name = "reader"}, reads_across_a_wait);
        auto writer = nexus::spawn({.name = "session-7"}, writes_meanwhile);
        std::string text = "(no report)";
        try {
            writer.join();
        } catch (const nexus::UsageError& error) {
            text = error.what();
        }
        reader.join(); // was in its rights
        return text;
    });
    EXPECT_TRUE(has(report, "Book cannot be borrowed mutably while another borrow of it is alive")) << report;
    EXPECT_TRUE(has(report, "in fiber \"reader\"")) << report;
    EXPECT_TRUE(has(report, "The other fiber holds its borrow across a wait")) << report;
    expect_places(report, "reads_across_a_wait", "writes_meanwhile(");
}

class StrictViolation : public Violation {
protected:
    using Violation::configure;
    void configure(nexus::RuntimeOptions& options) override { options.strict_borrows = true; }
};

TEST_F(StrictViolation, V16_shared_borrow_across_a_wait) {
    const std::string report = report_of(accepts_while_it_reads);
    EXPECT_TRUE(has(report, "Book is still borrowed while its fiber waits (accept)")) << report;
    expect_places(report, "accepts_while_it_reads", "borrow_programs::accepts_while_it_reads(");
}

} // namespace borrow_programs
