// The seed's tests of one task's life (task.rs, waker.rs, join_handle_stress, miri_task, miri_waker), under their
// names, and what section 1 of the contract promises beyond them. Weak assertions of the seed are exact here.
#include "test/exec/exec_tools.hpp"
#include "test/system/heap_calls.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;

/// Distance of a member from the start of its header.
template <class Member>
std::size_t offset_in(const detail::Task& task, const Member& member) {
    // SAFETY: both point into one object; only the addresses are compared.
    return static_cast<std::size_t>(reinterpret_cast<const char*>(&member) - reinterpret_cast<const char*>(&task));
}

// --- the header ---

// proves: EX-2
TEST(SeedTask, task_header_size) {
#if defined(NEXUS_ASAN) || defined(NEXUS_TSAN)
    GTEST_SKIP() << "sanitizers keep state of their own in it";
#endif
    EXPECT_LE(sizeof(detail::Task), 192U);
    EXPECT_LE(sizeof(detail::TypedTask<std::array<char, 64>>), CrossWake::slot_bytes) << "small outputs fit a slot";
}

// proves: EX-2, S-320
TEST(SeedTask, task_layout_offsets) {
    Executor executor;
    JoinHandle<std::uint64_t> handle = executor.spawn_boxed([] { return std::uint64_t{1}; });
    auto& task = static_cast<detail::TypedTask<std::uint64_t>&>(handle.header());
    // What a wake and a switch touch lies in front, and the output behind everything else.
    EXPECT_LT(offset_in(task, task.state), 64U);
    EXPECT_LT(offset_in(task, task.link), 64U);
    EXPECT_LT(offset_in(task, task.context), 64U);
    EXPECT_GE(offset_in(task, task.output), sizeof(detail::Task) - alignof(detail::Task));
    EXPECT_EQ(offset_in(task, task.output) % alignof(std::uint64_t), 0U);
    handle.detach();
    settle(executor);
}

TEST(SeedTask, task_size_with_future) {
    // The captures lie on the stack, so only the output counts: 24 bytes of it.
    static_assert(sizeof(detail::TypedTask<std::array<char, 24>>) <= sizeof(detail::Task) + 24);
    static_assert(sizeof(detail::TypedTask<void>) == sizeof(detail::Task));
    SUCCEED();
}

TEST(SeedTask, EX1_header_and_output_are_one_block) {
    if (!heap_is_counted()) GTEST_SKIP() << "a sanitizer owns the heap";
    struct Large {
        std::array<char, 1000> bytes{};
    };
    Executor executor;
    std::uint64_t calls_for_large = 0;
    std::uint64_t calls_for_small = 0;
    const auto round = [&] {
        const std::uint64_t start = heap_calls();
        JoinHandle<Large> large = executor.spawn_boxed([] { return Large{}; });
        const std::uint64_t between = heap_calls();
        JoinHandle<int> small = executor.spawn_boxed([] { return 1; });
        calls_for_large = between - start;
        calls_for_small = heap_calls() - between;
        const bool large_from_slab = (large.header().state.load() & StateWord::slab_bit) != 0;
        const bool small_from_slab = (small.header().state.load() & StateWord::slab_bit) != 0;
        large.detach();
        small.detach();
        settle(executor);
        return !large_from_slab && small_from_slab;
    };
    EXPECT_TRUE(round()); // the pools are warm afterwards
    const std::int64_t before = blocks_in_use();
    EXPECT_TRUE(round());
    EXPECT_EQ(calls_for_large, 1U);
    EXPECT_EQ(calls_for_small, 0U) << "a slot of the slab";
    EXPECT_EQ(blocks_in_use(), before);
}

TEST(SeedTask, EX11_a_spawned_task_starts_with_two_references) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 1; });
    const StateWord& state = handle.header().state;
    EXPECT_EQ(state.references(), 2U) << "executor and handle";
    EXPECT_TRUE(state.has_join());
    EXPECT_TRUE(state.queued());
    EXPECT_FALSE(state.completed());
    executor.poll();
    EXPECT_EQ(state.references(), 1U) << "completion drops the executor's";
    EXPECT_TRUE(state.completed());
    EXPECT_FALSE(state.queued());
}

