// JoinHandle: the output is destroyed once on every path, and whoever asks learns what became of the fiber.
#include "exec_tools.hpp"

#include "nexus/base/usage_error.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;

static_assert(!std::is_copy_constructible_v<JoinHandle<int>>);
static_assert(std::is_nothrow_move_constructible_v<JoinHandle<int>>);

template <class F>
std::string usage_error(F&& action) {
    try {
        action();
    } catch (const UsageError& error) {
        return error.what();
    }
    return "no UsageError";
}

/// Runs `body` as a fiber until the executor comes to rest.
template <class F>
void in_fiber(Executor& executor, F&& body) {
    JoinHandle<void> handle = executor.spawn_boxed(std::forward<F>(body));
    settle(executor);
    ASSERT_TRUE(handle.is_finished());
    handle.join();
    settle(executor);
}

// proves: JoinHandle, S-70, S-71
TEST(JoinHandle, EX51_join_suspends_until_there_is_a_value) {
    Executor executor;
    std::vector<std::string> seen;
    in_fiber(executor, [&] {
        JoinHandle<std::string> child = executor.spawn_boxed([&seen] {
            seen.emplace_back("child");
            yield_now();
            return std::string("a value that lives on the heap, not in the string");
        });
        EXPECT_FALSE(child.is_finished());
        EXPECT_EQ(child.join(), "a value that lives on the heap, not in the string");
        seen.emplace_back("joined");
        EXPECT_FALSE(child.valid());
    });
    EXPECT_EQ(seen, (std::vector<std::string>{"child", "joined"}));
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(JoinHandle, join_of_an_ended_fiber_works_outside_fibers) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 3; });
    EXPECT_NE(usage_error([&] { handle.join(); }).find("join() called outside a fiber"), std::string::npos);
    EXPECT_TRUE(handle.valid()) << "the handle keeps the fiber";
    executor.poll();
    EXPECT_EQ(handle.join(), 3);
}

TEST(JoinHandle, EX53_is_finished_in_every_way_of_ending) {
    Executor executor;
    JoinHandle<int> value = executor.spawn_boxed([] { return 1; });
    JoinHandle<void> failed = executor.spawn_boxed([]() -> void { throw 1; });
    JoinHandle<void> aborted = executor.spawn_boxed([] { park_for_ever(); });
    EXPECT_FALSE(value.is_finished());
    executor.poll();
    EXPECT_TRUE(value.is_finished());
    EXPECT_TRUE(value.ready());
    EXPECT_TRUE(failed.is_finished());
    EXPECT_FALSE(aborted.is_finished());
    aborted.abort();
    executor.poll();
    EXPECT_TRUE(aborted.is_finished());
    EXPECT_THROW(failed.join(), int);
    EXPECT_THROW(aborted.join(), TaskAborted);
}

// --- EX-57: the output is destroyed exactly once ---

