#include "nexus/exec/wait.hpp"

#include "nexus/exec/scope.hpp"
#include "nexus/exec/shield.hpp"

namespace nexus::detail {
namespace {

/// A fiber that catches Aborted this often without ending never will.
constexpr std::uint16_t swallowed_abort_limit = 1000;
/// Waits of a fiber that fail where a shield gave way; those after them throw.
constexpr std::uint16_t failures_in_shield = 64;
/// Waits that may fail one after the other before the others get their turn.
constexpr std::uint8_t failed_wait_budget = 64;

} // namespace

void take_turns(Executor& executor, const char* what) {
    Task& me = executor.current_task();
    me.uninterrupted = 0;
    if (executor.unwinding() || executor.suspension_forbidden(me)) return;
    executor.requeue_current();
    executor.suspend(what);
}

WaitEnd stopped(Executor& executor, bool may_fail) {
    Task& me = executor.current_task();
    if ((me.stop & stop_bit::watch) != 0) Scope::look_at_sources(me);
    const bool aborted = (me.stop & stop_bit::abort) != 0 && (me.shields == 0 || !Shield::holds(me));
    const Scope* scope = Scope::outermost_ended(me);
    if (!aborted && scope == nullptr) return WaitEnd::ready;
    if (executor.unwinding() || me.ending) return WaitEnd::cancelled;
    if (++me.failed_waits > failed_wait_budget && !executor.suspension_forbidden(me)) {
        executor.requeue_current();
        executor.suspend("its turn, after ignoring that it should stop");
    }
    if (aborted) {
        if (++me.swallowed_aborts > swallowed_abort_limit) executor.abandon_current();
        // A shield that gave way: most often this is a destructor, out of which nothing must be thrown.
        if (may_fail && me.shields != 0 && me.swallowed_aborts <= failures_in_shield) return WaitEnd::cancelled;
        throw Aborted{};
    }
    if (!may_fail) Scope::throw_ended(scope);
    return scope->timed_out() ? WaitEnd::timed_out : WaitEnd::cancelled;
}

} // namespace nexus::detail
