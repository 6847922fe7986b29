#include "nexus/sync/semaphore.hpp"

#include "nexus/base/usage_error.hpp"

namespace nexus {

using detail::TurnWaiter;

namespace {

std::size_t checked(std::size_t permits) {
    if (permits > Semaphore::max_permits) {
        throw UsageError(
            "a Semaphore with more than max_permits: usually a negative number that became an unsigned one");
    }
    return permits;
}

} // namespace

/// An acquire() that waits.
class Semaphore::Waiting : public TurnWaiter {
public:
    Waiting(Semaphore& semaphore, Executor& executor, std::size_t count) noexcept
        : TurnWaiter(executor, count), semaphore_(semaphore) {
        semaphore.enlist(*this);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { semaphore_.delist(*this, false); }

private:
    Semaphore& semaphore_;
};

Semaphore::Semaphore(std::size_t permits) : available_(checked(permits)) {}

Semaphore::Permit Semaphore::try_acquire(std::size_t count) noexcept {
    if (count > available_) return {};
    if (!waiters_.empty() && count != 0) {
        if (!Executor::in_fiber() || !free_for(Executor::current()->current_task(), count)) return {};
        promised_to_ = nullptr;
    }
    available_ -= count;
    return {*this, count};
}

Semaphore::Permit Semaphore::acquire_later(Executor& executor, std::size_t count) {
    if (Permit promised = try_acquire(count)) return promised;
    Waiting waiting(*this, executor, count);
    const auto end = detail::park_until(executor, "Semaphore::acquire", false, [&] { return look(waiting); });
    if (end != detail::WaitEnd::ready) return {};
    waiting.granted = false; // used up
    return {*this, count};
}

Result<Semaphore::Permit> Semaphore::acquire_or_fail(std::size_t count) {
    Permit permit = acquire(count);
    if (!permit) return Error(errc::cancelled, "Semaphore::acquire");
    return permit;
}

void Semaphore::release(std::size_t count) {
    (void)checked(count);
    (void)checked(available_ + count);
    give_back(count);
}

void Semaphore::grant(TurnWaiter& waiter) noexcept {
    waiter.unlink();
    waiter.granted = true;
    available_ -= waiter.amount;
}

void Semaphore::serve() noexcept {
    // What select() has just promised to the running fiber is not given away before that suspends.
    const bool promised = promised_to_ != nullptr && Executor::in_fiber() &&
                          promised_to_ == &Executor::current()->current_task();
    if (!promised) promised_to_ = nullptr;
    const std::size_t kept = promised ? 1 : 0;
    while (TurnWaiter* oldest = waiters_.front()) {
        if (oldest->amount > available_ || oldest->amount + kept > available_) return; // the sum alone might wrap
        grant(*oldest);
        oldest->who.wake();
    }
}

void Semaphore::enlist(TurnWaiter& waiter) noexcept { waiters_.push_back(waiter); }

bool Semaphore::look(TurnWaiter& waiter) noexcept {
    if (waiter.granted || waiters_.front() != &waiter) return waiter.granted;
    promised_to_ = nullptr;                         // not taken by the time that the oldest waiter runs: lapsed
    if (waiter.amount <= available_) grant(waiter); // all there is: more than one over would have been granted before
    return waiter.granted;
}

void Semaphore::delist(TurnWaiter& waiter, bool promise) noexcept {
    waiter.unlink();
    if (std::exchange(waiter.granted, false)) available_ += waiter.amount;
    TurnWaiter* oldest = waiters_.front();
    if (oldest == nullptr) {
        promised_to_ = nullptr;
    } else if (promise) {
        promised_to_ = &waiter.who.task;
        oldest->who.wake();
    } else {
        serve(); // also what was kept for a promise when this waiter was granted its own
    }
}

} // namespace nexus
