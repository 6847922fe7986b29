#include "nexus/sync/deadline.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/select.hpp"
#include "test/sync/fibers.hpp"

namespace {

using namespace nexus;
using namespace nexus_test;

TEST(Deadline, never_by_default) {
    Fibers fibers;
    Deadline deadline;
    EXPECT_FALSE(deadline.armed());
    auto fiber = fibers.run([&] {
        EXPECT_FALSE(deadline.expired());
        deadline.wait();
    });
    fibers.advance(1000h);
    EXPECT_FALSE(fiber.is_finished());
    deadline.reset(fibers.now());
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(Deadline, H13_never_early_and_to_the_nanosecond) {
    Fibers fibers;
    Deadline deadline(fibers.now() + 10ms);
    auto fiber = fibers.run([&] {
        deadline.wait();
        EXPECT_TRUE(deadline.expired());
        EXPECT_EQ(deadline.at(), fibers.now());
    });
    fibers.advance(9'999'999ns);
    EXPECT_FALSE(fiber.is_finished());
    fibers.advance(1ns);
    EXPECT_TRUE(fiber.is_finished());
}

TEST(Deadline, moves_under_those_who_wait) {
    Fibers fibers;
    Deadline deadline(fibers.now() + 10ms);
    auto waiting = fibers.run([&] { deadline.wait(); });
    Notify never;
    auto selecting = fibers.run([&] { EXPECT_EQ(select(never, deadline), 1U); });
    for (int i = 0; i < 5; ++i) { // a heartbeat that keeps coming
        fibers.advance(9ms);
        deadline.reset(fibers.now() + 10ms);
    }
    EXPECT_FALSE(waiting.is_finished());
    deadline.disarm();
    fibers.advance(1h);
    EXPECT_FALSE(waiting.is_finished());
    (void)fibers.run([&] { deadline.reset_after(5ms); });
    fibers.advance(5ms);
    EXPECT_TRUE(waiting.is_finished());
    EXPECT_TRUE(selecting.is_finished());
}

TEST(Deadline, moved_away_after_it_fired_and_before_the_fiber_ran) {
    Fibers fibers;
    Deadline deadline;
    auto moving = fibers.run([&] {
        park();
        deadline.reset(fibers.now() + 1h);
    });
    auto waiting = fibers.run([&] { deadline.wait(); });
    deadline.reset(fibers.now()); // fires in the next turn, in which the other fiber runs first
    moving.abort();
    fibers.executor().timers().advance(nexus::detail::to_ns(fibers.now()));
    deadline.reset(fibers.now() + 1h);
    fibers.settle();
    EXPECT_FALSE(waiting.is_finished());
    fibers.advance(1h);
    EXPECT_TRUE(waiting.is_finished());
}

TEST(Deadline, H12_a_wait_that_ends_leaves_no_timer) {
    Fibers fibers;
    Deadline deadline(fibers.now() + 1h);
    auto fiber = fibers.run([&] { EXPECT_EQ(timeout(1ms, [&] { deadline.wait(); }).error(), errc::timed_out); });
    fibers.advance(2ms);
    EXPECT_TRUE(fiber.is_finished());
    auto aborted = fibers.run([&] { deadline.wait(); });
    aborted.abort();
    fibers.settle();
    EXPECT_TRUE(aborted.is_finished());
    EXPECT_TRUE(fibers.executor().timers().empty());
}

TEST(Deadline, H28_saturates) {
    Fibers fibers;
    Deadline deadline;
    (void)fibers.run([&] { deadline.reset_after(Duration::max()); });
    EXPECT_FALSE(deadline.armed()) << "as far away as never";
}

TEST(Deadline, needs_a_fiber_for_the_clock) {
    Deadline deadline(TimePoint{});
    EXPECT_THROW((void)deadline.expired(), UsageError);
    EXPECT_THROW(deadline.wait(), UsageError);
    EXPECT_THROW(deadline.reset_after(1s), UsageError);
}

} // namespace
