// Shields: stretches of a fiber's code that finish what they are at, whatever asks the fiber to stop (rule 5).
//
// Inside a shield, waits do not hear an abort or the end of a scope around the shield, and they park although an
// exception unwinds the code around it. Scopes opened inside work as ever, so a shield is bounded by a timeout in it.
// Invariants: the shields and scopes of a fiber form one chain off Task::scope, innermost first, each on that fiber's
// stack; Task::shields says whether one of them is a shield. A reason to stop is never taken back: it stays in
// Task::stop and comes out at the first wait behind the shield.
#pragma once

#include "nexus/exec/executor.hpp"

#include <cstdint>
#include <functional>
#include <utility>

namespace nexus {
namespace detail {

/// A place in the chain of what a fiber has open.
class ScopeLink {
public:
    enum class Kind : std::uint8_t { scope, shield };

    ScopeLink(const ScopeLink&) = delete;
    ScopeLink& operator=(const ScopeLink&) = delete;

    [[nodiscard]] ScopeLink* outer() const noexcept { return outer_; }
    [[nodiscard]] bool is_shield() const noexcept { return kind_ == Kind::shield; }

protected:
    ScopeLink(Task& task, Kind kind) noexcept : task_(task), outer_(task.scope), kind_(kind) { task.scope = this; }
    ~ScopeLink() { task_.scope = outer_; }

    Task& task_;

private:
    ScopeLink* outer_;
    Kind kind_;
};

enum class ShieldKind : std::uint8_t {
    library, ///< a destructor that must wait: holds to the end
    user     ///< gives way when the executor is torn down, where nothing comes any more
};

class Shield : public ScopeLink {
public:
    explicit Shield(Task& task, ShieldKind kind = ShieldKind::library) noexcept;
    ~Shield() { task_.shields = outer_shields_; }

    /// Whether the code around this shield has been asked to stop.
    [[nodiscard]] bool stop_asked() const noexcept;

    /// Whether the innermost shield of the task, which has one, keeps an abort away.
    [[nodiscard]] static bool holds(const Task& task) noexcept { return innermost(task)->holds(); }
    /// Whether an exception unwinds code inside the innermost shield of the task, which has one.
    [[nodiscard]] static bool unwinds_inside(const Task& task, unsigned uncaught) noexcept;

private:
    [[nodiscard]] static const Shield* innermost(const Task& task) noexcept;
    [[nodiscard]] bool holds() const noexcept;

    unsigned uncaught_; ///< exceptions in flight when it was opened
    std::uint8_t outer_shields_;
    ShieldKind shield_kind_;
};

} // namespace detail

/// Runs `body` on this fiber and returns what it returns. Its waits do not hear an abort nor the end of a scope around
/// this call, and park even in a destructor that an exception runs; the reason comes out at the next wait after it. Put
/// a timeout() inside: abort, and whoever waits for this fiber to end, are kept waiting meanwhile. When the runtime is
/// destroyed there is nothing left to wait for, and shields give way: waits in them that return a Result fail with
/// errc::cancelled, the first dozens of them, others throw Aborted. So in a destructor use the former, or catch and
/// drop what leaves the shield. Throws UsageError outside a fiber.
template <class Body>
decltype(auto) shield(Body&& body) {
    const detail::Shield guard(Executor::of_current_fiber("shield").current_task(), detail::ShieldKind::user);
    return std::invoke(std::forward<Body>(body));
}

} // namespace nexus
