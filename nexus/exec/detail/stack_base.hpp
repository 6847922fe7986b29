// What lies at the base of a fiber's stack: the head of its task-local values, its closure, and room for small values.
//
//     top      StackBase
//              the closure
//              `room` bytes for task-local values, handed out from above
//              the frames
//
// The task header has no place left for a pointer, and this line of memory is touched by every spawn anyway.
// Invariants: made by the spawn, valid as long as the fiber has its stack; `newest` is empty again when the fiber ends.
#pragma once

#include "nexus/exec/task.hpp"

#include <cstddef>
#include <cstdint>
#include <new>

namespace nexus::detail {

/// A fiber's value of one TaskLocal: the part that does not depend on its type.
struct LocalNode {
    LocalNode* older;
    std::uint64_t number;                      ///< of the TaskLocal
    void (*destroy)(LocalNode& node) noexcept; ///< destroys the node with its value
};

struct StackBase {
    static constexpr std::size_t room_bytes = 112;

    LocalNode* newest = nullptr;
    std::byte* end; ///< of what is left of the room
    std::size_t room = room_bytes;

    explicit StackBase(std::byte* closure) noexcept : end(closure) {}

    /// Where the base of a stack with this top is.
    [[nodiscard]] static std::byte* address(std::byte* top) noexcept { return top - sizeof(StackBase); }
    [[nodiscard]] static StackBase& of(const Task& task) noexcept {
        // SAFETY: the spawn constructed one there; the caller's fiber has not ended.
        return *std::launder(reinterpret_cast<StackBase*>(address(task.stack->top)));
    }

    /// Memory from the room, or null when too little is left. It is never given back.
    [[nodiscard]] void* take(std::size_t bytes, std::size_t alignment) noexcept {
        // SAFETY: address arithmetic inside the stack; `room` bytes below `end` belong to it.
        const auto above = reinterpret_cast<std::uintptr_t>(end);
        const std::uintptr_t at = (above - bytes) & ~(std::uintptr_t{alignment} - 1);
        if (bytes > room || above - at > room) return nullptr;
        room -= above - at;
        end -= above - at;
        return end;
    }
    /// At the fiber's end. Values that the destructor of another one asks for are made anew, and destroyed too.
    void destroy_values() noexcept {
        while (newest != nullptr) {
            LocalNode* node = newest;
            newest = node->older;
            node->destroy(*node);
        }
    }
};

} // namespace nexus::detail
