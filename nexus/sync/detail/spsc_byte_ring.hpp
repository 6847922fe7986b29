// A ring of byte records with one producer and one consumer, without locks.
//
// Records lie between `head_` and `tail_`, see record_memory.hpp; the header word is the length of the payload.
// Invariants: the producer alone writes `tail_`, after payload and header; the consumer alone writes `head_`. A claim
// is the producer's affair: nothing of it is visible before it is published, and one that is given up leaves no trace.
// Each side keeps what it last saw of the other's position on its own line and looks again only when that does not
// suffice.
#pragma once

#include "nexus/sync/detail/record_memory.hpp"

#include <cstddef>
#include <cstdint>

namespace nexus::detail {

template <class Backend, class Memory>
class BasicSpscByteRing {
public:
    using Record = ByteRecord<typename Memory::Bytes>;

    /// A power of two.
    explicit BasicSpscByteRing(std::size_t capacity) : memory_(capacity) {}
    BasicSpscByteRing(const BasicSpscByteRing&) = delete;
    BasicSpscByteRing& operator=(const BasicSpscByteRing&) = delete;

    [[nodiscard]] std::size_t capacity() const noexcept { return memory_.capacity(); }

    // --- producer ---

    /// True until the producer itself publishes.
    [[nodiscard]] bool has_room(std::size_t extent) noexcept {
        // SAFETY: relaxed; only the producer writes it.
        const BytePosition at = tail_.load_relaxed();
        if (at + extent - known_head_.get() <= capacity()) [[likely]]
            return true;
        known_head_.set(head_.load_acquire()); // partner: pop()
        if (at + extent - known_head_.get() <= capacity()) return true;
        note(most_when_full_, at - known_head_.get());
        return false;
    }
    /// Room for `size` bytes behind everything that is published; false when there is none.
    [[nodiscard]] bool try_claim(std::size_t size, Record& claim) noexcept {
        const std::size_t extent = record_extent(size);
        if (!has_room(extent)) return false;
        // SAFETY: relaxed; only the producer writes it.
        const BytePosition at = tail_.load_relaxed();
        claim = {at, memory_.payload(at), size, extent};
        return true;
    }
    /// Makes the first `size` bytes of a claim a record.
    void commit(const Record& claim, std::size_t size) noexcept {
        memory_.set_header(claim.at, size);
        tail_.store_release(claim.at + record_extent(size)); // partner: front()
    }

    // --- consumer ---

    /// The oldest record; false when there is none. Looking never makes room here.
    [[nodiscard]] bool front(Record& record, bool& /*freed*/) noexcept {
        // SAFETY: relaxed; only the consumer writes it.
        const BytePosition at = head_.load_relaxed();
        if (at == known_tail_.get()) {
            known_tail_.set(tail_.load_acquire()); // partner: commit()
            note(most_seen_, known_tail_.get() - at);
            if (at == known_tail_.get()) return false;
        }
        const auto size = static_cast<std::size_t>(memory_.header(at));
        record = {at, memory_.payload(at), size, record_extent(size)};
        return true;
    }
    /// Gives its space back.
    void pop(const Record& record) noexcept {
        head_.store_release(record.at + record.extent); // partner: has_room()
    }
    /// How many records wait. Looks at each of them.
    [[nodiscard]] std::size_t count() const noexcept {
        const BytePosition end = tail_.load_acquire(); // partner: commit()
        std::size_t found = 0;
        // SAFETY: relaxed; only the consumer writes it.
        for (BytePosition at = head_.load_relaxed(); at != end; ++found) {
            at += record_extent(static_cast<std::size_t>(memory_.header(at)));
        }
        return found;
    }

    // --- any thread: figures, true a moment ago ---

    /// Bytes of the records that wait, with their headers.
    [[nodiscard]] std::size_t used() const noexcept {
        // SAFETY: relaxed; a figure for people.
        const BytePosition head = head_.load_relaxed();
        const BytePosition tail = tail_.load_relaxed();
        return tail > head ? std::min(static_cast<std::size_t>(tail - head), capacity()) : 0;
    }
    /// The most there were, as either side saw it when it had to look at the other's position.
    [[nodiscard]] std::size_t high_water() const noexcept {
        // SAFETY: relaxed; figures for people.
        return std::max(most_when_full_.load_relaxed(), most_seen_.load_relaxed());
    }

private:
    using Figure = typename Backend::template Atomic<std::size_t>;

    static void note(Figure& most, BytePosition used) noexcept {
        // SAFETY: relaxed; each figure has one writer.
        if (used > most.load_relaxed()) most.store_relaxed(static_cast<std::size_t>(used));
    }

    Memory memory_; // read by both sides, written by none
    // The producer's line, then the consumer's.
    alignas(64) typename Backend::template Atomic<BytePosition> tail_{0}; // partner: the consumer in front()
    typename Backend::template Plain<BytePosition> known_head_{0};
    Figure most_when_full_{0};                                            // partner: high_water()
    alignas(64) typename Backend::template Atomic<BytePosition> head_{0}; // partner: the producer in has_room()
    typename Backend::template Plain<BytePosition> known_tail_{0};
    Figure most_seen_{0}; // partner: high_water()
};

} // namespace nexus::detail