TEST(JoinHandle, EX57_output_taken_by_join) {
    Count count;
    Executor executor;
    JoinHandle<Counted> handle = executor.spawn_boxed([&count] { return Counted(count, 5); });
    executor.poll();
    EXPECT_EQ(count.alive(), 1) << "it lives with the header";
    {
        const Counted taken = handle.join();
        EXPECT_EQ(taken.value, 5);
        EXPECT_EQ(count.alive(), 1) << "what was moved from is gone";
    }
    EXPECT_EQ(count.alive(), 0);
    settle(executor);
    EXPECT_EQ(count.alive(), 0);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// proves: EX-56, S-21, S-76
TEST(JoinHandle, EX57_output_of_a_handle_dropped_after_completion) {
    Count count;
    Executor executor;
    {
        JoinHandle<Counted> handle = executor.spawn_boxed([&count] { return Counted(count); });
        executor.poll();
        EXPECT_EQ(count.alive(), 1);
    }
    EXPECT_EQ(count.alive(), 0) << "EX-56: by the handle, at once";
}

TEST(JoinHandle, EX57_output_of_a_handle_dropped_before_completion) {
    Count count;
    Executor executor;
    executor.spawn_boxed([&count] { return Counted(count); }).detach();
    executor.poll();
    EXPECT_EQ(count.made, count.gone);
    EXPECT_GT(count.made, 0);
}

// proves: EX-52
TEST(JoinHandle, EX57_output_of_an_aborted_fiber_never_exists) {
    Count count;
    Executor executor;
    JoinHandle<Counted> handle = executor.spawn_boxed([&count] {
        park();
        return Counted(count);
    });
    executor.poll();
    handle.abort();
    executor.poll();
    EXPECT_EQ(count.made, 0);
    EXPECT_THROW((void)handle.join(), TaskAborted);
    EXPECT_EQ(count.gone, 0);
}

// proves: EX-59, H-15
TEST(JoinHandle, EX57_output_when_the_executor_goes_first) {
    Count count;
    const std::int64_t before = blocks_in_use();
    {
        JoinHandle<Counted> handle;
        {
            Executor executor;
            handle = executor.spawn_boxed([&count] { return Counted(count, 9); });
            executor.poll();
        }
        EXPECT_TRUE(handle.is_finished());
        EXPECT_EQ(count.alive(), 1);
        EXPECT_EQ(handle.join().value, 9) << "EX-59, H-15: the handle outlives the executor";
    }
    EXPECT_EQ(count.alive(), 0);
    EXPECT_EQ(blocks_in_use(), before);
}

// proves: EX-9, S-20
TEST(JoinHandle, EX57_output_when_a_local_destructor_throws_after_the_return_A15) {
    struct Throws {
        ~Throws() noexcept(false) { throw std::runtime_error("from a destructor"); }
    };
    Count count;
    Executor executor;
    JoinHandle<Counted> handle = executor.spawn_boxed([&count] {
        const Throws throws;
        return Counted(count);
    });
    executor.poll();
    EXPECT_EQ(count.made, 1);
#if defined(__clang__)
    constexpr int by_the_language = 0; // clang 14 forgets to destroy a result when a local's destructor throws
#else
    constexpr int by_the_language = 1;
#endif
    EXPECT_EQ(count.gone, by_the_language);
    EXPECT_THROW((void)handle.join(), std::runtime_error);
    EXPECT_EQ(count.gone, by_the_language) << "not again by the library";
}

TEST(JoinHandle, EX57_output_whose_move_throws_on_the_way_out) {
    struct Stubborn {
        explicit Stubborn(Count& counter) : count(&counter) { ++count->made; }
        Stubborn(Stubborn&& other) : count(other.count) { throw std::runtime_error("will not move"); }
        Stubborn& operator=(Stubborn&&) = delete;
        ~Stubborn() { ++count->gone; }
        Count* count;
    };
    Count count;
    Executor executor;
    JoinHandle<Stubborn> handle = executor.spawn_boxed([&count] { return Stubborn(count); });
    executor.poll();
    EXPECT_THROW((void)handle.join(), std::runtime_error);
    EXPECT_EQ(count.alive(), 0);
    EXPECT_FALSE(handle.valid());
    settle(executor);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// proves: S-78
TEST(JoinHandle, EX58_outputs_of_every_kind) {
    struct Empty {};
    struct Large {
        std::array<std::uint64_t, 4096> words;
    };
    struct alignas(256) Wide {
        char byte;
    };
    Executor executor;
    JoinHandle<void> nothing = executor.spawn_boxed([] {});
    JoinHandle<Empty> empty = executor.spawn_boxed([] { return Empty{}; });
    JoinHandle<std::unique_ptr<int>> unique = executor.spawn_boxed([] { return std::make_unique<int>(4); });
    JoinHandle<Large> large = executor.spawn_boxed([] {
        Large result{};
        result.words[4095] = 77;
        return result;
    });
    std::vector<JoinHandle<Wide>> wide;
    for (char i = 0; i < 8; ++i) wide.push_back(executor.spawn_boxed([i] { return Wide{i}; }));
    executor.poll();
    nothing.join();
    (void)empty.join();
    EXPECT_EQ(*unique.join(), 4);
    EXPECT_EQ(large.join().words[4095], 77U);
    for (char i = 0; i < 8; ++i) {
        auto& header = static_cast<detail::TypedTask<Wide>&>(wide[static_cast<std::size_t>(i)].header());
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&header.output.value) % 256, 0U) << "aligned as its type asks";
        EXPECT_EQ(wide[static_cast<std::size_t>(i)].join().byte, i);
    }
    settle(executor);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// --- exceptions ---

// proves: EX-29
TEST(JoinHandle, an_exception_comes_out_of_join_and_the_loop_lives_on) {
    Executor executor;
    std::string caught;
    bool other_ran = false;
    JoinHandle<int> failing = executor.spawn_boxed([]() -> int { throw std::runtime_error("broken"); });
    in_fiber(executor, [&] {
        try {
            (void)failing.join();
        } catch (const std::runtime_error& error) {
            caught = error.what();
        }
        EXPECT_FALSE(failing.valid());
    });
    executor.spawn_boxed([&other_ran] { other_ran = true; }).detach();
    settle(executor);
    EXPECT_EQ(caught, "broken");
    EXPECT_TRUE(other_ran);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(JoinHandle, an_exception_nobody_joins_is_unhandled_when_the_handle_goes) {
    Executor executor;
    JoinHandle<void> handle = executor.spawn_boxed([]() -> void { throw std::runtime_error("late"); });
    executor.poll();
    EXPECT_EQ(executor.poll(), 0U) << "somebody may still join";
    handle.detach();
    EXPECT_TRUE(executor.has_unhandled());
    EXPECT_THROW(executor.poll(), std::runtime_error);
}

TEST(JoinHandle, an_abort_is_no_failure_that_goes_unhandled) {
    Executor executor;
    bool told = false;
    executor.set_on_unhandled([&told](const std::exception_ptr&, const char*) { told = true; });
    JoinHandle<void> handle = executor.spawn_boxed([] { park_for_ever(); });
    executor.poll();
    handle.abort();
    handle.detach();
    settle(executor);
    EXPECT_FALSE(told);
}

// --- misuse ---

// proves: EX-52
TEST(JoinHandle, H16_a_second_join_is_an_error_not_a_read_of_what_was_moved) {
    Executor executor;
    JoinHandle<std::string> handle = executor.spawn_boxed([] { return std::string(100, 'x'); });
    executor.poll();
    EXPECT_EQ(handle.join().size(), 100U);
    EXPECT_EQ(usage_error([&] { (void)handle.join(); }),
              "JoinHandle::join() on an empty handle: it was moved from, joined or detached before");
}

TEST(JoinHandle, an_empty_handle_says_so) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 1; });
    JoinHandle<int> moved = std::move(handle);
    EXPECT_FALSE(handle.valid()); // NOLINT(bugprone-use-after-move): that is the question
    EXPECT_TRUE(moved.valid());
    EXPECT_NE(usage_error([&] { (void)handle.is_finished(); }).find("is_finished() on an empty handle"),
              std::string::npos);
    EXPECT_NE(usage_error([&] { handle.abort(); }).find("abort() on an empty handle"), std::string::npos);
    EXPECT_NE(usage_error([] { JoinHandle<void>().join(); }).find("empty handle"), std::string::npos);
    handle.detach(); // no effect
    executor.poll();
    EXPECT_EQ(moved.join(), 1);
}

