#include "nexus/sync/watch.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/select.hpp"
#include "test/sync/fibers.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

static_assert(std::is_copy_constructible_v<watch::Sender<int>> && !std::is_copy_constructible_v<watch::Receiver<int>>);

TEST(Watch, settings_that_change_while_a_server_runs) {
    Fibers fibers;
    auto settings = watch::channel(std::string("first"));
    std::vector<std::string> seen;
    auto server = fibers.run([&] {
        seen.push_back(settings.receiver.latest());
        for (std::string now : settings.receiver) seen.push_back(now);
    });
    settings.sender.send("second");
    fibers.settle();
    settings.sender.send("third");
    settings.sender.send("fourth");
    fibers.settle();
    settings.sender.send("last");
    settings.sender = {};
    fibers.settle();
    EXPECT_TRUE(server.is_finished());
    EXPECT_EQ(seen, (std::vector<std::string>{"first", "second", "fourth", "last"}));
    EXPECT_EQ(settings.receiver.skipped(), 1U) << "third came and went";
}

TEST(Watch, the_initial_value_counts_as_seen) {
    auto ch = watch::channel(1);
    EXPECT_EQ(ch.receiver.latest(), 1);
    EXPECT_FALSE(ch.receiver.has_changed());
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
}

TEST(Watch, each_receiver_has_its_own_mind) {
    auto ch = watch::channel(1);
    ch.sender.send(2);
    auto late = ch.sender.subscribe();
    auto same = ch.receiver.clone();
    EXPECT_EQ(ch.sender.receivers(), 3U);
    EXPECT_EQ(late.try_recv().error(), errc::empty) << "has seen what there was";
    EXPECT_EQ(late.latest(), 2);
    EXPECT_EQ(same.try_recv().value(), 2);
    EXPECT_EQ(ch.receiver.try_recv().value(), 2);
    EXPECT_EQ(ch.receiver.try_recv().error(), errc::empty);
    ch.sender.send(2);
    EXPECT_EQ(late.try_recv().value(), 2) << "an equal value is a change too";
}

