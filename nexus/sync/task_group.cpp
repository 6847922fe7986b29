#include "nexus/sync/task_group.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/exec/scope.hpp"

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
    group.newest_ = this;
}

GroupMember::GroupMember(GroupMember&& other) noexcept
    : CompletionListener(other), group_(std::exchange(other.group_, nullptr)), task_(other.task_) {
    if (group_ == nullptr) return;
    other.unlink();
    group_->members_.push_back(*this);
    group_->newest_ = this;
}

GroupMember::~GroupMember() {
    if (task_ != nullptr && task_->listener == this) task_->listener = nullptr;
    leave();
}

void GroupMember::leave() noexcept {
    if (group_ == nullptr) return;
    TaskGroup& group = *std::exchange(group_, nullptr);
    unlink();
    if (--group.size_ == 0 && group.waiter_ != nullptr) group.waiter_->wake();
}

void GroupMember::failed() noexcept {
    if (group_ != nullptr) {
        group_->child_failed(*this, std::current_exception());
    } else if (Executor* executor = Executor::current(); executor != nullptr) {
        executor->report_unhandled(std::current_exception(), executor->current_task().name());
    }
}

// --- the group ---

TaskGroup::TaskGroup() : executor_(Executor::of_current_fiber("TaskGroup")), uncaught_(std::uncaught_exceptions()) {}

void TaskGroup::adopt(Task& task) noexcept {
    GroupMember& member = *std::exchange(newest_, nullptr);
    member.task_ = &task;
    task.listener = &member;
    if (aborting_) executor_.request_abort(task);
}

void TaskGroup::child_failed(const GroupMember& member, std::exception_ptr failure) noexcept {
    if (failures_++; failure_ == nullptr && !aborting_) failure_ = std::move(failure);
    aborting_ = true;
    for (GroupMember* sibling = members_.front(); sibling != nullptr; sibling = members_.next(*sibling)) {
        if (sibling != &member && sibling->task_ != nullptr) executor_.request_abort(*sibling->task_);
    }
}

void TaskGroup::abort_all() noexcept {
    if (size_ == 0) return;
    aborting_ = true;
    for (GroupMember* member = members_.front(); member != nullptr; member = members_.next(*member)) {
        if (member->task_ != nullptr) executor_.request_abort(*member->task_);
    }
}

void TaskGroup::set_waiter(const detail::LocalWaiter* waiter) {
    if (waiter != nullptr && waiter_ != nullptr) {
        throw UsageError("two fibers wait for one TaskGroup: let the fiber that made it join it and tell the other");
    }
    waiter_ = waiter;
}

namespace {

/// The fiber that waits for the group, for the length of its wait.
class GroupWait : public detail::LocalWaiter {
public:
    GroupWait(TaskGroup& group, Executor& on) : detail::LocalWaiter(on), group_(group) { group_.set_waiter(this); }
    GroupWait(const GroupWait&) = delete;
    GroupWait& operator=(const GroupWait&) = delete;
    ~GroupWait() { group_.set_waiter(nullptr); }

private:
    TaskGroup& group_;
};

} // namespace

void TaskGroup::join_all() {
    Executor& executor = Executor::of_current_fiber("TaskGroup::join_all");
    if (&executor != &executor_) {
        throw UsageError("TaskGroup::join_all() on another runtime than the group's: join it where it was made");
    }
    if (!detail::enter_or_throw(executor, "TaskGroup::join_all")) return;
    {
        GroupWait wait(*this, executor);
        const auto end = detail::park_until(executor, "TaskGroup::join_all", false, [this] { return size_ == 0; });
        if (end != detail::WaitEnd::ready) return; // the destructor does the rest
    }
    aborting_ = false;
    if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

/// The fiber in the destructor unwinds or has to stop.
bool TaskGroup::must_stop(int uncaught) const noexcept {
    const Task& me = executor_.current_task();
    if ((me.stop & detail::stop_bit::watch) != 0) Scope::look_at_sources(me);
    return uncaught > uncaught_ || (me.stop & (detail::stop_bit::abort | detail::stop_bit::scope)) != 0;
}

TaskGroup::~TaskGroup() {
    if (size_ != 0) {
        const bool here = Executor::in_fiber() && Executor::current() == &executor_;
        if (!here || waiter_ != nullptr || executor_.suspension_forbidden(executor_.current_task())) {
            orphan();
        } else {
            const int uncaught = std::uncaught_exceptions();
            detail::Shield shield(executor_.current_task());
            GroupWait wait(*this, executor_);
            (void)detail::park_until(executor_, "TaskGroup", true, [this, uncaught] {
                if (!aborting_ && must_stop(uncaught)) abort_all();
                return size_ == 0;
            });
        }
    }
    report();
}

/// Nobody can wait for the children: they unwind by themselves.
void TaskGroup::orphan() noexcept {
    abort_all();
    while (GroupMember* member = members_.pop_front()) member->group_ = nullptr;
    if (waiter_ != nullptr) waiter_->wake();
    size_ = 0;
}

void TaskGroup::report() noexcept {
    if (failure_ == nullptr) return;
    executor_.report_unhandled(std::exchange(failure_, nullptr), "a child of a TaskGroup that nobody joined");
}

} // namespace nexus
