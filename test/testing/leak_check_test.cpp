// LeakCheck finds what a test plants, and the fixture that uses it fails then, and only then.
#include "nexus/testing/leak_check.hpp"

#include "nexus/base/borrow.hpp"
#include "nexus/nexus.hpp"
#include "nexus/testing/gtest.hpp"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <array>
#include <fcntl.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using nexus::testing::LeakCheck;

using Lines = std::vector<std::string>;

std::string text(const Lines& lines) {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
}
bool mentions(const Lines& lines, const std::string& part) { return text(lines).find(part) != std::string::npos; }

class LeakCheckTest : public ::testing::Test {
protected:
    LeakCheck leaks;
    nexus::World world = nexus::WorldBuilder{}.add<int>(0).build();
    std::optional<nexus::Runtime> runtime{std::in_place, world};

    nexus::ShutdownStats end_runtime() {
        const auto stats = runtime->shutdown_stats_handle();
        runtime.reset();
        return stats->snapshot();
    }
};

TEST_F(LeakCheckTest, says_nothing_when_everything_was_given_back) {
    runtime->block_on([] {
        nexus::TaskGroup group;
        for (int i = 0; i < 100; ++i) group.spawn([] { nexus::sleep(1us); });
        group.join_all();
        auto listener = nexus::TcpListener::bind("127.0.0.1:0").value();
        (void)nexus::timeout(5ms, [&] { return listener.accept(); });
    });
    EXPECT_EQ(text(leaks.problems_in(*runtime)), "");
    EXPECT_EQ(text(leaks.problems_after(end_runtime())), "");
}

TEST_F(LeakCheckTest, finds_a_fiber_with_its_name_and_its_wait) {
    runtime->block_on([] {
        nexus::spawn({.name = "forgotten"}, [] { nexus::park("an answer"); }).detach();
        nexus::yield_now();
    });
    const Lines problems = leaks.problems_in(*runtime);
    EXPECT_TRUE(mentions(problems, "fiber \"forgotten\" spawned at ")) << text(problems);
    EXPECT_TRUE(mentions(problems, "is alive, waits for an answer\n")) << text(problems);
    EXPECT_TRUE(mentions(problems, "1 stacks in use")) << text(problems);
    EXPECT_FALSE(mentions(problems, "timers")) << text(problems);
}

TEST_F(LeakCheckTest, finds_a_timer) {
    nexus::time::TimerNode timer;
    timer.fire = [](nexus::time::TimerNode&) noexcept {};
    runtime->executor().timers().arm(timer, nexus::time::never - 1);
    EXPECT_EQ(text(leaks.problems_in(*runtime)), "1 timers armed\n");
    runtime->executor().timers().cancel(timer);
    EXPECT_EQ(text(leaks.problems_in(*runtime)), "");
}

TEST_F(LeakCheckTest, finds_a_registered_descriptor) {
    auto listener = nexus::TcpListener::bind("127.0.0.1:0").value();
    runtime->block_on([&] {
        auto waiter = nexus::spawn([&] { (void)listener.accept(); });
        nexus::yield_now(); // it registers
        waiter.abort();
        EXPECT_THROW(waiter.join(), nexus::TaskAborted);
    });
    EXPECT_EQ(text(leaks.problems_in(*runtime)), "1 descriptors registered\n");
    const Lines after = leaks.problems_after(end_runtime());
    EXPECT_TRUE(mentions(after, "descriptor left open: " + std::to_string(listener.fd()) + " -> socket:"))
        << text(after);
    listener.close();
}

