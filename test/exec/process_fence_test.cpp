#include "nexus/exec/process_fence.hpp"

#include "test/os/fault.hpp"

#include <gtest/gtest.h>
#include <linux/membarrier.h>
#include <vector>

namespace nexus::detail {
namespace {

TEST(ProcessFence, can_be_enabled_again_and_again) {
    const bool here = enable_process_fence();
    EXPECT_EQ(enable_process_fence(), here);
    if (here) {
        EXPECT_TRUE(process_fence());
    }
}

TEST(ProcessFence, a_kernel_without_it_says_so) {
    const os::Fault<&os::Calls::membarrier> without(ENOSYS, -1);
    EXPECT_FALSE(enable_process_fence());
    EXPECT_FALSE(process_fence());
    EXPECT_EQ(without.calls_seen(), 2);
}

TEST(ProcessFence, asks_the_kernel_for_a_fence_on_the_threads_of_this_process) {
    static thread_local std::vector<int> asked;
    asked.clear();
    os::Calls table = os::real_calls();
    table.membarrier = [](int command, unsigned flags, int cpu) {
        asked.push_back(command);
        return flags == 0 && cpu == 0 ? 0 : -1;
    };
    const os::CallsOverride override_(table);
    EXPECT_TRUE(enable_process_fence());
    EXPECT_TRUE(process_fence());
    EXPECT_EQ(asked, (std::vector<int>{MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED}));
}

} // namespace
} // namespace nexus::detail
