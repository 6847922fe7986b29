// CancellationToken: tells any number of fibers, on any thread, to stop (section 8.1, CA-1 to CA-12).
//
// Nothing is stopped by itself: fibers look, wait for the token, select on it, or run under until(token, ...). Copies
// share one state; dropping all of them does not cancel (CA-9). Children are cancelled with their parent, not the other
// way round. Cross-thread; outlives runtimes; each waiter is woken on its own runtime (H-9).
#pragma once

#include "nexus/exec/cancel_state.hpp"

#include <iosfwd>
#include <utility>

namespace nexus {

class DropGuard;

class CancellationToken {
public:
    /// A token of its own. Allocates.
    CancellationToken() : state_(detail::CancelState::make()) {}

    /// A token that is cancelled with this one; born cancelled when this one is (CA-8). Its end leaves no trace here
    /// (H-27). Allocates.
    [[nodiscard]] CancellationToken child() const { return CancellationToken(detail::CancelState::child_of(state_)); }
    /// Cancels this token and its descendants and wakes who waits for them. Idempotent; any thread (CA-3). Does not
    /// suspend. Allocates nothing.
    void cancel() const { state_->cancel(); }
    /// One load (CA-2).
    [[nodiscard]] bool is_cancelled() const noexcept { return state_->cancelled(); }
    /// Suspends until cancelled (CA-5). Throws at the end of a scope (rule 5). Allocates nothing.
    void cancelled() const;
    /// Cancels when the guard goes (CA-10).
    [[nodiscard]] DropGuard drop_guard() const&;
    [[nodiscard]] DropGuard drop_guard() &&;

    /// Copies of one token are equal.
    friend bool operator==(const CancellationToken& a, const CancellationToken& b) noexcept = default;

    /// "CancellationToken(live)" or "CancellationToken(cancelled)" (CA-1).
    friend std::ostream& operator<<(std::ostream& out, const CancellationToken& token);

    /// For until() and select().
    [[nodiscard]] const detail::CancelRef& cancel_state() const noexcept { return state_; }

private:
    explicit CancellationToken(detail::CancelRef state) noexcept : state_(std::move(state)) {}

    detail::CancelRef state_;
};

/// Cancels its token when destroyed, also while an exception unwinds (CA-10). Move-only.
class DropGuard {
public:
    explicit DropGuard(CancellationToken token) noexcept : token_(std::move(token)) {}
    DropGuard(DropGuard&&) noexcept = default; // leaves a token without state behind
    DropGuard& operator=(DropGuard&& other) noexcept {
        std::swap(token_, other.token_);
        return *this;
    }
    ~DropGuard() {
        if (token_.cancel_state()) token_.cancel();
    }

    /// Gives the token back without cancelling it.
    [[nodiscard]] CancellationToken disarm() && noexcept { return std::move(token_); }

private:
    CancellationToken token_;
};

inline DropGuard CancellationToken::drop_guard() const& { return DropGuard(*this); }
inline DropGuard CancellationToken::drop_guard() && { return DropGuard(std::move(*this)); }

} // namespace nexus
