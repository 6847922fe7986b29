// Shutdown: signal and handle, OS signals, quiesce, teardown, and what a process looks like afterwards.
#include "nexus/runtime/shutdown.hpp"

#include "nexus/runtime/runtime.hpp"
#include "nexus/runtime/runtime_handle.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/testing/gtest.hpp"

#include <clocale>
#include <csignal>
#include <filesystem>
#include <thread>

namespace {

using namespace std::chrono_literals;
using nexus::Runtime;
using nexus::RuntimeOptions;
using nexus::UsageError;

// proves: SH-1, SH-2, SH-3, SH-5, ShutdownHandle, ShutdownSignal
NEXUS_TEST(ShutdownSignal, wakes_any_number_of_waiters_from_another_thread_H9_SH4)
{
    nexus::ShutdownHandle handle = Runtime::current()->shutdown_handle();
    int woken = 0;
    std::vector<nexus::JoinHandle<void>> waiters;
    for (int i = 0; i < 5; ++i) {
        waiters.push_back(nexus::spawn([&woken, signal = handle.signal()] {
            signal.wait();
            ++woken;
        }));
    }
    nexus::yield_now();
    EXPECT_EQ(woken, 0);
    std::jthread other([handle] { handle.trigger(); });
    for (auto& waiter : waiters) waiter.join();
    EXPECT_EQ(woken, 5);
    EXPECT_TRUE(handle.is_shutdown());
    nexus::ShutdownSignal::current().wait(); // already triggered: ready at once (SH-5)
}

NEXUS_TEST(ShutdownSignal, a_waiter_that_gives_up_leaves_nothing_behind)
{
    nexus::ShutdownHandle handle = Runtime::current()->shutdown_handle();
    EXPECT_EQ(nexus::timeout(1ms, [&] { handle.signal().wait(); }).error(), nexus::errc::timed_out);
    EXPECT_EQ(handle.signal().cancel_state()->waiter_count(), 0U);
}

// proves: S-119
TEST(ShutdownSignal, current_panics_outside_runtime) {
    EXPECT_THROW((void)nexus::ShutdownSignal::current(), UsageError);
}

TEST(ShutdownSignal, outlives_its_runtime_H39) {
    std::optional<nexus::ShutdownSignal> signal;
    {
        nexus::World world = nexus::WorldBuilder{}.build();
        Runtime runtime{world};
        signal.emplace(runtime.shutdown_handle().signal());
        runtime.shutdown_handle().trigger();
    }
    EXPECT_TRUE(signal->is_triggered());
}

// --- OS signals ---

// proves: RT-30, SH-6
TEST(Signals, wake_spawned_waiters_too_H10) {
    nexus::World world = nexus::WorldBuilder{}.build();
    RuntimeOptions options;
    options.signal_handlers = true;
    Runtime runtime{world, options};
    const int stopped = runtime.block_on([](nexus::ShutdownSignal stop) {
        int count = 0;
        auto a = nexus::spawn([&count, stop] {
            stop.wait();
            ++count;
        });
        auto b = nexus::spawn([&count, stop] {
            stop.wait();
            ++count;
        });
        nexus::yield_now();
        std::raise(SIGTERM);
        a.join();
        b.join();
        return count;
    });
    EXPECT_EQ(stopped, 2);
}

extern "C" {
volatile std::sig_atomic_t chained = 0;
void count_signal(int) { chained = chained + 1; }
}

// proves: RT-30
TEST(Signals, previous_actions_are_chained_and_restored) {
    struct sigaction mine {};
    mine.sa_handler = &count_signal;
    struct sigaction before {};
    sigaction(SIGINT, &mine, &before);
    chained = 0;
    {
        nexus::World world = nexus::WorldBuilder{}.build();
        RuntimeOptions options;
        options.signal_handlers = true;
        Runtime runtime{world, options};
        runtime.install_signal_handlers(); // twice is once
        runtime.block_on([](nexus::ShutdownSignal stop) {
            std::raise(SIGINT);
            stop.wait();
        });
        EXPECT_EQ(chained, 1);
    }
    struct sigaction after {};
    sigaction(SIGINT, &before, &after);
    EXPECT_EQ(after.sa_handler, &count_signal);
}

// --- quiesce ---

// proves: EX-81, EX-82
TEST(Quiesce, clean_runtime_is_ok_even_with_zero_timeout) {
    nexus::World world = nexus::WorldBuilder{}.build();
    Runtime runtime{world};
    EXPECT_FALSE(runtime.shutdown_quiesce(0ns).has_value());
    runtime.block_on([] { nexus::spawn([] { nexus::yield_now(); }).detach(); });
    EXPECT_FALSE(runtime.shutdown_quiesce(1s).has_value()); // runs the unfinished task
}

TEST(Quiesce, a_self_woken_task_that_completed_is_gone_H2) {
    nexus::World world = nexus::WorldBuilder{}.build();
    Runtime runtime{world};
    runtime.block_on([] {
        nexus::spawn([] { nexus::Waker::of_current().wake(); }).detach();
        nexus::yield_now();
    });
    EXPECT_FALSE(runtime.shutdown_quiesce(1s).has_value());
}

// proves: EX-80, EX-83, QuiesceTimeout
TEST(Quiesce, names_who_is_left) {
    nexus::World world = nexus::WorldBuilder{}.build();
    Runtime runtime{world};
    auto parked = runtime.spawn({.name = "session-7"}, [] { nexus::park("a reply"); });
    runtime.run_once();
    const auto left = runtime.shutdown_quiesce(5ms);
    ASSERT_TRUE(left.has_value());
    ASSERT_EQ(left->remaining.size(), 1U);
    EXPECT_EQ(left->remaining[0].name, "session-7");
    EXPECT_EQ(left->remaining[0].waiting_for, "a reply");
    EXPECT_EQ(left->remaining_references, 0U);
    EXPECT_GE(left->elapsed, 5ms);
    EXPECT_NE(left->message().find("\"session-7\" spawned at "), std::string::npos) << left->message();
    EXPECT_NE(left->message().find("waits for a reply since "), std::string::npos) << left->message();
    { auto dropped = std::move(parked); }
    EXPECT_FALSE(runtime.shutdown_quiesce(1s, true).has_value()); // unwinds what is parked
}

// proves: EX-80, EX-83
TEST(Quiesce, a_completed_task_held_by_a_handle_is_reported_A11) {
    nexus::World world = nexus::WorldBuilder{}.build();
    Runtime runtime{world};
    auto held = runtime.spawn([] { return 1; });
    runtime.run_once();
    const auto left = runtime.shutdown_quiesce(0ns);
    ASSERT_TRUE(left.has_value());
    EXPECT_TRUE(left->remaining.empty());
    EXPECT_EQ(left->remaining_references, 1U);
    EXPECT_EQ(held.join(), 1);
    EXPECT_FALSE(runtime.shutdown_quiesce(0ns).has_value());
}

// --- teardown ---

// proves: H-12, RT-5
TEST(Teardown, unwinds_every_fiber_whose_destructors_read_sleep_join_and_hold_a_child) {
    std::vector<std::string> events;
    std::shared_ptr<const nexus::ShutdownStatsAtomics> stats;
    {
        nexus::World world = nexus::WorldBuilder{}.build();
        Runtime runtime{world};
        stats = runtime.shutdown_stats_handle();
        runtime.block_on([&] {
            nexus::spawn([&] {
                auto child = nexus::spawn([] { nexus::sleep(1h); });
                struct Last {
                    std::vector<std::string>& log;
                    nexus::JoinHandle<void>& child;
                    ~Last() {
                        nexus::sleep(1h); // returns at once: a fiber that unwinds does not park
                        nexus::yield_now();
                        log.emplace_back("slept");
                        child.join(); // returns at once as well
                        log.emplace_back("joined");
                    }
                } last{events, child};
                nexus::sleep(2h);
            }).detach();
            nexus::sleep(1ms);
        });
    }
    EXPECT_EQ(events, (std::vector<std::string>{"slept", "joined"}));
    EXPECT_EQ(stats->snapshot(), nexus::ShutdownStats{});
}

// proves: EX-59
TEST(Teardown, handles_held_past_it_are_counted_and_harmless_H15) {
    nexus::JoinHandle<std::string> finished;
    nexus::JoinHandle<void> parked;
    nexus::Waker waker;
    std::shared_ptr<const nexus::ShutdownStatsAtomics> stats;
    {
        nexus::World world = nexus::WorldBuilder{}.build();
        Runtime runtime{world};
        stats = runtime.shutdown_stats_handle();
        runtime.block_on([&] {
            finished = nexus::spawn([] { return std::string("kept"); });
            parked = nexus::spawn([&waker] {
                waker = nexus::Waker::of_current();
                nexus::sleep(1h);
            });
            nexus::sleep(1ms);
        });
    }
    EXPECT_EQ(stats->snapshot().unbalanced_normal_shutdowns, 2U);
    EXPECT_FALSE(waker.wake());
    EXPECT_TRUE(finished.is_finished());
    EXPECT_EQ(finished.join(), "kept");
    EXPECT_THROW(parked.join(), nexus::TaskAborted);
}

TEST(Teardown, while_an_exception_unwinds_A14) {
    nexus::Waker held;
    std::shared_ptr<const nexus::ShutdownStatsAtomics> stats;
    bool unwound = false;
    try {
        nexus::World world = nexus::WorldBuilder{}.build();
        Runtime runtime{world};
        stats = runtime.shutdown_stats_handle();
        runtime.block_on([&] {
            nexus::spawn([&] {
                held = nexus::Waker::of_current();
                struct Mark {
                    bool& flag;
                    ~Mark() { flag = true; }
                } mark{unwound};
                nexus::sleep(1h);
            }).detach();
            nexus::sleep(1ms);
            throw std::runtime_error("main fails");
        });
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "main fails");
    }
    EXPECT_TRUE(unwound);
    EXPECT_EQ(stats->snapshot().leaked_box_tasks, 1U);
    EXPECT_EQ(stats->snapshot().unbalanced_normal_shutdowns, 0U);
    EXPECT_FALSE(held.wake());
}

