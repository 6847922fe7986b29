// How every wait of the library is written: suspend until a condition holds, or until the fiber has to stop (rule 5).
//
// A wait first links itself where it will be woken (a node on its own stack that unlinks in its destructor), then calls
// one of the two functions here, which loop over the condition: wakes may be spurious. Rules kept in this one place:
//   * an ended scope fails the wait at entry, even when it could be satisfied: nothing is taken, nothing is lost;
//   * after a suspension the condition is looked at first: what was handed over is kept, the reason comes at the next
//   wait;
//   * abort throws Aborted, except that at teardown waits with a Result fail inside a shield (shield.hpp); while an
//   exception unwinds, a wait neither throws nor parks;
//   * waits that are satisfied at once count too, so that a channel or socket that never runs dry starves nobody;
//   * waits that fail count against the cycle, so a loop that ignores them cannot hang the others.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/exec/executor.hpp"

namespace nexus {

class Scope;

/// Thrown at waits of an aborted fiber; no std::exception, so that ordinary handlers do not swallow it. Code that
/// catches (...) must rethrow. What it unwinds must not suspend.
class Aborted {};

/// Thrown by waits that cannot return an error, in a scope that has ended; only the owning scope catches it.
class ScopeEnded {
public:
    [[nodiscard]] const Scope* scope() const noexcept { return scope_; }

private:
    friend class Scope;
    explicit ScopeEnded(const Scope* scope) noexcept : scope_(scope) {}
    const Scope* scope_;
};

namespace detail {

enum class WaitEnd : std::uint8_t {
    ready,
    timed_out, ///< a scope around the wait ended by its deadline
    cancelled  ///< it was ended from outside, or the fiber is unwinding
};

[[nodiscard]] constexpr errc to_errc(WaitEnd end) noexcept {
    return end == WaitEnd::timed_out ? errc::timed_out : errc::cancelled;
}

/// The slow side of both waits: the running fiber has a stop bit set. Throws Aborted; with `may_fail` returns why,
/// without it throws ScopeEnded. Returns ready when a shield makes the wait go on.
WaitEnd stopped(Executor& executor, bool may_fail);

/// Waits in a row that a fiber may complete without suspending; then the others get their turn.
inline constexpr std::uint8_t uninterrupted_waits = 128;

/// Gives the others their turn when the running fiber has not suspended for long, unless it must not suspend.
void take_turns(Executor& executor, const char* what);

/// The entry of a wait that returns a Result and does its own waiting (I/O): the reason to fail at once, or ready.
[[nodiscard]] inline WaitEnd enter_wait(Executor& executor, const char* what) {
    Task& me = executor.current_task();
    if (++me.uninterrupted >= uninterrupted_waits) [[unlikely]]
        take_turns(executor, what);
    if (me.stop != 0) [[unlikely]]
        return stopped(executor, true);
    return WaitEnd::ready;
}

/// For waits that return a Result. Suspends until `ready()`.
template <class Ready>
[[nodiscard]] WaitEnd wait_or_fail(Executor& executor, const char* what, Ready&& ready) {
    Task& me = executor.current_task();
    if (WaitEnd end = enter_wait(executor, what); end != WaitEnd::ready) [[unlikely]]
        return end;
    while (!ready()) {
        if (executor.unwinding()) [[unlikely]]
            return WaitEnd::cancelled;
        executor.suspend(what);
        if (me.stop != 0 && !ready()) [[unlikely]] {
            if (WaitEnd end = stopped(executor, true); end != WaitEnd::ready) return end;
        }
    }
    return WaitEnd::ready;
}

/// For waits without an error to return. Suspends until `ready()`; false when the fiber unwinds and it was not ready.
template <class Ready>
bool wait_or_throw(Executor& executor, const char* what, Ready&& ready) {
    Task& me = executor.current_task();
    if (++me.uninterrupted >= uninterrupted_waits) [[unlikely]]
        take_turns(executor, what);
    if (me.stop != 0) [[unlikely]] {
        if (stopped(executor, false) != WaitEnd::ready) return ready();
    }
    while (!ready()) {
        if (executor.unwinding()) [[unlikely]]
            return false;
        executor.suspend(what);
        if (me.stop != 0 && !ready()) [[unlikely]] {
            if (stopped(executor, false) != WaitEnd::ready) return false;
        }
    }
    return true;
}

} // namespace detail
} // namespace nexus
