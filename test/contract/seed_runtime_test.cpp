// The loop: what section 3 of the contract promises about options, order, event time and the root, the seed's tests of
// runtime.rs, shutdown_quiesce, shutdown_stats and stress_fuzz under their names, and what 11.3 misses in them.
#include "nexus/base/usage_error.hpp"
#include "nexus/runtime/runtime.hpp"
#include "nexus/runtime/runtime_handle.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/sync.hpp"
#include "nexus/testing/gtest.hpp"
#include "test/exec/exec_tools.hpp"
#include "test/os/fault.hpp"

#include <array>
#include <fcntl.h>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace nexus;
using nexus::test::AtExit;
using nexus::test::Count;
using nexus::test::Counted;
using nexus::test::on_another_thread;

using Log = std::vector<std::string>;

/// A runtime on the real clock.
struct RealTime {
    explicit RealTime(RuntimeOptions options = {}) : runtime(world, options) {}
    World world = WorldBuilder{}.build();
    Runtime runtime;
};

class SeedRuntime : public nexus::testing::RuntimeTest {
protected:
    using nexus::testing::RuntimeTest::configure;
    void configure(RuntimeOptions& options) override { change(options); }
    virtual void change(RuntimeOptions& /*options*/) {}
};

// --- options ---

TEST(SeedRuntimeOptions, RT3_defaults) {
    const RuntimeOptions options;
    EXPECT_EQ(options.tasks_per_cycle, 64U);
    EXPECT_EQ(options.cross_thread_drain_limit, 0U) << "unlimited";
    EXPECT_EQ(options.event_interval, 61U);
    EXPECT_EQ(options.event_capacity, 1024U);
    EXPECT_FALSE(options.signal_handlers);
    EXPECT_TRUE(options.mode == LoopMode::park);
}

// proves: H-20
TEST(SeedRuntimeOptions, a_runtime_stays_where_it_is) {
    static_assert(!std::is_move_constructible_v<Runtime> && !std::is_copy_constructible_v<Runtime>);
    static_assert(!std::is_move_constructible_v<Executor> && !std::is_move_constructible_v<Reactor>);
    SUCCEED();
}

class SmallCycles : public SeedRuntime {
    void change(RuntimeOptions& options) override { options.tasks_per_cycle = 2; }
};

TEST_F(SmallCycles, RT3_tasks_per_cycle) {
    int runs = 0;
    for (int i = 0; i < 3; ++i) runtime().spawn([&runs] { ++runs; }).detach();
    EXPECT_EQ(runtime().run_once(), RunStatus::more);
    EXPECT_EQ(runs, 2);
    EXPECT_EQ(runtime().run_once(), RunStatus::idle);
    EXPECT_EQ(runs, 3);
}

// proves: CW-17
TEST(SeedRuntimeOptions, H8_a_finite_drain_limit_leaves_nobody_asleep) {
    RealTime real({.cross_thread_drain_limit = 1});
    const bool reached = real.runtime.block_on([] {
        std::array<Waker, 8> ended;
        for (Waker& waker : ended) spawn([&waker] { waker = Waker::of_current(); }).detach();
        yield_now();
        bool woken = false;
        Waker me = Waker::of_current();
        // All are in the queue before this fiber parks: eight that only have to be freed, in front of the one that
        // counts.
        on_another_thread([&] {
            for (Waker& waker : ended) waker = {};
            woken = true;
            me.wake();
        });
        while (!woken) park();
        yield_now();
        return woken;
    });
    EXPECT_TRUE(reached);
    EXPECT_FALSE(real.runtime.shutdown_quiesce(1s).has_value()) << "all were freed";
}

/// Cycles in which epoll is looked at while one fiber yields fifty times and time goes by `each` a cycle.
class EventInterval : public SeedRuntime {
protected:
    int looks(Duration each) {
        int seen = 0;
        runtime().block_on([&] {
            yield_now();
            const os::Fault<&os::Calls::epoll_wait> counted(0, 0);
            for (int i = 0; i < 50; ++i) {
                clock().advance(each);
                yield_now();
            }
            seen = counted.calls_seen();
        });
        return seen;
    }
    void change(RuntimeOptions& options) override { options.event_interval = 5; }
};

