// HandlerName: what a handler is called in reports.
//
// A functor or lambda is its type, fn<echo> is "echo", and a function pointer, whose name is gone, is its signature
// and, where the dynamic symbol table knows it, the function at its address.
#pragma once

#include "nexus/base/type_name.hpp"

#include <string>
#include <type_traits>
#include <utility>

namespace nexus {

/// A function as a type: `nexus::fn<echo>` is a callable that takes no room, calls directly, and knows its name.
template <auto Function>
struct Fn {
    static_assert(std::is_function_v<std::remove_pointer_t<decltype(Function)>>, "nexus::fn<f> takes a function");
    template <class... Args>
    constexpr auto operator()(Args&&... args) const noexcept(noexcept(Function(std::forward<Args>(args)...)))
        -> decltype(Function(std::forward<Args>(args)...)) {
        return Function(std::forward<Args>(args)...);
    }
};
template <auto Function>
inline constexpr Fn<Function> fn{};

struct HandlerName {
    const char* text = "";         ///< static storage
    const void* address = nullptr; ///< of a function pointer's function
    /// "echo", or "echo, void (int)" and "a function of type void (int)". Allocates.
    [[nodiscard]] std::string describe() const;
};

namespace detail {

template <class F>
struct HandlerText {
    static constexpr const char* value = base::type_name<F>().data();
};
template <class Function>
struct HandlerText<Function*> : HandlerText<Function> {};
template <auto Function>
struct HandlerText<Fn<Function>> {
    static constexpr const char* value = base::value_name<Function>().data();
};

/// F is decayed.
template <class F>
[[nodiscard]] HandlerName handler_name(const F& callable) noexcept {
    HandlerName name{HandlerText<F>::value, nullptr};
    if constexpr (std::is_pointer_v<F>) {
        // SAFETY: POSIX lets function pointers travel in void*; this one is only looked up, never called.
        name.address = reinterpret_cast<const void*>(callable);
    }
    return name;
}

} // namespace detail
} // namespace nexus
