// A ring of byte records with many producers and one consumer, without locks.
//
// A producer claims space by moving `tail_`, writes its record there and then its header word, which is
//   0                         nobody has claimed this, or whoever did has not said so yet
//   extent << 32 | pending    claimed, being written
//   extent << 32 | size       a record of `size` bytes
//   extent << 32 | 0          given up: to be passed
// Invariants: claims lie one behind the other from `head_` to `tail_`; what a claim holds belongs to its producer until
// the header says otherwise, and then to the consumer; memory outside of claims is zero, so that the word behind the
// last claim is (the consumer clears what it has passed). The consumer takes records in the order in which they were
// claimed: one that is pending holds up all behind it (CH-BY-5).
#pragma once

#include "nexus/sync/detail/record_memory.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace nexus::detail {

template <class Backend, class Memory>
class BasicMpscByteRing {
public:
    using Record = ByteRecord<typename Memory::Bytes>;
    struct Census {
        std::size_t records = 0; ///< committed
        std::size_t pending = 0; ///< claimed, neither committed nor given up
        std::size_t held_up = 0; ///< committed behind a pending one
    };

    /// A power of two, at most 2^31.
    explicit BasicMpscByteRing(std::size_t capacity) : memory_(capacity) {}
    BasicMpscByteRing(const BasicMpscByteRing&) = delete;
    BasicMpscByteRing& operator=(const BasicMpscByteRing&) = delete;

    [[nodiscard]] std::size_t capacity() const noexcept { return memory_.capacity(); }

    // --- producers ---

    /// Space for `size` bytes, from here on the caller's; false when there is none.
    [[nodiscard]] bool try_claim(std::size_t size, Record& claim) noexcept {
        const std::size_t extent = record_extent(size);
        // SAFETY: relaxed; the exchange decides.
        BytePosition at = tail_.load_relaxed();
        do {
            if (!has_room(at, extent)) return false;
        } while (!tail_.compare_exchange_acq_rel(at, at + extent));
        memory_.set_header(at, word(extent, pending));
        claim = {at, memory_.payload(at), size, extent};
        return true;
    }
    /// Makes the first `size` bytes of a claim a record.
    void commit(const Record& claim, std::size_t size) noexcept {
        memory_.publish_header(claim.at, word(claim.extent, size)); // partner: front()
    }
    /// Gives a claim up. Its space is free when the consumer has passed it.
    void abort(const Record& claim) noexcept { commit(claim, 0); }
    /// A guess, unless the caller is the only producer who may claim now; then it holds until it does.
    [[nodiscard]] bool has_room(std::size_t extent) noexcept {
        return has_room(tail_.load_relaxed(), extent); // SAFETY: relaxed; as said
    }

    // --- consumer ---

    /// The oldest record; false when there is none, or when it is pending. Passes what was given up; `freed` becomes
    /// true when that made room.
    [[nodiscard]] bool front(Record& record, bool& freed) noexcept {
        for (;;) {
            // SAFETY: relaxed; only the consumer writes it.
            const BytePosition at = head_.load_relaxed();
            const std::uint64_t header = memory_.header_acquire(at); // partner: commit()
            const std::size_t size = size_of(header);
            if (header == 0 || size == pending) return false;
            record = {at, memory_.payload(at), size, extent_of(header)};
            if (size != 0) {
                if ((++looks_ & 15U) == 0) note(used());
                return true;
            }
            pop(record);
            freed = true;
        }
    }
    /// Gives its space back.
    void pop(const Record& record) noexcept {
        memory_.clear(record.at, record.extent);
        head_.store_release(record.at + record.extent); // partner: has_room()
    }
    /// Nothing is claimed that has not been passed. Sees the claims of producers who are seen to have left.
    [[nodiscard]] bool drained() const noexcept {
        // SAFETY: relaxed; only the consumer writes it.
        return head_.load_relaxed() == tail_.load_acquire(); // partner: try_claim()
    }
    /// Looks at every record. A claim of this very moment may be missing, with all behind it.
    [[nodiscard]] Census census() const noexcept {
        Census found;
        const BytePosition end = tail_.load_acquire(); // partner: try_claim()
        // SAFETY: relaxed; only the consumer writes it.
        for (BytePosition at = head_.load_relaxed(); at != end;) {
            const std::uint64_t header = memory_.header_acquire(at);
            if (header == 0 || size_of(header) == pending) {
                ++found.pending;
                if (header == 0) break;
            } else if (size_of(header) != 0) {
                ++found.records;
                if (found.pending != 0) ++found.held_up;
            }
            at += extent_of(header);
        }
        return found;
    }

    // --- any thread: figures, true a moment ago ---

    /// Bytes of what is claimed, with headers, until the consumer has passed it.
    [[nodiscard]] std::size_t used() const noexcept {
        // SAFETY: relaxed; a figure for people.
        const BytePosition head = head_.load_relaxed();
        const BytePosition tail = tail_.load_relaxed();
        return tail > head ? std::min(static_cast<std::size_t>(tail - head), capacity()) : 0;
    }
    /// The most there were: as seen by claims that found no room, and at every sixteenth record.
    [[nodiscard]] std::size_t high_water() const noexcept {
        return most_.load_relaxed(); // SAFETY: relaxed; a figure for people
    }
    /// Any thread, when it found no room.
    void note_full() noexcept { note(used()); }

private:
    static constexpr std::size_t pending = 0xFFFF'FFFF;

    [[nodiscard]] static constexpr std::uint64_t word(std::size_t extent, std::size_t size) noexcept {
        return static_cast<std::uint64_t>(extent) << 32U | size;
    }
    [[nodiscard]] static constexpr std::size_t extent_of(std::uint64_t header) noexcept {
        return static_cast<std::size_t>(header >> 32U);
    }
    [[nodiscard]] static constexpr std::size_t size_of(std::uint64_t header) noexcept {
        return static_cast<std::size_t>(header & pending);
    }
    [[nodiscard]] bool fits(BytePosition tail, std::size_t extent, BytePosition head) const noexcept {
        // Signed: a tail of long ago may lie before the head; the exchange refuses it.
        return static_cast<std::int64_t>(tail + extent - head) <= static_cast<std::int64_t>(capacity());
    }
    [[nodiscard]] bool has_room(BytePosition tail, std::size_t extent) noexcept {
        if (fits(tail, extent, known_head_.load_acquire())) [[likely]] // partner: the store below
            return true;
        const BytePosition head = head_.load_acquire(); // partner: pop()
        known_head_.store_release(head);                // partner: the load above, on other producers' threads
        return fits(tail, extent, head);
    }
    void note(std::size_t used) noexcept {
        // SAFETY: relaxed; a figure for people.
        std::size_t most = most_.load_relaxed();
        while (used > most && !most_.compare_exchange_acq_rel(most, used)) {}
    }

    Memory memory_; // the addresses: read by all, written by none
    // What producers fight for. `known_head_` is a head of some time ago, so that they leave the consumer's line alone.
    alignas(64) typename Backend::template Atomic<BytePosition> tail_{0}; // partner: all producers, drained()
    typename Backend::template Atomic<BytePosition> known_head_{0};       // partner: all producers
    alignas(64) typename Backend::template Atomic<BytePosition> head_{0}; // partner: the producers in has_room()
    std::uint32_t looks_ = 0;                                             // the consumer's
    alignas(64) typename Backend::template Atomic<std::size_t> most_{0};  // partner: high_water()
};

} // namespace nexus::detail
