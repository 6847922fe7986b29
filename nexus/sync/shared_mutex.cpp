#include "nexus/sync/shared_mutex.hpp"

#include "nexus/base/usage_error.hpp"

namespace nexus {

namespace {

/// Holds it for code outside fibers.
constexpr char outside_fibers = 0;

} // namespace

/// A lock that waits.
struct SharedMutex::Waiter : detail::TurnWaiter {
    Waiter(SharedMutex& in, Executor& executor, Access wanted) noexcept
        : TurnWaiter(executor), mutex(in), access(wanted) {
        mutex.waiters_.push_back(*this);
    }
    ~Waiter() { mutex.leave(*this); }

    SharedMutex& mutex;
    Access access;
};

SharedMutex::Guard SharedMutex::try_lock() noexcept {
    if (writer_ != nullptr || readers_ != 0) return {};
    writer_ = Executor::in_fiber() ? static_cast<const void*>(&Executor::current()->current_task()) : &outside_fibers;
    return Guard(*this);
}

SharedMutex::SharedGuard SharedMutex::try_lock_shared() noexcept {
    if (writer_ != nullptr || !waiters_.empty()) return {};
    ++readers_;
    return SharedGuard(*this);
}

bool SharedMutex::wait(Executor& executor, Access access, const char* what) {
    if (writer_ == &executor.current_task()) {
        throw UsageError("lock of a SharedMutex that this fiber holds alone: it would wait for itself; keep one guard, "
                         "or split off the part that needs no lock");
    }
    Waiter waiter(*this, executor, access);
    const auto end = detail::park_until(executor, what, false, [&waiter] { return waiter.granted; });
    return end == detail::WaitEnd::ready;
}

SharedMutex::Guard SharedMutex::wait_alone(Executor& executor) {
    return wait(executor, Access::alone, "SharedMutex::lock") ? Guard(*this) : Guard();
}

SharedMutex::SharedGuard SharedMutex::wait_shared(Executor& executor) {
    return wait(executor, Access::shared, "SharedMutex::lock_shared") ? SharedGuard(*this) : SharedGuard();
}

Result<SharedMutex::Guard> SharedMutex::lock_or_fail() {
    Guard guard = lock();
    if (!guard) return Error(errc::cancelled, "SharedMutex::lock");
    return guard;
}

Result<SharedMutex::SharedGuard> SharedMutex::lock_shared_or_fail() {
    SharedGuard guard = lock_shared();
    if (!guard) return Error(errc::cancelled, "SharedMutex::lock_shared");
    return guard;
}

void SharedMutex::leave(Waiter& waiter) noexcept {
    if (!waiter.linked()) return; // it got in: a wait looks before it may fail
    waiter.unlink();
    serve(); // a writer that gives up may have kept readers out
}

void SharedMutex::serve() noexcept {
    while (auto* oldest = static_cast<Waiter*>(waiters_.front())) {
        const bool alone = oldest->access == Access::alone;
        if (writer_ != nullptr || (alone && readers_ != 0)) return;
        oldest->unlink();
        oldest->granted = true;
        if (alone) {
            writer_ = &oldest->who.task;
        } else {
            ++readers_;
        }
        oldest->who.wake();
    }
}

} // namespace nexus
