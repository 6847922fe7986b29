// CrossWake: the part of an executor that other threads may touch, and that outlives it (CW-1, CW-20, H-26).
//
// It holds the cross-thread queue, the park gate, the eventfd that wakes a parked loop, and the slab of task headers.
// Reference-counted: one count of the executor, one of each RuntimeHandle, and, from the executor's teardown on, one
// of each task that somebody still refers to.
//
// Who consumes the queue: the executor until close(), then whichever thread finds CLOSED after its push, under
// `mutex_`. Task headers are freed by the executor until close(), then by whoever sees TERMINAL, under `mutex_`.
#pragma once

#include "nexus/base/slab.hpp"
#include "nexus/exec/byte_slab.hpp"
#include "nexus/exec/park_gate.hpp"
#include "nexus/exec/task.hpp"
#include "nexus/os/eventfd.hpp"

#include <memory>
#include <mutex>

namespace nexus {

class CrossWake {
public:
    /// Slots of this size hold tasks whose output is small; larger tasks come from the heap.
    static constexpr std::size_t slot_bytes = 256;
    static constexpr std::size_t slot_alignment = nexus::slot_alignment;

    explicit CrossWake(Executor& executor) noexcept;
    CrossWake(const CrossWake&) = delete;
    CrossWake& operator=(const CrossWake&) = delete;

    void add_reference() noexcept { references_.fetch_add_relaxed(1); } // SAFETY: relaxed; the caller holds one
    void release() noexcept;

    // --- any thread ---

    /// True on the thread that owns the executor, as long as the executor lives.
    [[nodiscard]] bool on_owner_thread() const noexcept { return owner_marker_ == &thread_marker_; }
    [[nodiscard]] bool closed() const noexcept { return gate_.closed(); }
    /// False once teardown has begun: jobs are not taken any more.
    [[nodiscard]] bool takes_jobs() const noexcept { return !refusing_.load_acquire() && !closed(); }
    /// Puts a node into the queue and wakes the loop if it sleeps (CW-10).
    void push(detail::CrossNode& node) noexcept;
    /// Makes `task` ready from any thread. The caller holds a reference. False when it had completed (EX-14, CW-11).
    bool wake(detail::Task& task) noexcept;
    /// For whoever turned `task` TERMINAL: has it freed, never here and now on a path that could race (CW-20, CW-21).
    void dispose(detail::Task& task) noexcept;

    // --- owner thread ---

    /// The executor, null after its teardown.
    [[nodiscard]] Executor* executor() const noexcept { return executor_; }
    [[nodiscard]] detail::CrossNode* pop() noexcept { return static_cast<detail::CrossNode*>(queue_.pop()); }
    [[nodiscard]] bool maybe_nonempty() const noexcept { return queue_.maybe_nonempty(); }
    /// The eventfd that push() writes when the loop is parked. Created by the first call.
    [[nodiscard]] Result<os::EventFd*> poker();
    /// Step 1 of going to sleep; see ParkGate::enter.
    void enter_park() noexcept { gate_.enter(); }
    void leave_park() noexcept { gate_.leave(); }
    /// Memory for a header with its output: a slab slot if it fits (fits_slot()), else from the heap.
    [[nodiscard]] void* allocate(std::size_t bytes, std::size_t alignment);
    [[nodiscard]] static constexpr bool fits_slot(std::size_t bytes, std::size_t alignment) noexcept {
        return bytes <= slot_bytes && alignment <= slot_alignment;
    }
    /// Beginning of teardown.
    void refuse_jobs() noexcept { refusing_.store_release(true); }
    /// The user's slab; null when there is none.
    [[nodiscard]] detail::SlabStorage* byte_slab() const noexcept { return byte_slab_.get(); }
    void adopt(std::unique_ptr<detail::SlabStorage> slab) noexcept { byte_slab_ = std::move(slab); }
    /// A claimed slot that no task was made in. After the executor's end any thread, and `stack` is gone then.
    void give_back(void* slot, Stack* stack) noexcept;
    /// Destroys a TERMINAL task and gives its memory back. Owner thread until close().
    void free_task(detail::Task& task) noexcept;
    /// End of the executor: `survivors` tasks are still referred to. Takes over the executor's duties.
    void close(std::size_t survivors) noexcept;

private:
    ~CrossWake() = default;
    void drain_closed() noexcept;
    void free_survivor(detail::Task& task) noexcept;
    void free_memory(detail::Task& task) noexcept;

    static inline thread_local char thread_marker_ = 0;

    base::MpscQueue<base::StdAtomics> queue_;
    ParkGate gate_;
    base::Atomic<std::uint32_t> references_{1}; // partners: add_reference and release on all threads
    Executor* executor_;
    const char* owner_marker_ = &thread_marker_;
    os::EventFd poker_;
    base::Atomic<bool> has_poker_{false}; // partner: push() reads it before poker_
    base::Atomic<bool> refusing_{false};  // partner: takes_jobs() on all threads
    std::mutex mutex_;
    base::Slab slab_{slot_bytes, slot_alignment, 64};
    std::unique_ptr<detail::SlabStorage> byte_slab_;
};

} // namespace nexus
