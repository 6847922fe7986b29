// TimerFd: one alarm on CLOCK_MONOTONIC that makes a descriptor readable. Invariant: CLOEXEC and non-blocking.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/os/fd.hpp"

#include <cstdint>

namespace nexus::os {

class TimerFd {
public:
    /// No timer; arm_absolute() throws.
    TimerFd() noexcept = default;
    /// Disarmed. Fails with EMFILE, ENFILE or ENOMEM.
    [[nodiscard]] static Result<TimerFd> create() noexcept;

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// Readable from `deadline_ns` of monotonic_ns() on, never before; at once when that has passed; INT64_MAX disarms.
    /// Replaces what was armed, and takes back a readability that was not drained. The kernel refuses this only to a
    /// descriptor that is no timer: then throws std::system_error, for a loop that lost its alarm would sleep for ever.
    void arm_absolute(std::int64_t deadline_ns);

    /// Takes the readability; how often the timer expired since it was last drained, 0 if it did not.
    std::uint64_t drain() noexcept;

private:
    explicit TimerFd(Fd fd) noexcept : fd_(std::move(fd)) {}

    Fd fd_;
};

} // namespace nexus::os
