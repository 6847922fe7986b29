#include "nexus/exec/join_handle.hpp"

#include "nexus/exec/scope.hpp"

namespace nexus::detail {

namespace {

[[noreturn]] void throw_joined_already() {
    throw UsageError("join() while another fiber joins the same handle: share the result through a channel instead");
}

} // namespace

JoinWaiter::JoinWaiter(Task& task, Executor& executor)
    : CompletionListener{[](CompletionListener& self, Task& /*task*/) noexcept {
          auto& waiter = static_cast<JoinWaiter&>(self);
          waiter.executor_.wake(waiter.joiner_);
      }},
      task_(task), executor_(executor), joiner_(executor.current_task()) {
    if (&task == &joiner_) {
        throw UsageError("join() of oneself: a fiber that waits for its own end waits for ever; "
                         "return from the fiber instead");
    }
    if (task.listener != nullptr) {
        throw_joined_already();
    }
    task.listener = this;
    task.state.add_reference(task.sharing); // the handle may be dropped meanwhile, by another fiber
}

JoinWaiter::~JoinWaiter() {
    task_.listener = nullptr;
    CrossWake& owner = *task_.owner;
    if (task_.state.drop_reference(task_.sharing) != FreeAction::retain) owner.dispose(task_);
}

JoinHandleBase::TaskView JoinHandleBase::task(const char* operation) const {
    if (task_ == nullptr) {
        throw UsageError(std::string("JoinHandle::") + operation +
                         "() on an empty handle: it was moved from, joined or detached before");
    }
    return {*task_};
}

bool JoinHandleBase::abort() {
    Task& header = task("abort").header;
    if (header.state.completed()) return false;
    // After teardown a fiber that never came to its end stays where it is.
    Executor* executor = header.owner->executor();
    return executor != nullptr && executor->request_abort(header);
}

bool JoinHandleBase::wait() {
    Task& header = task("join").header;
    if (header.state.completed()) {
        if (header.listener != nullptr) throw_joined_already(); // it has been woken, and has not run yet
        return true;
    }
    Executor& executor = Executor::of_current_fiber("join");
    if (header.owner != &executor.cross_wake()) {
        throw UsageError("join() of a fiber of another runtime: hand the result over through a channel instead");
    }
    JoinWaiter waiter(header, executor);
    const bool ended = wait_or_throw(executor, "join", [&header] { return header.state.completed(); });
    if (ended && task_ != &header) {
        throw UsageError("join(): the handle was detached or moved from by another fiber while this one waited");
    }
    return ended;
}

bool JoinHandleBase::settle_while_unwinding() noexcept {
    if (task_->outcome == Outcome::value || !Executor::in_fiber() || !Executor::current()->unwinding()) return false;
    drop(true);
    return true;
}

void JoinHandleBase::check_outcome() {
    if (task_->outcome == Outcome::value) return;
    const std::exception_ptr failure = std::exchange(task_->failure, nullptr);
    const bool aborted = task_->outcome == Outcome::aborted;
    drop(false);
    if (aborted) throw TaskAborted{};
    std::rethrow_exception(failure);
}

void JoinHandleBase::release_taken() noexcept {
    task_->state.set_output_taken(task_->sharing);
    drop(true); // what was moved from still has to be destroyed
}

void JoinHandleBase::detach() noexcept {
    if (task_ != nullptr) drop(true);
}

void JoinHandleBase::drop(bool destroy_output) noexcept {
    Task& header = *std::exchange(task_, nullptr);
    if (header.state.completed()) {
        if (destroy_output && header.outcome == Outcome::value && header.ops != nullptr) {
            header.ops->destroy_output(header);
        }
        header.ops = nullptr;
        if (header.failure != nullptr) {
            // After teardown there is nobody left to tell.
            std::exception_ptr failure = std::exchange(header.failure, nullptr);
            if (Executor* executor = header.owner->executor(); executor != nullptr) {
                executor->report_unhandled(std::move(failure), header.name());
            }
        }
    }
    CrossWake& owner = *header.owner;
    if (header.state.drop_join(header.sharing) != FreeAction::retain) owner.dispose(header);
}

} // namespace nexus::detail
