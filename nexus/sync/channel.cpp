// What the channels share that does not depend on their type.
#include "nexus/base/usage_error.hpp"
#include "nexus/exec/cross_wake.hpp"
#include "nexus/exec/process_fence.hpp"
#include "nexus/sync/detail/local_state.hpp"
#include "nexus/sync/detail/mpsc_state.hpp"
#include "nexus/sync/detail/spsc_state.hpp"

#include <string>

namespace nexus::detail {

void throw_second_receiver(const char* operation) {
    throw UsageError(std::string(operation) +
                     "() while another fiber receives from the same channel: one fiber at a time owns the receiving "
                     "end; let that fiber pass values on, or give each fiber a channel of its own");
}

void throw_second_sender(const char* operation) {
    throw UsageError(std::string(operation) +
                     "() while another fiber waits to send into the same spsc channel: it has one sending end, for one "
                     "fiber at a time; use a local or an mpsc channel, which take any number of senders");
}

void throw_sent_twice() {
    throw UsageError("send() twice on a oneshot channel: it takes one value; use a channel with room for more");
}

Error channel_error(errc code, const char* operation) noexcept { return {code, operation}; }

Error channel_error(WaitEnd end, const char* operation) noexcept { return {to_errc(end), operation}; }

Task* TaskReference::of_current(Executor& executor) noexcept {
    Task& task = executor.current_task();
    task.sharing = Sharing::shared; // before any other thread can learn of the task
    task.state.add_reference(Sharing::shared);
    return &task;
}

void TaskReference::wake(Task* task) noexcept { task->owner->wake(*task); }

void TaskReference::release(Task* task) noexcept {
    CrossWake& owner = *task->owner;
    if (task->state.drop_reference(Sharing::shared) != FreeAction::retain) owner.dispose(*task);
}

bool TaskReference::fence_all_threads() noexcept { return process_fence(); }

} // namespace nexus::detail
