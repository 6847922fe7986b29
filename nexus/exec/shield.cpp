#include "nexus/exec/shield.hpp"

#include "nexus/exec/scope.hpp"

namespace nexus::detail {

Shield::Shield(Task& task, ShieldKind kind) noexcept
    : ScopeLink(task, Kind::shield), uncaught_(exception_state()->uncaught), outer_shields_(task.shields),
      shield_kind_(kind) {
    task.shields = 1;
}

const Shield* Shield::innermost(const Task& task) noexcept {
    const ScopeLink* link = task.scope;
    while (!link->is_shield()) link = link->outer();
    return static_cast<const Shield*>(link);
}

bool Shield::holds() const noexcept {
    if (shield_kind_ == ShieldKind::library) return true;
    const Executor* executor = task_.owner->executor();
    return executor != nullptr && !executor->closing();
}

bool Shield::unwinds_inside(const Task& task, unsigned uncaught) noexcept {
    const Shield& shield = *innermost(task);
    return !shield.holds() || uncaught > shield.uncaught_;
}

bool Shield::stop_asked() const noexcept {
    if ((task_.stop & stop_bit::watch) != 0) Scope::look_at_sources(task_);
    const ScopeLink* link = outer();
    for (; link != nullptr && !link->is_shield(); link = link->outer()) {
        if (static_cast<const Scope*>(link)->ended()) return true;
    }
    const bool kept_away = link != nullptr && static_cast<const Shield*>(link)->holds();
    return (task_.stop & stop_bit::abort) != 0 && !kept_away;
}

} // namespace nexus::detail

namespace nexus {

bool Executor::unwinding_in_shield() const noexcept {
    return detail::Shield::unwinds_inside(*current_, exceptions_->uncaught);
}

} // namespace nexus
