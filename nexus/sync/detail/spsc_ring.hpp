// A bounded queue with one producer and one consumer, without locks.
//
// Positions only grow; the slot of position p is p modulo the capacity, a power of two. Values lie in the slots from
// `head_` to `tail_`. Invariants: the producer alone writes `tail_`, after it has made the value; the consumer alone
// writes `head_`, after it has destroyed the value. Each side keeps what it last saw of the other's position
// (`known_head_` <= head_, `known_tail_` <= tail_) on its own line and looks again only when that does not suffice: in
// a stream the lines with the positions change hands once in many values.
#pragma once

#include "nexus/base/atomic.hpp"
#include "nexus/base/usage_error.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace nexus::detail {

template <class T, class Backend = base::StdAtomics>
class BasicSpscRing {
    static_assert(std::is_nothrow_move_constructible_v<T>,
                  "a channel moves its values from fiber to fiber: T needs a move constructor that is noexcept; send a "
                  "std::unique_ptr<T> instead");

public:
    using Position = std::uint64_t;

    /// Rounded up to a power of two. Throws UsageError for 0.
    explicit BasicSpscRing(std::size_t capacity)
        : mask_(checked(capacity) - 1), slots_(std::make_unique<Slot[]>(mask_ + 1)) {}
    BasicSpscRing(const BasicSpscRing&) = delete;
    BasicSpscRing& operator=(const BasicSpscRing&) = delete;
    /// Destroys what is left. Nobody else uses the ring any more.
    ~BasicSpscRing() { clear(); }

    [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }

    /// Producer only. Moves from `value` only when there is room; true then.
    [[nodiscard]] bool try_push(T& value) noexcept {
        // SAFETY: relaxed; only the producer writes it.
        const Position at = tail_.load_relaxed();
        if (!has_room(at)) [[unlikely]]
            return false;
        ::new (static_cast<void*>(slots_[at & mask_].bytes)) T(std::move(value));
        tail_.store_release(at + 1); // partner: the acquire in sees_value()
        return true;
    }
    /// Producer only. True until the producer itself fills it.
    [[nodiscard]] bool has_room() noexcept {
        return has_room(tail_.load_relaxed()); // SAFETY: relaxed; only the producer writes it
    }
    /// Producer only. The position of the next value: how many there were.
    [[nodiscard]] Position pushed() const noexcept {
        return tail_.load_relaxed(); // SAFETY: relaxed; only the producer writes it
    }

    /// Consumer only. The oldest value, null when there is none.
    [[nodiscard]] T* front() noexcept {
        // SAFETY: relaxed; only the consumer writes it.
        const Position at = head_.load_relaxed();
        return sees_value(at) ? &slots_[at & mask_].value() : nullptr;
    }
    /// Consumer only; there is a value. Destroys the oldest.
    void drop_front() noexcept {
        // SAFETY: relaxed; only the consumer writes it.
        const Position at = head_.load_relaxed();
        slots_[at & mask_].value().~T();
        head_.store_release(at + 1); // partner: the acquire in has_room()
    }
    /// Consumer only. Destroys what there is. Each value leaves the ring first: its destructor may do anything, also
    /// let another fiber look here.
    void clear() noexcept {
        while (T* oldest = front()) {
            [[maybe_unused]] const T unread(std::move(*oldest));
            drop_front();
        }
    }
    /// Consumer only. True until the consumer itself takes it.
    [[nodiscard]] bool has_value() noexcept {
        return sees_value(head_.load_relaxed()); // SAFETY: relaxed; only the consumer writes it
    }
    /// Consumer only. How many values were taken.
    [[nodiscard]] Position popped() const noexcept {
        return head_.load_relaxed(); // SAFETY: relaxed; only the consumer writes it
    }

    /// Any thread. The most values that waited when the consumer had to look at the producer's position.
    [[nodiscard]] std::size_t most_seen() const noexcept {
        return most_seen_.load_relaxed(); // SAFETY: relaxed; a figure for people
    }
    /// Any thread; what was true a moment ago.
    [[nodiscard]] std::size_t depth() const noexcept {
        // SAFETY: relaxed; a figure for people.
        const Position head = head_.load_relaxed();
        const Position tail = tail_.load_relaxed();
        return tail > head ? static_cast<std::size_t>(tail - head) : 0;
    }

private:
    struct Slot {
        alignas(T) std::byte bytes[sizeof(T)];

        // SAFETY: called only while the slot holds a value.
        [[nodiscard]] T& value() noexcept { return *std::launder(reinterpret_cast<T*>(bytes)); }
    };

    [[nodiscard]] bool has_room(Position at) noexcept {
        if (at - known_head_.get() <= mask_) [[likely]]
            return true;
        known_head_.set(head_.load_acquire()); // partner: drop_front()
        return at - known_head_.get() <= mask_;
    }
    [[nodiscard]] bool sees_value(Position at) noexcept {
        if (at != known_tail_.get()) [[likely]]
            return true;
        known_tail_.set(tail_.load_acquire()); // partner: try_push()
        const auto waiting = static_cast<std::size_t>(known_tail_.get() - at);
        // SAFETY: relaxed; only the consumer writes it, a figure for people.
        if (waiting > most_seen_.load_relaxed()) most_seen_.store_relaxed(waiting);
        return waiting != 0;
    }

    static std::size_t checked(std::size_t capacity) {
        constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 4 / sizeof(Slot);
        if (capacity == 0) throw UsageError("a channel of capacity 0 was asked for; it must have room for at least 1");
        if (capacity > most) throw UsageError("a channel was asked for that is larger than memory can be");
        return std::bit_ceil(capacity);
    }

    // Read by both sides, written by none.
    const std::size_t mask_;
    const std::unique_ptr<Slot[]> slots_;
    // The producer's line, then the consumer's.
    alignas(64) typename Backend::template Atomic<Position> tail_{0}; // partner: the consumer in sees_value()
    typename Backend::template Plain<Position> known_head_{0};
    alignas(64) typename Backend::template Atomic<Position> head_{0}; // partner: the producer in has_room()
    typename Backend::template Plain<Position> known_tail_{0};
    typename Backend::template Atomic<std::size_t> most_seen_{0}; // partner: whoever asks for the figure
};

} // namespace nexus::detail
