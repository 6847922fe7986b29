// The quick comparison: each workload for nexus and its yardsticks, in rounds that alternate between them, so that a
// machine whose speed drifts drifts for all of them. Reported: the median of the rounds and the ratio of the medians.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

/// One way to do a workload. `run` does it once and returns nanoseconds per operation; negative: not available here.
struct Contender {
    std::string name;
    std::function<double()> run;
};

struct Workload {
    std::string name;
    std::vector<Contender> contenders; ///< nexus first; ratios are against each of the others
};

std::vector<Workload> switch_workloads();
std::vector<Workload> echo_workloads();

[[nodiscard]] inline std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// Nanoseconds per operation of `operations` done by `function`.
template <class F>
[[nodiscard]] double per_operation(std::uint64_t operations, F&& function) {
    const std::int64_t start = now_ns();
    function();
    return static_cast<double>(now_ns() - start) / static_cast<double>(operations);
}

} // namespace bench