TEST_F(EventInterval, RT12_descriptors_are_looked_at_every_so_many_cycles) {
    EXPECT_GE(looks(0ns), 9);
    EXPECT_LE(looks(0ns), 11);
}

class LongEventInterval : public EventInterval {
    void change(RuntimeOptions& options) override { options.event_interval = 1'000'000; }
};

TEST_F(LongEventInterval, RT12_and_after_a_time_when_the_cycles_are_long) {
    EXPECT_LE(looks(0ns), 1);
    EXPECT_GE(looks(200us), 25);
}

// --- order ---

TEST_F(SeedRuntime, RT11_one_turn_takes_wakes_runs_what_is_ready_and_then_looks_at_the_time) {
    Log log;
    Waker parked;
    bool woken = false;
    runtime()
        .spawn([&] {
            parked = Waker::of_current();
            while (!woken) park();
            log.emplace_back("woken by another thread");
        })
        .detach();
    runtime()
        .spawn([&] {
            sleep(5ms);
            log.emplace_back("slept");
        })
        .detach();
    clock().set_auto_advance(false);
    EXPECT_EQ(runtime().run_for(0ns), RunStatus::idle);
    runtime().spawn([&] { log.emplace_back("spawned"); }).detach();
    on_another_thread([&] {
        woken = true;
        parked.wake();
    });
    clock().advance(5ms);
    EXPECT_EQ(runtime().run_once(), RunStatus::more) << "the timer has made somebody ready";
    EXPECT_EQ(log, (Log{"spawned", "woken by another thread"}));
    EXPECT_EQ(runtime().run_once(), RunStatus::idle);
    EXPECT_EQ(log, (Log{"spawned", "woken by another thread", "slept"}));
    parked = {};
}

TEST_F(SeedRuntime, RT14_after_a_shutdown_the_root_runs_when_it_is_woken_and_not_otherwise) {
    const int runs = runtime().block_on([this] {
        Waker me = Waker::of_current();
        bool done = false;
        auto other = spawn([&] {
            runtime().shutdown_handle().trigger();
            for (int i = 0; i < 50; ++i) yield_now();
            done = true;
            me.wake();
        });
        int count = 0;
        while (!done) {
            park();
            ++count;
        }
        other.join();
        return count;
    });
    EXPECT_EQ(runs, 1);
}

// proves: H-33
TEST_F(SeedRuntime, RT18_destructors_of_the_root_may_wake) {
    Waker other;
    bool heard = false;
    bool told = false;
    runtime()
        .spawn([&] {
            other = Waker::of_current();
            while (!told) park();
            heard = true;
        })
        .detach();
    runtime().run_once();
    const auto failing = [&] {
        runtime().block_on([&] {
            const AtExit guard([&] {
                told = true;
                other.wake();
            });
            throw std::runtime_error("out of the root");
        });
    };
    EXPECT_THROW(failing(), std::runtime_error);
    other = {};
    runtime().block_on([] { yield_now(); });
    EXPECT_TRUE(heard) << "the wake was kept";
}

TEST_F(SeedRuntime, RT19_event_time_stands_during_a_turn_and_follows_in_the_next) {
    runtime().block_on([this] {
        const TimePoint start = event_time();
        EXPECT_EQ(start, now());
        clock().advance(1ms);
        EXPECT_EQ(event_time(), start) << "cached";
        EXPECT_EQ(now(), start + 1ms);
        for (int i = 0; i < 32; ++i) yield_now(); // it is sampled every 16 runs at the latest
        EXPECT_EQ(event_time(), start + 1ms);
        sleep(1ms);
        EXPECT_EQ(event_time(), now());
    });
}

// --- the other modes ---

TEST(SeedRuntimeBusy, block_on_busy_returns_value) {
    RealTime real({.mode = LoopMode::busy});
    EXPECT_EQ(real.runtime.block_on([] { return 42; }), 42);
}

TEST(SeedRuntimeBusy, block_on_busy_with_spawned_tasks) {
    RealTime real({.mode = LoopMode::busy});
    int ran = 0;
    real.runtime.block_on([&] {
        auto child = spawn([&ran] { ++ran; });
        child.join();
        spawn([&ran] {
            sleep(100us);
            ++ran;
        }).join();
    });
    EXPECT_EQ(ran, 2);
}

