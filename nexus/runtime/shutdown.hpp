// Asking a server to stop: ShutdownHandle asks, any number of ShutdownSignals hear it (section 8.3, SH-1 to SH-7).
//
// Both share ownership of the state (H-39) and may outlive the runtime. Nothing is cancelled by itself: fibers wait for
// the signal, or run under until(signal, ...). Once triggered it stays so (SH-5).
#pragma once

#include "nexus/exec/cancel_state.hpp"

namespace nexus {

class Runtime;

/// Hears the shutdown. Copyable; each copy may be waited on by a fiber of its own (unlike SH-4). Any runtime.
class ShutdownSignal {
public:
    /// The signal of the runtime that runs this fiber. Throws UsageError outside a runtime.
    [[nodiscard]] static ShutdownSignal current();

    [[nodiscard]] bool is_triggered() const noexcept { return state_->cancelled(); }
    /// Suspends until the shutdown is triggered, by whatever thread or signal (H-9, H-10). Throws at the end of a
    /// scope.
    void wait() const;

    /// For until() and select().
    [[nodiscard]] const detail::CancelRef& cancel_state() const noexcept { return state_; }

private:
    friend class ShutdownHandle;
    explicit ShutdownSignal(detail::CancelRef state) noexcept : state_(std::move(state)) {}
    detail::CancelRef state_;
};

/// Triggers the shutdown. Copyable, any thread.
class ShutdownHandle {
public:
    void trigger() const { state_->cancel(); }
    [[nodiscard]] bool is_shutdown() const noexcept { return state_->cancelled(); }
    [[nodiscard]] ShutdownSignal signal() const noexcept { return ShutdownSignal(state_); }

private:
    friend class Runtime;
    ShutdownHandle() : state_(detail::CancelState::make()) {}
    detail::CancelRef state_;
};

namespace detail {

/// What handlers are resolved against in a runtime. Shared with the runtime's handles on other threads, which may
/// resolve while it goes away: they copy from here and follow no pointer.
struct RuntimeIdentity {
    Runtime* runtime;
    Executor* executor;
    ShutdownHandle shutdown;
};

/// Suspends until `state` is cancelled. `what` names the wait.
void wait_cancelled(CancelState& state, const char* what);

} // namespace detail
} // namespace nexus
