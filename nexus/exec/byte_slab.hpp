// ByteSlab: memory and stacks for tasks, made before they are needed (SL-1 to SL-10).
//
// A user makes one and hands it to a runtime's builder; spawn_slab() then takes a slot and a stack that exist already:
// no allocation, no mapping, no page fault when prefaulted. A slot holds the task's header and its output; the closure
// lies on the stack. Invariants: a slot belongs to one claim or one task at a time; the memory lives as long as anybody
// refers to a task in it, so it may outlive the executor (SL-10, EX-72); every slot has a stack of its own.
// Owner thread only; nothing suspends.
#pragma once

#include "nexus/base/slab.hpp"
#include "nexus/exec/task.hpp"

#include <cstddef>
#include <memory>
#include <utility>

namespace nexus {

class CrossWake;
class Executor;

/// Bytes of a slot that the library needs for itself (EX-3); a task needs this plus its output, both aligned.
inline constexpr std::size_t task_header_size = sizeof(detail::Task);
/// Slots of this size hold every task whose output is small (EX-3).
inline constexpr std::size_t min_slot_size = 256;
/// Slots start at multiples of this; outputs that need more do not fit.
inline constexpr std::size_t slot_alignment = 64;

struct ByteSlabOptions {
    std::size_t slots = 64;                 ///< bounded: all there will ever be; unbounded: that many at a time
    std::size_t slot_bytes = min_slot_size; ///< rounded up to slot_alignment; at least task_header_size
    std::size_t stack_size = 0;             ///< usable bytes of each stack; 0 takes the executor's default
    bool prefault = true;                   ///< touch the first page of each stack beforehand
};

struct ByteSlabStats {
    std::size_t slots = 0;      ///< in existence
    std::size_t in_use = 0;     ///< claimed, or holding a task that is not freed yet (SL-8)
    std::size_t high_water = 0; ///< the most that were in use at once
    std::size_t slot_bytes = 0;
};

namespace detail {

/// The slots of a ByteSlab. Belongs to the user, then to the executor's CrossWake.
class SlabStorage {
public:
    SlabStorage(ByteSlabOptions options, bool bounded);

    [[nodiscard]] const ByteSlabOptions& options() const noexcept { return options_; }
    [[nodiscard]] bool bounded() const noexcept { return bounded_; }
    [[nodiscard]] std::size_t available() const noexcept { return stats_.slots - stats_.in_use; }
    [[nodiscard]] ByteSlabStats stats() const noexcept { return stats_; }
    /// `options().slots` more. Throws std::bad_alloc.
    void grow();
    /// A slot; only while available() > 0.
    [[nodiscard]] void* take() noexcept;
    void give_back(void* slot) noexcept;

private:
    ByteSlabOptions options_;
    bool bounded_;
    base::Slab memory_;
    ByteSlabStats stats_;
};

/// A slot and its stack, reserved. Gives both back unless a task was made in it.
class SlabSlot {
public:
    SlabSlot() noexcept = default;
    /// Takes over `memory` and `stack`, and adds a reference to `cross`.
    SlabSlot(CrossWake& cross, void* memory, Stack* stack) noexcept;
    SlabSlot(SlabSlot&& other) noexcept
        : cross_(std::exchange(other.cross_, nullptr)), memory_(std::exchange(other.memory_, nullptr)),
          stack_(std::exchange(other.stack_, nullptr)) {}
    SlabSlot& operator=(SlabSlot&& other) noexcept {
        SlabSlot taken(std::move(other));
        std::swap(cross_, taken.cross_);
        std::swap(memory_, taken.memory_);
        std::swap(stack_, taken.stack_);
        return *this;
    }
    ~SlabSlot();

    [[nodiscard]] bool valid() const noexcept { return memory_ != nullptr; }
    [[nodiscard]] void* memory() const noexcept { return memory_; }
    [[nodiscard]] Stack* stack() const noexcept { return stack_; }
    /// The executor it belongs to; null when that is gone.
    [[nodiscard]] Executor* executor() const noexcept;
    /// The task in it owns both now.
    void used() noexcept;

private:
    CrossWake* cross_ = nullptr;
    void* memory_ = nullptr;
    Stack* stack_ = nullptr;
};

} // namespace detail

/// Made by the user, handed to RuntimeBuilder::slab() or Executor::install_slab(). Move-only; not tied to a thread yet.
class ByteSlab {
public:
    /// Exactly `options.slots` tasks at a time; then claim_slab() throws and try_claim_slab() returns nothing (SL-1).
    /// Throws UsageError for no slots or for slots smaller than a header, std::bad_alloc.
    [[nodiscard]] static ByteSlab bounded(ByteSlabOptions options = {}) { return ByteSlab(options, true); }
    /// Starts with `options.slots` and grows by as many when they are used up; never shrinks (SL-1).
    [[nodiscard]] static ByteSlab unbounded(ByteSlabOptions options = {}) { return ByteSlab(options, false); }

    [[nodiscard]] std::size_t slot_bytes() const noexcept { return storage_->options().slot_bytes; }
    [[nodiscard]] bool is_bounded() const noexcept { return storage_->bounded(); }

private:
    friend class Executor;
    ByteSlab(ByteSlabOptions options, bool bounded);
    std::unique_ptr<detail::SlabStorage> storage_;
};

} // namespace nexus
