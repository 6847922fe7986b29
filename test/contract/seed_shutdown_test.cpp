// Shutdown and World access: sections 8.3 and 8.4 of the contract, and the seed's tests of shutdown.rs and
// world_ctx.rs.
#include "nexus/base/usage_error.hpp"
#include "nexus/runtime/runtime.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/sync.hpp"
#include "nexus/testing/gtest.hpp"

#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace nexus;

struct Counter {
    int value = 0;
};

class SeedShutdown : public nexus::testing::RuntimeTest {
protected:
    using nexus::testing::RuntimeTest::configure;
    void configure(WorldBuilder& builder) override { builder.add<Counter>(); }
};

// --- shutdown.rs ---

// proves: SH-1, SH-2
TEST_F(SeedShutdown, shutdown_handle_trigger) {
    const ShutdownHandle handle = runtime().shutdown_handle();
    const ShutdownHandle copy = handle;
    EXPECT_FALSE(handle.is_shutdown());
    copy.trigger();
    EXPECT_TRUE(handle.is_shutdown());
    copy.trigger();
    EXPECT_TRUE(handle.is_shutdown());
}

// proves: SH-3
TEST_F(SeedShutdown, shutdown_signal_resolves_after_trigger) {
    runtime().block_on([this] {
        const ShutdownHandle handle = runtime().shutdown_handle();
        auto waiter = spawn([signal = handle.signal()] { signal.wait(); });
        yield_now();
        EXPECT_FALSE(waiter.is_finished());
        handle.trigger();
        waiter.join();
    });
}

TEST_F(SeedShutdown, shutdown_signal_current_resolves_after_trigger) {
    runtime().block_on([this] {
        auto waiter = spawn([] { ShutdownSignal::current().wait(); });
        yield_now();
        runtime().shutdown_handle().trigger();
        waiter.join();
    });
}

// One signal, waited for by one fiber, then by another: the second is the one to wake.
TEST_F(SeedShutdown, A28_shutdown_signal_waker_updates_on_repoll) {
    runtime().block_on([this] {
        const ShutdownHandle handle = runtime().shutdown_handle();
        const ShutdownSignal signal = handle.signal();
        auto first = spawn([&signal] {
            EXPECT_EQ(timeout(1ms, [&signal] { signal.wait(); }).error(), errc::timed_out);
            park("something else");
            ADD_FAILURE() << "woken by a wait that is over";
        });
        sleep(2ms);
        auto second = spawn([&signal] { signal.wait(); });
        yield_now();
        EXPECT_EQ(signal.cancel_state()->waiter_count(), 1U);
        handle.trigger();
        second.join();
        EXPECT_FALSE(first.is_finished());
        EXPECT_TRUE(first.abort());
        EXPECT_THROW(first.join(), TaskAborted);
    });
}

TEST_F(SeedShutdown, shutdown_signal_already_triggered) {
    runtime().shutdown_handle().trigger();
    runtime().block_on([this] {
        const TimePoint start = now();
        ShutdownSignal::current().wait();
        EXPECT_EQ(now(), start);
        EXPECT_EQ(clock().jumps(), 0U);
    });
}

TEST_F(SeedShutdown, SH5_a_second_block_on_finds_it_triggered) {
    runtime().block_on([this] { runtime().shutdown_handle().trigger(); });
    const bool seen = runtime().block_on([](ShutdownSignal stop) {
        stop.wait();
        return stop.is_triggered();
    });
    EXPECT_TRUE(seen);
}

TEST_F(SeedShutdown, SH7_a_shutdown_ends_nothing_by_itself) {
    runtime().block_on([this] {
        auto [tx, rx] = local::channel<int>(1);
        auto waiting = spawn([receiver = std::move(rx)]() mutable { return receiver.recv().value(); });
        auto sleeping = spawn([] { sleep(1h); });
        yield_now();
        runtime().shutdown_handle().trigger();
        sleep(10ms);
        EXPECT_FALSE(waiting.is_finished());
        EXPECT_FALSE(sleeping.is_finished());
        EXPECT_TRUE(tx.send(4)) << "everything works on";
        EXPECT_EQ(waiting.join(), 4);
        sleeping.join();
    });
}

