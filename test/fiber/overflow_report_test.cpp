// The overflow report: one readable line before the process ends, and no say in any other fault.
#include "nexus/base/usage_error.hpp"
#include "nexus/exec/executor.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/fiber/overflow_report.hpp"
#include "test/system/under_valgrind.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace {

using namespace nexus;

[[gnu::noinline]] int use_up_the_stack(int depth) {
    volatile char frame[1024];
    frame[0] = static_cast<char>(depth);
    return depth < 0 ? 0 : use_up_the_stack(depth + 1) + frame[0];
}

/// What the running fiber of an executor is called.
OverflowReport::Fiber describe(void* context) noexcept {
    const detail::Task* task = static_cast<Executor*>(context)->running_task();
    if (task == nullptr) return {};
    return {task->name(), task->spawn_site};
}

void overflow_in_a_fiber(bool from_outside_first) {
    Executor executor;
    const OverflowReport report(executor.stacks(), &describe, &executor);
    if (from_outside_first) executor.spawn_boxed([] {}, {.name = "innocent"}).detach();
    executor.spawn_boxed([] { (void)use_up_the_stack(0); }, {.name = "recursive"}).detach();
    executor.poll();
}

bool faults_are_reported() {
    StackPool pool;
    const Stack* stack = pool.acquire(pool.size_class(64 * 1024)).value();
    return stack->guard == GuardKind::lightweight || stack->guard == GuardKind::protected_;
}

class OverflowReportDeathTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (!faults_are_reported()) GTEST_SKIP() << "stacks have no guards in this build";
    }
};

TEST_F(OverflowReportDeathTest, names_fiber_spawn_site_size_and_what_to_raise) {
    EXPECT_DEATH(overflow_in_a_fiber(true),
                 "nexus: stack overflow: fiber \"recursive\", spawned at .*, used up its stack of 6[0-9] KiB; raise "
                 "stack_size .root_stack_size for the body of block_on., or SpawnOptions::stack_size for this fiber");
}

extern "C" void previous_handler(int, siginfo_t*, void*) {
    constexpr char text[] = "the handler before was asked\n";
    (void)!::write(STDERR_FILENO, text, sizeof(text) - 1);
    std::_Exit(3);
}

void fault_outside_any_guard() {
    struct sigaction action {};
    action.sa_sigaction = &previous_handler;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, nullptr);
    Executor executor;
    const OverflowReport report(executor.stacks(), &describe, &executor);
    executor
        .spawn_boxed([] {
            volatile std::uintptr_t nowhere = 8;
            // SAFETY: none; a fault is what is wanted.
            *reinterpret_cast<volatile int*>(nowhere) = 1; // NOLINT(performance-no-int-to-ptr)
        })
        .detach();
    executor.poll();
}

TEST_F(OverflowReportDeathTest, passes_other_faults_to_the_handler_that_was_there) {
    if (nexus::test::under_valgrind()) GTEST_SKIP() << "it reports the fault itself";
    EXPECT_EXIT(fault_outside_any_guard(), ::testing::ExitedWithCode(3), "the handler before was asked");
}

void fault_after_the_report_went() {
    struct sigaction action {};
    action.sa_sigaction = &previous_handler;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, nullptr);
    {
        Executor executor;
        const OverflowReport report(executor.stacks(), &describe, &executor);
    }
    std::raise(SIGSEGV);
}

TEST_F(OverflowReportDeathTest, restores_the_handler_that_was_there) {
    EXPECT_EXIT(fault_after_the_report_went(), ::testing::ExitedWithCode(3), "the handler before was asked");
}

TEST(OverflowReport, leaves_the_process_as_it_found_it) {
    if (nexus::test::under_valgrind()) GTEST_SKIP() << "it has signal stacks of its own";
    struct sigaction before {};
    struct sigaction during {};
    struct sigaction after {};
    stack_t stack_before{};
    stack_t stack_after{};
    ::sigaction(SIGSEGV, nullptr, &before);
    ::sigaltstack(nullptr, &stack_before);
    {
        Executor executor;
        const OverflowReport report(executor.stacks(), &describe, &executor);
        EXPECT_THROW(OverflowReport(executor.stacks(), &describe, &executor), UsageError) << "one a thread";
        ::sigaction(SIGSEGV, nullptr, &during);
    }
    ::sigaction(SIGSEGV, nullptr, &after);
    ::sigaltstack(nullptr, &stack_after);
    EXPECT_NE(during.sa_sigaction, before.sa_sigaction);
    EXPECT_EQ(after.sa_sigaction, before.sa_sigaction);
    constexpr int of_the_c_library = 0x04000000; // SA_RESTORER
    EXPECT_EQ(after.sa_flags & ~of_the_c_library, before.sa_flags & ~of_the_c_library);
    EXPECT_EQ(stack_after.ss_sp, stack_before.ss_sp);
    EXPECT_EQ(stack_after.ss_flags, stack_before.ss_flags);
}

} // namespace
