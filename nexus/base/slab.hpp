// Slab: fixed-size slots carved from chunks, reused last-in-first-out. Addresses are stable; chunks are returned only
// by the destructor. Not thread-safe: the owner calls it, or whoever holds the owner's lock.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace nexus::base {

class Slab {
public:
    /// `slot_bytes` is a multiple of `alignment`, a power of two; both at least the size of a pointer.
    Slab(std::size_t slot_bytes, std::size_t alignment, std::size_t slots_per_chunk) noexcept
        : slot_bytes_(slot_bytes), alignment_(alignment), slots_per_chunk_(slots_per_chunk) {}
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;
    ~Slab() {
        for (void* chunk : chunks_) ::operator delete (chunk, std::align_val_t{alignment_});
    }

    [[nodiscard]] std::size_t slot_bytes() const noexcept { return slot_bytes_; }

    /// An uninitialised slot. Throws std::bad_alloc when a chunk cannot be had; nothing changes then.
    [[nodiscard]] void* allocate() {
        if (free_ == nullptr) [[unlikely]]
            grow();
        FreeSlot* slot = free_;
        free_ = slot->next;
        return slot;
    }
    /// One chunk more, now. Throws std::bad_alloc; nothing changes then.
    void reserve_chunk() { grow(); }
    void deallocate(void* slot) noexcept { free_ = ::new (slot) FreeSlot{free_}; }

private:
    static constexpr std::size_t max_chunk_bytes = std::size_t{1} << 46; // more than a process can address

    struct FreeSlot {
        FreeSlot* next;
    };

    void grow() {
        chunks_.reserve(chunks_.size() + 1);
        if (slots_per_chunk_ > max_chunk_bytes / slot_bytes_) throw std::bad_alloc();
        auto* chunk = static_cast<std::byte*>(
            ::operator new (slot_bytes_* slots_per_chunk_, std::align_val_t{alignment_}));
        chunks_.push_back(chunk);
        for (std::size_t i = slots_per_chunk_; i-- > 0;) deallocate(chunk + i * slot_bytes_);
    }

    std::size_t slot_bytes_;
    std::size_t alignment_;
    std::size_t slots_per_chunk_;
    FreeSlot* free_ = nullptr;
    std::vector<void*> chunks_;
};

} // namespace nexus::base
