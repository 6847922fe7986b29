// How records lie in the memory of a byte ring.
//
// A record is a header word of 8 bytes and its payload, rounded up to 8 (CH-BY-1). Positions count bytes and only grow;
// position p lies at p modulo the capacity, a power of two. Records are contiguous and none is ever moved to the start:
// behind the ring lies an overhang in which the one record that crosses the end goes on, so every record that fits into
// the ring at all fits at every position (H-24, H-38; docs/decisions/0045).
// Invariant: a header word never lies in the overhang.
#pragma once

#include "nexus/base/atomic.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace nexus::detail {

using BytePosition = std::uint64_t;

inline constexpr std::size_t record_header = sizeof(std::uint64_t);

/// What a payload costs in the ring.
[[nodiscard]] constexpr std::size_t record_extent(std::size_t payload) noexcept {
    return (record_header + payload + (record_header - 1)) & ~(record_header - 1);
}
/// The exact bound: this fits whenever the ring is empty, one byte more never does.
[[nodiscard]] constexpr std::size_t largest_payload(std::size_t capacity) noexcept { return capacity - record_header; }

/// Rounded up to a power of two. Throws UsageError below 16 and above 2 GiB.
[[nodiscard]] std::size_t checked_byte_capacity(std::size_t asked);

/// A record that is being written or read. `Bytes` points to its payload.
template <class Bytes>
struct ByteRecord {
    BytePosition at = 0;
    Bytes data{};
    std::size_t size = 0;   ///< of the payload; 0 for none at all
    std::size_t extent = 0; ///< of the record
};

/// The memory itself. A model checker brings another class with these members (test/model).
class RecordMemory {
public:
    using Bytes = std::byte*;

    /// `capacity` is a power of two. The ring is zero, the overhang is not touched.
    explicit RecordMemory(std::size_t capacity)
        : mask_(capacity - 1), bytes_(static_cast<std::byte*>(::operator new (capacity + largest_payload(capacity),
                                                                              std::align_val_t{alignment}))) {
        std::memset(bytes_.get(), 0, capacity);
    }

    [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }
    [[nodiscard]] Bytes payload(BytePosition at) noexcept { return bytes_.get() + offset(at) + record_header; }

    // The header word of the record at a position: who published it is seen to have written the payload.
    [[nodiscard]] std::uint64_t header_acquire(BytePosition at) const noexcept { return view(at).load_acquire(); }
    [[nodiscard]] std::uint64_t header(BytePosition at) const noexcept {
        return view(at).load_relaxed(); // SAFETY: relaxed; for who knows already that the payload is there
    }
    void publish_header(BytePosition at, std::uint64_t word) noexcept { view(at).store_release(word); }
    void set_header(BytePosition at, std::uint64_t word) noexcept {
        view(at).store_relaxed(word); // SAFETY: relaxed; something else publishes the payload
    }
    /// Zeroes what a record has in the ring, so that no old payload is taken for a header.
    void clear(BytePosition at, std::size_t extent) noexcept {
        std::memset(bytes_.get() + offset(at), 0, std::min(extent, capacity() - offset(at)));
    }

private:
    static constexpr std::size_t alignment = 64; ///< a cache line: records of the same size lie the same way in theirs

    struct Free {
        void operator()(std::byte* bytes) const noexcept { ::operator delete (bytes, std::align_val_t{alignment}); }
    };

    [[nodiscard]] std::size_t offset(BytePosition at) const noexcept { return static_cast<std::size_t>(at) & mask_; }
    [[nodiscard]] base::StdAtomics::View<std::uint64_t> view(BytePosition at) const noexcept {
        // SAFETY: positions are multiples of 8 and the memory is aligned, so a word may live there; it begins to with
        // its first use, as in all memory from operator new. Whoever has plain access to these bytes (the writer of a
        // payload, clear()) is ordered with the atomic accesses by the ring's positions.
        return base::StdAtomics::View<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(bytes_.get() + offset(at)));
    }

    std::size_t mask_;
    std::unique_ptr<std::byte[], Free> bytes_;
};

} // namespace nexus::detail
