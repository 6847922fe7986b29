// Handlers: callables whose injected parameters are resolved once, and the three ways to call them.
//
// resolve_handler() gives a Handler that is called again and again with the caller's arguments; bind_handler() gives a
// nullary closure that owns the arguments too, for a fiber to run once; run_handler() resolves and calls at once.
// In all three a missing resource or conflicting parameters are a UsageError when resolving, never later, and wrong
// arguments are a compile-time error in plain words (detail/parameters.hpp).
//
// Invariant: a resolved handler points at cells of the World, not at the World: moving the World does not matter,
// destroying it does.
#pragma once

#include "nexus/base/borrow.hpp"
#include "nexus/world/detail/parameters.hpp"
#include "nexus/world/inject.hpp"

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace nexus {

/// A callable with its injected parameters resolved. Call it with the caller's arguments, in the order in which the
/// handler takes them; a call costs one pointer dereference a resource. Copyable if the callable and its Local values
/// are. May suspend if the handler does; then it must stay where it is until the call returns.
template <class F>
class Handler {
    using Parameters = detail::ParametersOf<F>;

public:
    /// Throws UsageError when a resource is missing or parameters conflict.
    template <class G>
    Handler(const ResolveEnvironment& environment, G&& callable)
        : states_(Parameters::resolve(environment, detail::handler_name<F>(callable))),
          callable_(std::forward<G>(callable)) {}

    /// Calls the handler; returns what it returns, throws what it throws.
    template <class... Args>
    decltype(auto) operator()(Args&&... args) {
        const HandlerScope scope(name());
        return Parameters::call(callable_, states_, detail::forward_arguments(std::forward<Args>(args)...));
    }
    /// For reports; static storage.
    [[nodiscard]] const char* name() const noexcept { return detail::HandlerText<F>::value; }

private:
    typename Parameters::States states_; // first: what throws comes before anything is moved from
    F callable_;
};

/// A handler with everything that it needs: a nullary, move-only callable that is called once.
template <class F, class... Decayed>
class BoundHandler {
    using Parameters = detail::ParametersOf<F>;

public:
    template <class G, class... Args>
    explicit BoundHandler(const ResolveEnvironment& environment, G&& callable, Args&&... args)
        : states_(Parameters::resolve(environment, detail::handler_name<F>(callable))),
          callable_(std::forward<G>(callable)), arguments_(std::forward<Args>(args)...) {}
    BoundHandler(BoundHandler&&) = default;
    BoundHandler& operator=(BoundHandler&&) = default;
    BoundHandler(const BoundHandler&) = delete;
    BoundHandler& operator=(const BoundHandler&) = delete;
    ~BoundHandler() = default;

    /// Calls the handler as std::thread does: the callable and its arguments are passed as rvalues, a std::ref as a
    /// reference.
    decltype(auto) operator()() {
        const HandlerScope scope(name());
        return Parameters::call(std::move(callable_), states_, detail::move_arguments(arguments_));
    }
    /// For reports; static storage.
    [[nodiscard]] static const char* name() noexcept { return detail::HandlerText<F>::value; }

private:
    typename Parameters::States states_; // first: what throws comes before anything is moved from
    F callable_;
    std::tuple<Decayed...> arguments_;
};

/// What calling a BoundHandler made from these returns.
template <class F, class... Args>
using HandlerResult = decltype(std::declval<BoundHandler<std::decay_t<F>, std::unwrap_ref_decay_t<Args>...>&>()());

/// Resolves once, to call often. Throws UsageError as said above. Does not suspend.
template <class F>
[[nodiscard]] Handler<std::decay_t<F>> resolve_handler(const ResolveEnvironment& environment, F&& callable) {
    return Handler<std::decay_t<F>>(environment, std::forward<F>(callable));
}

/// Resolves `callable` and keeps decayed copies of it and of `args` (std::ref: the reference), to call once; what
/// spawn() and block_on() put into a fiber. Throws UsageError as said above; then nothing has been moved from.
/// With a null World only handlers without resources are accepted. Does not suspend, does not allocate.
template <class F, class... Args>
[[nodiscard]] auto bind_handler(const ResolveEnvironment& environment, F&& callable, Args&&... args) {
    using Decayed = std::decay_t<F>;
    if constexpr (detail::ParametersOf<Decayed>::template accepts_bound<Args...>()) {
        return BoundHandler<Decayed, std::unwrap_ref_decay_t<Args>...>(environment, std::forward<F>(callable),
                                                                       std::forward<Args>(args)...);
    } else {
        return detail::Refused{}; // the reason is the static_assert above
    }
}

/// Resolves and calls at once; arguments are passed on without copies.
template <class F, class... Args>
decltype(auto) run_handler(const ResolveEnvironment& environment, F&& callable, Args&&... args) {
    using Decayed = std::decay_t<F>;
    using Parameters = detail::ParametersOf<Decayed>;
    auto states = Parameters::resolve(environment, detail::handler_name<Decayed>(callable));
    const HandlerScope scope(detail::HandlerText<Decayed>::value);
    return Parameters::call(std::forward<F>(callable), states, detail::forward_arguments(std::forward<Args>(args)...));
}

} // namespace nexus
