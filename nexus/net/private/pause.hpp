// A wait for time to pass, for conditions of which no descriptor tells when they are over.
#pragma once

#include "nexus/net/detail/socket_record.hpp"

#include <algorithm>
#include <chrono>

namespace nexus::detail {

/// Suspends for `length`, or until the record is closed (success all the same; look at open()). Fails with timed_out or
/// cancelled as other waits do. `what` names the wait in reports, `operation` in the error. The caller is the one fiber
/// that may wait for `direction`.
[[nodiscard]] Result<void> pause(SocketRecord& record, Direction direction, std::chrono::nanoseconds length,
                                 const char* operation, const char* what);

/// The same for what nobody else can close.
[[nodiscard]] Result<void> pause(std::chrono::nanoseconds length, const char* operation, const char* what);

/// Growing pauses between attempts: `first`, then twice as long each time, up to `longest`.
class Patience {
public:
    constexpr Patience(std::chrono::nanoseconds first, std::chrono::nanoseconds longest) noexcept
        : next_(first), longest_(longest) {}
    [[nodiscard]] std::chrono::nanoseconds next() noexcept {
        return std::exchange(next_, std::min(2 * next_, longest_));
    }

private:
    std::chrono::nanoseconds next_;
    std::chrono::nanoseconds longest_;
};

} // namespace nexus::detail