TEST(Teardown, spawning_in_a_destructor_is_refused) {
    std::string refusal;
    {
        nexus::World world = nexus::WorldBuilder{}.build();
        Runtime runtime{world};
        runtime
            .spawn([&] {
                struct Spawner {
                    std::string& text;
                    ~Spawner() {
                        try {
                            nexus::spawn([] {}).detach();
                        } catch (const UsageError& error) {
                            text = error.what();
                        }
                    }
                } spawner{refusal};
                nexus::sleep(1h);
            })
            .detach();
        runtime.run_once();
    }
    EXPECT_NE(refusal.find("spawn during teardown"), std::string::npos) << refusal;
}

// --- wakes between threads ---

// proves: CW-13, H-7
TEST(CrossWake, ten_million_wakes_none_lost) {
#if defined(__SANITIZE_THREAD__) || defined(NEXUS_TSAN)
    constexpr std::uint64_t total = 1'000'000;
#else
    constexpr std::uint64_t total = 10'000'000;
#endif
    nexus::World world = nexus::WorldBuilder{}.build();
    Runtime runtime{world};
    runtime.block_on([] {
        // Each wake must be answered: the thread hands over a number and waits until the fiber has taken it, every
        // thousandth time; a wake that gets lost leaves both waiting, and the test's time limit says so.
        nexus::base::Atomic<std::uint64_t> sent{0};
        nexus::base::Atomic<std::uint64_t> seen{0};
        nexus::Waker waker = nexus::Waker::of_current();
        std::jthread sender([&, waker] {
            for (std::uint64_t i = 1; i <= total; ++i) {
                sent.store_release(i);
                waker.wake();
                if (i % 1000 == 0) {
                    while (seen.load_acquire() < i) std::this_thread::yield();
                }
            }
        });
        while (seen.load_acquire() < total) {
            if (const std::uint64_t now = sent.load_acquire(); now != seen.load_acquire()) {
                seen.store_release(now);
                continue;
            }
            nexus::park();
        }
    });
}

