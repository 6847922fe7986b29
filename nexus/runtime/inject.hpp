// What a Runtime adds to injection: EventTime, ShutdownSignal and WorldCtx as handler parameters.
#pragma once

#include "nexus/runtime/shutdown.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/runtime/world_ctx.hpp"
#include "nexus/world/inject.hpp"

namespace nexus {

/// The loop's cached time, as a parameter: read anew at each call of the handler.
struct EventTime {
    TimePoint time{};
    operator TimePoint() const noexcept { return time; } // NOLINT(google-explicit-constructor): it is one
};

namespace detail {
/// The runtime that resolves; throws UsageError naming handler and parameter when a World is used without one.
[[nodiscard]] const RuntimeIdentity& identity_of(const ResolveContext& context, const char* parameter);
} // namespace detail

template <>
struct inject<EventTime> {
    using State = Executor*;
    static void describe(Access& /*access*/) {}
    static State init(ResolveContext& context);
    static EventTime fetch(State& state) noexcept { return {detail::from_ns(state->event_time_ns())}; }
};

template <>
struct inject<ShutdownSignal> {
    using State = ShutdownSignal;
    static void describe(Access& /*access*/) {}
    static State init(ResolveContext& context);
    static ShutdownSignal fetch(State& state) noexcept { return state; }
};

template <>
struct inject<WorldCtx> {
    using State = WorldCtx;
    static void describe(Access& /*access*/) {}
    static State init(ResolveContext& context);
    static WorldCtx fetch(State& state) noexcept { return state; }
};

} // namespace nexus
