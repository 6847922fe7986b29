#include "nexus/exec/byte_slab.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/exec/cross_wake.hpp"
#include "nexus/exec/executor.hpp"

#include <algorithm>
#include <string>

namespace nexus {
namespace {

ByteSlabOptions checked(ByteSlabOptions options) {
    if (options.slots == 0) throw UsageError("ByteSlab: slots is 0; it has to hold at least one task");
    options.slot_bytes = (options.slot_bytes + slot_alignment - 1) / slot_alignment * slot_alignment;
    if (options.slot_bytes < task_header_size) {
        throw UsageError("ByteSlab: slot_bytes is " + std::to_string(options.slot_bytes) +
                         ", but the header of a task alone takes " + std::to_string(task_header_size) +
                         "; min_slot_size (" + std::to_string(min_slot_size) + ") is a good choice");
    }
    return options;
}

} // namespace

namespace detail {

SlabStorage::SlabStorage(ByteSlabOptions options, bool bounded)
    : options_(options), bounded_(bounded), memory_(options.slot_bytes, slot_alignment, options.slots) {
    stats_.slot_bytes = options.slot_bytes;
    grow();
}

void SlabStorage::grow() {
    memory_.reserve_chunk();
    stats_.slots += options_.slots;
}

void* SlabStorage::take() noexcept {
    stats_.high_water = std::max(stats_.high_water, ++stats_.in_use);
    return memory_.allocate(); // there is one: available() > 0
}

void SlabStorage::give_back(void* slot) noexcept {
    memory_.deallocate(slot);
    --stats_.in_use;
}

SlabSlot::SlabSlot(CrossWake& cross, void* memory, Stack* stack) noexcept
    : cross_(&cross), memory_(memory), stack_(stack) {
    cross.add_reference();
}

SlabSlot::~SlabSlot() {
    if (cross_ == nullptr) return;
    if (memory_ != nullptr) cross_->give_back(memory_, stack_);
    cross_->release();
}

Executor* SlabSlot::executor() const noexcept { return cross_ == nullptr ? nullptr : cross_->executor(); }

void SlabSlot::used() noexcept {
    memory_ = nullptr;
    stack_ = nullptr;
}

} // namespace detail

ByteSlab::ByteSlab(ByteSlabOptions options, bool bounded)
    : storage_(std::make_unique<detail::SlabStorage>(checked(options), bounded)) {}

} // namespace nexus
