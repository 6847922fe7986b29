#include "nexus/sync/task_group.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/exec/shield.hpp"

namespace nexus {

using detail::GroupMember;
using detail::Task;

// --- the child's side ---

GroupMember::GroupMember(TaskGroup& group) noexcept
    : CompletionListener{[](CompletionListener& self, Task& /*task*/) noexcept {
          // Completed with its closure alive: suspended for good, because it swallowed its abort.
          static_cast<GroupMember&>(self).leave();
      }},
      group_(&group) {
    group.members_.push_back(*this);
    ++group.size_;
}

GroupMember::GroupMember(GroupMember&& other) noexcept
    : CompletionListener(other), group_(std::exchange(other.group_, nullptr)), task_(other.task_) {
    if (group_ == nullptr) return;
    other.unlink();
    group_->members_.push_back(*this);
}

GroupMember::~GroupMember() {
    if (task_ != nullptr && task_->listener == this) task_->listener = nullptr;
    leave();
}

void GroupMember::leave() noexcept {
    if (group_ == nullptr) return;
    TaskGroup& group = *std::exchange(group_, nullptr);
    unlink();
    if (--group.size_ == 0 && group.waiter_ != nullptr) group.waiter_->who_.wake();
}

void GroupMember::failed() noexcept {
    if (group_ != nullptr) {
        group_->child_failed(*this, std::current_exception());
    } else if (Executor* executor = Executor::current(); executor != nullptr) {
        executor->report_unhandled(std::current_exception(), executor->current_task().name());
    }
}

// --- the group ---

TaskGroup::TaskGroup()
    : cross_(&Executor::of_current_fiber("TaskGroup").cross_wake()), uncaught_(std::uncaught_exceptions()) {
    cross_->add_reference();
}

void TaskGroup::throw_orphaned() {
    throw UsageError("TaskGroup::spawn() after the end of the runtime in which the group was made: make the group in a "
                     "fiber of the runtime that is to run its children");
}

void TaskGroup::adopt(Task& task, GroupMember& member) noexcept {
    member.task_ = &task;
    task.listener = &member;
    if (aborting_) executor()->request_abort(task);
}

void TaskGroup::child_failed(const GroupMember& member, std::exception_ptr failure) noexcept {
    if (failures_++; failure_ == nullptr && !aborting_) failure_ = std::move(failure);
    aborting_ = true;
    for (GroupMember* sibling = members_.front(); sibling != nullptr; sibling = members_.next(*sibling)) {
        if (sibling != &member && sibling->task_ != nullptr) executor()->request_abort(*sibling->task_);
    }
}

void TaskGroup::abort_all() noexcept {
    Executor* executor = this->executor();
    if (size_ == 0 || executor == nullptr) return;
    aborting_ = true;
    for (GroupMember* member = members_.front(); member != nullptr; member = members_.next(*member)) {
        if (member->task_ != nullptr) executor->request_abort(*member->task_);
    }
}

namespace detail {

GroupWait::GroupWait(TaskGroup& group, Executor& executor) : who_(executor), group_(&group) {
    if (group.waiter_ != nullptr) {
        throw UsageError("two fibers wait for one TaskGroup: let the fiber that made it join it and tell the other");
    }
    group.waiter_ = this;
}

GroupWait::~GroupWait() {
    if (group_ != nullptr) group_->waiter_ = nullptr;
}

bool GroupWait::over() const noexcept { return group_ == nullptr || group_->size_ == 0; }

} // namespace detail

void TaskGroup::join_all() {
    Executor& executor = Executor::of_current_fiber("TaskGroup::join_all");
    if (&executor != this->executor()) {
        throw UsageError("TaskGroup::join_all() on another runtime than the group's: join it where it was made");
    }
    if (!detail::enter_or_throw(executor, "TaskGroup::join_all")) return;
    {
        const detail::GroupWait wait(*this, executor);
        const auto end = detail::park_until(executor, "TaskGroup::join_all", false, [&wait] { return wait.over(); });
        if (end != detail::WaitEnd::ready) return; // the destructor does the rest
        if (wait.group_ == nullptr) {
            throw UsageError("TaskGroup::join_all(): the group was destroyed by another fiber while this one waited");
        }
    }
    aborting_ = false;
    if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

TaskGroup::~TaskGroup() {
    dismiss_waiter();
    if (size_ != 0) {
        Executor* executor = this->executor();
        const bool here = executor != nullptr && Executor::in_fiber() && Executor::current() == executor;
        if (!here || executor->suspension_forbidden(executor->current_task())) {
            orphan();
        } else {
            const bool unwinds = std::uncaught_exceptions() > uncaught_;
            const detail::Shield shield(executor->current_task());
            const detail::GroupWait wait(*this, *executor);
            (void)detail::park_until(*executor, "TaskGroup", true, [this, unwinds, &shield] {
                if (!aborting_ && (unwinds || shield.stop_asked())) abort_all();
                return size_ == 0;
            });
        }
    }
    report();
    cross_->release();
}

/// Another fiber waits for a group that is being destroyed.
void TaskGroup::dismiss_waiter() noexcept {
    detail::GroupWait* waiter = std::exchange(waiter_, nullptr);
    if (waiter == nullptr) return;
    waiter->group_ = nullptr;
    waiter->who_.wake();
}

/// Nobody can wait for the children: they unwind by themselves.
void TaskGroup::orphan() noexcept {
    abort_all();
    while (GroupMember* member = members_.pop_front()) member->group_ = nullptr;
    size_ = 0;
}

void TaskGroup::report() noexcept {
    if (failure_ == nullptr) return;
    std::exception_ptr failure = std::exchange(failure_, nullptr);
    // After the runtime's end there is nobody left to tell.
    if (Executor* executor = this->executor(); executor != nullptr) {
        executor->report_unhandled(std::move(failure), "a child of a TaskGroup that nobody joined");
    }
}

} // namespace nexus
