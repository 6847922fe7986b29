// The header of a task: everything about a fiber that is not its stack (EX-1, EX-2, EX-4).
//
// Who may hold a Task: the executor (until completion), the JoinHandle, each Waker; a wait primitive may keep a plain
// pointer as long as its wait node lives on that task's own stack. The header lives in a slab of the CrossWake, which
// outlives the executor, so a holder on another thread never sees freed memory. The output lives behind the header
// (TypedTask), the closure at the top of the stack until the fiber has consumed it.
//
// Except for `next` and `state`, all members belong to the owner thread.
#pragma once

#include "nexus/base/borrow.hpp"
#include "nexus/base/intrusive_list.hpp"
#include "nexus/base/mpsc_queue.hpp"
#include "nexus/exec/state_word.hpp"
#include "nexus/fiber/detail/context.hpp"
#include "nexus/fiber/stack.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>

namespace nexus {

class CrossWake;
class Executor;

namespace detail {

class ScopeLink;

struct Task;

/// What travels through the cross-thread queue: a task to wake or to free, or a job from a RuntimeHandle.
struct CrossNode : base::MpscNode<base::StdAtomics> {
    /// Null for a task. For a job: consumes the node; `executor` is null when the runtime refuses it.
    void (*deliver)(CrossNode& node, Executor* executor) noexcept = nullptr;
};

/// Told once, on the owner thread, when a task completes. Intrusive; unlink by clearing Task::listener.
struct CompletionListener {
    void (*on_complete)(CompletionListener& self, Task& task) noexcept;
};

/// What the executor needs to know of the types in a task.
struct TaskOps {
    void (*run)(Task& task);                     ///< consumes the closure, stores the output; may throw
    void (*discard)(Task& task) noexcept;        ///< destroys the closure of a task that never ran
    void (*destroy_output)(Task& task) noexcept; ///< the output, if there is one
    std::size_t size;                            ///< of the TypedTask
};

enum class Outcome : std::uint8_t {
    pending, ///< not completed
    value,   ///< the output is there, or has been taken
    failed,  ///< `failure` holds the exception
    aborted  ///< unwound by abort or teardown
};

/// Why waits of a fiber have to end; bits of Task::stop.
namespace stop_bit {
inline constexpr std::uint8_t abort = 1;
inline constexpr std::uint8_t scope = 2; ///< a scope around the running code has ended
inline constexpr std::uint8_t watch = 4; ///< a scope watches a CancelState: look before and after each wait
} // namespace stop_bit

struct Task : CrossNode, base::ListNode {
    Task(unsigned references, StateWord::Word flags) noexcept : state(references, flags) {}
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

    StateWord state;
    Task* link = nullptr; ///< successor in the ready queue or in the deferred-free list: never in both at once
    Context context;
    Stack* stack = nullptr; ///< null once the fiber has ended
    const TaskOps* ops = nullptr;
    CrossWake* owner = nullptr;
    ScopeLink* scope = nullptr;             ///< innermost open scope or shield
    CompletionListener* listener = nullptr; ///< at most one: the joiner or the group
    const char* waiting_for = nullptr;      ///< while suspended: the name of the wait
    std::int64_t waiting_since_ns = 0;
    const void* spawn_site = nullptr; ///< program counter of the spawn
    std::exception_ptr failure;
    BorrowLedger borrows;
    std::uint32_t id = 0;
    std::uint16_t swallowed_aborts = 0;
    std::uint8_t failed_waits = 0;  ///< since the last suspension
    std::uint8_t uninterrupted = 0; ///< waits that were satisfied at once, since the last suspension
    std::uint8_t stop = 0;
    std::uint8_t select_turn = 0; ///< where select() begins to look: rotates, a fiber at a time
    std::uint8_t shields = 0;     ///< not 0: inside a shield, which decides what waits hear
    std::uint8_t no_suspend = 0;  ///< open regions in which suspending is a mistake
    bool ending = false;          ///< the body is over: a reason to stop ends waits, but is not thrown any more
    Outcome outcome = Outcome::pending;
    Sharing sharing = Sharing::owner_only;
    std::uint8_t alignment_shift = 0; ///< the header's memory is aligned to 2 to this power; or in_byte_slab
    static constexpr std::uint8_t in_byte_slab = 0xFF; ///< the header lies in a slot of the user's ByteSlab

    [[nodiscard]] const char* name() const noexcept { return borrows.fiber_name; }
};

#if !defined(NEXUS_ASAN) && !defined(NEXUS_TSAN)
static_assert(sizeof(Task) <= 192);
#endif

/// A task with room for its output.
template <class T>
struct TypedTask : Task {
    using Task::Task;
    union Storage {
        Storage() noexcept {}
        ~Storage() {}
        T value;
    } output;
};
template <>
struct TypedTask<void> : Task {
    using Task::Task;
};

} // namespace detail
} // namespace nexus
