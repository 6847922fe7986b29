// Local<T>: state that belongs to one resolved handler.
//
// Invariant: the value lives in the handler (Handler, or the closure of a spawned fiber), starts as T{} when the
// handler is resolved, and goes with it. Two resolutions of one function have two values; a copy of a Handler has its
// own.
#pragma once

#include <type_traits>

namespace nexus {

/// Access to the handler's own T, kept from call to call. Unchecked: nobody else can reach it, except a second call of
/// the same Handler object while the first one waits.
template <class T>
class Local {
    static_assert(std::is_default_constructible_v<T>, "Local<T> starts as T{}: T needs a default constructor");
    static_assert(std::is_move_constructible_v<T>, "Local<T> moves with its handler: T needs a move constructor");

public:
    explicit Local(T& value) noexcept : value_(&value) {}
    [[nodiscard]] T& operator*() const noexcept { return *value_; }
    [[nodiscard]] T* operator->() const noexcept { return value_; }

private:
    T* value_;
};

} // namespace nexus
