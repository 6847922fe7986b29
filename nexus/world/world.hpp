// World: the typed resources of a program, and what runs over them.
//
// A World is a movable handle to pinned state: handles, resolved handlers and runtimes stay valid when it is moved, and
// dangle when it is destroyed, so it is declared before whatever uses it. It is made by WorldBuilder::build(); nothing
// is registered afterwards. It belongs to one thread at a time and works without any runtime. Destroying it destroys
// the systems, then the resources in reverse order of registration (deviates from X-3, which has the order of
// registration).
#pragma once

#include "nexus/world/handler.hpp"
#include "nexus/world/inject.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace nexus {

/// Every member but the destructor throws UsageError on a World that was moved from.
class World {
public:
    World(World&&) noexcept = default;
    World& operator=(World&&) noexcept = default;
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World() = default;

    /// The handle on T. A look-up: keep the handle, or let handlers have it injected. Throws UsageError when T is not
    /// registered, or not in the way that the handle needs.
    template <class T>
    [[nodiscard]] Res<T> res() const {
        return Res<T>(*look_up<T>("World::res", AccessMode::shared, Presence::required));
    }
    template <class T>
    [[nodiscard]] ResMut<T> res_mut() const {
        return ResMut<T>(*look_up<T>("World::res_mut", AccessMode::mutable_, Presence::required));
    }
    template <class T>
    [[nodiscard]] ConstRes<T> const_res() const {
        return ConstRes<T>(look_up<T>("World::const_res", AccessMode::constant, Presence::required)->value);
    }
    /// The same, but empty when T is not registered.
    template <class T>
    [[nodiscard]] std::optional<Res<T>> try_res() const {
        auto* cell = look_up<T>("World::try_res", AccessMode::shared, Presence::optional);
        return cell != nullptr ? std::optional(Res<T>(*cell)) : std::nullopt;
    }
    template <class T>
    [[nodiscard]] std::optional<ResMut<T>> try_res_mut() const {
        auto* cell = look_up<T>("World::try_res_mut", AccessMode::mutable_, Presence::optional);
        return cell != nullptr ? std::optional(ResMut<T>(*cell)) : std::nullopt;
    }
    template <class T>
    [[nodiscard]] std::optional<ConstRes<T>> try_const_res() const {
        auto* cell = look_up<T>("World::try_const_res", AccessMode::constant, Presence::optional);
        return cell != nullptr ? std::optional(ConstRes<T>(cell->value)) : std::nullopt;
    }

    template <class T>
    [[nodiscard]] bool contains() const {
        return state().cell<T>() != nullptr;
    }
    /// How many resources there are.
    [[nodiscard]] std::size_t size() const { return state().entries.size(); }

    /// Counts mutable uses of all resources; starts at 0 (deviates from X-5, where drivers count events).
    [[nodiscard]] std::uint64_t sequence() const { return state().clock; }
    /// What sequence() was at the last mutable use of T, counting that use; 0 when there was none. A use counts when
    /// its borrow begins, whether or not it changed anything.
    template <class T>
    [[nodiscard]] std::uint64_t change_sequence() const {
        return look_up<T>("World::change_sequence", AccessMode::shared, Presence::required)->changed;
    }

    /// A handler with its resources resolved, to be called often. Throws UsageError, naming the handler and all
    /// that is missing, or the parameters that conflict.
    template <class F>
    [[nodiscard]] auto resolve(F&& callable) const {
        return resolve_handler(environment(), std::forward<F>(callable));
    }
    /// Resolves and calls at once, with the caller's arguments; returns what the handler returns. Throws UsageError as
    /// resolve() does.
    template <class F, class... Args>
    decltype(auto) run(F&& callable, Args&&... args) const {
        return run_handler(environment(), std::forward<F>(callable), std::forward<Args>(args)...);
    }

    /// Runs every system once, in order, and returns how many say that they changed something; one that returns
    /// void always does. An exception of a system ends the run and is passed on. Suspends if a system does; a second
    /// run that starts meanwhile, or from inside a system, is a UsageError.
    std::size_t run_systems();
    [[nodiscard]] std::size_t system_count() const { return state().systems.size(); }

    /// For other modules of the library: what ResolveEnvironment is made of. Not null unless moved from.
    [[nodiscard]] const detail::WorldState* pinned_state() const noexcept { return state_.get(); }

private:
    friend class WorldBuilder;
    explicit World(std::unique_ptr<detail::WorldState> state) noexcept : state_(std::move(state)) {}

    [[nodiscard]] detail::WorldState& state() const {
        if (state_ == nullptr) [[unlikely]]
            throw_moved_from();
        return *state_;
    }
    [[nodiscard]] ResolveEnvironment environment() const { return {&state(), nullptr}; }
    template <class T>
    [[nodiscard]] detail::Cell<T>* look_up(const char* what, AccessMode mode, Presence presence) const {
        return ResolveContext({&state(), nullptr}, HandlerName{what, nullptr}, nullptr).find<T>(mode, presence);
    }
    [[noreturn]] static void throw_moved_from();

    std::unique_ptr<detail::WorldState> state_;
};

} // namespace nexus
