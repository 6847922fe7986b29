#include "nexus/sync/barrier.hpp"

#include "nexus/base/usage_error.hpp"

namespace nexus {

/// An arrival that waits for the others.
struct Barrier::Waiter : base::ListNode {
    Waiter(Barrier& at, Executor& executor) noexcept : who(executor), barrier(at) {
        barrier.waiters_.push_back(*this);
        ++barrier.arrived_;
    }
    ~Waiter() {
        if (!linked()) return;
        unlink();
        --barrier.arrived_;
    }

    detail::LocalWaiter who;
    Barrier& barrier;
};

Barrier::Barrier(std::size_t count) : count_(count) {
    if (count == 0) throw UsageError("a Barrier for 0 fibers: at least one has to arrive");
}

void Barrier::check_someone_takes_part() const {
    if (count_ == 0) throw UsageError("a Barrier where nobody takes part any more: all have dropped out");
}

void Barrier::open() noexcept {
    ++rounds_;
    arrived_ = 0;
    while (Waiter* waiter = waiters_.pop_front()) waiter->who.wake();
}

Barrier::Passed Barrier::arrive(const char* what) {
    Executor& executor = Executor::of_current_fiber(what);
    if (!detail::enter_or_throw(executor, what) || executor.unwinding()) return Passed::no;
    check_someone_takes_part();
    if (arrived_ + 1 == count_) {
        open();
        return Passed::last;
    }
    Waiter waiter(*this, executor);
    const auto end = detail::park_until(executor, what, false, [&waiter] { return !waiter.linked(); });
    return end == detail::WaitEnd::ready ? Passed::with_others : Passed::no;
}

bool Barrier::arrive_and_wait() { return arrive("Barrier::arrive_and_wait") == Passed::last; }

Result<bool> Barrier::arrive_and_wait_for(Duration limit) {
    return arrive_and_wait_until(detail::from_ns(detail::deadline_after(limit, "Barrier::arrive_and_wait_for")));
}

Result<bool> Barrier::arrive_and_wait_until(TimePoint deadline) {
    return timeout_at(deadline, [this]() -> Result<bool> {
        const Passed passed = arrive("Barrier::arrive_and_wait");
        if (passed == Passed::no) return Error(errc::cancelled, "Barrier::arrive_and_wait");
        return passed == Passed::last;
    });
}

void Barrier::arrive_and_drop() {
    check_someone_takes_part();
    --count_;
    if (count_ != 0 && arrived_ == count_) open();
}

} // namespace nexus
