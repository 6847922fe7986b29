// The clock that everything is measured with: CLOCK_MONOTONIC, in nanoseconds.
#pragma once

#include <cstdint>

namespace nexus::os {

/// CLOCK_MONOTONIC now, through the table of this thread. Cannot fail on a kernel that is supported.
[[nodiscard]] std::int64_t monotonic_ns() noexcept;

} // namespace nexus::os
