// A bounded queue with many producers and one consumer, without locks (after D. Vyukov's bounded queue).
//
// Positions only grow. The slot of position p (p modulo the capacity, a power of two) carries a turn number:
//   2p            free for the producer of p
//   2p + 1        holds the value of p
//   2(p + cap)    taken; free for the producer of p + cap
// The doubling keeps "holds p" and "free for p + 1" apart when the capacity is 1.
// Invariants: a producer owns position p from the exchange that moved `tail_` from p to p + 1 until it stores 2p + 1;
// the consumer owns a slot that holds a value. A producer between the two makes the queue look empty from its position
// on, although later positions may be filled: it will be told of again when that producer publishes.
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
class BasicMpscRing {
    static_assert(std::is_nothrow_move_constructible_v<T>,
                  "a channel moves its values from fiber to fiber: T needs a move constructor that is noexcept; send a "
                  "std::unique_ptr<T> instead");

public:
    using Turn = std::uint64_t;

    /// Rounded up to a power of two. Throws UsageError for 0.
    explicit BasicMpscRing(std::size_t capacity)
        : mask_(checked(capacity) - 1), slots_(std::make_unique<Slot[]>(mask_ + 1)) {
        // SAFETY: relaxed; not shared yet.
        for (std::size_t i = 0; i <= mask_; ++i) slots_[i].turn.store_relaxed(2 * static_cast<Turn>(i));
    }
    BasicMpscRing(const BasicMpscRing&) = delete;
    BasicMpscRing& operator=(const BasicMpscRing&) = delete;
    /// Destroys what is left. Nobody else uses the ring any more.
    ~BasicMpscRing() {
        while (try_pop([](T&& /*left*/) noexcept {})) {}
    }

    [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }

    /// Any thread. Moves from `value` only when there is room; true then.
    [[nodiscard]] bool try_push(T& value) noexcept {
        // SAFETY: relaxed; the acquire of the slot's turn and the exchange below decide.
        Turn at = tail_.load_relaxed();
        for (;;) {
            Slot& slot = slots_[at & mask_];
            const auto turn = static_cast<std::int64_t>(slot.turn.load_acquire() - 2 * at); // partner: try_pop()
            if (turn < 0) return false;
            if (turn == 0) {
                if (!tail_.compare_exchange_acq_rel(at, at + 1)) continue;
                ::new (static_cast<void*>(slot.bytes)) T(std::move(value));
                slot.turn.store_release(2 * at + 1); // partner: the acquire in try_pop()
                return true;
            }
            // SAFETY: relaxed; as above. Another producer was faster.
            at = tail_.load_relaxed();
        }
    }

    /// Consumer only. Hands the oldest value to `sink` as an rvalue, then destroys it; false when there is none.
    template <class Sink>
    bool try_pop(Sink&& sink) {
        // SAFETY: relaxed; only the consumer writes it.
        const Turn at = head_.load_relaxed();
        Slot& slot = slots_[at & mask_];
        if (slot.turn.load_acquire() != 2 * at + 1) return false; // partner: try_push()
        struct Release {                                          // also when the sink throws
            BasicMpscRing& ring;
            Slot& slot;
            Turn at;
            ~Release() {
                slot.value().~T();
                // SAFETY: relaxed; for depth() alone. What frees the slot is the release below.
                ring.head_.store_relaxed(at + 1);
                slot.turn.store_release(2 * (at + ring.capacity())); // partner: the acquire in try_push()
            }
        } release{*this, slot, at};
        sink(std::move(slot.value()));
        return true;
    }
    /// Consumer only.
    [[nodiscard]] bool has_value() const noexcept {
        // SAFETY: relaxed; only the consumer writes it.
        const Turn at = head_.load_relaxed();
        return slots_[at & mask_].turn.load_acquire() == 2 * at + 1; // partner: try_push()
    }
    /// Consumer only. The position of the next value.
    [[nodiscard]] Turn position() const noexcept {
        return head_.load_relaxed(); // SAFETY: relaxed; only the consumer writes it
    }
    /// Any thread; what was true a moment ago. Counts values that are being written.
    [[nodiscard]] std::size_t depth() const noexcept {
        // SAFETY: relaxed; a figure for people.
        const Turn head = head_.load_relaxed();
        const Turn tail = tail_.load_relaxed();
        return tail > head ? static_cast<std::size_t>(tail - head) : 0;
    }

private:
    struct Slot {
        // Partners: the producers of this slot's positions and the consumer.
        typename Backend::template Atomic<Turn> turn{0};
        alignas(T) std::byte bytes[sizeof(T)];

        // SAFETY: called only while the slot holds a value.
        [[nodiscard]] T& value() noexcept { return *std::launder(reinterpret_cast<T*>(bytes)); }
    };

    static std::size_t checked(std::size_t capacity) {
        constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 4 / sizeof(Slot);
        if (capacity == 0) throw UsageError("a channel of capacity 0 was asked for; it must have room for at least 1");
        if (capacity > most) throw UsageError("a channel was asked for that is larger than memory can be");
        return std::bit_ceil(capacity);
    }

    std::size_t mask_;
    std::unique_ptr<Slot[]> slots_;
    // On lines of their own: producers fight for the one, the consumer writes the other.
    alignas(64) typename Backend::template Atomic<Turn> tail_{0}; // partner: all producers
    alignas(64) typename Backend::template Atomic<Turn> head_{0}; // partner: depth()
};

} // namespace nexus::detail
