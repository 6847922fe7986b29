// Where one resource lives: a heap cell that never moves, so that handles are plain pointers.
//
// Invariants: the value exists from the moment the builder has made it until the World is destroyed; what a dispatch
// touches (borrow state, sequence number) lies directly before the value. Everything else that is known about a
// resource is kept in its ResourceEntry (state.hpp).
#pragma once

#include "nexus/base/borrow.hpp"

#include <cassert>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace nexus::detail {

/// T(args...) where that is a constructor, else T{args...}: clang 14 cannot initialise aggregates with parentheses.
template <class T, class... Args>
void construct(T* address, Args&&... args) {
    if constexpr (std::is_constructible_v<T, Args...>) {
        ::new (static_cast<void*>(address)) T(std::forward<Args>(args)...);
    } else {
        ::new (static_cast<void*>(address)) T{std::forward<Args>(args)...};
    }
}

/// What all cells have in common. Not polymorphic: the entry knows how to destroy it.
struct ResourceCell : BorrowTarget {
    explicit ResourceCell(const char* type_name, std::uint64_t& world_clock) noexcept : clock(&world_clock) {
        name = type_name;
    }
    ResourceCell(const ResourceCell&) = delete;
    ResourceCell& operator=(const ResourceCell&) = delete;

    void mark_changed() noexcept { changed = ++*clock; }

    std::uint64_t changed = 0;  ///< sequence number of the last mutable use; 0: never
    std::uint64_t* const clock; ///< the World's counter of mutable uses
    bool built = false;
    bool constant = false; ///< registered with add_const

protected:
    ~ResourceCell() = default;
};

template <class T>
struct Cell final : ResourceCell {
    Cell(const char* type_name, std::uint64_t& world_clock) noexcept : ResourceCell(type_name, world_clock) {}
    Cell(const Cell&) = delete;
    Cell& operator=(const Cell&) = delete;
    ~Cell() {
        assert(newest == nullptr && "a World is destroyed while one of its resources is borrowed");
        if (built) value.~T();
    }

    template <class... Args>
    void build(Args&&... args) {
        assert(!built);
        construct(std::addressof(value), std::forward<Args>(args)...);
        built = true;
    }
    /// From what `make` returns, without a move.
    template <class Make>
    void build_from(Make&& make) {
        assert(!built);
        ::new (static_cast<void*>(std::addressof(value))) T(std::forward<Make>(make)());
        built = true;
    }

    union {
        T value;
    };
};

} // namespace nexus::detail