/// Writes to descriptors that a thread makes while it wakes a fiber a hundred times, each time after it has parked or
/// is about to.
std::uint64_t writes_of_a_waking_thread(RuntimeOptions options, bool poke_once) {
    static thread_local std::uint64_t writes = 0;
    RealTime real(options);
    std::uint64_t seen = 0;
    real.runtime.block_on([&] {
        base::Atomic<int> step{0};
        Waker me = Waker::of_current();
        std::jthread other([&, waker = me] {
            os::Calls table = os::real_calls();
            table.write = [](int fd, const void* data, std::size_t size) {
                ++writes;
                return os::real_calls().write(fd, data, size);
            };
            const os::CallsOverride override_calls(table);
            for (int i = 1; i <= 100; ++i) {
                step.store_release(i);
                waker.wake();
                while (step.load_acquire() == i) std::this_thread::yield();
            }
            if (poke_once) real.runtime.executor().cross_wake().poker().value()->signal();
            seen = writes;
        });
        for (int i = 1; i <= 100; ++i) {
            while (step.load_acquire() != i) park();
            step.store_release(-i);
        }
        other.join();
    });
    return seen;
}

TEST(SeedRuntimeBusy, CW15_who_wakes_a_busy_loop_makes_no_system_call) {
    EXPECT_EQ(writes_of_a_waking_thread({.mode = LoopMode::busy}, false), 0U);
    EXPECT_EQ(writes_of_a_waking_thread({.mode = LoopMode::busy}, true), 1U) << "the count counts";
}

TEST_F(SeedRuntime, CW26_waking_the_root_on_its_own_thread_makes_no_system_call) {
    runtime().block_on([] {
        const os::Fault<&os::Calls::write> counted(0, 0);
        Waker root = Waker::of_current();
        int told = 0;
        auto other = spawn([&] {
            for (; told < 100; yield_now()) {
                ++told;
                root.wake();
            }
        });
        for (int heard = 0; heard < 100; heard = told) {
            while (heard == told) park();
        }
        other.join();
        EXPECT_EQ(counted.calls_seen(), 0);
    });
}

struct Counter {
    int value = 0;
};

class WithCounter : public SeedRuntime {
    using SeedRuntime::configure;
    void configure(WorldBuilder& builder) override { builder.add<Counter>(); }
};

TEST_F(WithCounter, sleep_in_spawned_task) {
    runtime().block_on([] {
        spawn([](ResMut<Counter> counter) {
            sleep(5ms);
            counter->value = 9;
        }).join();
    });
    EXPECT_EQ(runtime().block_on([](Res<Counter> counter) { return counter->value; }), 9);
}

TEST_F(SeedRuntime, join_handle_detach) {
    int ran = 0;
    runtime().block_on([&ran] {
        {
            auto dropped = spawn([&ran] { ++ran; });
        }
        yield_now();
    });
    EXPECT_EQ(ran, 1);
}

// --- shutdown_quiesce ---

// proves: S-368
TEST(SeedQuiesce, clean_runtime) {
    RealTime real;
    EXPECT_FALSE(real.runtime.shutdown_quiesce(100ms).has_value());
    EXPECT_FALSE(real.runtime.shutdown_quiesce(0ns).has_value());
}

TEST(SeedQuiesce, after_block_on_with_an_unfinished_detached_task) {
    RealTime real;
    bool ended = false;
    real.runtime.block_on([&ended] {
        spawn([&ended] {
            for (int i = 0; i < 10; ++i) yield_now();
            ended = true;
        }).detach();
    });
    EXPECT_FALSE(ended);
    EXPECT_FALSE(real.runtime.shutdown_quiesce(1s).has_value());
    EXPECT_TRUE(ended);
}

// The seed's puts nothing into the queue.
// proves: EX-81
TEST(SeedQuiesce, drains_cross_queue) {
    RealTime real;
    Waker parked;
    Waker gone;
    bool woken = false;
    real.runtime
        .spawn([&] {
            parked = Waker::of_current();
            while (!woken) park();
            yield_now();
        })
        .detach();
    real.runtime.spawn([&gone] { gone = Waker::of_current(); }).detach();
    real.runtime.run_once();
    on_another_thread([&] {
        woken = true;
        parked.wake();
        parked = {};
        gone = {}; // the last reference of a task that has ended
    });
    EXPECT_TRUE(real.runtime.executor().cross_wake().maybe_nonempty());
    EXPECT_EQ(real.runtime.executor().outstanding_tasks(), 2U);
    EXPECT_FALSE(real.runtime.shutdown_quiesce(1s).has_value());
    EXPECT_FALSE(real.runtime.executor().cross_wake().maybe_nonempty());
    EXPECT_EQ(real.runtime.executor().outstanding_tasks(), 0U);
}

