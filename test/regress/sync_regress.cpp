// Bugs of channels, notifications, tokens and groups.
#include "nexus/exec/cancel_state.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/cancellation_token.hpp"
#include "nexus/sync/local.hpp"
#include "nexus/sync/mpsc.hpp"
#include "nexus/sync/notify.hpp"
#include "nexus/sync/select.hpp"
#include "nexus/sync/task_group.hpp"
#include "nexus/testing/gtest.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

namespace {

using nexus::Notify;
using namespace std::chrono_literals;

// --- Notify ---

NEXUS_TEST(SyncRegress, a_notification_for_select_and_a_kept_one_are_two)
{
    Notify notify;
    int got = 0;
    auto chosen = nexus::spawn([&] {
        (void)nexus::select(notify);
        if (notify.try_wait()) ++got;
    });
    nexus::yield_now();
    notify.notify_one(); // for the one in select()
    notify.notify_one(); // kept
    chosen.join();
    EXPECT_EQ(got, 1);
    EXPECT_TRUE(notify.try_wait()) << "the second one is still there";
    EXPECT_FALSE(notify.try_wait());
}

NEXUS_TEST(SyncRegress, notify_all_does_not_eat_what_is_kept)
{
    Notify notify;
    bool got = false;
    auto chosen = nexus::spawn([&] {
        (void)nexus::select(notify);
        got = notify.try_wait();
    });
    nexus::yield_now();
    notify.notify_all();
    notify.notify_one();
    chosen.join();
    EXPECT_TRUE(got);
    EXPECT_TRUE(notify.try_wait());
}

NEXUS_TEST(SyncRegress, what_select_promised_ends_with_the_next_suspension)
{
    Notify notify;
    bool stale = true;
    auto chosen = nexus::spawn([&] {
        (void)nexus::select(notify);
        nexus::yield_now();
        stale = notify.try_wait();
    });
    nexus::yield_now();
    notify.notify_all();
    chosen.join();
    EXPECT_FALSE(stale);
    EXPECT_FALSE(nexus::spawn([&] { return notify.try_wait(); }).join()) << "nor is it another fiber's";
}

// --- TaskGroup ---

TEST(SyncRegress, a_group_with_an_undelivered_failure_may_outlive_its_runtime) {
    std::unique_ptr<nexus::TaskGroup> group;
    {
        nexus::World world = nexus::WorldBuilder{}.build();
        nexus::Runtime runtime{world};
        runtime.block_on([&] {
            group = std::make_unique<nexus::TaskGroup>();
            group->spawn([] { throw std::runtime_error("child"); });
            nexus::yield_now();
            nexus::yield_now();
        });
        EXPECT_EQ(group->failures(), 1U);
    }
    group.reset();
}

TEST(SyncRegress, a_group_of_a_runtime_that_is_gone_spawns_nothing) {
    std::unique_ptr<nexus::TaskGroup> group;
    nexus::World world = nexus::WorldBuilder{}.build();
    {
        nexus::Runtime runtime{world};
        runtime.block_on([&] { group = std::make_unique<nexus::TaskGroup>(); });
    }
    EXPECT_THROW(group->spawn([] {}), nexus::UsageError);
    group->abort_all();
    nexus::Runtime runtime{world};
    EXPECT_THROW(runtime.block_on([&] { group->join_all(); }), nexus::UsageError);
}

NEXUS_TEST(SyncRegress, whoever_spawns_into_a_group_that_has_failed_is_told)
{
    nexus::TaskGroup group;
    int ran = 0;
    group.spawn([] { throw std::out_of_range("child"); });
    nexus::yield_now();
    EXPECT_THROW(group.spawn([&ran] { ++ran; }), std::out_of_range);
    group.spawn([&ran] { ++ran; });
    group.join_all();
    EXPECT_EQ(ran, 0) << "the group stays aborted until it is joined";
    group.spawn([&ran] { ++ran; });
    group.join_all();
    EXPECT_EQ(ran, 1);
}

NEXUS_TEST(SyncRegress, a_group_that_is_destroyed_under_a_join_tells_the_joiner)
{
    auto group = std::make_unique<nexus::TaskGroup>();
    bool child_ended = false;
    group->spawn([&] {
        nexus::sleep(1ms);
        child_ended = true;
    });
    bool told = false;
    auto joiner = nexus::spawn([&] {
        try {
            group->join_all();
        } catch (const nexus::UsageError&) {
            told = true;
        }
    });
    nexus::yield_now();
    group.reset();
    EXPECT_TRUE(child_ended) << "the destructor waits all the same";
    joiner.join();
    EXPECT_TRUE(told);
}

NEXUS_TEST(SyncRegress, a_body_that_spawns_into_the_group_while_it_is_moved)
{
    struct Spawner {
        Spawner(nexus::TaskGroup& in, int& out) : group(&in), count(&out) {}
        Spawner(Spawner&& other) noexcept : group(other.group), count(other.count) {
            group->spawn([ran = count] { ++*ran; });
        }
        void operator()() const { ++*count; }
        nexus::TaskGroup* group;
        int* count;
    };
    int count = 0;
    nexus::TaskGroup group;
    group.spawn(Spawner(group, count));
    group.join_all();
    EXPECT_GT(count, 1);
}

// --- channels ---

NEXUS_TEST(SyncRegress, a_receiver_that_goes_under_a_wait_ends_the_wait)
{
    auto [tx, rx] = nexus::local::channel<int>(1);
    auto held = std::make_unique<nexus::local::Receiver<int>>(std::move(rx));
    auto waiter = nexus::spawn([&held] { return held->recv().error(); });
    nexus::yield_now();
    held.reset();
    EXPECT_EQ(waiter.join(), nexus::errc::closed);
}

NEXUS_TEST(SyncRegress, a_receiver_of_many_senders_that_goes_under_a_wait_ends_the_wait)
{
    auto [tx, rx] = nexus::mpsc::channel<int>(1);
    auto held = std::make_unique<nexus::mpsc::Receiver<int>>(std::move(rx));
    auto waiter = nexus::spawn([&held] { return held->recv().error(); });
    nexus::yield_now();
    held.reset();
    EXPECT_EQ(waiter.join(), nexus::errc::closed);

    auto [sender, receiver] = nexus::mpsc::channel<int>(1);
    auto selected = std::make_unique<nexus::mpsc::Receiver<int>>(std::move(receiver));
    auto selecting = nexus::spawn([&selected] { return nexus::select(*selected); });
    nexus::yield_now();
    selected.reset();
    EXPECT_EQ(selecting.join(), 0U);
}

NEXUS_TEST(SyncRegress, what_comes_after_the_receiver_went_is_destroyed_with_it)
{
    struct Closing { // closes the channel when it has its place in it and is not there yet
        explicit Closing(std::unique_ptr<nexus::mpsc::Receiver<Closing>>& of, int& count)
            : receiver(&of), alive(&count) {
            ++*alive;
        }
        Closing(Closing&& other) noexcept : receiver(other.receiver), alive(other.alive) {
            ++*alive;
            receiver->reset();
        }
        ~Closing() { --*alive; }
        std::unique_ptr<nexus::mpsc::Receiver<Closing>>* receiver;
        int* alive;
    };
    int alive = 0;
    auto [tx, rx] = nexus::mpsc::channel<Closing>(4);
    auto held = std::make_unique<nexus::mpsc::Receiver<Closing>>(std::move(rx));
    EXPECT_TRUE(tx.try_send(Closing(held, alive)));
    EXPECT_EQ(alive, 0) << "also while a sender is left";
    EXPECT_EQ(tx.try_send(Closing(held, alive)).error(), nexus::errc::closed);
}

// --- tokens ---

TEST(SyncRegress, a_cancel_needs_no_memory_and_so_reaches_everybody) {
    const auto root = nexus::detail::CancelState::make();
    std::vector<nexus::detail::CancelRef> tree{root};
    for (std::size_t i = 0; i < 40; ++i) tree.push_back(nexus::detail::CancelState::child_of(tree[i / 3]));
    static_assert(noexcept(root->cancel()));
    root->cancel();
    for (const auto& state : tree) EXPECT_TRUE(state->cancelled());
}

NEXUS_TEST(SyncRegress, a_cancel_wakes_more_waiters_than_it_takes_at_a_time)
{
    nexus::CancellationToken token;
    std::vector<nexus::JoinHandle<int>> waiters;
    std::vector<int> order;
    for (int i = 0; i < 50; ++i) {
        waiters.push_back(nexus::spawn([&order, token, i] {
            (void)nexus::select(token);
            order.push_back(i);
            return i;
        }));
    }
    nexus::yield_now();
    token.cancel();
    for (int i = 0; i < 50; ++i) EXPECT_EQ(waiters[static_cast<std::size_t>(i)].join(), i);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

} // namespace
