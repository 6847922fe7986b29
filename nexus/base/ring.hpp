// Ring: a first-in-first-out queue of fixed capacity. Allocates once, when it is made.
//
// Invariants: head_ and tail_ only grow (and wrap with their type); tail_ - head_ elements live in the slots from
// head_ on, modulo the capacity, which is a power of two.
#pragma once

#include "nexus/base/usage_error.hpp"

#include <bit>
#include <cassert>
#include <cstddef>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

namespace nexus::base {

/// For one thread at a time. `T` needs to be movable only.
template <class T>
class Ring {
public:
    /// Room for `capacity` elements, rounded up to a power of two. Throws UsageError for 0 and for more than memory can
    /// hold, std::bad_alloc when there is none.
    explicit Ring(std::size_t capacity) : mask_(checked(capacity) - 1) {
        slots_ = std::allocator<T>{}.allocate(mask_ + 1);
    }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    /// Destroys what is left, oldest first.
    ~Ring() {
        clear();
        std::allocator<T>{}.deallocate(slots_, mask_ + 1);
    }

    [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }
    [[nodiscard]] std::size_t size() const noexcept { return tail_ - head_; }
    [[nodiscard]] bool empty() const noexcept { return head_ == tail_; }
    [[nodiscard]] bool full() const noexcept { return size() == capacity(); }

    /// Appends; not to be called when full. When the constructor of T throws, nothing has changed.
    template <class... Arguments>
    T& emplace_back(Arguments&&... arguments) noexcept(std::is_nothrow_constructible_v<T, Arguments...>) {
        assert(!full());
        T* made = std::construct_at(slots_ + (tail_ & mask_), std::forward<Arguments>(arguments)...);
        ++tail_;
        return *made;
    }
    void push_back(T&& value) noexcept(std::is_nothrow_move_constructible_v<T>) { emplace_back(std::move(value)); }
    void push_back(const T& value) { emplace_back(value); }

    /// The oldest element; not to be called when empty.
    [[nodiscard]] T& front() noexcept {
        assert(!empty());
        return slots_[head_ & mask_];
    }
    [[nodiscard]] const T& front() const noexcept {
        assert(!empty());
        return slots_[head_ & mask_];
    }
    /// Takes the oldest element out; not to be called when empty. When moving T throws, it stays.
    T pop_front() noexcept(std::is_nothrow_move_constructible_v<T>) {
        T value = std::move(front());
        drop_front();
        return value;
    }
    /// Destroys the oldest element where it lies; not to be called when empty. Its destructor sees the queue without
    /// it, and must not append to it: the slot is still in use.
    void drop_front() noexcept {
        // Out of the queue before its destructor runs, which may look at the queue.
        T* oldest = &front();
        ++head_;
        std::destroy_at(oldest);
    }
    /// drop_front() until empty.
    void clear() noexcept {
        while (!empty()) drop_front();
    }

private:
    static std::size_t checked(std::size_t capacity) {
        constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 4 / sizeof(T);
        if (capacity == 0) throw UsageError("a queue of capacity 0 was asked for; it must have room for at least 1");
        if (capacity > most) throw UsageError("a queue was asked for that is larger than memory can be");
        return std::bit_ceil(capacity);
    }

    std::size_t mask_;
    std::size_t head_ = 0;
    std::size_t tail_ = 0;
    T* slots_ = nullptr;
};

} // namespace nexus::base