// proves: S-367
TEST(SeedQuiesce, EX84_producers_first_then_quiesce_then_destruction) {
    std::shared_ptr<const ShutdownStatsAtomics> stats;
    {
        RealTime real;
        stats = real.runtime.shutdown_stats_handle();
        const ShutdownHandle shutdown = real.runtime.shutdown_handle();
        std::jthread producer;
        real.runtime.block_on([&] {
            auto [tx, rx] = mpsc::channel<int>(4);
            producer = std::jthread([sender = std::move(tx), signal = shutdown.signal()] {
                while (!signal.is_triggered()) (void)sender.try_send(1);
            });
            spawn([receiver = std::move(rx)]() mutable {
                while (receiver.recv()) {}
            }).detach();
            for (int i = 0; i < 10; ++i) yield_now();
        });
        shutdown.trigger();
        producer.join();
        EXPECT_FALSE(real.runtime.shutdown_quiesce(10s).has_value());
    }
    EXPECT_EQ(stats->snapshot(), ShutdownStats{});
}

TEST(SeedQuiesce, timeout_of_a_parked_task) {
    RealTime real;
    real.runtime.spawn([] { park("what never comes"); }).detach();
    real.runtime.run_once();
    const auto left = real.runtime.shutdown_quiesce(20ms);
    ASSERT_TRUE(left.has_value());
    EXPECT_EQ(left->remaining.size(), 1U);
    EXPECT_EQ(left->remaining_references, 0U);
    EXPECT_GE(left->elapsed, 20ms);
    EXPECT_LT(left->elapsed, 10s);
    EXPECT_FALSE(real.runtime.executor().cross_wake().maybe_nonempty());
}

TEST(SeedQuiesce, completed_task_held_by_a_handle) {
    RealTime real;
    auto held = real.runtime.spawn([] { return 5; });
    real.runtime.run_once();
    const auto left = real.runtime.shutdown_quiesce(0ns);
    ASSERT_TRUE(left.has_value());
    EXPECT_TRUE(left->remaining.empty());
    EXPECT_EQ(left->remaining_references, 1U);
    held.detach();
    EXPECT_FALSE(real.runtime.shutdown_quiesce(0ns).has_value());
}

TEST_F(SeedRuntime, EX83_quiesce_fires_no_timer_and_does_no_io) {
    std::array<int, 2> fds{};
    ASSERT_EQ(::pipe2(fds.data(), O_NONBLOCK | O_CLOEXEC), 0);
    const os::Fd reading(fds[0]);
    const os::Fd writing(fds[1]);
    IoSource source(reading.get());
    runtime().spawn({.name = "sleeper"}, [] { sleep(1ms); }).detach();
    runtime()
        .spawn({.name = "reader"},
               [&source] {
                   source.clear_ready(Direction::in);
                   (void)source.wait(Direction::in, "read");
               })
        .detach();
    clock().set_auto_advance(false);
    runtime().run_for(0ns);
    clock().advance(1s);
    ASSERT_EQ(::write(writing.get(), "x", 1), 1);
    const auto left = runtime().shutdown_quiesce(0ns);
    ASSERT_TRUE(left.has_value());
    ASSERT_EQ(left->remaining.size(), 2U) << left->message();
    EXPECT_EQ(left->remaining[0].waiting_for, "sleep") << "its time has come, and nobody looked";
    EXPECT_EQ(left->remaining[1].waiting_for, "read");
    EXPECT_EQ(runtime().run_for(1s), RunStatus::idle);
    EXPECT_FALSE(runtime().shutdown_quiesce(0ns).has_value()) << "the loop did both";
}

// --- shutdown_stats ---

