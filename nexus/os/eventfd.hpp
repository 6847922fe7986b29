// EventFd: a descriptor that any thread and any signal handler can make readable. Invariant: CLOEXEC and non-blocking.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/os/fd.hpp"

#include <cstdint>

namespace nexus::os {

class EventFd {
public:
    /// No descriptor: signal() and drain() have no effect.
    EventFd() noexcept = default;
    /// Not signalled. Fails with EMFILE, ENFILE or ENOMEM.
    [[nodiscard]] static Result<EventFd> create() noexcept;

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// Makes the descriptor readable until drained. Any thread, also in a signal handler; errno stays. Signals that
    /// were not drained yet add up and cannot get lost: a full counter is readable as well.
    void signal() const noexcept;

    /// Takes the readability; how many signals there were, 0 if none.
    std::uint64_t drain() noexcept;

private:
    explicit EventFd(Fd fd) noexcept : fd_(std::move(fd)) {}

    Fd fd_;
};

} // namespace nexus::os
