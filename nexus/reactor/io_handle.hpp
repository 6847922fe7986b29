// IoHandle: the way to the reactor for those who build waits of their own (IO-5). Sockets fetch it by themselves.
//
// The seed hands out tokens and stores a waker for each; here the registration is an object, the IoSource, and who
// waits is a fiber: IoSource::wait() takes the place of setting a waker, clear_ready() that of clearing a flag.
// Copyable; owner thread only; nothing suspends. A handle is checked at each use: one that belongs to another runtime,
// or to one that is gone, is a UsageError, not a dangling pointer (H-20).
#pragma once

#include "nexus/reactor/reactor.hpp"

namespace nexus {

/// What a source is known to be ready for; optimistic until a system call said EAGAIN.
struct IoReadiness {
    bool readable;
    bool writable;
};

class IoHandle {
public:
    /// Of the runtime whose fiber is running. UsageError outside a fiber.
    [[nodiscard]] static IoHandle current();

    /// Registers `source` now instead of at its first wait, for readiness in both directions (edge-triggered). No
    /// effect when it is registered here already. Fails as epoll does, and with errc::closed after forget().
    [[nodiscard]] Result<void> register_source(IoSource& source) const;
    /// Ends the registration before its descriptor is closed; fibers that wait on it fail with errc::stopped. It may be
    /// registered again. No effect when it is not registered. UsageError when another runtime has it.
    void deregister(IoSource& source) const;

    [[nodiscard]] IoReadiness readiness(const IoSource& source) const noexcept {
        return {source.ready(Direction::in), source.ready(Direction::out)};
    }
    void clear_readable(IoSource& source) const noexcept { source.clear_ready(Direction::in); }
    void clear_writable(IoSource& source) const noexcept { source.clear_ready(Direction::out); }

    /// How many sources are registered.
    [[nodiscard]] std::size_t source_count() const;

private:
    explicit IoHandle(const Reactor& reactor) noexcept : serial_(reactor.serial()) {}
    [[nodiscard]] Reactor& checked(const char* operation) const;

    std::uint64_t serial_; ///< not an address: another reactor may come to lie where this one was
};

} // namespace nexus
