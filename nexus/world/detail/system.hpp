// SystemOf<F>: a handler as a system of the World: only injected parameters, and a bool or nothing as its result.
#pragma once

#include "nexus/world/handler.hpp"

#include <optional>
#include <type_traits>
#include <utility>

namespace nexus::detail {

/// Separate from SystemOf, so that a callable that is no system does not instantiate it.
template <class F>
constexpr bool is_system() noexcept {
    constexpr bool typed = Signature<F>::typed;
    static_assert(typed, "nexus: a system has exactly one signature: no generic lambda, no overloaded operator()");
    if constexpr (typed) {
        constexpr bool injected_only = ParametersOf<F>::caller_count == 0;
        static_assert(injected_only, "nexus: nobody passes arguments to a system: each of its parameters needs a "
                                     "specialisation of nexus::inject (Res<T>, ResMut<T>, Local<T>, ...)");
        if constexpr (injected_only) {
            using Result = typename Signature<F>::Result;
            constexpr bool result_fits = std::is_void_v<Result> || std::is_same_v<Result, bool>;
            static_assert(result_fits, "nexus: a system returns bool (true: it changed something) or void");
            return result_fits;
        }
    }
    return false;
}

template <class F>
class SystemOf final : public System {
    using Parameters = ParametersOf<F>;

public:
    template <class G>
    explicit SystemOf(G&& callable) : callable_(std::forward<G>(callable)) {
        handler = handler_name(callable_);
    }

    void describe(Access& access) const override { Parameters::describe(access); }
    void resolve(const WorldState& state) override {
        states_.emplace(Parameters::resolve(ResolveEnvironment{&state, nullptr}, handler));
    }
    bool run() override {
        const HandlerScope scope(HandlerText<F>::value);
        if constexpr (std::is_void_v<typename Signature<F>::Result>) {
            Parameters::call(callable_, *states_, forward_arguments());
            return true;
        } else {
            return Parameters::call(callable_, *states_, forward_arguments());
        }
    }

private:
    F callable_;
    std::optional<typename Parameters::States> states_;
};

} // namespace nexus::detail
