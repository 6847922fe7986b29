// One receiving end of a channel that has many, and the fiber that waits there. One thread.
//
// It is an object of its own, because a Receiver may be moved or destroyed while a fiber waits in its recv().
// Invariants: `waiter_` is set while a wait is in progress; it is in the channel's list only then, and leaves the list
// when it is woken. A wait that goes on after a wake links itself again.
#pragma once

#include "nexus/base/intrusive_list.hpp"
#include "nexus/sync/detail/counted.hpp"
#include "nexus/sync/detail/park.hpp"

#include <utility>

namespace nexus::detail {

[[noreturn]] void throw_second_receiver(const char* operation);

class SubscriberBase : public base::ListNode {
public:
    /// Throws UsageError when another fiber receives at this end.
    void check_receiver(const char* operation) const {
        if (waiter_ != nullptr) [[unlikely]]
            throw_second_receiver(operation);
    }
    void set_waiter(const LocalWaiter* waiter) noexcept {
        waiter_ = waiter;
        if (waiter == nullptr) unlink();
    }
    /// Its Receiver has been destroyed.
    [[nodiscard]] bool gone() const noexcept { return gone_; }
    /// A wait in progress ends.
    void give_up() noexcept {
        gone_ = true;
        if (waiter_ != nullptr) waiter_->wake();
    }
    void wake() noexcept { waiter_->wake(); }

private:
    const LocalWaiter* waiter_ = nullptr;
    bool gone_ = false;
};

/// The receiving ends at which fibers wait.
class WaitingSubscribers {
public:
    void add(SubscriberBase& subscriber) noexcept {
        if (!subscriber.linked()) waiting_.push_back(subscriber);
    }
    void wake_all() noexcept {
        while (SubscriberBase* subscriber = waiting_.pop_front()) subscriber->wake();
    }

private:
    base::IntrusiveList<SubscriberBase> waiting_;
};

/// A wait at one receiving end, on its fiber's stack. `Subscriber` has readable() and waiting(), the channel's list.
template <class Subscriber>
class SubscriberWait : LocalWaiter {
public:
    SubscriberWait(Subscriber& subscriber, Executor& on, const char* operation)
        : LocalWaiter(on), subscriber_(subscriber), pin_(subscriber) {
        subscriber.check_receiver(operation);
        subscriber.set_waiter(this);
    }
    SubscriberWait(const SubscriberWait&) = delete;
    SubscriberWait& operator=(const SubscriberWait&) = delete;
    ~SubscriberWait() { subscriber_.set_waiter(nullptr); }

    /// True when there is something, or nothing will come; else linked, to be woken.
    [[nodiscard]] bool ready() noexcept {
        if (subscriber_.readable()) return true;
        subscriber_.waiting().add(subscriber_);
        return false;
    }

private:
    Subscriber& subscriber_;
    typename Subscriber::Pin pin_;
};

/// Suspends until `subscriber` is readable. The wait has been entered; the caller keeps the subscriber.
template <class Subscriber>
[[nodiscard]] WaitEnd wait_readable(Subscriber& subscriber, Executor& executor, const char* operation) {
    SubscriberWait<Subscriber> wait(subscriber, executor, operation);
    return park_until(executor, operation, true, [&wait] { return wait.ready(); });
}

} // namespace nexus::detail