// --- a guest in someone's process (rule 8) ---

struct ProcessState {
    std::string locale = std::setlocale(LC_ALL, nullptr);
    sigset_t mask{};
    std::vector<std::pair<const void*, unsigned long>> handlers;
    std::size_t threads = 0;

    ProcessState() {
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        for (int number = 1; number < 32; ++number) {
            struct sigaction action {};
            sigaction(number, nullptr, &action);
            // SAFETY: compared, never called.
            handlers.emplace_back(reinterpret_cast<const void*>(action.sa_handler),
                                  static_cast<unsigned long>(action.sa_flags) &
                                      ~0x0400'0000UL); // not SA_RESTORER: libc adds it
        }
        std::error_code ignored;
        for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
            (void)task;
            ++threads;
        }
    }
};

TEST(Guest, the_process_is_as_it_was_when_nothing_was_opted_into) {
    const nexus::testing::LeakCheck descriptors;
    const ProcessState before;
    nexus::ShutdownStats stats;
    {
        nexus::World world = nexus::WorldBuilder{}.build();
        Runtime runtime{world};
        runtime.block_on([] {
            const ProcessState during;
            nexus::spawn([] { nexus::sleep(1ms); }).join();
            EXPECT_EQ(during.threads, ProcessState{}.threads);
        });
        const ProcessState between;
        EXPECT_EQ(between.handlers, before.handlers);
        EXPECT_EQ(between.threads, before.threads);
        stats = runtime.shutdown_stats();
    }
    const ProcessState after;
    EXPECT_EQ(after.handlers, before.handlers);
    EXPECT_EQ(after.threads, before.threads);
    EXPECT_EQ(after.locale, before.locale);
    for (int number = 1; number < 32; ++number) {
        EXPECT_EQ(sigismember(&after.mask, number), sigismember(&before.mask, number));
    }
    EXPECT_EQ(descriptors.problems_after(stats), std::vector<std::string>{});
}

TEST(Guest, opting_in_is_undone_as_well) {
    const ProcessState before;
    {
        nexus::World world = nexus::WorldBuilder{}.build();
        RuntimeOptions options;
        options.signal_handlers = true;
        options.overflow_report = true;
        Runtime runtime{world, options};
        EXPECT_NE(ProcessState{}.handlers, before.handlers);
    }
    EXPECT_EQ(ProcessState{}.handlers, before.handlers);
}

} // namespace
