// The overflow report (opt-in): a fiber that runs into its guard ends the process with one readable line.
//
// Installed by the first report of the process, restored by the last; a fault that is not a guard of this thread's pool
// goes to whoever handled SIGSEGV before (rule 8). The handler runs on an alternate stack of its own, allocates
// nothing, and afterwards lets the default action end the process, so that core dumps work as usual.
#pragma once

#include "nexus/fiber/stack.hpp"

#include <cstddef>

namespace nexus {

class OverflowReport {
public:
    /// What the report says of the running fiber.
    struct Fiber {
        const char* name = nullptr;
        const void* spawn_site = nullptr;
    };
    /// Called in the signal handler, on the thread that faulted.
    using Describe = Fiber (*)(void* context) noexcept;

    /// For the calling thread, whose fibers use `pool`; one at a time on a thread, else UsageError. Throws
    /// std::system_error when the kernel refuses.
    OverflowReport(const StackPool& pool, Describe describe, void* context);
    OverflowReport(const OverflowReport&) = delete;
    OverflowReport& operator=(const OverflowReport&) = delete;
    /// On the same thread.
    ~OverflowReport();

private:
    void* alternate_stack_ = nullptr;
};

} // namespace nexus
