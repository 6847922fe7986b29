// Bugs of the executor.
#include "nexus/exec/executor.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/exec/wait.hpp"
#include "nexus/exec/waker.hpp"
#include "nexus/runtime/loop_stack.hpp"
#include "nexus/runtime/runtime.hpp"
#include "nexus/runtime/runtime_handle.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/local.hpp"
#include "nexus/sync/select.hpp"
#include "nexus/sync/task_group.hpp"
#include "nexus/testing/gtest.hpp"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using nexus::Executor;
using nexus::JoinHandle;
using nexus::UsageError;
using namespace std::chrono_literals;

/// Runs its function when it goes.
template <class F>
class OnExit {
public:
    explicit OnExit(F action) : action_(std::move(action)) {}
    OnExit(OnExit&& other) noexcept : action_(std::move(other.action_)), armed_(std::exchange(other.armed_, false)) {}
    OnExit& operator=(OnExit&&) = delete;
    ~OnExit() {
        if (armed_) action_();
    }

private:
    F action_;
    bool armed_ = true;
};

void run_dry(Executor& executor) {
    for (int i = 0; i < 1000 && executor.has_ready(); ++i) executor.poll();
}

// --- waits after the body has returned ---

TEST(ExecRegress, a_captures_destructor_may_wait_after_the_output_was_stored) {
    Executor executor;
    auto task = executor.spawn_boxed([exit = OnExit([] { nexus::yield_now(); })] { return 42; });
    auto joiner = executor.spawn_boxed([&] { return task.join(); });
    run_dry(executor);
    ASSERT_TRUE(joiner.is_finished());
    EXPECT_EQ(joiner.join(), 42);
    EXPECT_EQ(executor.task_count(), 0U);
}

NEXUS_TEST(ExecRegress, a_task_group_inside_a_closure_is_waited_for)
{
    int ran = 0;
    auto group = std::make_unique<nexus::TaskGroup>();
    group->spawn([&ran] {
        nexus::sleep(1ms);
        ++ran;
    });
    EXPECT_EQ(nexus::spawn([group = std::move(group)] { return 7; }).join(), 7);
    EXPECT_EQ(ran, 1);
}

TEST(ExecRegress, abort_reaches_a_fiber_that_waits_in_a_captures_destructor) {
    Executor executor;
    auto [tx, rx] = nexus::local::channel<int>(1);
    std::optional<nexus::errc> end;
    auto task = executor.spawn_boxed([exit = OnExit([&rx = rx, &end] {
                                          if (auto got = rx.recv(); !got) end = nexus::errc::cancelled;
                                      })] { return 42; });
    executor.poll();
    EXPECT_FALSE(task.is_finished());
    EXPECT_TRUE(task.abort());
    run_dry(executor);
    ASSERT_TRUE(task.is_finished());
    EXPECT_EQ(end, nexus::errc::cancelled) << "the wait ends, it does not throw out of a destructor";
    EXPECT_EQ(task.join(), 42) << "the value was there before";
}

TEST(ExecRegress, teardown_ends_a_wait_in_a_captures_destructor) {
    auto [tx, rx] = nexus::local::channel<int>(1);
    ASSERT_TRUE(tx.try_send(1));
    {
        Executor executor;
        executor.spawn_boxed([exit = OnExit([&tx = tx] { (void)tx.send(2); })] { return std::string("output"); })
            .detach();
        executor.poll();
    }
    EXPECT_EQ(rx.try_recv().value(), 1);
    EXPECT_FALSE(rx.try_recv()) << "no waiter is left behind on a stack that is gone";
}

