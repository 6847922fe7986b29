// The sources that select() knows besides channels: see selectable.hpp for what each of them has to provide.
#pragma once

#include "nexus/exec/join_handle.hpp"
#include "nexus/exec/waker.hpp"
#include "nexus/runtime/shutdown.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/cancellation_token.hpp"
#include "nexus/sync/deadline.hpp"
#include "nexus/sync/detail/select_channels.hpp"
#include "nexus/sync/detail/select_locks.hpp"
#include "nexus/sync/detail/selectable.hpp"
#include "nexus/sync/notify.hpp"
#include "nexus/sync/readiness.hpp"
#include "nexus/sync/task_group.hpp"

#include <memory>
#include <utility>

namespace nexus::detail {

// --- what is told ---

template <>
struct Selectable<Notify> {
    static bool ready(const Notify& notify, Executor& /*executor*/) noexcept { return notify.has_permit(); }
    class Waiter : NotifyWaiter {
    public:
        Waiter(Notify& notify, SelectTurn& turn) noexcept : NotifyWaiter(turn.executor), turn_(turn), notify_(notify) {
            notify_.enlist(*this);
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { notify_.delist(*this, turn_.chosen); }
        [[nodiscard]] bool ready() const noexcept { return told != Told::nothing || notify_.has_permit(); }

    private:
        SelectTurn& turn_;
        Notify& notify_;
    };
};

/// CancellationToken and ShutdownSignal.
template <class Source>
struct SelectCancelled {
    static bool ready(const Source& source, Executor& /*executor*/) noexcept {
        return source.cancel_state()->cancelled();
    }
    class Waiter {
    public:
        Waiter(const Source& source, SelectTurn& /*turn*/) : state_(source.cancel_state()), node_(Waker::of_current()) {
            (void)state_->add(node_); // not added: cancelled, and ready() says so
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { state_->remove(node_); }
        [[nodiscard]] bool ready() const noexcept { return state_->cancelled(); }

    private:
        CancelRef state_;
        CancelWaiter node_;
    };
};
template <>
struct Selectable<CancellationToken> : SelectCancelled<CancellationToken> {};
template <>
struct Selectable<ShutdownSignal> : SelectCancelled<ShutdownSignal> {};

// --- fibers ---

template <class T>
struct Selectable<JoinHandle<T>> {
    static bool ready(const JoinHandle<T>& handle, Executor& /*executor*/) { return handle.is_finished(); }
    class Waiter {
    public:
        Waiter(const JoinHandle<T>& handle, SelectTurn& turn)
            : header_(handle.header()), waiter_(checked(header_, turn.executor), turn.executor) {}
        [[nodiscard]] bool ready() const noexcept { return header_.state.completed(); }

    private:
        static Task& checked(Task& header, Executor& executor) {
            if (header.owner != &executor.cross_wake()) throw_foreign_fiber();
            return header;
        }
        Task& header_;
        JoinWaiter waiter_;
    };

private:
    [[noreturn]] static void throw_foreign_fiber() {
        throw UsageError("select() on a fiber of another runtime: hand its result over through a channel instead");
    }
};

template <>
struct Selectable<TaskGroup> {
    static bool ready(const TaskGroup& group, Executor& /*executor*/) noexcept { return group.ready(); }
    class Waiter {
    public:
        Waiter(TaskGroup& group, SelectTurn& turn) : wait_(group, turn.executor) {}
        [[nodiscard]] bool ready() const noexcept { return wait_.over(); }

    private:
        GroupWait wait_;
    };
};

// --- time ---

template <>
struct Selectable<Deadline> {
    static bool ready(const Deadline& deadline, Executor& /*executor*/) { return deadline.expired(); }
    class Waiter {
    public:
        Waiter(Deadline& deadline, SelectTurn& turn) noexcept : deadline_(deadline), waiter_(turn.executor) {
            deadline_.enlist(waiter_);
        }
        [[nodiscard]] bool ready() noexcept { return waiter_.due(deadline_.at_ns()); }

    private:
        Deadline& deadline_;
        TimedWaiter waiter_;
    };
};

template <>
struct Selectable<Interval> {
    static bool ready(const Interval& interval, Executor& executor) noexcept {
        return to_ns(interval.next_tick()) <= executor.now_ns();
    }
    class Waiter {
    public:
        Waiter(const Interval& interval, SelectTurn& turn) noexcept : interval_(interval), waiter_(turn.executor) {}
        [[nodiscard]] bool ready() noexcept { return waiter_.due(to_ns(interval_.next_tick())); }

    private:
        const Interval& interval_;
        TimedWaiter waiter_;
    };
};

// --- descriptors ---

template <>
struct Selectable<Readiness> {
    static bool ready(const Readiness& wanted, Executor& /*executor*/) noexcept {
        return wanted.source.probe(wanted.direction);
    }
    class Waiter {
    public:
        Waiter(const Readiness& wanted, SelectTurn& turn) : wanted_(wanted), task_(turn.executor.current_task()) {
            link();
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { wanted_.source.delist(wanted_.direction, task_); }
        /// Also when the descriptor is given up meanwhile: then its try_ forms say so.
        [[nodiscard]] bool ready() { return wanted_.source.probe(wanted_.direction) || !link(); }

    private:
        bool link() { return wanted_.source.enlist(wanted_.direction, task_, "select").has_value(); }
        Readiness wanted_;
        Task& task_;
    };
};

} // namespace nexus::detail
