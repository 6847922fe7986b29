// Locks as sources of select(): see selectable.hpp for what each of them has to provide.
#pragma once

#include "nexus/sync/detail/selectable.hpp"
#include "nexus/sync/detail/turn.hpp"
#include "nexus/sync/mutex.hpp"
#include "nexus/sync/once_cell.hpp"
#include "nexus/sync/semaphore.hpp"

namespace nexus::detail {

/// The mutex, free for try_lock().
template <>
struct Selectable<Mutex> {
    static bool ready(const Mutex& mutex, Executor& executor) noexcept {
        return mutex.free_for(executor.current_task());
    }
    class Waiter : TurnWaiter {
    public:
        Waiter(Mutex& mutex, SelectTurn& turn) : TurnWaiter(turn.executor), turn_(turn), mutex_(mutex) {
            mutex_.enlist(*this);
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { mutex_.delist(*this, turn_.chosen); }
        [[nodiscard]] bool ready() noexcept { return mutex_.look(*this); }

    private:
        SelectTurn& turn_;
        Mutex& mutex_;
    };
};

/// One permit, there for try_acquire().
template <>
struct Selectable<Semaphore> {
    static bool ready(const Semaphore& semaphore, Executor& executor) noexcept {
        return semaphore.free_for(executor.current_task(), 1);
    }
    class Waiter : TurnWaiter {
    public:
        Waiter(Semaphore& semaphore, SelectTurn& turn) noexcept
            : TurnWaiter(turn.executor), turn_(turn), semaphore_(semaphore) {
            semaphore_.enlist(*this);
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { semaphore_.delist(*this, turn_.chosen); }
        [[nodiscard]] bool ready() noexcept { return semaphore_.look(*this); }

    private:
        SelectTurn& turn_;
        Semaphore& semaphore_;
    };
};

/// The value of the cell.
template <class T>
struct Selectable<OnceCell<T>> {
    static bool ready(OnceCell<T>& cell, Executor& /*executor*/) noexcept { return cell.gate().has_value(); }
    class Waiter {
    public:
        Waiter(OnceCell<T>& cell, SelectTurn& turn) noexcept
            : gate_(cell.gate()), waiter_(gate_, turn.executor, false) {}
        [[nodiscard]] bool ready() const noexcept { return gate_.has_value(); }

    private:
        OnceGate& gate_;
        OnceGate::Waiter waiter_;
    };
};

} // namespace nexus::detail
