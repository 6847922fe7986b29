// inject<P>: how a handler's parameter of type P gets its value from the World.
//
// A parameter is injected if and only if inject<P> is specialised for its type without const and reference; all others
// are the caller's arguments. Resolving has two phases: init() once, when the handler is resolved, may look
// things up and may fail; fetch() at each call, which should be a pointer or two. describe() says which resources the
// parameter reaches, before anything exists. A specialisation must be visible wherever a handler with such a parameter
// is resolved, so it belongs next to the type:
//
//     struct Desk { nexus::Res<Book> book; nexus::ResMut<Risk> risk; };
//     template <> struct nexus::inject<Desk> : nexus::inject_members<Desk, nexus::Res<Book>, nexus::ResMut<Risk>> {};
//
//     template <> struct nexus::inject<TraceId> {
//         using State = std::uint64_t;                                    // movable, lives in the resolved handler
//         static void describe(nexus::Access&) {}                         // reaches no resource
//         static State init(nexus::ResolveContext&) { return next_id(); } // once a resolution; may throw UsageError
//         static TraceId fetch(State& state) { return TraceId{state}; }   // once a call
//     };
#pragma once

#include "nexus/world/access.hpp"
#include "nexus/world/detail/state.hpp"
#include "nexus/world/handler_name.hpp"
#include "nexus/world/local.hpp"
#include "nexus/world/res.hpp"

#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace nexus {

class World;

template <class P>
struct inject; // not defined: P is the caller's argument

/// P, without const and reference, is injected.
template <class P>
concept Injected = requires {
    sizeof(inject<std::remove_cvref_t<P>>);
};

/// What handlers are resolved against: a World (or none), and what the caller's environment adds to it.
struct ResolveEnvironment {
    ResolveEnvironment() = default;
    /// Null: handlers that need resources are refused. The environment stays valid when the World is moved.
    ResolveEnvironment(const World* world, void* in_runtime = nullptr) noexcept;
    ResolveEnvironment(const detail::WorldState* in_state, void* in_runtime) noexcept
        : state(in_state), runtime(in_runtime) {}

    const detail::WorldState* state = nullptr;
    /// What the runtime module puts here when a Runtime resolves; only that module looks behind the pointer.
    void* runtime = nullptr;
};

/// Handed to inject<P>::init().
class ResolveContext {
public:
    ResolveContext(const ResolveEnvironment& environment, HandlerName handler, detail::Describe describe) noexcept
        : environment_(environment), handler_(handler), describe_(describe) {}

    /// The handle. Throws UsageError, naming the handler and everything that it misses, when T is not registered, when
    /// it was registered with add_const, or when there is no World.
    template <class T>
    [[nodiscard]] ResMut<T> res_mut() const {
        return ResMut<T>(*find<T>(AccessMode::mutable_, Presence::required));
    }
    template <class T>
    [[nodiscard]] Res<T> res() const {
        return Res<T>(*find<T>(AccessMode::shared, Presence::required));
    }
    /// Throws UsageError also when T was registered with add(): such a resource may change.
    template <class T>
    [[nodiscard]] ConstRes<T> const_res() const {
        return ConstRes<T>(find<T>(AccessMode::constant, Presence::required)->value);
    }
    /// The cell; null only for what is optional. Throws UsageError as the above.
    template <class T>
    [[nodiscard]] detail::Cell<T>* find(AccessMode mode, Presence presence) const {
        detail::Cell<T>* cell = environment_.state != nullptr ? environment_.state->cell<T>() : nullptr;
        const bool fits = cell == nullptr
                              ? presence == Presence::optional
                              : mode == AccessMode::shared || cell->constant == (mode == AccessMode::constant);
        if (!fits) [[unlikely]]
            fail({base::TypeId::of<T>(), mode, presence});
        return cell;
    }

    [[nodiscard]] const ResolveEnvironment& environment() const noexcept { return environment_; }
    [[nodiscard]] HandlerName handler() const noexcept { return handler_; }

private:
    [[noreturn]] void fail(const Access::Entry& wanted) const;

    ResolveEnvironment environment_;
    HandlerName handler_;
    detail::Describe describe_;
};

namespace detail {

/// Res, ResMut and ConstRes, required or in an optional.
template <class Handle, class T, AccessMode Mode>
struct InjectHandle {
    using State = Handle;
    static void describe(Access& access) { access.add<T>(Mode); }
    static State init(ResolveContext& context) {
        if constexpr (Mode == AccessMode::constant) {
            return Handle(context.find<T>(Mode, Presence::required)->value);
        } else {
            return Handle(*context.find<T>(Mode, Presence::required));
        }
    }
    static Handle fetch(State& state) noexcept { return state; }
};

template <class Handle, class T, AccessMode Mode>
struct InjectOptional {
    using State = std::optional<Handle>;
    static void describe(Access& access) { access.add<T>(Mode, Presence::optional); }
    static State init(ResolveContext& context) {
        Cell<T>* cell = context.find<T>(Mode, Presence::optional);
        if (cell == nullptr) return std::nullopt;
        if constexpr (Mode == AccessMode::constant) {
            return Handle(cell->value);
        } else {
            return Handle(*cell);
        }
    }
    static std::optional<Handle> fetch(State& state) noexcept { return state; }
};

} // namespace detail

template <class T>
struct inject<Res<T>> : detail::InjectHandle<Res<T>, T, AccessMode::shared> {};
template <class T>
struct inject<ResMut<T>> : detail::InjectHandle<ResMut<T>, T, AccessMode::mutable_> {};
template <class T>
struct inject<ConstRes<T>> : detail::InjectHandle<ConstRes<T>, T, AccessMode::constant> {};
/// Absent resources give an empty optional; decided when the handler is resolved.
template <class T>
struct inject<std::optional<Res<T>>> : detail::InjectOptional<Res<T>, T, AccessMode::shared> {};
template <class T>
struct inject<std::optional<ResMut<T>>> : detail::InjectOptional<ResMut<T>, T, AccessMode::mutable_> {};
template <class T>
struct inject<std::optional<ConstRes<T>>> : detail::InjectOptional<ConstRes<T>, T, AccessMode::constant> {};

template <class T>
struct inject<Local<T>> {
    using State = T;
    static void describe(Access&) {}
    static State init(ResolveContext&) { return State{}; }
    static Local<T> fetch(State& state) noexcept { return Local<T>(state); }
};

/// For an aggregate of injected members, in order: derive the specialisation of inject from it. The resources of all
/// members take part in the check for conflicts (H-29).
template <class Aggregate, class... Members>
struct inject_members {
    static_assert((Injected<Members> && ...), "each member type needs a specialisation of nexus::inject");
    using State = std::tuple<typename inject<Members>::State...>;
    static void describe(Access& access) { (inject<Members>::describe(access), ...); }
    static State init(ResolveContext& context) { return State{inject<Members>::init(context)...}; }
    static Aggregate fetch(State& state) {
        return std::apply([](auto&... parts) { return Aggregate{inject<Members>::fetch(parts)...}; }, state);
    }
};

} // namespace nexus
