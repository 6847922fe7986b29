// ParametersOf<F>: which parameters of F are injected, how they are resolved, and how a call is put together.
//
// Parameters whose type (without const and reference) has a specialisation of inject come from the states that
// resolve() made; the others are the caller's arguments, in order. Whether these fit is decided at compile time here,
// with a sentence instead of a substitution failure. Callables without one signature get only the caller's arguments.
#pragma once

#include "nexus/world/detail/signature.hpp"
#include "nexus/world/inject.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace nexus::detail {

/// What a refused call "returns", so that the static_assert is the only error.
struct Refused {
    Refused operator()() const { return {}; }
};

template <std::size_t Index>
struct NoState {};

template <class Parameter, std::size_t Index>
struct StateOf {
    using Type = NoState<Index>;
};
template <Injected Parameter, std::size_t Index>
struct StateOf<Parameter, Index> {
    using Type = typename inject<std::remove_cvref_t<Parameter>>::State;
};

/// Arguments for a call now: references to what the caller passed, std::ref taken off.
template <class... Args>
[[nodiscard]] std::tuple<Args&&...> forward_references(Args&&... args) noexcept {
    return std::tuple<Args&&...>(std::forward<Args>(args)...);
}
template <class T>
[[nodiscard]] T&& without_wrapper(T&& argument, std::false_type) noexcept {
    return std::forward<T>(argument);
}
template <class T>
[[nodiscard]] auto& without_wrapper(T&& wrapper, std::true_type) noexcept {
    return wrapper.get();
}
template <class T>
using IsWrapper =
    std::bool_constant<!std::is_same_v<std::unwrap_reference_t<std::remove_cvref_t<T>>, std::remove_cvref_t<T>>>;
template <class... Args>
[[nodiscard]] auto forward_arguments(Args&&... args) noexcept {
    return forward_references(without_wrapper(std::forward<Args>(args), IsWrapper<Args>{})...);
}
/// Arguments for the one call of a bound handler: rvalues of what it keeps, references where it keeps references.
template <class... Kept>
[[nodiscard]] std::tuple<Kept&&...> move_arguments(std::tuple<Kept...>& kept) noexcept {
    return std::apply([](auto&... each) { return std::tuple<Kept&&...>(static_cast<Kept&&>(each)...); }, kept);
}

/// Position counts the caller's arguments from 1.
template <std::size_t Position, class Parameter, class Given>
constexpr bool handler_argument_fits() noexcept {
    constexpr bool fits = std::is_convertible_v<Given, Parameter>;
    constexpr bool would_fit_by_reference = std::is_lvalue_reference_v<Parameter> &&
                                            std::is_convertible_v<std::remove_reference_t<Given>&, Parameter>;
    if constexpr (would_fit_by_reference) {
        static_assert(fits,
                      "nexus: the handler takes this argument by reference, but it would get a copy or a temporary. "
                      "Pass std::ref(x), or let the handler take it by value or by const reference.");
    } else {
        static_assert(fits,
                      "nexus: this argument cannot be converted to what the handler takes at this position (see "
                      "Position, Parameter and Given). The caller's arguments go, in order, to the parameters that "
                      "are not injected.");
    }
    return fits;
}

template <std::size_t Taken, std::size_t Given>
constexpr bool handler_argument_count_fits() noexcept {
    static_assert(Taken <= Given,
                  "nexus: too few arguments for this handler (see Taken and Given). Parameters with a "
                  "specialisation of nexus::inject (Res<T>, ResMut<T>, Local<T>, ...) come from the World; "
                  "every other parameter has to be passed, in order.");
    static_assert(Taken >= Given,
                  "nexus: too many arguments for this handler (see Taken and Given). Do not pass what is "
                  "injected: parameters with a specialisation of nexus::inject (Res<T>, ResMut<T>, "
                  "Local<T>, ...) come from the World.");
    return Taken == Given;
}

template <class Parameter>
constexpr bool injected_parameter_is_well_formed() noexcept {
    constexpr bool writable_reference = std::is_lvalue_reference_v<Parameter> &&
                                        !std::is_const_v<std::remove_reference_t<Parameter>>;
    static_assert(!Injected<Parameter> || !writable_reference,
                  "nexus: an injected parameter is made for the call: take it by value or by const reference, not by "
                  "non-const reference.");
    return !Injected<Parameter> || !writable_reference;
}

template <class Arg>
constexpr bool argument_can_be_kept() noexcept {
    constexpr bool fits = std::is_constructible_v<std::unwrap_ref_decay_t<Arg>, Arg>;
    static_assert(fits,
                  "nexus: this argument can be neither copied nor moved into the fiber. Move it (std::move(x)) if it "
                  "is movable, or pass std::ref(x) and keep x alive.");
    return fits;
}

/// Throws UsageError when parameters of one signature reach one resource in conflicting ways.
void refuse_conflicts(HandlerName handler, Describe describe);

template <class Function>
struct Parameters;

template <class R, class... Ps>
struct Parameters<R(Ps...)> {
    using Indices = std::index_sequence_for<Ps...>;
    static constexpr std::size_t caller_count = (std::size_t{0} + ... + (Injected<Ps> ? 0U : 1U));
    static constexpr bool any_injected = (false || ... || Injected<Ps>);

