#include "nexus/sync/notify.hpp"

#include <utility>

namespace nexus {

using detail::NotifyWaiter;

void Notify::notify_one() noexcept {
    NotifyWaiter* oldest = waiters_.pop_front();
    if (oldest == nullptr) {
        permit_ = true;
        return;
    }
    oldest->told = NotifyWaiter::Told::by_one;
    oldest->who.wake();
}

void Notify::notify_all() noexcept {
    while (NotifyWaiter* oldest = waiters_.pop_front()) {
        oldest->told = NotifyWaiter::Told::by_all;
        oldest->who.wake();
    }
}

bool Notify::try_wait() noexcept {
    if (const detail::Task* promised = std::exchange(promised_, nullptr); promised != nullptr && Executor::in_fiber()) {
        const Executor& executor = *Executor::current();
        if (&executor.current_task() == promised && executor.run_number() == promised_in_) return true;
    }
    return std::exchange(permit_, false);
}

void Notify::promise(const NotifyWaiter& waiter) noexcept {
    promised_ = &waiter.who.task;
    promised_in_ = waiter.who.executor.run_number();
}

/// A parked wait() looks whether it is over: told, or left something to take by a select().
bool Notify::look(NotifyWaiter& waiter) noexcept {
    if (waiter.told != NotifyWaiter::Told::nothing) return true;
    if (!std::exchange(permit_, false)) return false;
    waiter.unlink();
    waiter.told = NotifyWaiter::Told::by_one;
    return true;
}

void Notify::wait() {
    Executor& executor = Executor::of_current_fiber("Notify::wait");
    if (!detail::enter_or_throw(executor, "Notify::wait")) return;
    if (std::exchange(permit_, false)) return;
    struct Waiting : NotifyWaiter {
        Waiting(Notify& in, Executor& on) noexcept : NotifyWaiter(on), notify(in) { notify.enlist(*this); }
        ~Waiting() { notify.leave(*this); }
        Notify& notify;
    } waiting(*this, executor);
    const auto end = detail::park_until(executor, "Notify::wait", false, [this, &waiting] { return look(waiting); });
    if (end == detail::WaitEnd::ready) waiting.told = NotifyWaiter::Told::nothing; // used up
}

/// A wait ends: what it was told and has not used goes to the next.
void Notify::leave(NotifyWaiter& waiter) noexcept {
    waiter.unlink();
    if (waiter.told == NotifyWaiter::Told::by_one) notify_one();
}

void Notify::enlist(NotifyWaiter& waiter) noexcept { waiters_.push_back(waiter); }

void Notify::delist(NotifyWaiter& waiter, bool chosen) noexcept {
    waiter.unlink();
    if (chosen && waiter.told != NotifyWaiter::Told::nothing) {
        // For try_wait(). What one fiber was told, and what is kept besides, are two notifications.
        if (permit_ || waiter.told == NotifyWaiter::Told::by_all) {
            promise(waiter);
        } else {
            permit_ = true;
        }
    } else if (waiter.told == NotifyWaiter::Told::by_one) {
        notify_one();
    }
    // The fiber may use what is kept before it suspends; if it does not, the next finds it when it looks.
    if (NotifyWaiter* next = waiters_.front(); permit_ && next != nullptr) next->who.wake();
}

} // namespace nexus