TEST(ExecRegress, the_hook_for_unhandled_exceptions_may_wait) {
    Executor executor;
    auto [tx, rx] = nexus::local::channel<int>(1);
    ASSERT_TRUE(tx.try_send(0));
    executor.set_on_unhandled([&tx = tx](std::exception_ptr, const char*) { (void)tx.send(1); });
    executor.spawn_boxed([] { throw std::runtime_error("nobody joins"); }).detach();
    executor.poll();
    EXPECT_EQ(executor.task_count(), 1U) << "it waits in the hook";
    EXPECT_EQ(rx.try_recv().value(), 0);
    run_dry(executor);
    executor.poll();
    EXPECT_EQ(rx.try_recv().value(), 1);
    EXPECT_EQ(executor.task_count(), 0U);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(ExecRegress, the_destructor_of_a_detached_output_may_wait) {
    Executor executor;
    int gone = 0;
    executor
        .spawn_boxed([&gone] {
            return std::make_unique<OnExit<std::function<void()>>>([&gone] {
                nexus::yield_now();
                ++gone;
            });
        })
        .detach();
    run_dry(executor);
    executor.poll();
    EXPECT_EQ(gone, 1);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

TEST(ExecRegress, an_unstarted_fiber_is_discarded_although_its_captures_wait) {
    Executor executor;
    auto [tx, rx] = nexus::local::channel<int>(1);
    ASSERT_TRUE(tx.try_send(0));
    bool sent = true;
    auto task = executor.spawn_boxed([exit = OnExit([&sent, &tx = tx] { sent = tx.send(1).has_value(); })] {});
    task.abort();
    run_dry(executor);
    EXPECT_FALSE(sent);
    EXPECT_THROW(task.join(), nexus::TaskAborted);
}

// --- handles that several fibers use ---

TEST(ExecRegress, a_second_join_between_the_end_and_the_joiners_turn_is_refused) {
    Executor executor;
    using Large = std::array<char, 1000>; // from the heap, so that a use after free is seen
    auto task = executor.spawn_boxed([] {
        nexus::yield_now();
        return Large{'x'};
    });
    int first = 0;
    bool refused = false;
    auto joiner = executor.spawn_boxed([&] { first = task.join()[0]; });
    auto late = executor.spawn_boxed([&] {
        nexus::yield_now();
        ASSERT_TRUE(task.is_finished()) << "it ended earlier in this cycle";
        ASSERT_EQ(first, 0) << "and the joiner has its turn in the next one";
        EXPECT_THROW((void)task.join(), UsageError);
        refused = true;
    });
    run_dry(executor);
    EXPECT_TRUE(refused);
    EXPECT_EQ(first, 'x');
    joiner.join();
    late.join();
}

TEST(ExecRegress, detaching_under_a_join_is_an_error_of_the_joiner) {
    Executor executor;
    auto task = executor.spawn_boxed([] {
        nexus::yield_now();
        nexus::yield_now();
        return std::array<char, 1000>{};
    });
    std::string text;
    auto joiner = executor.spawn_boxed([&] {
        try {
            (void)task.join();
        } catch (const UsageError& error) {
            text = error.what();
        }
    });
    executor.poll();
    task.detach();
    run_dry(executor);
    EXPECT_NE(text.find("detached"), std::string::npos) << text;
    joiner.detach();
}

TEST(ExecRegress, select_keeps_the_fiber_that_another_one_joins) {
    Executor executor;
    auto task = executor.spawn_boxed([] {
        nexus::yield_now();
        return std::array<char, 1000>{};
    });
    std::size_t chosen = 9;
    auto looker = executor.spawn_boxed([&] { chosen = nexus::select(task); });
    executor.poll();
    task.detach();
    run_dry(executor);
    EXPECT_EQ(chosen, 0U);
    looker.detach();
}

// --- the loop's stack ---

NEXUS_TEST(ExecRegress, on_loop_stack_nests)
{
    EXPECT_EQ(nexus::on_loop_stack([] { return nexus::on_loop_stack([] { return 1; }) + 1; }), 2);
    EXPECT_THROW(nexus::on_loop_stack([] { nexus::on_loop_stack([] { throw std::out_of_range("deep"); }); }),
                 std::out_of_range);
    EXPECT_EQ(nexus::on_loop_stack([] { return 3; }), 3);
}

NEXUS_TEST(ExecRegress, on_loop_stack_sees_the_exception_that_the_fiber_handles)
{
    try {
        throw std::out_of_range("handled");
    } catch (...) {
        EXPECT_THROW(nexus::on_loop_stack([] { throw; }), std::out_of_range);
    }
    struct Unwinding {
        int* count;
        ~Unwinding() {
            *count = nexus::on_loop_stack([] { return std::uncaught_exceptions(); });
        }
    };
    int count = 0;
    try {
        const Unwinding unwinding{&count};
        throw 1;
    } catch (int) {
        nexus::yield_now();
    }
    EXPECT_EQ(count, 1);
}

TEST(ExecRegressDeathTest, swallowing_an_abort_on_the_loops_stack_ends_with_a_line) {
    EXPECT_DEATH(
        {
            Executor executor;
            JoinHandle<void> task;
            task = executor.spawn_boxed([&task] {
                nexus::on_loop_stack([&task] {
                    task.abort();
                    for (;;) {
                        try {
                            nexus::park();
                        } catch (...) {}
                    }
                });
            });
            run_dry(executor);
        },
        "swallowed its abort a thousand times inside on_loop_stack");
}

TEST(ExecRegressDeathTest, shutdown_from_a_fiber_ends_with_a_line) {
    EXPECT_DEATH(
        {
            Executor executor;
            auto task = executor.spawn_boxed([&] { executor.shutdown(); });
            executor.poll();
        },
        "shuts its own executor or runtime down");
}

// --- teardown and other threads ---

TEST(ExecRegress, teardown_ends_although_another_thread_goes_on_spawning) {
    nexus::World world = nexus::WorldBuilder{}.build();
    std::optional<nexus::Runtime> runtime(std::in_place, world);
    nexus::base::Atomic<bool> refused{false};
    std::thread producer([&refused, handle = runtime->handle()] {
        while (handle.spawn([] {})) {}
        refused.store_release(true);
    });
    runtime->run_for(5ms);
    runtime.reset();
    producer.join();
    EXPECT_TRUE(refused.load_acquire());
}

TEST(ExecRegress, fibers_run_although_another_thread_spawns_faster) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    nexus::base::Atomic<bool> stop{false};
    std::thread producer([&stop, handle = runtime.handle()] {
        while (!stop.load_acquire()) (void)handle.spawn([] {});
    });
    const int turns = runtime.block_on([] {
        int count = 0;
        for (; count < 20; ++count) nexus::yield_now();
        return count;
    });
    stop.store_release(true);
    producer.join();
    EXPECT_EQ(turns, 20);
}

TEST(ExecRegress, jobs_that_come_during_teardown_are_no_failures) {
    nexus::World world = nexus::WorldBuilder{}.build();
    int failures = 0;
    int ran = 0;
    bool took = true;
    {
        nexus::Runtime runtime{world};
        runtime.set_on_unhandled([&failures](std::exception_ptr, const char*) { ++failures; });
        runtime.block_on([&] {
            nexus::spawn([&, handle = nexus::Runtime::current()->handle()] {
                const OnExit exit([&] { took = handle.spawn([&ran] { ++ran; }); });
                nexus::park();
            }).detach();
            nexus::yield_now();
        });
    }
    EXPECT_FALSE(took);
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(failures, 0);
}

// --- exceptions nobody joins ---

TEST(ExecRegress, each_of_several_unhandled_exceptions_comes_out) {
    Executor executor;
    for (int i = 0; i < 3; ++i) executor.spawn_boxed([i] { throw i; }).detach();
    for (int i = 0; i < 3; ++i) {
        int thrown = -1;
        try {
            executor.poll();
        } catch (int which) {
            thrown = which;
        }
        EXPECT_EQ(thrown, i);
    }
    EXPECT_NO_THROW(executor.poll());
    EXPECT_EQ(executor.lost_failures(), 0U);
}

TEST(ExecRegress, what_nobody_can_be_told_is_counted) {
    Executor executor;
    auto task = executor.spawn_boxed([] {
        try {
            nexus::park();
        } catch (...) {
            throw std::runtime_error("instead of the abort");
        }
    });
    task.detach();
    executor.poll();
    executor.shutdown();
    EXPECT_EQ(executor.lost_failures(), 1U);
}

TEST(ExecRegress, a_hook_that_throws_has_not_handled_it) {
    Executor executor;
    executor.set_on_unhandled([](std::exception_ptr, const char*) { throw std::logic_error("hook"); });
    executor.spawn_boxed([] { throw std::runtime_error("body"); }).detach();
    EXPECT_THROW(executor.poll(), std::runtime_error);
}

// --- sizes ---

TEST(ExecRegress, impossible_sizes_are_refused) {
    Executor executor;
    EXPECT_THROW((void)executor.spawn_boxed([] {}, {.stack_size = std::size_t{1} << 60}), UsageError);
    EXPECT_THROW((void)nexus::ByteSlab::bounded({.slots = std::size_t{1} << 56}), std::bad_alloc);
    EXPECT_EQ(executor.task_count(), 0U);
}

// --- destructors that join, while an exception unwinds ---

TEST(ExecRegress, a_destructor_may_join_a_fiber_that_was_aborted_or_failed) {
    Executor executor;
    int joined = 0;
    for (const bool fails : {false, true}) {
        auto parent = executor.spawn_boxed([&joined, fails] {
            auto child = Executor::current()->spawn_boxed([fails] {
                if (fails) throw std::runtime_error("of the child");
                nexus::sleep(1h);
            });
            const OnExit join([&] {
                child.join(); // would end the process if it threw
                ++joined;
            });
            if (!fails) child.abort();
            nexus::sleep(2h);
        });
        executor.poll();
        executor.poll();
        parent.abort();
        if (fails) {
            EXPECT_THROW(run_dry(executor), std::runtime_error) << "as if nobody had joined";
        }
        run_dry(executor);
        EXPECT_THROW(parent.join(), nexus::TaskAborted);
    }
    EXPECT_EQ(joined, 2);
}

// --- poll() beside threads that wake faster than fibers run ---

TEST(ExecRegress, poll_takes_in_no_more_wakes_than_run_in_a_cycle) {
    Executor executor({.tasks_per_cycle = 4});
    std::vector<nexus::Waker> wakers;
    int woken = 0;
    for (int i = 0; i < 100; ++i) {
        executor
            .spawn_boxed([&] {
                wakers.push_back(nexus::Waker::of_current());
                Executor::current()->suspend("a wake");
                ++woken;
            })
            .detach();
    }
    run_dry(executor);
    ASSERT_EQ(wakers.size(), 100U);
    std::thread([&] {
        for (const nexus::Waker& waker : wakers) waker.wake();
    }).join();
    executor.poll();
    EXPECT_EQ(woken, 4);
    bool ran = false;
    executor.spawn_boxed([&ran] { ran = true; }).detach();
    executor.poll();
    EXPECT_TRUE(ran) << "a fiber of this thread stands behind all that were woken";
    run_dry(executor);
    EXPECT_EQ(woken, 100);
}

} // namespace
