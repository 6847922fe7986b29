// Signature<F>: the parameter list and result of a callable, where it has exactly one.
//
// Functions, function pointers, lambdas and functors whose operator() is neither a template nor overloaded, fn<f>, and
// reference wrappers of these have one. Of the others nothing is known before the call: `typed` is false.
#pragma once

#include "nexus/world/handler_name.hpp"

#include <functional>
#include <type_traits>

namespace nexus::detail {

template <class R, class... Ps>
struct TypedSignature {
    static constexpr bool typed = true;
    using Plain = R(Ps...);
    using Result = R;
};

template <class Function>
struct FunctionSignature; // a function type with any qualifiers

template <class R, class... Ps>
struct FunctionSignature<R(Ps...)> : TypedSignature<R, Ps...> {};
template <class R, class... Ps>
struct FunctionSignature<R(Ps...) const> : TypedSignature<R, Ps...> {};
template <class R, class... Ps>
struct FunctionSignature<R(Ps...)&> : TypedSignature<R, Ps...> {};
template <class R, class... Ps>
struct FunctionSignature<R(Ps...) const&> : TypedSignature<R, Ps...> {};
template <class R, class... Ps>
struct FunctionSignature<R(Ps...) &&> : TypedSignature<R, Ps...> {};
template <class R, class... Ps>
struct FunctionSignature<R(Ps...) const&&> : TypedSignature<R, Ps...> {};
template <class R, class... Ps>
struct FunctionSignature<R(Ps...) noexcept> : TypedSignature<R, Ps...> {};
template <class R, class... Ps>
struct FunctionSignature<R(Ps...) const noexcept> : TypedSignature<R, Ps...> {};
template <class R, class... Ps>
struct FunctionSignature<R(Ps...)& noexcept> : TypedSignature<R, Ps...> {};
template <class R, class... Ps>
struct FunctionSignature<R(Ps...) const& noexcept> : TypedSignature<R, Ps...> {};
template <class R, class... Ps>
struct FunctionSignature<R(Ps...)&& noexcept> : TypedSignature<R, Ps...> {};
template <class R, class... Ps>
struct FunctionSignature<R(Ps...) const&& noexcept> : TypedSignature<R, Ps...> {};

template <class Member>
struct MemberFunction;
template <class Class, class Function>
struct MemberFunction<Function Class::*> : FunctionSignature<Function> {};

struct UnknownSignature {
    static constexpr bool typed = false;
};

/// F is decayed.
template <class F>
struct Signature : UnknownSignature {};
template <class F>
    requires requires { &F::operator(); }
struct Signature<F> : MemberFunction<decltype(&F::operator())> {};
template <class F>
    requires std::is_function_v<F>
struct Signature<F*> : FunctionSignature<F> {
};
template <auto Function>
struct Signature<Fn<Function>> : Signature<std::decay_t<decltype(Function)>> {};
template <class F>
struct Signature<std::reference_wrapper<F>> : Signature<std::decay_t<F>> {};

} // namespace nexus::detail
