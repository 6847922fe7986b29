#include "nexus/sync/once_cell.hpp"

#include "nexus/base/usage_error.hpp"

#include <string>

namespace nexus::detail {

namespace {

[[noreturn]] void throw_may_not_wait(const char* what) {
    throw UsageError(std::string(what) + "() would have to wait while an exception unwinds, or at the end of a fiber "
                                         "that has to stop: ask get() there");
}

} // namespace

OnceGate::Waiter::Waiter(OnceGate& gate, Executor& executor, bool can_make) noexcept
    : who_(executor), can_make_(can_make) {
    gate.waiters_.push_back(*this);
}

void OnceGate::open() noexcept {
    has_value_ = true;
    while (Waiter* waiter = waiters_.pop_front()) waiter->who_.wake();
}

void OnceGate::choose_next_maker() noexcept {
    for (Waiter* waiter = waiters_.front(); waiter != nullptr; waiter = waiters_.next(*waiter)) {
        if (!waiter->can_make_) continue;
        waiter->chosen_ = true;
        maker_ = &waiter->who_.task;
        waiter->who_.wake();
        return;
    }
}

void OnceGate::wait(Executor& executor, bool can_make, const char* what) {
    if (maker_ == &executor.current_task()) {
        throw UsageError(std::string(what) + "() from within the initialiser of the same cell: it would wait for "
                                             "itself; compute the value from something else");
    }
    const bool unwinds = executor.unwinding();
    if (unwinds || (executor.current_task().stop != 0 && stopped(executor, false) != WaitEnd::ready)) {
        throw_may_not_wait(what);
    }
    const Waiter waiter(*this, executor, can_make);
    const WaitEnd end = park_until(executor, what, false, [this, &waiter] { return has_value_ || waiter.chosen_; });
    if (end != WaitEnd::ready) throw_may_not_wait(what); // asked to stop at its end, or where its shield gave way
}

} // namespace nexus::detail
