#include "nexus/exec/cross_wake.hpp"

#include "nexus/exec/executor.hpp"

#include <new>
#include <vector>

namespace nexus {

using detail::CrossNode;
using detail::Task;

CrossWake::CrossWake(Executor& executor) noexcept : executor_(&executor) {}

void CrossWake::release() noexcept {
    if (references_.fetch_sub_acq_rel(1) == 1) delete this;
}

void CrossWake::push(CrossNode& node) noexcept {
    queue_.push(&node);
    switch (gate_.after_push()) {
    case ParkGate::Duty::none: break;
    case ParkGate::Duty::poke:
        if (has_poker_.load_acquire()) poker_.signal();
        break;
    case ParkGate::Duty::drain_closed: drain_closed(); break;
    }
}

bool CrossWake::wake(Task& task) noexcept {
    if (task.state.completed()) return false;
    if (on_owner_thread() && executor_ != nullptr) {
        executor_->wake(task);
        return true;
    }
    if (task.state.try_set_queued(Sharing::shared)) push(task);
    return true;
}

void CrossWake::dispose(Task& task) noexcept {
    if (on_owner_thread() && executor_ != nullptr) {
        executor_->defer_free(task);
        return;
    }
    // Whoever pops the task frees it, and with it what it kept alive here: push() needs a reference of its own.
    add_reference();
    // QUEUED keeps the task from being TERMINAL while it travels; whoever pops it clears QUEUED and frees.
    if (task.state.try_set_queued(Sharing::shared)) push(task);
    release();
}

Result<os::EventFd*> CrossWake::poker() {
    if (!has_poker_.load_acquire()) {
        auto created = os::EventFd::create();
        if (!created) return created.error();
        poker_ = std::move(*created);
        has_poker_.store_release(true); // partner: the load in push()
    }
    return &poker_;
}

void* CrossWake::allocate(std::size_t bytes, std::size_t alignment) {
    if (fits_slot(bytes, alignment)) return slab_.allocate();
    return ::operator new (bytes, std::align_val_t{alignment});
}

void CrossWake::free_memory(Task& task) noexcept {
    const bool from_slab = (task.state.load() & StateWord::slab_bit) != 0;
    const std::uint8_t shift = task.alignment_shift;
    detail::destroyed(task.context.sanitizer);
    task.~Task();
    if (shift == Task::in_byte_slab) {
        byte_slab_->give_back(&task);
    } else if (from_slab) {
        slab_.deallocate(&task);
    } else {
        ::operator delete (&task, std::align_val_t{std::size_t{1} << shift});
    }
}

void CrossWake::give_back(void* slot, Stack* stack) noexcept {
    if (on_owner_thread() && executor_ != nullptr) {
        executor_->stacks().release(stack);
        byte_slab_->give_back(slot);
        return;
    }
    std::lock_guard lock(mutex_);
    byte_slab_->give_back(slot);
}

void CrossWake::free_task(Task& task) noexcept {
    task.unlink();
    free_memory(task);
}

void CrossWake::free_survivor(Task& task) noexcept {
    {
        std::lock_guard lock(mutex_);
        free_memory(task);
    }
    release();
}

void CrossWake::close(std::size_t survivors) noexcept {
    // SAFETY: relaxed; the executor's own count is still held.
    references_.fetch_add_relaxed(static_cast<std::uint32_t>(survivors));
    executor_ = nullptr;
    gate_.close();
    drain_closed();
}

void CrossWake::drain_closed() noexcept {
    for (;;) {
        CrossNode* node = nullptr;
        {
            std::lock_guard lock(mutex_); // one consumer at a time
            node = pop();
        }
        if (node == nullptr) return;
        if (node->deliver != nullptr) {
            node->deliver(*node, nullptr);
            continue;
        }
        auto& task = static_cast<Task&>(*node);
        if (task.state.clear_queued_completed(Sharing::shared) != FreeAction::retain) free_survivor(task);
    }
}

} // namespace nexus
