#include "nexus/sync/condition_variable.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/exec/shield.hpp"

namespace nexus {

/// A wait in progress. Its end takes the mutex again.
class ConditionVariable::Waiting : public base::ListNode {
public:
    Waiting(ConditionVariable& in, Mutex& mutex, Executor& executor) noexcept : turn_(executor), mutex_(mutex) {
        in.waiters_.push_back(*this);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() {
        tell(); // when nobody has
        Executor& executor = turn_.who.executor;
        const detail::Shield shield(turn_.who.task);
        (void)detail::park_until(executor, "the mutex, after ConditionVariable::wait", true,
                                 [this] { return mutex_.look(turn_); });
        turn_.granted = false; // the caller's guard has it
    }

    /// From here on it waits for the mutex only.
    void tell() noexcept {
        if (std::exchange(told_, true)) return;
        unlink();
        mutex_.request(turn_);
    }
    [[nodiscard]] bool told() const noexcept { return told_; }

private:
    detail::TurnWaiter turn_;
    Mutex& mutex_;
    bool told_ = false;
};

bool ConditionVariable::wait_once(Mutex::Guard& guard) {
    constexpr const char* what = "ConditionVariable::wait";
    Executor& executor = Executor::of_current_fiber(what);
    Mutex* mutex = Mutex::held_by(guard);
    if (mutex == nullptr) {
        throw UsageError("ConditionVariable::wait() with a guard that holds nothing: lock the mutex first");
    }
    if (!detail::enter_or_throw(executor, what) || executor.unwinding()) return false;
    if (executor.suspension_forbidden(executor.current_task())) executor.suspend(what); // throws, with the mutex held
    Waiting waiting(*this, *mutex, executor);
    mutex->unlock();
    (void)detail::park_until(executor, what, false, [&waiting] { return waiting.told(); });
    return true;
}

void ConditionVariable::notify_one() noexcept {
    if (Waiting* oldest = waiters_.front(); oldest != nullptr) oldest->tell();
}

void ConditionVariable::notify_all() noexcept {
    while (Waiting* oldest = waiters_.front()) oldest->tell();
}

} // namespace nexus
