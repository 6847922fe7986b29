// What teardown found (EX-72, EX-74): four counters, all 0 after a clean stop, readable after the runtime is gone.
#pragma once

#include "nexus/base/atomic.hpp"

#include <cstdint>

namespace nexus {

struct ShutdownStats {
    /// Always 0: headers outlive the runtime, so nothing forces the process to end. The seed's counter, kept.
    std::uint64_t aborted_unwinds = 0;
    /// Tasks that a handle or waker still referred to when the runtime went while an exception unwound.
    std::uint64_t leaked_box_tasks = 0;
    /// Tasks that a handle or waker still referred to at an ordinary teardown. They stay harmless.
    std::uint64_t unbalanced_normal_shutdowns = 0;
    /// Cross-thread entries that only teardown took out.
    std::uint64_t cross_queue_undrained = 0;

    friend bool operator==(const ShutdownStats&, const ShutdownStats&) = default;
};

/// The live counters. Written by the executor's teardown, read from any thread; each counter stands for itself, so the
/// loads and additions are relaxed.
class ShutdownStatsAtomics {
public:
    // SAFETY: relaxed loads; independent counters, partners are the additions of teardown.
    [[nodiscard]] ShutdownStats snapshot() const noexcept {
        return {aborted_unwinds.load_relaxed(), leaked_box_tasks.load_relaxed(),
                unbalanced_normal_shutdowns.load_relaxed(), cross_queue_undrained.load_relaxed()};
    }

    base::Atomic<std::uint64_t> aborted_unwinds{0};
    base::Atomic<std::uint64_t> leaked_box_tasks{0};
    base::Atomic<std::uint64_t> unbalanced_normal_shutdowns{0};
    base::Atomic<std::uint64_t> cross_queue_undrained{0};
};

} // namespace nexus