TEST(JoinHandle, assignment_detaches_what_it_replaces) {
    Executor executor;
    int runs = 0;
    JoinHandle<void> handle = executor.spawn_boxed([&runs] { ++runs; });
    handle = executor.spawn_boxed([&runs] { ++runs; });
    settle(executor);
    EXPECT_EQ(runs, 2);
    EXPECT_EQ(executor.outstanding_tasks(), 1U);
}

TEST(JoinHandle, join_of_oneself_is_refused) {
    Executor executor;
    JoinHandle<void> self;
    std::string text;
    self = executor.spawn_boxed([&] { text = usage_error([&] { self.join(); }); });
    settle(executor);
    EXPECT_NE(text.find("join() of oneself"), std::string::npos) << text;
    EXPECT_TRUE(self.is_finished());
}

// proves: EX-51
TEST(JoinHandle, a_second_joiner_at_the_same_time_is_refused) {
    Executor executor;
    JoinHandle<void> child = executor.spawn_boxed([] {
        yield_now();
        yield_now();
    });
    std::string text;
    bool first_joined = false;
    executor
        .spawn_boxed([&] {
            child.join();
            first_joined = true;
        })
        .detach();
    executor.spawn_boxed([&] { text = usage_error([&] { child.join(); }); }).detach();
    settle(executor);
    EXPECT_TRUE(first_joined);
    EXPECT_NE(text.find("while another fiber joins the same handle"), std::string::npos) << text;
}

