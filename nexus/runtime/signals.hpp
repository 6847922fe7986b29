// SIGINT and SIGTERM, for a runtime that opted in (RT-30): the handler writes an eventfd and chains to what was there.
//
// Process-wide by nature: handlers are installed by the first SignalGuard and restored by the last one (rule 8). The
// handler itself only sets a flag and writes a descriptor, both async-signal-safe.
#pragma once

#include "nexus/base/atomic.hpp"

#include <cstddef>

namespace nexus::detail {

class SignalGuard {
public:
    /// Runtimes that listen at the same time, at most; one more throws UsageError.
    static constexpr std::size_t max_listeners = 16;

    /// `poke_fd`: an eventfd to write when a signal comes.
    explicit SignalGuard(int poke_fd);
    SignalGuard(const SignalGuard&) = delete;
    SignalGuard& operator=(const SignalGuard&) = delete;
    ~SignalGuard();

    /// True once for each time signals came.
    [[nodiscard]] bool take_pending() noexcept;

private:
    std::size_t slot_;
};

} // namespace nexus::detail