TEST(SeedTask, EX20_a_cycle_runs_64_tasks_unless_told_otherwise) {
    Executor executor;
    for (int i = 0; i < 65; ++i) executor.spawn_boxed([] {}).detach();
    EXPECT_EQ(executor.task_count(), 65U);
    EXPECT_EQ(executor.poll(), 64U);
    EXPECT_EQ(executor.task_count(), 1U);
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_EQ(executor.deferred_free_count(), 1U);
}

TEST(SeedTask, EX25_each_way_of_ending_counts_down_tells_the_joiner_and_frees) {
    Executor executor;
    std::vector<std::string> told;
    JoinHandle<int> joined = executor.spawn_boxed([] {
        yield_now();
        return 5;
    });
    JoinHandle<int> aborted = executor.spawn_boxed([] {
        park_for_ever();
        return 6;
    });
    executor
        .spawn_boxed([&] {
            EXPECT_EQ(joined.join(), 5);
            told.emplace_back("joined");
        })
        .detach();
    executor
        .spawn_boxed([&] {
            EXPECT_THROW((void)aborted.join(), TaskAborted);
            told.emplace_back("aborted");
        })
        .detach();
    executor.spawn_boxed([] {}).detach();
    EXPECT_EQ(executor.task_count(), 5U);
    EXPECT_EQ(executor.poll(), 1U) << "the detached one";
    EXPECT_TRUE(aborted.abort());
    EXPECT_EQ(executor.poll(), 2U) << "value and abort";
    EXPECT_TRUE(told.empty()) << "the joiners are only made ready";
    EXPECT_EQ(executor.poll(), 2U) << "the joiners";
    EXPECT_EQ(told, (std::vector<std::string>{"joined", "aborted"}));
    EXPECT_EQ(executor.task_count(), 0U);
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// --- JoinHandle ---

TEST(SeedTask, EX50_a_handle_moves_and_gives_the_plain_output) {
    static_assert(std::is_same_v<decltype(std::declval<JoinHandle<std::string>&>().join()), std::string>);
    static_assert(std::is_void_v<decltype(std::declval<JoinHandle<void>&>().join())>);
    static_assert(!std::is_copy_constructible_v<JoinHandle<int>> && !std::is_copy_assignable_v<JoinHandle<int>>);
    static_assert(std::is_nothrow_move_constructible_v<JoinHandle<int>>);
    Executor executor;
    std::vector<JoinHandle<int>> handles;
    handles.push_back(executor.spawn_boxed([] { return 4; }));
    handles.push_back(executor.spawn_boxed([]() -> int { throw std::runtime_error("no value"); }));
    executor.poll();
    EXPECT_EQ(handles[0].join(), 4);
    EXPECT_THROW((void)handles[1].join(), std::runtime_error) << "unlike the seed's, it has an error form";
}

TEST(SeedTask, spawn_immediate_ready) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 42; });
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_EQ(handle.join(), 42);
}

