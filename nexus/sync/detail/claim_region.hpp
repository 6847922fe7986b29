// What an open write claim forbids its fiber.
#pragma once

#include "nexus/exec/executor.hpp"

#include <cstdint>
#include <utility>

namespace nexus::detail {

[[noreturn]] void throw_too_many_claims();

/// While it lives, the fiber that made it must not suspend: it would hold up everybody else (CH-BY-5, contract 0.10).
/// Outside a fiber it forbids nothing. It belongs to its fiber: ended elsewhere, it leaves that fiber forbidden.
class ClaimRegion {
public:
    /// Throws UsageError when the fiber holds 255 already.
    ClaimRegion() : task_(Executor::in_fiber() ? &Executor::current()->current_task() : nullptr) {
        if (task_ == nullptr) return;
        if (task_->no_suspend == max_open) [[unlikely]]
            throw_too_many_claims();
        id_ = task_->id;
        ++task_->no_suspend;
    }
    ClaimRegion(ClaimRegion&& other) noexcept : task_(std::exchange(other.task_, nullptr)), id_(other.id_) {}
    ClaimRegion& operator=(ClaimRegion&& other) noexcept {
        std::swap(task_, other.task_);
        std::swap(id_, other.id_);
        return *this;
    }
    ~ClaimRegion() { end(); }
    void end() noexcept {
        Task* const task = std::exchange(task_, nullptr);
        if (task == nullptr || !Executor::in_fiber()) return;
        // The fiber may be gone, and its header another's.
        if (task == &Executor::current()->current_task() && task->id == id_ && task->no_suspend != 0)
            --task->no_suspend;
    }

private:
    static constexpr std::uint8_t max_open = 0xFF;

    Task* task_;
    std::uint32_t id_ = 0;
};

/// For claims that hold up nobody but their own receiver.
class NoRegion {
public:
    void end() noexcept {}
};

} // namespace nexus::detail
