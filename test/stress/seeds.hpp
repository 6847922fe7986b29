// Seeds of the stress tests. NEXUS_STRESS_SEEDS says how many (20 by default), from NEXUS_STRESS_FIRST on (1 by
// default); NEXUS_STRESS_SEED gives one to run alone. A failure prints the seed.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace nexus_stress {

/// The random numbers of one seed.
class Random {
public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    /// Less than `bound`, which is at least 1.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
    [[nodiscard]] bool one_in(std::uint64_t count) { return below(count) == 0; }
    /// For a part of the scenario that draws on its own, such as a thread.
    [[nodiscard]] std::uint64_t seed() { return engine_(); }

private:
    std::mt19937_64 engine_;
};

/// The number in an environment variable, or `fallback` when it is not set.
inline std::uint64_t number_from_environment(const char* name, std::uint64_t fallback) {
    const char* text = std::getenv(name); // NOLINT(concurrency-mt-unsafe): nobody changes the environment
    return text == nullptr ? fallback : std::strtoull(text, nullptr, 0);
}

/// Runs `scenario(seed)` for each seed, until one fails.
template <class Scenario>
void for_each_seed(Scenario&& scenario) {
    const std::uint64_t only = number_from_environment("NEXUS_STRESS_SEED", 0);
    const std::uint64_t count = only != 0 ? 1 : number_from_environment("NEXUS_STRESS_SEEDS", 20);
    const std::uint64_t first = only != 0 ? only : number_from_environment("NEXUS_STRESS_FIRST", 1);
    for (std::uint64_t seed = first; seed - first < count; ++seed) {
        const ::testing::ScopedTrace trace(__FILE__, __LINE__, "NEXUS_STRESS_SEED=" + std::to_string(seed));
        scenario(seed);
        if (::testing::Test::HasFailure()) return;
    }
}

} // namespace nexus_stress
