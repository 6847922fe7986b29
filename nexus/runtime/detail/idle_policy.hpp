// When an idle loop looks again at once and when it sleeps: the modes park, busy and adaptive. Pure; told the time.
#pragma once

#include "nexus/runtime/options.hpp"

#include <cstdint>

namespace nexus::detail {

class IdlePolicy {
public:
    explicit IdlePolicy(const RuntimeOptions& options) noexcept
        : mode_(options.mode), window_ns_(options.spin_window.count()) {}

    /// Something happened: the spin window starts anew.
    void active(std::int64_t now_ns) noexcept { last_active_ns_ = now_ns; }

    /// True when the loop must not sleep yet. An adaptive loop also spins up to a deadline that is within its window.
    [[nodiscard]] bool spin(std::int64_t now_ns, std::int64_t next_deadline_ns) const noexcept {
        if (mode_ == LoopMode::park) return false;
        if (mode_ == LoopMode::busy) return true;
        return now_ns - last_active_ns_ < window_ns_ || next_deadline_ns - now_ns <= window_ns_;
    }
    /// When a sleep that waits for `deadline_ns` has to end.
    [[nodiscard]] std::int64_t wake_time(std::int64_t deadline_ns) const noexcept {
        return mode_ == LoopMode::adaptive ? deadline_ns - window_ns_ : deadline_ns;
    }

private:
    LoopMode mode_;
    std::int64_t window_ns_;
    std::int64_t last_active_ns_ = 0;
};

} // namespace nexus::detail
