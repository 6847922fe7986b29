// LeakCheck: what a runtime must have given back when its work is done, and what a process must look like afterwards.
#pragma once

#include "nexus/runtime/runtime.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace nexus::testing {

/// Made before the runtime, asked after the work: fibers, stacks, timers, descriptors and borrows.
class LeakCheck {
public:
    LeakCheck();

    /// One line for each thing that `runtime` still holds: fibers (with what they wait for), stacks, timers, registered
    /// descriptors, and borrow violations that were counted instead of thrown. Empty when all is well.
    [[nodiscard]] std::vector<std::string> problems_in(Runtime& runtime) const;
    /// After the runtime's end: descriptors of the process that were not open at the beginning, and its shutdown stats.
    [[nodiscard]] std::vector<std::string> problems_after(const ShutdownStats& stats) const;

private:
    std::vector<std::string> descriptors_;
    std::uint64_t borrow_violations_;
};

} // namespace nexus::testing
