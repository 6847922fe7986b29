// Scope: a stretch of a fiber's code whose waits can be ended by a deadline or from outside (rule 5).
//
// The base of timeout(), timeout_at() and until(). Scopes nest on one fiber's stack, shields (shield.hpp) among them.
// Invariants: Task::stop has stop_bit::scope set exactly while some scope of the chain has ended; an ended scope stays
// ended until it is left; the timer is armed only while the scope is open and has not ended. A scope that watches a
// CancelState may learn of its end on any thread, so it does not end by callback: stop_bit::watch makes every wait
// look.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/exec/cancel_state.hpp"
#include "nexus/exec/executor.hpp"
#include "nexus/exec/shield.hpp"
#include "nexus/exec/wait.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <type_traits>

namespace nexus {

class Scope : public detail::ScopeLink {
public:
    static constexpr std::int64_t never_ns = std::numeric_limits<std::int64_t>::max();

    /// Opens a scope on the running fiber that ends at `deadline_ns` of the executor's clock. A deadline that has
    /// passed already ends it here. Does not suspend. Throws UsageError outside a fiber.
    Scope(std::int64_t deadline_ns, const char* what);
    /// Opens a scope that ends when `source` is cancelled, on any thread, or has been.
    Scope(detail::CancelRef source, const char* what);
    /// Leaves the scope.
    ~Scope();

    /// Ends the scope from outside. Owner thread; from any fiber or from the loop. No effect when it has ended.
    void end_from_outside() noexcept { end(End::outside); }
    [[nodiscard]] bool ended() const noexcept { return end_ != End::open; }
    [[nodiscard]] bool timed_out() const noexcept { return end_ == End::deadline; }
    [[nodiscard]] detail::Task& task() const noexcept { return task_; }

    /// Runs `body` in this scope. T or Result<T> becomes Result<T>: the body's value wins, else timed_out if this
    /// scope's deadline passed, cancelled if it (or one around it) was ended from outside, else the body's own error.
    /// An ended scope does not run its body (TM-21).
    template <class Body>
    auto run(const char* operation, Body&& body);

    /// The outermost scope of the task, inside its innermost shield, that has ended: the one that waits have to unwind
    /// to.
    [[nodiscard]] static const Scope* outermost_ended(const detail::Task& task) noexcept;
    [[noreturn]] static void throw_ended(const Scope* scope);
    /// Ends the scopes of the running fiber whose source has been cancelled.
    static void look_at_sources(const detail::Task& task) noexcept;

private:
    enum class End : std::uint8_t { open, deadline, outside };
    struct Timer : time::TimerNode {
        Scope* scope = nullptr;
    };

    void end(End how) noexcept;
    [[nodiscard]] Error why(const char* operation) const noexcept;

    Executor& executor_;
    Timer timer_;
    End end_ = End::open;
    detail::CancelRef source_;
    detail::CancelWaiter waiter_{Waker{}};
};

namespace detail {

template <class T>
struct UnwrapResult {
    using type = T;
    static constexpr bool is_result = false;
};
template <class T>
struct UnwrapResult<Result<T>> {
    using type = T;
    static constexpr bool is_result = true;
};

} // namespace detail

template <class Body>
auto Scope::run(const char* operation, Body&& body) {
    using Returned = std::invoke_result_t<Body>;
    using Unwrapped = detail::UnwrapResult<Returned>;
    using Value = typename Unwrapped::type;
    if (ended()) return Result<Value>(why(operation));
    try {
        if constexpr (Unwrapped::is_result) {
            Returned result = std::invoke(std::forward<Body>(body));
            if (result.has_value() || !(ended() || outermost_ended(task_) != nullptr)) return result;
            return Result<Value>(why(operation));
        } else if constexpr (std::is_void_v<Value>) {
            std::invoke(std::forward<Body>(body));
            return Result<void>();
        } else {
            return Result<Value>(std::invoke(std::forward<Body>(body)));
        }
    } catch (const ScopeEnded& ended_scope) {
        if (ended_scope.scope() != this) throw;
        return Result<Value>(why(operation));
    }
}

} // namespace nexus
