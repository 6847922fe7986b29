// What a timer costs: arming and cancelling one (every wait with a timeout does that), alone and beside a million
// others, and arming and firing batches.
#include "nexus/time/timer_wheel.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace {

using nexus::time::TimerNode;
using nexus::time::TimerWheel;

constexpr std::int64_t second = 1'000'000'000;

void ignore(TimerNode& /*node*/) noexcept {}

std::vector<TimerNode> make_timers(std::size_t count) {
    std::vector<TimerNode> timers(count);
    for (TimerNode& timer : timers) timer.fire = &ignore;
    return timers;
}

void arm_and_cancel_beside(benchmark::State& state) {
    std::vector<TimerNode> pending = make_timers(static_cast<std::size_t>(state.range(0)));
    TimerWheel wheel{0};
    std::mt19937_64 random{1};
    for (TimerNode& timer : pending) {
        wheel.arm(timer, second + static_cast<std::int64_t>(random() % (3600ULL * second)));
    }
    TimerNode one;
    one.fire = &ignore;
    std::int64_t deadline = 5 * second;
    for (auto _ : state) {
        wheel.arm(one, deadline += 100);
        benchmark::DoNotOptimize(wheel.next_deadline());
        wheel.cancel(one);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(arm_and_cancel_beside)->Arg(0)->Arg(1000)->Arg(1'000'000);

void advance_with_nothing_due(benchmark::State& state) {
    TimerNode one;
    TimerWheel wheel{0};
    wheel.arm(one, 3600 * second);
    std::int64_t now = 0;
    for (auto _ : state) benchmark::DoNotOptimize(wheel.advance(++now));
}
BENCHMARK(advance_with_nothing_due);

/// One timer that re-arms for 1 ms later, beside `range` that are an hour away.
void periodic_beside(benchmark::State& state) {
    std::vector<TimerNode> pending = make_timers(static_cast<std::size_t>(state.range(0)));
    TimerWheel wheel{0};
    std::int64_t now = 0;
    TimerNode one;
    one.fire = &ignore;
    for (auto _ : state) {
        // The far ones are moved on before time reaches them, so that they never fire.
        if (now % (1800 * second) == 0) {
            state.PauseTiming();
            for (TimerNode& timer : pending) wheel.arm(timer, now + 3600 * second);
            state.ResumeTiming();
        }
        wheel.arm(one, now += 1'000'000);
        benchmark::DoNotOptimize(wheel.advance(now));
    }
}
BENCHMARK(periodic_beside)->Arg(0)->Arg(2000)->Arg(200'000);

/// Arms `range` timers with random deadlines within a second, then fires them in steps of 1 ms; per timer.
void arm_and_fire_batch(benchmark::State& state) {
    std::vector<TimerNode> timers = make_timers(static_cast<std::size_t>(state.range(0)));
    TimerWheel wheel{0};
    std::mt19937_64 random{1};
    std::int64_t now = 0;
    for (auto _ : state) {
        for (TimerNode& timer : timers) wheel.arm(timer, now + static_cast<std::int64_t>(random() % second));
        for (const std::int64_t end = now + second; now < end;) {
            now += 1'000'000;
            benchmark::DoNotOptimize(wheel.advance(now));
        }
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(arm_and_fire_batch)->Arg(1000)->Arg(100'000);

} // namespace

BENCHMARK_MAIN();