TEST(Watch, the_last_value_comes_before_the_end) {
    Fibers fibers;
    auto ch = watch::channel(1);
    auto copy = ch.sender;
    ch.sender = {};
    EXPECT_FALSE(ch.receiver.is_closed()) << "the copy is there";
    copy.send(2);
    copy = {};
    EXPECT_TRUE(ch.receiver.is_closed());
    (void)fibers.run([&] {
        EXPECT_EQ(ch.receiver.recv().value(), 2);
        EXPECT_EQ(ch.receiver.recv().error(), errc::closed);
    });
    EXPECT_EQ(ch.receiver.try_changed().error(), errc::closed);
    EXPECT_EQ(ch.receiver.latest(), 2) << "the value stays";
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(Watch, the_end_wakes_all) {
    Fibers fibers;
    auto ch = watch::channel(1);
    auto other = ch.sender.subscribe();
    (void)fibers.run([&] { EXPECT_EQ(ch.receiver.changed().error(), errc::closed); });
    (void)fibers.run([&] { EXPECT_EQ(other.recv().error(), errc::closed); });
    EXPECT_EQ(fibers.alive(), 2U);
    ch.sender = {};
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(Watch, sends_without_receivers_are_kept_for_those_to_come) {
    auto ch = watch::channel(1);
    ch.receiver = {};
    EXPECT_TRUE(ch.sender.is_closed());
    ch.sender.send(2);
    EXPECT_EQ(ch.sender.latest(), 2);
    EXPECT_EQ(ch.sender.subscribe().latest(), 2);
}

TEST(Watch, values_that_cannot_be_copied_are_looked_at) {
    Fibers fibers;
    auto ch = watch::channel(std::make_unique<int>(1));
    int got = 0;
    (void)fibers.run([&] {
        EXPECT_TRUE(ch.receiver.changed());
        got = *ch.receiver.latest();
    });
    ch.sender.send(std::make_unique<int>(2));
    fibers.settle();
    EXPECT_EQ(got, 2);
    EXPECT_FALSE(ch.receiver.has_changed());
}

TEST(Watch, modify_changes_in_place) {
    auto ch = watch::channel(std::vector<int>{});
    ch.sender.modify([](std::vector<int>& list) { list.push_back(1); });
    EXPECT_TRUE(ch.receiver.try_changed());
    ch.sender.modify([](std::vector<int>& list) { return list.size() > 1; });
    EXPECT_FALSE(ch.receiver.has_changed()) << "it said that nothing changed";
    ch.sender.modify([](std::vector<int>& list) {
        list.push_back(2);
        return true;
    });
    EXPECT_EQ(ch.receiver.try_recv().value(), (std::vector<int>{1, 2}));
    EXPECT_THROW(ch.sender.modify([](std::vector<int>&) { throw std::runtime_error("no"); }), std::runtime_error);
    EXPECT_FALSE(ch.receiver.has_changed());
}

TEST(Watch, modify_must_not_suspend) {
    Fibers fibers;
    auto ch = watch::channel(1);
    (void)fibers.run([&] {
        EXPECT_THROW(ch.sender.modify([](int&) { yield_now(); }), UsageError);
        yield_now(); // the region is over
    });
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(Watch, deadlines_and_aborts_see_nothing) {
    Fibers fibers;
    auto ch = watch::channel(1);
    auto fiber = fibers.run([&] {
        EXPECT_EQ(ch.receiver.changed_for(10ms).error(), errc::timed_out);
        EXPECT_EQ(ch.receiver.recv_until(fibers.now() + 10ms).error(), errc::timed_out);
        EXPECT_EQ(ch.receiver.recv_for(10ms).value(), 2);
        EXPECT_EQ(ch.receiver.changed_until(fibers.now()).error(), errc::timed_out);
        (void)ch.receiver.recv();
        ADD_FAILURE() << "aborted";
    });
    fibers.advance(11ms);
    fibers.advance(11ms);
    ch.sender.send(2);
    fibers.advance(20ms);
    fiber.abort();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    ch.sender.send(3);
    EXPECT_EQ(ch.receiver.try_recv().value(), 3) << "the aborted wait took nothing";
}

TEST(Watch, one_fiber_at_each_receiver) {
    Fibers fibers;
    auto ch = watch::channel(1);
    auto waiting = fibers.run([&] { EXPECT_TRUE(ch.receiver.changed()); });
    (void)fibers.run([&] {
        EXPECT_THROW((void)ch.receiver.changed(), UsageError);
        EXPECT_THROW((void)select(ch.receiver), UsageError);
    });
    EXPECT_THROW((void)ch.receiver.changed(), UsageError) << "outside a fiber";
    ch.sender.send(2);
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
}

TEST(Watch, a_change_that_another_took_is_waited_for_again) {
    Fibers fibers;
    auto ch = watch::channel(1);
    int got = 0;
    auto waiting = fibers.run([&] { got = ch.receiver.recv().value(); });
    ch.sender.send(2);
    EXPECT_EQ(ch.receiver.try_recv().value(), 2);
    fibers.settle();
    EXPECT_FALSE(waiting.is_finished());
    ch.sender.send(3);
    fibers.settle();
    EXPECT_EQ(got, 3);
}

TEST(Watch, receivers_may_move_and_go_while_a_fiber_waits) {
    Fibers fibers;
    auto ch = watch::channel(1);
    auto waiting = fibers.run([&] { EXPECT_EQ(ch.receiver.recv().value(), 2); });
    auto moved = std::move(ch.receiver);
    ch.sender.send(2);
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
    auto again = fibers.run([&] { EXPECT_EQ(moved.recv().error(), errc::closed); });
    moved = {};
    fibers.settle();
    EXPECT_TRUE(again.is_finished());
    EXPECT_EQ(ch.sender.receivers(), 0U);
}

TEST(Watch, is_a_source_for_select) {
    Fibers fibers;
    auto a = watch::channel(1);
    auto b = watch::channel(1);
    std::vector<int> seen;
    auto fiber = fibers.run([&] {
        for (int i = 0; i < 3; ++i) {
            const std::size_t index = select(a.receiver, b.receiver);
            auto changed = (index == 0 ? a : b).receiver.try_recv();
            seen.push_back(changed ? *changed : -1);
        }
    });
    b.sender.send(5);
    fibers.settle();
    a.sender.send(6);
    fibers.settle();
    a.sender = {};
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(seen, (std::vector<int>{5, 6, -1}));
}

TEST(Watch, a_copy_that_throws_counts_as_not_seen) {
    struct Fussy {
        explicit Fussy(bool* refuse_copies) : refuse(refuse_copies) {}
        Fussy(Fussy&&) = default;
        Fussy& operator=(Fussy&&) = default;
        Fussy(const Fussy& other) : refuse(other.refuse) {
            if (*refuse) throw std::runtime_error("no copy");
        }
        ~Fussy() = default;
        bool* refuse;
    };
    bool refuse = true;
    auto ch = watch::channel(Fussy(&refuse));
    ch.sender.send(Fussy(&refuse));
    EXPECT_THROW((void)ch.receiver.try_recv(), std::runtime_error);
    refuse = false;
    EXPECT_TRUE(ch.receiver.try_recv());
}

TEST(Watch, figures) {
    auto ch = watch::channel(1);
    EXPECT_EQ(ch.receiver.capacity(), 1U);
    EXPECT_EQ(ch.receiver.depth(), 0U);
    EXPECT_EQ(ch.receiver.high_water(), 0U);
    for (int i = 0; i < 3; ++i) ch.sender.send(i);
    EXPECT_EQ(ch.receiver.depth(), 1U);
    (void)ch.receiver.try_changed();
    EXPECT_EQ(ch.receiver.depth(), 0U);
    EXPECT_EQ(ch.receiver.high_water(), 1U);
    EXPECT_EQ(ch.receiver.skipped(), 2U);
}

TEST(Watch, outlives_its_executor_and_frees_everything) {
    {
        auto ch = watch::channel(Tracked(1));
        {
            Fibers fibers;
            (void)fibers.run([&] { (void)ch.receiver.changed(); });
        }
        ch.sender.send(Tracked(2));
        EXPECT_TRUE(ch.receiver.try_changed());
        EXPECT_EQ(Tracked::alive(), 1);
        ch.sender = {};
        EXPECT_EQ(ch.receiver.latest().value, 2);
    }
    EXPECT_EQ(Tracked::alive(), 0);
}

} // namespace
