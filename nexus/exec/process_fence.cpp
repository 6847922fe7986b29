#include "nexus/exec/process_fence.hpp"

#include "nexus/os/calls.hpp"

#include <linux/membarrier.h>

namespace nexus::detail {

bool enable_process_fence() noexcept {
    return os::calls().membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

bool process_fence() noexcept { return os::calls().membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0; }

} // namespace nexus::detail