TEST(JoinHandle, join_across_executors_is_refused) {
    Executor mine;
    Executor other;
    JoinHandle<void> elsewhere = other.spawn_boxed([] {});
    std::string text;
    mine.spawn_boxed([&] { text = usage_error([&] { elsewhere.join(); }); }).detach();
    mine.poll();
    EXPECT_NE(text.find("another runtime"), std::string::npos) << text;
    other.poll();
}

// --- waits that end early ---

TEST(JoinHandle, a_join_that_is_cut_short_can_be_repeated) {
    Executor executor;
    ManualClock clock(executor);
    int got = 0;
    Waker child_waker;
    in_fiber(executor, [&] {
        JoinHandle<int> child = executor.spawn_boxed([&child_waker] {
            child_waker = Waker::of_current();
            park();
            return 6;
        });
        yield_now();
        const Result<int> cut = with_deadline(clock.now + 10, [&] {
            clock.now += 20; // passes while the fiber waits
            return child.join();
        });
        EXPECT_EQ(cut.error(), errc::timed_out);
        EXPECT_TRUE(child.valid());
        EXPECT_EQ(child.header().listener, nullptr) << "nobody is told";
        child_waker.wake();
        got = child.join();
    });
    EXPECT_EQ(got, 6);
}

TEST(JoinHandle, the_joiner_may_be_aborted_while_the_child_goes_on) {
    Executor executor;
    Waker child_waker;
    JoinHandle<int> child = executor.spawn_boxed([&child_waker] {
        child_waker = Waker::of_current();
        park();
        return 1;
    });
    JoinHandle<void> joiner = executor.spawn_boxed([&child] { (void)child.join(); });
    executor.poll();
    joiner.abort();
    executor.poll();
    EXPECT_TRUE(joiner.is_finished());
    EXPECT_FALSE(child.is_finished());
    child_waker.wake();
    executor.poll();
    EXPECT_EQ(child.join(), 1);
}

TEST(JoinHandle, EX55_a_fiber_may_abort_itself_and_learns_it_at_its_next_wait) {
    Executor executor;
    JoinHandle<void> self;
    bool reached = false;
    bool passed = false;
    self = executor.spawn_boxed([&] {
        EXPECT_TRUE(self.abort());
        reached = true;
        yield_now();
        passed = true;
    });
    settle(executor);
    EXPECT_TRUE(reached);
    EXPECT_FALSE(passed);
    EXPECT_THROW(self.join(), TaskAborted);
}

TEST(JoinHandle, three_handles_joined_out_of_order) {
    Executor executor;
    std::vector<int> got;
    in_fiber(executor, [&] {
        JoinHandle<int> a = executor.spawn_boxed([] { return 1; });
        JoinHandle<int> b = executor.spawn_boxed([] { return 2; });
        JoinHandle<int> c = executor.spawn_boxed([] { return 3; });
        got.push_back(c.join());
        got.push_back(a.join());
        got.push_back(b.join());
    });
    EXPECT_EQ(got, (std::vector{3, 1, 2}));
}

TEST(JoinHandle, EX57_a_thousand_random_ends_destroy_every_output_once) {
    Count count;
    Executor executor;
    std::uint32_t random = 12345;
    std::vector<JoinHandle<Counted>> handles;
    for (int i = 0; i < 1000; ++i) {
        random = random * 1664525 + 1013904223;
        handles.push_back(executor.spawn_boxed([&count, turns = (random >> 8) % 4] {
            for (std::uint32_t turn = 0; turn < turns; ++turn) yield_now();
            return Counted(count);
        }));
        const std::size_t victim = (random >> 12) % handles.size();
        switch ((random >> 24) % 5) {
        case 0: handles[victim].detach(); break;
        case 1:
            if (handles[victim].valid()) handles[victim].abort();
            break;
        case 2: executor.poll(); break;
        case 3:
            if (handles[victim].valid() && handles[victim].is_finished()) {
                try {
                    (void)handles[victim].join();
                } catch (const TaskAborted&) {
                    SUCCEED();
                }
            }
            break;
        default: break;
        }
    }
    settle(executor);
    handles.clear();
    settle(executor);
    EXPECT_EQ(count.alive(), 0);
    EXPECT_GT(count.made, 500);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
    EXPECT_EQ(executor.stacks().stats().in_use, 0U);
}

} // namespace