TEST(SeedTask, spawn_and_complete_unit) {
    Executor executor;
    JoinHandle<void> handle = executor.spawn_boxed([] {});
    EXPECT_EQ(executor.poll(), 1U);
    handle.join();
    settle(executor);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

/// Completes a task with the output of `make` and drops the handle unread: nothing may be left.
template <class Make>
void drop_unread(Make make) {
    const std::int64_t before = blocks_in_use();
    {
        Executor executor;
        auto handle = executor.spawn_boxed(make);
        executor.poll();
        EXPECT_TRUE(handle.is_finished());
        handle.detach();
        settle(executor);
        EXPECT_EQ(executor.outstanding_tasks(), 0U);
    }
    EXPECT_EQ(blocks_in_use(), before);
}

TEST(SeedTask, union_transition_u64) {
    drop_unread([] { return std::uint64_t{7}; });
}
TEST(SeedTask, union_transition_string) {
    drop_unread([] { return std::string(200, 'x'); });
}
TEST(SeedTask, union_transition_vec) {
    drop_unread([] { return std::vector<std::string>(20, std::string(50, 'y')); });
}
TEST(SeedTask, union_transition_drop_counter) {
    Count count;
    drop_unread([&count] { return Counted(count); });
    EXPECT_EQ(count.alive(), 0);
    EXPECT_GE(count.made, 1);
}

TEST(SeedTask, join_handle_read_output) {
    Executor executor;
    JoinHandle<std::uint64_t> handle = executor.spawn_boxed([] { return std::uint64_t{99}; });
    executor.poll();
    EXPECT_EQ(handle.join(), 99U);
    EXPECT_FALSE(handle.valid());
}

TEST(SeedTask, join_handle_read_string) {
    Executor executor;
    JoinHandle<std::string> handle = executor.spawn_boxed([] { return std::string(64, 's'); });
    executor.poll();
    EXPECT_EQ(handle.join(), std::string(64, 's'));
}

TEST(SeedTask, detach_before_completion) {
    Executor executor;
    bool ran = false;
    executor.spawn_boxed([&ran] { ran = true; }).detach();
    EXPECT_FALSE(ran);
    executor.poll();
    EXPECT_TRUE(ran);
}

TEST(SeedTask, detach_after_completion) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 1; });
    executor.poll();
    handle.detach();
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(SeedTask, abort_before_poll) {
    Executor executor;
    bool ran = false;
    JoinHandle<void> handle = executor.spawn_boxed([&ran] { ran = true; });
    EXPECT_TRUE(handle.abort());
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_FALSE(ran);
}

TEST(SeedTask, abort_drops_future) {
    Count count;
    Executor executor;
    JoinHandle<void> unstarted = executor.spawn_boxed([held = Counted(count)] { park_for_ever(); });
    JoinHandle<void> parked = executor.spawn_boxed([held = Counted(count)] {
        const Counted local = held;
        park_for_ever();
    });
    EXPECT_TRUE(unstarted.abort());
    executor.poll();
    EXPECT_EQ(count.alive(), 2) << "the capture and the local of the parked one";
    EXPECT_TRUE(parked.abort());
    executor.poll();
    EXPECT_EQ(count.alive(), 0);
}

TEST(SeedTask, abort_already_completed) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 3; });
    executor.poll();
    EXPECT_FALSE(handle.abort());
    EXPECT_EQ(handle.join(), 3);
}

TEST(SeedTask, output_larger_than_future) {
    Executor executor;
    JoinHandle<std::array<std::uint8_t, 256>> handle = executor.spawn_boxed([] {
        std::array<std::uint8_t, 256> bytes{};
        bytes[255] = 200;
        return bytes;
    });
    executor.poll();
    EXPECT_EQ(handle.join()[255], 200);
}

TEST(SeedTask, multiple_tasks_interleaved) {
    Executor executor;
    std::vector<JoinHandle<std::string>> handles;
    for (int i = 0; i < 6; ++i) {
        handles.push_back(executor.spawn_boxed([i] {
            for (int turn = 0; turn < i % 3; ++turn) yield_now();
            return "output " + std::to_string(i);
        }));
    }
    settle(executor);
    for (const std::size_t i : {3U, 0U, 5U, 1U, 4U, 2U}) {
        EXPECT_EQ(handles[i].join(), "output " + std::to_string(i));
    }
}

TEST(SeedTask, refcount_spawn_detach_complete) {
    Executor executor;
    JoinHandle<void> handle = executor.spawn_boxed([] {});
    const StateWord& state = handle.header().state;
    handle.detach();
    EXPECT_EQ(state.references(), 1U);
    EXPECT_FALSE(state.has_join());
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_EQ(executor.deferred_free_count(), 1U) << "completion made it terminal";
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(SeedTask, refcount_spawn_complete_read_drop) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 1; });
    executor.poll();
    EXPECT_EQ(handle.header().state.references(), 1U);
    EXPECT_EQ(handle.join(), 1);
    EXPECT_EQ(executor.deferred_free_count(), 1U) << "reading was the last reference";
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(SeedTask, yielding_future_with_output) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] {
        int sum = 0;
        for (int i = 1; i <= 4; ++i) {
            sum += i;
            yield_now();
        }
        return sum;
    });
    std::size_t cycles = 0;
    while (!handle.is_finished()) {
        executor.poll();
        ++cycles;
    }
    EXPECT_EQ(cycles, 5U);
    EXPECT_EQ(handle.join(), 10);
}

