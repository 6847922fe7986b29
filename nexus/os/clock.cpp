#include "nexus/os/clock.hpp"

#include "nexus/os/calls.hpp"

#include <ctime>

namespace nexus::os {

std::int64_t monotonic_ns() noexcept {
    timespec now{};
    (void)calls().clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

} // namespace nexus::os
