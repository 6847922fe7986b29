// What a value costs on its way through a channel: the seed's channel_latency measurements under their names, and the
// channels that it does not have. Time is that of one value; *_cross_thread streams from a plain thread to a fiber.
#include "nexus/nexus.hpp"
#include "nexus/sync/sync.hpp"

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace nexus;

constexpr std::int64_t batch = 1024;

template <class Body>
void in_runtime(Body&& body) {
    World world = WorldBuilder{}.build();
    Runtime runtime{world};
    runtime.block_on(std::forward<Body>(body));
}

void count(benchmark::State& state) { state.SetItemsProcessed(state.iterations() * batch); }

// --- rings ---

template <class Ring>
void push_one(Ring& ring, std::int64_t value) {
    benchmark::DoNotOptimize(ring.try_push(value));
}

void spsc_raw_ring(benchmark::State& state) {
    detail::BasicSpscRing<std::int64_t> ring(batch);
    for (auto _ : state) {
        push_one(ring, 1);
        benchmark::DoNotOptimize(ring.front());
        ring.drop_front();
    }
}
BENCHMARK(spsc_raw_ring);

void mpsc_raw_ring(benchmark::State& state) {
    detail::BasicMpscRing<std::int64_t> ring(batch);
    for (auto _ : state) {
        push_one(ring, 1);
        ring.try_pop([](std::int64_t&& value) { benchmark::DoNotOptimize(value); });
    }
}
BENCHMARK(mpsc_raw_ring);

// --- try forms, one thread ---

template <class Channel>
void try_send_recv(benchmark::State& state, Channel ch) {
    for (auto _ : state) {
        benchmark::DoNotOptimize(ch.sender.try_send(std::int64_t{1}));
        benchmark::DoNotOptimize(ch.receiver.try_recv());
    }
}
void local_try_send_recv(benchmark::State& state) { try_send_recv(state, local::channel<std::int64_t>(64)); }
void mpsc_channel_try(benchmark::State& state) { try_send_recv(state, mpsc::channel<std::int64_t>(64)); }
void spsc_channel_try(benchmark::State& state) { try_send_recv(state, spsc::channel<std::int64_t>(64)); }
BENCHMARK(local_try_send_recv);
BENCHMARK(mpsc_channel_try);
BENCHMARK(spsc_channel_try);

// --- waiting forms, two fibers of one thread ---

/// A fiber sends batches through a channel of the given capacity; this one receives them.
template <class Channel>
void between_fibers(benchmark::State& state, Channel ch) {
    in_runtime([&] {
        bool stop = false;
        auto feed = spawn([&stop, sender = std::move(ch.sender)]() mutable {
            while (!stop && sender.send(std::int64_t{1})) {}
        });
        for (auto _ : state) {
            for (std::int64_t i = 0; i < batch; ++i) benchmark::DoNotOptimize(ch.receiver.recv());
        }
        stop = true;
        ch.receiver = {};
        feed.join();
    });
    count(state);
}
void local_async(benchmark::State& state) { between_fibers(state, local::channel<std::int64_t>(64)); }
void mpsc_async(benchmark::State& state) { between_fibers(state, mpsc::channel<std::int64_t>(64)); }
void spsc_async(benchmark::State& state) { between_fibers(state, spsc::channel<std::int64_t>(64)); }
void local_ping_pong(benchmark::State& state) { between_fibers(state, local::channel<std::int64_t>(1)); }
void spsc_ping_pong(benchmark::State& state) { between_fibers(state, spsc::channel<std::int64_t>(1)); }
BENCHMARK(local_async);
BENCHMARK(mpsc_async);
BENCHMARK(spsc_async);
BENCHMARK(local_ping_pong);
BENCHMARK(spsc_ping_pong);

// --- a stream from another thread ---

template <class Channel>
void from_a_thread(benchmark::State& state, Channel ch) {
    std::atomic<bool> stop = false;
    std::jthread feed([&stop, sender = std::move(ch.sender)]() mutable {
        while (!stop.load(std::memory_order_relaxed)) (void)sender.try_send(std::int64_t{1});
    });
    in_runtime([&] {
        for (auto _ : state) {
            for (std::int64_t i = 0; i < batch; ++i) benchmark::DoNotOptimize(ch.receiver.recv());
        }
    });
    stop = true;
    count(state);
}
void mpsc_cross_thread(benchmark::State& state) {
    from_a_thread(state, mpsc::channel<std::int64_t>(static_cast<std::size_t>(state.range(0))));
}
void spsc_cross_thread(benchmark::State& state) {
    from_a_thread(state, spsc::channel<std::int64_t>(static_cast<std::size_t>(state.range(0))));
}
BENCHMARK(mpsc_cross_thread)->Arg(64)->Arg(1024)->UseRealTime();
BENCHMARK(spsc_cross_thread)->Arg(64)->Arg(1024)->UseRealTime();

// --- one to many ---

void broadcast_to(benchmark::State& state) {
    auto ch = broadcast::channel<std::int64_t>(64);
    std::vector<broadcast::Receiver<std::int64_t>> receivers;
    for (std::int64_t i = 1; i < state.range(0); ++i) receivers.push_back(ch.sender.subscribe());
    receivers.push_back(std::move(ch.receiver));
    for (auto _ : state) {
        benchmark::DoNotOptimize(ch.sender.send(std::int64_t{1}));
        for (auto& receiver : receivers) benchmark::DoNotOptimize(receiver.try_recv());
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(broadcast_to)->Arg(1)->Arg(100);

void watch_change(benchmark::State& state) {
    auto ch = watch::channel(std::int64_t{0});
    for (auto _ : state) {
        ch.sender.send(1);
        benchmark::DoNotOptimize(ch.receiver.try_recv());
    }
}
BENCHMARK(watch_change);

void oneshot_made_and_answered(benchmark::State& state) {
    for (auto _ : state) {
        auto ch = oneshot::channel<std::int64_t>();
        benchmark::DoNotOptimize(ch.sender.send(std::int64_t{1}));
        benchmark::DoNotOptimize(ch.receiver.try_recv());
    }
}
BENCHMARK(oneshot_made_and_answered);

} // namespace

BENCHMARK_MAIN();