TEST(SeedSignals, SH8_handlers_can_be_installed_by_a_call) {
    World world = WorldBuilder{}.build();
    Runtime runtime{world};
    runtime.install_signal_handlers();
    runtime.block_on([](ShutdownSignal stop) {
        EXPECT_EQ(std::raise(SIGINT), 0);
        stop.wait();
    });
    EXPECT_TRUE(runtime.shutdown_handle().is_shutdown());
}

// --- world_ctx.rs ---

TEST(SeedWorldCtx, current_panics_outside_runtime) { EXPECT_THROW((void)WorldCtx::current(), UsageError); }

// proves: WC-1, WorldCtx
TEST_F(SeedShutdown, with_world_raw_access) {
    runtime().block_on([] {
        const WorldCtx context = WorldCtx::current();
        const WorldCtx copy = context;
        static_assert(sizeof(WorldCtx) == sizeof(void*) && std::is_trivially_copyable_v<WorldCtx>);
        copy.with_world([](World& world) { world.res_mut<Counter>()->value = 6; });
        EXPECT_EQ(context.with_world([](World& world) { return world.res<Counter>()->value; }), 6);
    });
    EXPECT_EQ(world().res<Counter>()->value, 6);
}

// proves: WC-1
TEST_F(SeedShutdown, with_world_ref_read_only) {
    world().res_mut<Counter>()->value = 3;
    runtime().block_on([] {
        const int seen = WorldCtx::current().with_world_ref([](const World& shared) {
            static_assert(std::is_const_v<std::remove_reference_t<decltype(shared)>>);
            return shared.res<Counter>()->value;
        });
        EXPECT_EQ(seen, 3);
    });
}

// proves: WC-4
TEST_F(SeedShutdown, with_world_pre_resolved_handler) {
    auto add = world().resolve([](ResMut<Counter> counter, int by) { return counter->value += by; });
    runtime().block_on([&add] {
        const WorldCtx context = WorldCtx::current();
        for (int i = 1; i <= 3; ++i) context.with_world([&](World&) { add(i); });
    });
    EXPECT_EQ(world().res<Counter>()->value, 6);
}

TEST_F(SeedShutdown, with_world_returns_value) {
    runtime().block_on([] {
        const WorldCtx context = WorldCtx::current();
        EXPECT_EQ(context.with_world([](World&) { return std::string("out"); }), "out");
        EXPECT_THROW(context.with_world([](World&) -> int { throw std::logic_error("through"); }), std::logic_error);
        EXPECT_EQ(context.with_world([](World&) { return 1; }), 1) << "the region was left";
    });
}

// proves: WC-4
TEST_F(SeedShutdown, multiple_tasks_share_ctx) {
    runtime().block_on([] {
        const WorldCtx context = WorldCtx::current();
        std::vector<JoinHandle<void>> tasks;
        for (int i = 0; i < 5; ++i) {
            tasks.push_back(spawn([context] {
                for (int turn = 0; turn < 4; ++turn) {
                    context.with_world([](World& world) { ++world.res_mut<Counter>()->value; });
                    yield_now();
                }
            }));
        }
        for (auto& task : tasks) task.join();
    });
    EXPECT_EQ(world().res<Counter>()->value, 20);
}

TEST(SeedWorldCtx, WC5_the_world_is_not_the_runtimes) {
    WorldBuilder builder;
    builder.add<Counter>();
    World world = builder.build();
    for (int life = 1; life <= 2; ++life) {
        Runtime runtime{world};
        runtime.block_on([](ResMut<Counter> counter) { ++counter->value; });
    }
    EXPECT_EQ(world.res<Counter>()->value, 2);
}

} // namespace
