// RuntimeOptions: everything about a Runtime that can be chosen, as plain data.
//
// Defaults make a polite guest of someone's main: no signal handler, no thread, no output (rule 8 of the design).
// nexus/config fills this struct from JSON; a host with its own configuration fills it directly.
#pragma once

#include "nexus/base/build_config.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace nexus {

/// What the loop does when nothing is ready.
enum class LoopMode : std::uint8_t {
    park,    ///< sleep in epoll until something happens
    busy,    ///< never sleep: poll for events all the time
    adaptive ///< poll for `spin_window`, then sleep
};

struct RuntimeOptions {
    LoopMode mode = LoopMode::park;
    /// LoopMode::adaptive: how long to poll before sleeping.
    std::chrono::nanoseconds spin_window = std::chrono::microseconds(50);
    /// Fibers run in one cycle at most, 1 to 1,000,000 (RT-3).
    std::uint32_t tasks_per_cycle = 64;
    /// Cycles between two looks at epoll while fibers are ready, 1 to 1,000,000 (RT-3).
    std::uint32_t event_interval = 61;
    /// Events taken from epoll at once, 1 to 65,536 (RT-3).
    std::uint32_t event_capacity = 1024;
    /// Wakes and jobs taken from other threads before fibers get their turn; 0: tasks_per_cycle (RT-3, H-8).
    std::uint32_t cross_thread_drain_limit = 0;
    /// Usable bytes of a fiber's stack, 16 KiB to 64 MiB, rounded up to pages.
    std::size_t stack_size = std::size_t{64} * 1024;
    /// The same for the fiber that runs the body of block_on.
    std::size_t root_stack_size = std::size_t{256} * 1024;
    /// Bytes of guard below each stack, rounded up to pages; 0 leaves only the checked red zone.
    std::size_t guard_size = NEXUS_GUARDS != 0 ? std::size_t{16} * 1024 : 0;
    /// Stacks made ready by the constructor.
    std::uint32_t preallocated_stacks = 0;
    /// Touch the first page of the preallocated stacks, so that their first use takes no page fault.
    bool prefault_stacks = false;
    /// How late a timer may fire so that wake-ups can be shared.
    std::chrono::nanoseconds timer_slack{0};
    /// SIGINT and SIGTERM trigger the shutdown signal; the previous actions are restored at the end and chained to.
    bool signal_handlers = false;
    /// A stack overflow ends the process with one readable line instead of a bare SIGSEGV.
    bool overflow_report = false;
    /// Also report *shared* borrows that live across a suspension.
#ifdef NDEBUG
    bool strict_borrows = false;
#else
    bool strict_borrows = true;
#endif
};

} // namespace nexus
