// await_callback: callback APIs, from whatever thread, awaited by a fiber.
#include "nexus/compat/await_callback.hpp"

#include "nexus/runtime/time.hpp"
#include "nexus/sync/cancellation_token.hpp"
#include "nexus/testing/gtest.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using nexus::Completion;
using nexus::errc;
using namespace std::chrono_literals;

NEXUS_TEST(AwaitCallback, the_value_of_a_callback_that_comes_at_once)
{
    EXPECT_EQ(nexus::await_callback<int>([](Completion<int> done) { EXPECT_TRUE(done(42)); }).value(), 42);
    EXPECT_TRUE(nexus::await_callback([](Completion<> done) { done(); }));
    EXPECT_EQ(*nexus::await_callback<std::unique_ptr<int>>([](auto done) { done(std::make_unique<int>(7)); }).value(),
              7);
}

NEXUS_TEST(AwaitCallback, the_value_of_a_callback_on_another_thread)
{
    std::thread thread;
    const auto value = nexus::await_callback<std::string>([&](Completion<std::string> done) {
        thread = std::thread([done = std::move(done)] { done("from elsewhere"); });
    });
    EXPECT_EQ(value.value(), "from elsewhere");
    thread.join();
}

NEXUS_TEST(AwaitCallback, others_run_meanwhile)
{
    std::optional<Completion<int>> kept;
    auto waiter = nexus::spawn([&] { return nexus::await_callback<int>([&](auto done) { kept = done; }).value(); });
    nexus::yield_now();
    EXPECT_FALSE(waiter.is_finished());
    (*kept)(3);
    kept.reset();
    EXPECT_EQ(waiter.join(), 3);
}

NEXUS_TEST(AwaitCallback, the_first_call_counts)
{
    EXPECT_EQ(nexus::await_callback<int>([](Completion<int> done) {
                  EXPECT_TRUE(done(1));
                  EXPECT_FALSE(done(2));
                  EXPECT_FALSE(done.fail(std::make_exception_ptr(std::runtime_error("late"))));
              }).value(),
              1);
}

NEXUS_TEST(AwaitCallback, failures_are_rethrown)
{
    EXPECT_THROW((void)nexus::await_callback<int>(
                     [](Completion<int> done) { done.fail(std::make_exception_ptr(std::out_of_range("x"))); }),
                 std::out_of_range);
    EXPECT_THROW((void)nexus::await_callback<int>([](const Completion<int>&) { throw std::logic_error("start"); }),
                 std::logic_error);
}

NEXUS_TEST(AwaitCallback, a_callback_that_is_dropped_ends_the_wait)
{
    EXPECT_EQ(nexus::await_callback<int>([](const Completion<int>&) {}).error(), errc::closed);
    std::optional<Completion<int>> kept;
    auto waiter = nexus::spawn([&] { return nexus::await_callback<int>([&](auto done) { kept = done; }).error(); });
    nexus::yield_now();
    kept.reset();
    EXPECT_EQ(waiter.join(), errc::closed);
}

NEXUS_TEST(AwaitCallback, a_call_after_the_wait_has_ended_is_harmless)
{
    std::optional<Completion<std::unique_ptr<int>>> kept;
    const auto outcome = nexus::timeout(
        1ms, [&] { return nexus::await_callback<std::unique_ptr<int>>([&](auto done) { kept = done; }); });
    EXPECT_EQ(outcome.error(), errc::timed_out);
    EXPECT_TRUE((*kept)(std::make_unique<int>(1))) << "taken, and destroyed with the last copy";
}

NEXUS_TEST(AwaitCallback, an_ended_scope_does_not_even_start)
{
    nexus::CancellationToken token;
    int started = 0;
    nexus::until(token, [&] {
        token.cancel();
        EXPECT_EQ(nexus::await_callback([&](const Completion<>&) { ++started; }).error(), errc::cancelled);
    });
    EXPECT_EQ(started, 0);
}

NEXUS_TEST(AwaitCallback, through_a_c_interface)
{
    using Callback = void (*)(int, void*);
    const auto c_api = [](Callback callback, void* user) { callback(5, user); };
    EXPECT_EQ(nexus::await_callback<int>([&](const Completion<int>& done) {
                  c_api([](int value, void* user) { Completion<int>::from_raw(user)(value); }, done.into_raw());
              }).value(),
              5);
}

TEST(AwaitCallbackOutside, is_a_usage_error) {
    EXPECT_THROW((void)nexus::await_callback([](const Completion<>&) {}), nexus::UsageError);
}

TEST(AwaitCallbackOutside, a_completion_may_outlive_the_runtime) {
    std::optional<Completion<int>> kept;
    {
        nexus::World world = nexus::WorldBuilder{}.build();
        nexus::Runtime runtime{world};
        runtime.block_on([&] {
            nexus::spawn([&] { (void)nexus::await_callback<int>([&](auto done) { kept = done; }); }).detach();
            nexus::yield_now();
        });
    }
    (*kept)(1);
}

} // namespace
