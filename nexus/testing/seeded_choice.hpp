// SeededChoice: explores interleavings. Which of the ready fibers runs next is drawn from a seed, so a failing order
// can be run again.
#pragma once

#include "nexus/exec/executor.hpp"

#include <cstdint>

namespace nexus::testing {

class SeededChoice {
public:
    explicit SeededChoice(std::uint64_t seed) noexcept : seed_(seed), state_(seed) {}
    SeededChoice(const SeededChoice&) = delete;
    SeededChoice& operator=(const SeededChoice&) = delete;

    /// Must outlive the executor's use of it.
    void attach(Executor& executor) noexcept;
    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
    /// A draw below `bound` from the same stream, for the test's own decisions. `bound` is at least 1.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept;

private:
    std::uint64_t seed_;
    std::uint64_t state_;
};

/// The seed to use: the environment's NEXUS_SEED when it is set and a number, else `fallback`. Print it on failure.
[[nodiscard]] std::uint64_t seed_from_environment(std::uint64_t fallback) noexcept;

} // namespace nexus::testing
