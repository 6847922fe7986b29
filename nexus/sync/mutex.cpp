#include "nexus/sync/mutex.hpp"

#include "nexus/base/usage_error.hpp"

namespace nexus {

using detail::TurnWaiter;

namespace {

/// Holds mutexes for code outside fibers.
constexpr char outside_fibers = 0;

const void* running_holder() noexcept {
    return Executor::in_fiber() ? static_cast<const void*>(&Executor::current()->current_task()) : &outside_fibers;
}

} // namespace

/// A lock() that waits.
class Mutex::Waiting : public TurnWaiter {
public:
    Waiting(Mutex& mutex, Executor& executor) : TurnWaiter(executor), mutex_(mutex) { mutex.enlist(*this); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { mutex_.delist(*this, false); }

private:
    Mutex& mutex_;
};

Mutex::Guard Mutex::try_lock() noexcept {
    const void* me = running_holder();
    if (holder_ != nullptr && !(promised_ && holder_ == me)) return {};
    holder_ = me;
    promised_ = false;
    return Guard(*this);
}

Mutex::Guard Mutex::lock_later(Executor& executor) {
    if (Guard promised = try_lock()) return promised;
    Waiting waiting(*this, executor);
    const auto end = detail::park_until(executor, "Mutex::lock", false, [&] { return look(waiting); });
    if (end != detail::WaitEnd::ready) return {};
    waiting.granted = false; // used up
    return Guard(*this);
}

Result<Mutex::Guard> Mutex::lock_or_fail() {
    Guard guard = lock();
    if (!guard) return Error(errc::cancelled, "Mutex::lock");
    return guard;
}

void Mutex::grant(TurnWaiter& waiter) noexcept {
    waiter.unlink();
    waiter.granted = true;
    holder_ = &waiter.who.task;
    promised_ = false;
}

void Mutex::hand_over() noexcept {
    TurnWaiter& oldest = *waiters_.front();
    grant(oldest);
    if (!oldest.who.running()) oldest.who.wake();
}

void Mutex::request(TurnWaiter& waiter) noexcept {
    waiters_.push_back(waiter);
    if (holder_ == nullptr) hand_over();
}

void Mutex::enlist(TurnWaiter& waiter) {
    if (holder_ == &waiter.who.task && !promised_) {
        throw UsageError("lock of a Mutex that this fiber holds: it would wait for itself; keep one guard, or split "
                         "off the part that needs no lock");
    }
    waiters_.push_back(waiter);
    if (holder_ == nullptr) grant(waiter);
}

bool Mutex::look(TurnWaiter& waiter) noexcept {
    // A promise that was not kept by the time the oldest waiter runs goes to that one.
    if (!waiter.granted && promised_ && waiters_.front() == &waiter) grant(waiter);
    return waiter.granted;
}

void Mutex::delist(TurnWaiter& waiter, bool promise) noexcept {
    waiter.unlink();
    TurnWaiter* oldest = waiters_.front();
    if (std::exchange(waiter.granted, false)) {
        if (promise && oldest != nullptr) {
            promised_ = true;
        } else {
            unlock();
            return;
        }
    } else if (promised_ && oldest == nullptr) {
        promised_ = false;
        holder_ = nullptr;
    }
    if (promised_) oldest->who.wake();
}

} // namespace nexus
