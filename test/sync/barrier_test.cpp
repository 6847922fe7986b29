#include "nexus/sync/barrier.hpp"

#include "nexus/base/usage_error.hpp"
#include "test/sync/fibers.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

TEST(Barrier, fibers_go_on_round_by_round) {
    Fibers fibers;
    Barrier barrier(3);
    std::vector<int> moves(3);
    int last = 0;
    for (int i = 0; i < 3; ++i) {
        (void)fibers.spawn([&, i] {
            for (int round = 1; round <= 4; ++round) {
                for (int turn = 0; turn < i * round; ++turn) yield_now(); // at different speeds
                moves[static_cast<std::size_t>(i)] = round;
                if (barrier.arrive_and_wait()) ++last;
                for (const int m : moves) EXPECT_GE(m, round);
                EXPECT_EQ(barrier.arrive_and_wait_for(1h).has_value(),
                          true); // nobody is a round ahead while this looks
            }
        });
    }
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U);
    EXPECT_EQ(last, 4) << "one of them in each round";
    EXPECT_EQ(barrier.rounds(), 8U);
    EXPECT_EQ(barrier.arrived(), 0U);
}

TEST(Barrier, the_last_one_does_not_suspend_and_is_told_so) {
    Fibers fibers;
    Barrier barrier(2);
    auto first = fibers.run([&] { return barrier.arrive_and_wait(); });
    EXPECT_EQ(barrier.arrived(), 1U);
    fibers.executor().poll();
    auto second = fibers.spawn([&] { return barrier.arrive_and_wait(); });
    fibers.executor().poll();
    EXPECT_TRUE(second.is_finished());
    fibers.settle();
    EXPECT_FALSE(first.join());
    EXPECT_TRUE(second.join());
}

TEST(Barrier, for_one_never_waits) {
    Fibers fibers;
    Barrier barrier(1);
    auto fiber = fibers.run([&] { return barrier.arrive_and_wait() && barrier.arrive_and_wait(); });
    EXPECT_TRUE(fiber.join());
}

TEST(Barrier, H23_an_arrival_that_is_cut_short_is_taken_back) {
    Fibers fibers;
    Barrier barrier(2);
    auto gives_up = fibers.run([&] {
        EXPECT_EQ(barrier.arrive_and_wait_for(10ms).error(), errc::timed_out);
        EXPECT_EQ(barrier.arrive_and_wait_until(fibers.now()).error(), errc::timed_out);
    });
    EXPECT_EQ(barrier.arrived(), 1U);
    fibers.advance(10ms);
    EXPECT_TRUE(gives_up.is_finished());
    EXPECT_EQ(barrier.arrived(), 0U);
}

TEST(Barrier, H23_two_that_never_meet) {
    Fibers fibers;
    Barrier barrier(2);
    auto first = fibers.run([&] { (void)barrier.arrive_and_wait(); });
    first.abort();
    fibers.settle();
    EXPECT_EQ(barrier.arrived(), 0U);
    auto second = fibers.run([&] { (void)barrier.arrive_and_wait(); });
    EXPECT_FALSE(second.is_finished()) << "the aborted one does not count";
    auto third = fibers.run([&] { (void)barrier.arrive_and_wait(); });
    EXPECT_TRUE(second.is_finished() && third.is_finished());
}

TEST(Barrier, one_that_was_let_through_before_its_abort_has_passed) {
    Fibers fibers;
    Barrier barrier(2);
    bool passed = false;
    auto first = fibers.run([&] {
        (void)barrier.arrive_and_wait();
        passed = true;
        yield_now();
        ADD_FAILURE();
    });
    (void)fibers.spawn([&] {
        (void)barrier.arrive_and_wait();
        first.abort();
    });
    fibers.settle();
    EXPECT_TRUE(passed);
    EXPECT_EQ(barrier.rounds(), 1U);
    EXPECT_EQ(barrier.arrived(), 0U);
}

TEST(Barrier, who_drops_out_is_not_waited_for) {
    Fibers fibers;
    Barrier barrier(3);
    std::vector<JoinHandle<bool>> waiting;
    for (int i = 0; i < 2; ++i) waiting.push_back(fibers.run([&] { return barrier.arrive_and_wait(); }));
    barrier.arrive_and_drop(); // outside fibers too
    EXPECT_EQ(barrier.count(), 2U);
    fibers.settle();
    for (auto& handle : waiting) EXPECT_FALSE(handle.join());
    EXPECT_EQ(barrier.rounds(), 1U);
    barrier.arrive_and_drop();
    barrier.arrive_and_drop();
    EXPECT_EQ(barrier.rounds(), 1U);
    EXPECT_THROW(barrier.arrive_and_drop(), UsageError);
    auto late = fibers.run([&] { (void)barrier.arrive_and_wait(); });
    EXPECT_THROW(late.join(), UsageError);
}

TEST(Barrier, mistakes) {
    EXPECT_THROW(Barrier(0), UsageError);
    Barrier barrier(1);
    EXPECT_THROW(barrier.arrive_and_wait(), UsageError) << "outside a fiber";
}

TEST(Barrier, while_an_exception_unwinds_nobody_arrives) {
    Fibers fibers;
    Barrier barrier(1);
    int passed = -1;
    struct AtEnd {
        Barrier& barrier;
        int& passed;
        ~AtEnd() {
            passed = barrier.arrive_and_wait() ? 1 : 0;
            if (barrier.arrive_and_wait_for(1s).error() == errc::cancelled) passed += 10;
        }
    };
    auto failing = fibers.run([&] {
        const AtEnd at_end{barrier, passed};
        throw std::runtime_error("x");
    });
    EXPECT_THROW(failing.join(), std::runtime_error);
    EXPECT_EQ(passed, 10);
    EXPECT_EQ(barrier.rounds(), 0U);
}

} // namespace