// proves: S-378
TEST(SeedShutdownStats, clean_runtime_zero_counters) {
    std::shared_ptr<const ShutdownStatsAtomics> stats;
    {
        RealTime real;
        stats = real.runtime.shutdown_stats_handle();
        real.runtime.block_on([] { spawn([] {}).join(); });
        EXPECT_EQ(real.runtime.shutdown_stats(), ShutdownStats{});
    }
    EXPECT_EQ(stats->snapshot(), ShutdownStats{});
}

TEST(SeedShutdownStats, handle_outlives_the_runtime) {
    std::shared_ptr<const ShutdownStatsAtomics> stats;
    JoinHandle<int> held;
    {
        RealTime real;
        stats = real.runtime.shutdown_stats_handle();
        held = real.runtime.spawn([] { return 1; });
    }
    EXPECT_EQ(stats->snapshot().unbalanced_normal_shutdowns, 1U);
}

// The seed's asserts nothing about the number.
TEST(SeedShutdownStats, cross_queue_undrained_is_observable) {
    std::shared_ptr<const ShutdownStatsAtomics> stats;
    {
        RealTime real;
        stats = real.runtime.shutdown_stats_handle();
        for (int i = 0; i < 3; ++i) {
            on_another_thread([handle = real.runtime.handle()] { EXPECT_TRUE(handle.spawn([] {})); });
        }
    }
    EXPECT_EQ(stats->snapshot().cross_queue_undrained, 3U);
}

TEST(SeedShutdownStats, two_handles_see_the_same_values) {
    std::shared_ptr<const ShutdownStatsAtomics> one;
    std::shared_ptr<const ShutdownStatsAtomics> two;
    Waker held;
    {
        RealTime real;
        one = real.runtime.shutdown_stats_handle();
        two = real.runtime.shutdown_stats_handle();
        real.runtime.spawn([&held] { held = Waker::of_current(); }).detach();
        real.runtime.run_once();
    }
    EXPECT_EQ(one->snapshot(), two->snapshot());
    EXPECT_EQ(one->snapshot().unbalanced_normal_shutdowns, 1U);
}

TEST(SeedShutdownStats, construct_drop_construct_works) {
    for (int i = 0; i < 3; ++i) {
        RealTime real;
        EXPECT_EQ(real.runtime.block_on([i] { return i; }), i);
    }
}

// --- stress_fuzz ---

// Every body and every capture is destroyed, not only some of them as the seed asks.
TEST(SeedStressFuzz, ten_seeded_rounds) {
    for (unsigned seed = 1; seed <= 10; ++seed) {
        std::mt19937 random(seed);
        Count captures;
        Count locals;
        int spawned = 0;
        std::shared_ptr<const ShutdownStatsAtomics> stats;
        {
            RealTime real;
            stats = real.runtime.shutdown_stats_handle();
            real.runtime.block_on([&] {
                auto [tx, rx] = local::channel<int>(4);
                CancellationToken token;
                std::vector<JoinHandle<int>> handles;
                auto& receiver = rx;
                const auto start = [&](auto body) {
                    ++spawned;
                    handles.push_back(spawn([&locals, body, held = Counted(captures)]() mutable {
                        const Counted local(locals);
                        body();
                        return held.value;
                    }));
                };
                for (int step = 0; step < 100; ++step) {
                    switch (random() % 7) {
                    case 0: start([] {}); break;
                    case 1:
                        start([turns = random() % 5] {
                            for (unsigned i = 0; i < turns; ++i) yield_now();
                        });
                        break;
                    case 2: start([sender = tx] { (void)sender.send(1); }); break;
                    case 3: start([child = token.child()] { child.cancelled(); }); break;
                    case 4: (void)receiver.try_recv(); break;
                    case 5:
                        if (!handles.empty()) (void)handles[random() % handles.size()].abort();
                        break;
                    default: yield_now(); break;
                    }
                }
                if (seed % 2 == 0) token.cancel(); // else some are alive at the end
            });
        }
        EXPECT_GT(spawned, 30) << seed;
        EXPECT_GE(captures.made, spawned) << seed;
        EXPECT_EQ(captures.alive(), 0) << seed;
        EXPECT_EQ(locals.alive(), 0) << seed;
        EXPECT_EQ(stats->snapshot(), ShutdownStats{}) << seed;
    }
}

} // namespace
