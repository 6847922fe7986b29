// GoogleTest fixtures: a test whose body is a fiber, on a manual clock, checked for leaks at its end.
//
//     NEXUS_TEST(Heartbeat, comes_every_second) {          // the body may wait: sleep, channels, sockets ...
//         nexus::sleep(1s);                                // takes no real time
//         EXPECT_EQ(...);
//     }
//
// For a World of one's own derive from RuntimeTest, override configure(), and use NEXUS_TEST_F. ASSERT_* leave the body
// only, as usual. The header needs GoogleTest; the library does not.
#pragma once

#include "nexus/testing/leak_check.hpp"
#include "nexus/testing/manual_clock.hpp"
#include "nexus/testing/seeded_choice.hpp"
#include "nexus/world/builder.hpp"

#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <optional>

namespace nexus::testing {

class RuntimeTest : public ::testing::Test {
protected:
    /// Registers resources.
    virtual void configure(WorldBuilder& /*builder*/) {}
    /// Chooses options; strict borrows are on.
    virtual void configure(RuntimeOptions& options) { options.strict_borrows = true; }
    /// False for tests that need real time.
    [[nodiscard]] virtual bool manual_time() const { return true; }

    void SetUp() override {
        WorldBuilder builder;
        configure(builder);
        world_.emplace(builder.build());
        RuntimeOptions options;
        configure(options);
        runtime_.emplace(*world_, options);
        stats_ = runtime_->shutdown_stats_handle();
        if (manual_time()) clock_.attach(*runtime_);
    }

    void TearDown() override {
        if (!runtime_) return;
        for (const std::string& problem : leaks_.problems_in(*runtime_)) ADD_FAILURE() << "left behind: " << problem;
        runtime_.reset();
        world_.reset();
        for (const std::string& problem : leaks_.problems_after(stats_->snapshot())) ADD_FAILURE() << problem;
    }

    /// Runs `body` as the root fiber; an exception fails the test.
    template <class Body>
    void run_in_fiber(Body&& body) {
        try {
            runtime_->block_on(std::forward<Body>(body));
        } catch (const std::exception& error) {
            ADD_FAILURE() << "an exception left the test: " << error.what();
        }
    }

    [[nodiscard]] Runtime& runtime() { return *runtime_; }
    [[nodiscard]] World& world() { return *world_; }
    [[nodiscard]] ManualClock& clock() { return clock_; }

private:
    LeakCheck leaks_; // first: sees the process before the runtime
    ManualClock clock_;
    std::optional<World> world_;
    std::optional<Runtime> runtime_;
    std::shared_ptr<const ShutdownStatsAtomics> stats_;
};

} // namespace nexus::testing

#define NEXUS_TEST_CLASS_(suite, name) suite##_##name##_FiberTest

/// A test on `fixture` (derived from RuntimeTest) whose body is a fiber.
#define NEXUS_TEST_F(fixture, name)                                                                                    \
    class NEXUS_TEST_CLASS_(fixture, name) : public fixture {                                                          \
    public:                                                                                                            \
        void fiber_body();                                                                                             \
    };                                                                                                                 \
    TEST_F(NEXUS_TEST_CLASS_(fixture, name), runs) {                                                                   \
        run_in_fiber([this] { fiber_body(); });                                                                        \
    }                                                                                                                  \
    void NEXUS_TEST_CLASS_(fixture, name)::fiber_body()

/// A test whose body is a fiber of a fresh runtime on a manual clock.
#define NEXUS_TEST(suite, name)                                                                                        \
    class NEXUS_TEST_CLASS_(suite, name) : public ::nexus::testing::RuntimeTest {                                      \
    public:                                                                                                            \
        void fiber_body();                                                                                             \
    };                                                                                                                 \
    TEST_F(NEXUS_TEST_CLASS_(suite, name), runs) {                                                                     \
        run_in_fiber([this] { fiber_body(); });                                                                        \
    }                                                                                                                  \
    void NEXUS_TEST_CLASS_(suite, name)::fiber_body()
