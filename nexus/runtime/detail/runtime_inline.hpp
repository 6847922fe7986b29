// Bodies of the templates of Runtime, and nexus::spawn: injection first, then the executor.
#pragma once

#include "nexus/runtime/runtime.hpp"

#include <type_traits>
#include <utility>

namespace nexus {

template <class F, class... Args>
auto Runtime::spawn(SpawnOptions options, F&& body, Args&&... args) {
    if (options.site == nullptr) options.site = __builtin_return_address(0);
    return executor_.spawn_boxed(
        bind_handler(ResolveEnvironment(&world_, identity_.get()), std::forward<F>(body), std::forward<Args>(args)...),
        options);
}

template <class F, class... Args>
auto Runtime::spawn(F&& body, Args&&... args) {
    return spawn(SpawnOptions{.name = nullptr, .stack_size = 0, .site = base::program_counter()}, std::forward<F>(body),
                 std::forward<Args>(args)...);
}

template <class F, class... Args>
auto Runtime::block_on(F&& body, Args&&... args) {
    auto bound = bind_handler(ResolveEnvironment(&world_, identity_.get()), std::forward<F>(body),
                              std::forward<Args>(args)...);
    auto root = start_root(std::move(bound));
    run_root(root);
    return root.join();
}

template <class Bound>
auto Runtime::start_root(Bound&& bound) {
    check_can_run("block_on");
    return executor_.spawn_boxed(
        std::forward<Bound>(bound),
        {.name = "main", .stack_size = options_.root_stack_size, .site = __builtin_return_address(0)});
}

/// Spawns `body(args...)` as a fiber of the running runtime, with injection: a missing resource is an error here and
/// now. The fiber runs first in the next cycle, never inline. Dropping the handle detaches it. Throws UsageError
/// outside a runtime.
template <class F, class... Args>
    requires(!std::is_same_v<std::decay_t<F>, SpawnOptions>)
[[gnu::always_inline]] inline auto spawn(F&& body, Args&&... args) {
    return Runtime::require("spawn").spawn(
        SpawnOptions{.name = nullptr, .stack_size = 0, .site = base::program_counter()}, std::forward<F>(body),
        std::forward<Args>(args)...);
}

/// The same with a name or a stack size: spawn({.name = "feed"}, read_feed, socket).
template <class F, class... Args>
[[gnu::always_inline]] inline auto spawn(SpawnOptions options, F&& body, Args&&... args) {
    if (options.site == nullptr) options.site = base::program_counter();
    return Runtime::require("spawn").spawn(options, std::forward<F>(body), std::forward<Args>(args)...);
}

/// The seed's name for the same thing.
template <class F, class... Args>
[[gnu::always_inline]] inline auto spawn_boxed(F&& body, Args&&... args) {
    return spawn(std::forward<F>(body), std::forward<Args>(args)...);
}

} // namespace nexus