TEST_F(LeakCheckTest, finds_an_open_descriptor_of_any_kind) {
    const nexus::os::Fd opened(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(text(leaks.problems_after(end_runtime())),
              "descriptor left open: " + std::to_string(opened.get()) + " -> /dev/null\n");
}

TEST_F(LeakCheckTest, does_not_mind_what_was_open_before) {
    const nexus::os::Fd opened(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const LeakCheck later;
    EXPECT_FALSE(mentions(later.problems_after(end_runtime()), "/dev/null"));
}

TEST_F(LeakCheckTest, finds_a_handle_on_an_ended_fiber) {
    auto kept = runtime->spawn([] { return 7; });
    runtime->block_on([] {});
    EXPECT_EQ(text(leaks.problems_in(*runtime)), "1 ended fibers are still referred to\n");
    kept.detach();
    EXPECT_EQ(text(leaks.problems_in(*runtime)), "");
}

TEST_F(LeakCheckTest, finds_a_borrow_violation_that_was_only_counted) {
#if !NEXUS_BORROW_CHECKS
    GTEST_SKIP() << "built with borrow_checks=false";
#endif
    struct Farewell {
        nexus::ResMut<int> value;
        ~Farewell() { ++*value.operator->(); } // while the outer guard lives
    };
    world.run([](nexus::ResMut<int> value) {
        try {
            auto guard = value.borrow();
            const Farewell farewell{value};
            throw std::runtime_error("rejected");
        } catch (const std::runtime_error&) {}
    });
    EXPECT_EQ(text(leaks.problems_in(*runtime)), "1 borrow violations during unwinding\n");
}

/// The fixture, driven by hand: its failures are what the test looks at.
template <class Body>
class Staged : public nexus::testing::RuntimeTest {
public:
    explicit Staged(Body body) : body_(std::move(body)) {}
    /// What the fixture complains about.
    Lines failures() {
        ::testing::TestPartResultArray seen;
        {
            const ::testing::ScopedFakeTestPartResultReporter reporter(
                ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &seen);
            SetUp();
            run_in_fiber(std::ref(body_));
            TearDown();
        }
        Lines lines;
        for (int i = 0; i < seen.size(); ++i) lines.emplace_back(seen.GetTestPartResult(i).message());
        return lines;
    }

private:
    void TestBody() override {}
    Body body_;
};
template <class Body>
Lines failures_of(Body body) {
    return Staged<Body>(std::move(body)).failures();
}

TEST(RuntimeTest, passes_when_the_body_gives_everything_back) {
    EXPECT_EQ(text(failures_of([] { nexus::spawn([] { nexus::sleep(1h); }).join(); })), "");
}

TEST(RuntimeTest, fails_for_a_planted_fiber_timer_and_stack) {
    const Lines failures = failures_of([] {
        nexus::spawn({.name = "forgotten"}, [] { nexus::sleep(1h); }).detach();
        nexus::yield_now();
    });
    EXPECT_TRUE(mentions(failures, "left behind: fiber \"forgotten\"")) << text(failures);
    EXPECT_TRUE(mentions(failures, "waits for sleep")) << text(failures);
    EXPECT_TRUE(mentions(failures, "left behind: 1 timers armed")) << text(failures);
    EXPECT_TRUE(mentions(failures, "left behind: 1 stacks in use")) << text(failures);
    EXPECT_EQ(failures.size(), 3U) << text(failures);
}

TEST(RuntimeTest, fails_for_a_planted_descriptor) {
    nexus::os::Fd opened;
    const Lines failures = failures_of([&] { opened.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC)); });
    EXPECT_EQ(failures.size(), 1U) << text(failures);
    EXPECT_TRUE(mentions(failures, "descriptor left open: ")) << text(failures);
}

TEST(RuntimeTest, fails_for_an_exception_that_leaves_the_body) {
    const Lines failures = failures_of([] { throw std::runtime_error("wrong turn"); });
    EXPECT_EQ(text(failures), "Failed\nan exception left the test: wrong turn\n");
}

TEST(RuntimeTest, an_assertion_leaves_only_the_body) {
    const Lines failures = failures_of([] {
        ASSERT_TRUE(nexus::Runtime::current() == nullptr) << "on purpose";
        ADD_FAILURE() << "went on";
    });
    EXPECT_EQ(failures.size(), 1U) << text(failures);
    EXPECT_TRUE(mentions(failures, "on purpose")) << text(failures);
}

} // namespace
