// Res<T>, ResMut<T>, ConstRes<T>: handles on resources, and Borrow<T>, the guard of one use.
//
// A handle is one pointer. It may be copied, live as long as the World and stay alive across waits, since holding it
// borrows nothing. *Using* it borrows: `book->add(order)` for that expression, `auto b = book.borrow()` for that scope,
// `book.with(fn)` for that call. There is no operator* on Res and ResMut: a reference that leaves its expression would
// not be seen by the checks. Loops go through borrow().
//
// The rules (nexus/base/borrow.hpp checks them): a fiber does not wait while it holds a mutable borrow, nor, when the
// runtime is strict, a shared one; nobody borrows mutably while any other borrow lives, nor shares while a mutable one
// lives. Each violation throws UsageError at once. None of these functions suspends, allocates, locks or hashes.
#pragma once

#include "nexus/base/borrow.hpp"
#include "nexus/world/detail/cell.hpp"

#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace nexus {

/// One live borrow of a resource: `*guard` and `guard->`. Shared when T is const, else mutable. It ends with its scope.
/// Not movable; it belongs to the fiber that took it.
template <class T>
class [[nodiscard]] Borrow {
    using Value = std::remove_const_t<T>;
    static constexpr BorrowKind kind = std::is_const_v<T> ? BorrowKind::shared : BorrowKind::exclusive;

public:
    /// Throws UsageError when another borrow forbids this one. A mutable borrow counts as a change when it begins.
    Borrow(detail::Cell<Value>& cell, CallSite place) : record_(cell, kind, place), value_(&cell.value) {
        if constexpr (kind == BorrowKind::exclusive) cell.mark_changed();
    }
    Borrow(const Borrow&) = delete;
    Borrow& operator=(const Borrow&) = delete;
    ~Borrow() {} // never trivial, so that compilers do not call a guard that is only held an unused variable

    [[nodiscard]] T& operator*() const noexcept { return *value_; }
    [[nodiscard]] T* operator->() const noexcept { return value_; }

private:
#if NEXUS_BORROW_CHECKS
    BorrowRecord record_;
#else
    [[no_unique_address]] BorrowRecord record_;
#endif
    T* value_;
};

namespace detail {

/// What Res and ResMut share; T is const for Res.
template <class T>
class ResourceHandle {
    using Value = std::remove_const_t<T>;
    static_assert(std::is_object_v<Value> && !std::is_volatile_v<T>, "a resource is an object type without volatile");

public:
    /// Handles are made by the World; the cell must outlive the handle.
    explicit ResourceHandle(Cell<Value>& cell) noexcept : cell_(&cell) {}

    /// Borrows for the expression in which it stands. Throws UsageError as borrow() does; the report tells the place
    /// as a program counter.
    [[gnu::always_inline]] Borrow<T> operator->() const { return Borrow<T>(*cell_, CallSite::program_counter()); }
    /// Borrows until the guard's scope ends. Throws UsageError, naming resource, handler, fiber and both places, when
    /// another borrow forbids it.
    [[nodiscard]] Borrow<T> borrow(CallSite place = CallSite::current()) const { return Borrow<T>(*cell_, place); }
    /// Borrows while `function(value)` runs and returns what it returned, by value, so that no reference gets out.
    template <class F>
    auto with(F&& function, CallSite place = CallSite::current()) const {
        const Borrow<T> guard(*cell_, place);
        return std::invoke(std::forward<F>(function), *guard);
    }
    /// The sequence number of the last mutable use of this resource; 0 when there was none. Borrows nothing.
    [[nodiscard]] std::uint64_t change_sequence() const noexcept { return cell_->changed; }

protected:
    Cell<Value>* cell_;
};

} // namespace detail

/// Shared access to the resource T. As a handler's parameter it is injected; T must be registered, or resolving the
/// handler is a UsageError. Reads what add() registered, and also what add_const() registered.
template <class T>
class Res : public detail::ResourceHandle<const T> {
    static_assert(!std::is_const_v<T> && !std::is_reference_v<T>, "write Res<T>, without const and reference");

public:
    using detail::ResourceHandle<const T>::ResourceHandle;
};

/// Mutable access to the resource T; each use counts as a change. Two parameters of one handler that reach the same
/// resource, one of them mutably, are a UsageError when the handler is resolved.
template <class T>
class ResMut : public detail::ResourceHandle<T> {
    static_assert(!std::is_const_v<T> && !std::is_reference_v<T>, "write ResMut<T>, without const and reference");

public:
    using detail::ResourceHandle<T>::ResourceHandle;
    /// A shared handle on the same resource, to read without marking it as changed.
    [[nodiscard]] Res<T> as_res() const noexcept { return Res<T>(*this->cell_); }
};

/// A resource that add_const() registered. It never changes, so references to it are valid as long as the World, no
/// borrow is taken and nothing is checked: as cheap as a reference.
template <class T>
class ConstRes {
    static_assert(!std::is_const_v<T> && !std::is_reference_v<T>, "write ConstRes<T>, without const and reference");

public:
    explicit ConstRes(const T& value) noexcept : value_(&value) {}
    [[nodiscard]] const T& operator*() const noexcept { return *value_; }
    [[nodiscard]] const T* operator->() const noexcept { return value_; }

private:
    const T* value_;
};

} // namespace nexus