    template <std::size_t... I>
    static std::tuple<typename StateOf<Ps, I>::Type...> states_of(std::index_sequence<I...>);
    using States = decltype(states_of(Indices{}));

    static void describe(Access& access) { (describe_one<Ps>(access), ...); }

    static States resolve(const ResolveEnvironment& environment, HandlerName handler) {
        if constexpr (any_injected) {
            // Conflicts depend on the signature only: found once, with a static that stays unset when it throws.
            static const bool conflict_free = (refuse_conflicts(handler, &describe), true);
            static_cast<void>(conflict_free);
            ResolveContext context(environment, handler, &describe);
            return init(context, Indices{});
        } else {
            static_cast<void>(environment);
            static_cast<void>(handler);
            return States{};
        }
    }

    template <class F, class... Given>
    static decltype(auto) call(F&& callable, States& states, std::tuple<Given...> arguments) {
        if constexpr (accepts<Given...>()) {
            return apply(std::forward<F>(callable), states, arguments, Indices{});
        } else {
            return Refused{};
        }
    }

    template <class... Args>
    static constexpr bool accepts_bound() noexcept {
        if constexpr ((true && ... && argument_can_be_kept<Args>())) {
            return accepts<std::unwrap_ref_decay_t<Args>&&...>();
        } else {
            return false;
        }
    }

private:
    /// How many of the caller's arguments come before parameter `index`.
    static constexpr std::size_t argument_index(std::size_t index) noexcept {
        constexpr std::array<bool, sizeof...(Ps) + 1> injected{Injected<Ps>..., false};
        std::size_t count = 0;
        for (std::size_t i = 0; i < index; ++i) count += injected[i] ? 0U : 1U;
        return count;
    }

    template <class... Given>
    static constexpr bool accepts() noexcept {
        if constexpr (!(true && ... && injected_parameter_is_well_formed<Ps>())) {
            return false;
        } else if constexpr (!handler_argument_count_fits<caller_count, sizeof...(Given)>()) {
            return false;
        } else {
            return all_fit<std::tuple<Given...>>(Indices{});
        }
    }
    template <class Given, std::size_t... I>
    static constexpr bool all_fit(std::index_sequence<I...>) noexcept {
        return (true && ... && one_fits<I, Ps, Given>());
    }
    template <std::size_t Index, class P, class Given>
    static constexpr bool one_fits() noexcept {
        if constexpr (Injected<P>) {
            return true;
        } else {
            constexpr std::size_t at = argument_index(Index);
            return handler_argument_fits<at + 1, P, std::tuple_element_t<at, Given>>();
        }
    }

    template <class P>
    static void describe_one(Access& access) {
        if constexpr (Injected<P>) inject<std::remove_cvref_t<P>>::describe(access);
    }

    template <std::size_t... I>
    static States init(ResolveContext& context, std::index_sequence<I...>) {
        return States{init_one<Ps, I>(context)...}; // braces: in order
    }
    template <class P, std::size_t Index>
    static typename StateOf<P, Index>::Type init_one(ResolveContext& context) {
        if constexpr (Injected<P>) {
            return inject<std::remove_cvref_t<P>>::init(context);
        } else {
            return {};
        }
    }

    template <class F, class Given, std::size_t... I>
    static R apply(F&& callable, States& states, Given& arguments, std::index_sequence<I...>) {
        // Not std::invoke: what fetch() returns becomes the parameter without a move.
        return std::forward<F>(callable)(value_of<I, Ps>(states, arguments)...);
    }
    template <std::size_t Index, class P, class Given>
    static decltype(auto) value_of([[maybe_unused]] States& states, [[maybe_unused]] Given& arguments) {
        if constexpr (Injected<P>) {
            return inject<std::remove_cvref_t<P>>::fetch(std::get<Index>(states));
        } else {
            constexpr std::size_t at = argument_index(Index);
            using Argument = std::tuple_element_t<at, Given>;
            if constexpr (std::is_arithmetic_v<P> && std::is_arithmetic_v<std::remove_cvref_t<Argument>>) {
                return static_cast<P>(std::get<at>(arguments)); // as std::thread: converts without a warning
            } else {
                return static_cast<Argument&&>(std::get<at>(arguments));
            }
        }
    }
};

/// Callables without one signature.
struct UnknownParameters {
    using States = std::tuple<>;
    static constexpr bool any_injected = false;

    static void describe(Access&) {}
    static States resolve(const ResolveEnvironment&, HandlerName) { return {}; }

    template <class F, class... Given>
    static decltype(auto) call(F&& callable, States&, std::tuple<Given...> arguments) {
        return std::apply(
            [&](auto&&... each) -> decltype(auto) {
                return std::invoke(std::forward<F>(callable), static_cast<Given>(each)...);
            },
            arguments);
    }
    template <class... Args>
    static constexpr bool accepts_bound() noexcept {
        return (true && ... && argument_can_be_kept<Args>());
    }
};

template <class F>
struct ChooseParameters {
    using Type = UnknownParameters;
};
template <class F>
    requires(Signature<F>::typed)
struct ChooseParameters<F> {
    using Type = Parameters<typename Signature<F>::Plain>;
};

/// F is decayed.
template <class F>
using ParametersOf = typename ChooseParameters<F>::Type;

} // namespace nexus::detail
