// on_loop_stack: runs a deep call on the thread's own stack instead of the fiber's.
#pragma once

#include "nexus/exec/executor.hpp"

#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace nexus {

/// Calls `function()` on the stack that the loop runs on, which has the size of an ordinary thread's, and returns or
/// throws what it does. The call must not suspend (UsageError). Throws UsageError outside a fiber.
template <class F>
std::invoke_result_t<F> on_loop_stack(F&& function) {
    using T = std::invoke_result_t<F>;
    static_assert(!std::is_reference_v<T>, "return a value or a pointer");
    struct Call {
        F& function;
        std::exception_ptr failure;
        std::optional<std::conditional_t<std::is_void_v<T>, char, T>> result;
    } call{function, nullptr, {}};
    Executor::of_current_fiber("on_loop_stack")
        .call_on_loop_stack(
            [](void* context) noexcept {
                auto& self = *static_cast<Call*>(context);
                try {
                    if constexpr (std::is_void_v<T>) {
                        std::invoke(std::forward<F>(self.function));
                    } else {
                        self.result.emplace(std::invoke(std::forward<F>(self.function)));
                    }
                } catch (...) {
                    self.failure = std::current_exception();
                }
            },
            &call);
    if (call.failure != nullptr) std::rethrow_exception(std::exchange(call.failure, nullptr));
    if constexpr (!std::is_void_v<T>) return std::move(*call.result);
}

} // namespace nexus
