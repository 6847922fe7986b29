// How the cross-thread channels hold, wake and release the fiber that waits at one of their ends.
//
// TaskReference is a parking policy: what a channel's state needs of the world, so that a model checker can put its own
// in its place (test/model). A policy has Backend, Mutex, Pointer (a counted reference in one word) with wake() and
// release(), Handle (the same as an object, with wake()), and what asymmetric_slot.hpp asks for.
#pragma once

#include "nexus/base/atomic.hpp"
#include "nexus/exec/waker.hpp"
#include "nexus/sync/detail/waker_slot.hpp"

#include <cstdint>
#include <mutex>

namespace nexus::detail {

struct TaskReference {
    using Backend = base::StdAtomics;
    using Mutex = std::mutex;
    using Pointer = Task*;
    using Handle = Waker;
    static constexpr std::uint32_t calm_limit = 1024;

    /// A new reference to the running fiber of `executor`, counted.
    [[nodiscard]] static Pointer of_current(Executor& executor) noexcept;
    static void wake(Pointer task) noexcept;
    static void release(Pointer task) noexcept;
    /// See exec/process_fence.hpp.
    [[nodiscard]] static bool fence_all_threads() noexcept;
};

using WakerSlot = BasicWakerSlot<base::StdAtomics, TaskReference>;

} // namespace nexus::detail