TEST(SeedTask, executor_drop_with_pending_joinable_task) {
    Count count;
    JoinHandle<Counted> handle;
    {
        Executor executor;
        handle = executor.spawn_boxed([&count] {
            const Counted local(count);
            park_for_ever();
            return local;
        });
        executor.poll();
        EXPECT_EQ(count.alive(), 1);
    }
    EXPECT_EQ(count.alive(), 0);
    EXPECT_THROW((void)handle.join(), TaskAborted);
}

TEST(SeedTask, executor_drop_with_completed_unread_task) {
    Count count;
    {
        JoinHandle<Counted> handle;
        {
            Executor executor;
            handle = executor.spawn_boxed([&count] { return Counted(count); });
            executor.poll();
        }
        EXPECT_EQ(count.alive(), 1) << "the handle still owns it";
    }
    EXPECT_EQ(count.alive(), 0);
}

TEST(SeedTask, zst_output) {
    struct Empty {};
    Executor executor;
    JoinHandle<Empty> handle = executor.spawn_boxed([] { return Empty{}; });
    executor.poll();
    EXPECT_TRUE(handle.is_finished());
    (void)handle.join();
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// proves: EX-41
TEST(SeedTask, deferred_free_drain_cycle) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 1; });
    executor.poll();
    handle.detach();
    EXPECT_EQ(executor.deferred_free_count(), 1U);
    EXPECT_EQ(executor.outstanding_tasks(), 1U);
    EXPECT_EQ(executor.poll(), 0U);
    EXPECT_EQ(executor.deferred_free_count(), 0U);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(SeedTask, complete_task_fire_and_forget) {
    Executor executor;
    executor.create_task<void>([] {}, {}, 1, 0);
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_EQ(executor.task_count(), 0U);
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(SeedTask, complete_task_joinable_detached) {
    Count count;
    Executor executor;
    executor.spawn_boxed([&count] { return Counted(count); }).detach();
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_EQ(count.alive(), 0) << "destroyed at completion";
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(SeedTask, waker_fires_during_poll) {
    Executor executor;
    executor
        .spawn_boxed([] {
            Waker::of_current().wake();
            park();
        })
        .detach();
    EXPECT_EQ(executor.poll(), 0U);
    EXPECT_EQ(executor.poll(), 1U);
}

// proves: EX-41, EX-71
TEST(SeedTask, executor_drop_drains_deferred_free) {
    const std::int64_t before = blocks_in_use();
    {
        Executor executor;
        JoinHandle<std::array<char, 1000>> handle = executor.spawn_boxed([] { return std::array<char, 1000>{}; });
        executor.poll();
        handle.detach();
        EXPECT_EQ(executor.deferred_free_count(), 1U);
        executor.shutdown();
        EXPECT_EQ(executor.deferred_free_count(), 0U);
        EXPECT_EQ(executor.outstanding_tasks(), 0U);
        EXPECT_EQ(executor.shutdown_stats(), ShutdownStats{});
    }
    EXPECT_EQ(blocks_in_use(), before);
}

TEST(SeedTask, many_spawns) {
    Executor executor;
    int runs = 0;
    for (int i = 0; i < 50; ++i) executor.spawn_boxed([&runs] { ++runs; }).detach();
    EXPECT_EQ(executor.poll(), 50U);
    EXPECT_EQ(runs, 50);
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// --- wakers ---

/// A parked fiber, its handle and a waker of it.
struct Parked {
    Parked() {
        handle = spawn_parked(executor, waker, done);
        executor.poll();
    }
    [[nodiscard]] std::uint64_t references() const { return handle.header().state.references(); }

    Executor executor;
    bool done = false;
    Waker waker;
    JoinHandle<void> handle;
};

TEST(SeedWaker, clone_increments) {
    Parked parked;
    EXPECT_EQ(parked.references(), 3U);
    const Waker copy = parked.waker;
    EXPECT_EQ(parked.references(), 4U);
    EXPECT_TRUE(copy == parked.waker);
    parked.done = true;
    copy.wake();
    settle(parked.executor);
}

TEST(SeedWaker, wake_by_ref_does_not_consume) {
    Parked parked;
    EXPECT_TRUE(parked.waker.wake());
    EXPECT_EQ(parked.references(), 3U);
    EXPECT_TRUE(parked.executor.has_ready());
    parked.executor.poll();
    EXPECT_TRUE(parked.waker.wake()) << "once more";
}

TEST(SeedWaker, wake_by_value_consumes) {
    Parked parked;
    Waker(std::move(parked.waker)).wake();
    EXPECT_EQ(parked.references(), 2U);
    EXPECT_TRUE(parked.executor.has_ready());
}

TEST(SeedWaker, drop_after_completion_frees_the_slot) {
    Executor executor;
    Waker waker;
    executor.spawn_boxed([&waker] { waker = Waker::of_current(); }).detach();
    executor.poll();
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 1U);
    waker = {};
    EXPECT_EQ(executor.deferred_free_count(), 1U);
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(SeedWaker, waking_a_completed_task_is_a_no_op) {
    Executor executor;
    Waker waker;
    JoinHandle<void> handle = executor.spawn_boxed([&waker] { waker = Waker::of_current(); });
    executor.poll();
    EXPECT_FALSE(waker.wake());
    EXPECT_FALSE(handle.header().state.queued());
    EXPECT_FALSE(executor.has_ready());
}

TEST(SeedWaker, ten_clones_one_free) {
    Executor executor;
    std::vector<Waker> wakers;
    executor.spawn_boxed([&wakers] { wakers.assign(10, Waker::of_current()); }).detach();
    executor.poll();
    while (wakers.size() > 1) {
        wakers.pop_back();
        EXPECT_EQ(executor.deferred_free_count(), 0U);
    }
    wakers.clear();
    EXPECT_EQ(executor.deferred_free_count(), 1U);
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// proves: TK-3, S-207
TEST(SeedWaker, A18_copies_allocate_nothing) {
    Parked parked;
    const std::uint64_t calls = heap_calls();
    for (int i = 0; i < 100; ++i) {
        const Waker copy = parked.waker;
        const Waker moved = copy;
        EXPECT_TRUE(moved == parked.waker);
    }
    EXPECT_EQ(heap_calls(), calls);
    EXPECT_EQ(parked.references(), 3U);
}

// --- join_handle_stress ---

#if defined(NEXUS_TSAN) || defined(NEXUS_ASAN)
constexpr int stress_rounds = 100;
#else
constexpr int stress_rounds = 1'000;
#endif

TEST(SeedJoinHandleStress, drop_once_normal_path) {
    Count count;
    Executor executor;
    for (int i = 0; i < stress_rounds; ++i) {
        JoinHandle<Counted> handle = executor.spawn_boxed([&count, i] { return Counted(count, i); });
        executor.poll();
        ASSERT_EQ(count.alive(), 1);
        ASSERT_EQ(handle.join().value, i);
        ASSERT_EQ(count.alive(), 0);
    }
}

TEST(SeedJoinHandleStress, drop_once_detach_after_completion) {
    Count count;
    Executor executor;
    for (int i = 0; i < stress_rounds; ++i) {
        JoinHandle<Counted> handle = executor.spawn_boxed([&count] { return Counted(count); });
        executor.poll();
        ASSERT_EQ(count.alive(), 1);
        handle.detach();
        ASSERT_EQ(count.alive(), 0);
    }
}

TEST(SeedJoinHandleStress, drop_once_detach_before_completion) {
    Count count;
    Executor executor;
    for (int i = 0; i < stress_rounds; ++i) {
        executor.spawn_boxed([&count] { return Counted(count); }).detach();
        executor.poll();
        ASSERT_EQ(count.alive(), 0);
    }
    EXPECT_GE(count.made, stress_rounds);
}

TEST(SeedJoinHandleStress, drop_future_on_abort) {
    Count count;
    Executor executor;
    for (int i = 0; i < stress_rounds; ++i) {
        JoinHandle<void> handle = executor.spawn_boxed([held = Counted(count)] { park_for_ever(); });
        if (i % 2 == 0) executor.poll(); // parked, else not started
        ASSERT_EQ(count.alive(), 1);
        ASSERT_TRUE(handle.abort());
        executor.poll();
        ASSERT_EQ(count.alive(), 0);
    }
}

// Not only never twice, as in the seed: every output and every capture is destroyed exactly once.
TEST(SeedJoinHandleStress, interleaved_lifecycle_operations) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        std::mt19937 random(seed);
        Count outputs;
        Count captures;
        std::size_t aborted = 0;
        {
            Executor executor;
            std::vector<JoinHandle<Counted>> handles;
            const std::size_t tasks = 10 + random() % 41;
            for (std::size_t i = 0; i < tasks; ++i) {
                handles.push_back(executor.spawn_boxed([&outputs, held = Counted(captures), turns = random() % 4] {
                    for (unsigned turn = 0; turn < turns; ++turn) yield_now();
                    return Counted(outputs);
                }));
                if (random() % 4 == 0) executor.poll();
                JoinHandle<Counted>& victim = handles[random() % handles.size()];
                if (!victim.valid()) continue;
                switch (random() % 3) {
                case 0: aborted += victim.abort() ? 1U : 0U; break;
                case 1: victim.detach(); break;
                default: break;
                }
            }
            settle(executor);
            EXPECT_EQ(executor.task_count(), 0U);
            for (JoinHandle<Counted>& handle : handles) {
                if (handle.valid() && random() % 2 == 0) handle.detach();
            }
            handles.clear();
            settle(executor);
            EXPECT_EQ(executor.outstanding_tasks(), 0U) << seed;
            EXPECT_GE(outputs.made, static_cast<int>(tasks - aborted)) << seed;
        }
        ASSERT_EQ(outputs.alive(), 0) << seed;
        ASSERT_EQ(captures.alive(), 0) << seed;
    }
}

TEST(SeedJoinHandleStress, various_output_sizes) {
    Executor executor;
    JoinHandle<std::array<char, 1>> one = executor.spawn_boxed([] { return std::array<char, 1>{'a'}; });
    JoinHandle<std::array<char, 63>> odd = executor.spawn_boxed([] { return std::array<char, 63>{'b'}; });
    JoinHandle<std::array<char, 1024>> kilo = executor.spawn_boxed([] { return std::array<char, 1024>{'c'}; });
    JoinHandle<std::vector<int>> heap = executor.spawn_boxed([] { return std::vector<int>(1000, 9); });
    JoinHandle<std::unique_ptr<std::string>> owned = executor.spawn_boxed(
        [] { return std::make_unique<std::string>(300, 'd'); });
    EXPECT_EQ(executor.poll(), 5U);
    EXPECT_EQ(owned.join()->size(), 300U);
    EXPECT_EQ(heap.join()[999], 9);
    EXPECT_EQ(kilo.join()[0], 'c');
    EXPECT_EQ(odd.join()[0], 'b');
    EXPECT_EQ(one.join()[0], 'a');
}

TEST(SeedJoinHandleStress, rapid_spawn_drain) {
    Count count;
    Executor executor;
    for (int cycle = 1; cycle <= 100; ++cycle) {
        const int before = count.gone;
        const int made = count.made;
        std::vector<JoinHandle<Counted>> handles;
        for (int i = 0; i < 10; ++i) handles.push_back(executor.spawn_boxed([&count] { return Counted(count); }));
        ASSERT_EQ(executor.poll(), 10U);
        ASSERT_EQ(count.alive(), 10);
        handles.clear();
        ASSERT_EQ(count.gone - before, count.made - made);
        ASSERT_EQ(count.alive(), 0);
    }
    settle(executor);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

} // namespace
