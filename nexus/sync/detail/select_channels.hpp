// The ends of channels as sources of select(): see selectable.hpp for what each of them has to provide.
#pragma once

#include "nexus/sync/broadcast.hpp"
#include "nexus/sync/detail/selectable.hpp"
#include "nexus/sync/local.hpp"
#include "nexus/sync/mpsc.hpp"
#include "nexus/sync/oneshot.hpp"
#include "nexus/sync/readiness.hpp"
#include "nexus/sync/spsc.hpp"
#include "nexus/sync/watch.hpp"

#include <memory>

namespace nexus::detail {

// --- values ---

template <class T>
struct Selectable<local::Receiver<T>> {
    using State = LocalState<T>;
    static bool ready(local::Receiver<T>& receiver, Executor& /*executor*/) {
        receiver.state()->check_receiver("select");
        return readable(*receiver.state());
    }
    class Waiter : LocalWaiter {
    public:
        Waiter(local::Receiver<T>& receiver, SelectTurn& turn)
            : LocalWaiter(turn.executor), state_(*receiver.state()), pin_(state_) {
            state_.check_receiver("select"); // the same receiver twice in one call
            state_.set_receiver(this);
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { state_.set_receiver(nullptr); }
        [[nodiscard]] bool ready() const noexcept { return readable(state_); }

    private:
        State& state_;
        typename State::Pin pin_;
    };

private:
    [[nodiscard]] static bool readable(const State& state) noexcept {
        return state.has_value() || state.ended() || state.receiver_gone();
    }
};

/// The receivers of cross-thread channels that wait in a slot.
template <class Receiver, class State>
struct SelectSlot {
    static bool ready(Receiver& receiver, Executor& /*executor*/) {
        if (receiver.state()->receiving()) [[unlikely]]
            throw_second_receiver("select");
        return receiver.state()->readable();
    }
    class Waiter {
    public:
        Waiter(Receiver& receiver, SelectTurn& turn) : state_(receiver.state()), executor_(turn.executor) {
            state_->begin_receiving("select");
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { state_->end_receiving(); }
        [[nodiscard]] bool ready() {
            return state_->readable() || state_->readable_after_arming(TaskReference::of_current(executor_));
        }

    private:
        std::shared_ptr<State> state_;
        Executor& executor_;
    };
};
template <class T>
struct Selectable<mpsc::Receiver<T>> : SelectSlot<mpsc::Receiver<T>, MpscState<T>> {};
template <class T>
struct Selectable<oneshot::Receiver<T>> : SelectSlot<oneshot::Receiver<T>, OneshotState<T>> {};

template <class T>
struct Selectable<spsc::Receiver<T>> {
    static bool ready(spsc::Receiver<T>& receiver, Executor& /*executor*/) {
        if (receiver.state()->receiving()) [[unlikely]]
            throw_second_receiver("select");
        return receiver.state()->readable();
    }
    class Waiter {
    public:
        Waiter(spsc::Receiver<T>& receiver, SelectTurn& turn)
            : receiving_(receiver.state(), "select"), executor_(turn.executor) {}
        [[nodiscard]] bool ready() {
            SpscState<T>& state = receiving_.state();
            return state.readable() || take_turn_or_arm(executor_, receiving_.patience(),
                                                        [&state](Task* me) { return state.readable_after_arming(me); });
        }

    private:
        SpscReceiving<T> receiving_;
        Executor& executor_;
    };
};

/// Receivers of channels that have many.
template <class Receiver, class Subscriber>
struct SelectSubscriber {
    static bool ready(Receiver& receiver, Executor& /*executor*/) {
        receiver.subscriber()->check_receiver("select");
        return receiver.subscriber()->readable();
    }
    class Waiter : SubscriberWait<Subscriber> {
    public:
        Waiter(Receiver& receiver, SelectTurn& turn)
            : SubscriberWait<Subscriber>(*receiver.subscriber(), turn.executor, "select") {}
        using SubscriberWait<Subscriber>::ready;
    };
};
template <class T>
struct Selectable<watch::Receiver<T>> : SelectSubscriber<watch::Receiver<T>, WatchSubscriber<T>> {};
template <class T>
struct Selectable<broadcast::Receiver<T>> : SelectSubscriber<broadcast::Receiver<T>, BroadcastSubscriber<T>> {};

// --- room ---

template <class T>
struct Selectable<SendReadiness<T>> {
    using State = LocalState<T>;
    static bool ready(const SendReadiness<T>& source, Executor& /*executor*/) noexcept {
        State& state = *source.sender.state();
        return state.receiver_gone() || (state.has_room() && !state.someone_waits_for_room());
    }
    class Waiter : State::RoomWaiter {
    public:
        Waiter(const SendReadiness<T>& source, SelectTurn& turn)
            : State::RoomWaiter(turn.executor, nullptr), turn_(turn), state_(*source.sender.state()), pin_(state_) {
            state_.link(*this);
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { state_.leave(*this, turn_.chosen); }
        /// Room is for the oldest of those who wait.
        [[nodiscard]] bool ready() noexcept {
            return state_.receiver_gone() || (state_.has_room() && state_.is_oldest(*this));
        }

    private:
        SelectTurn& turn_;
        State& state_;
        typename State::Pin pin_;
    };
};

template <class T>
struct Selectable<SpscSendReadiness<T>> {
    static bool ready(const SpscSendReadiness<T>& source, Executor& /*executor*/) {
        SpscState<T>& state = *source.sender.state();
        if (state.sending()) [[unlikely]]
            throw_second_sender("select");
        return state.writable();
    }
    class Waiter {
    public:
        Waiter(const SpscSendReadiness<T>& source, SelectTurn& turn)
            : sending_(source.sender.state(), "select"), executor_(turn.executor) {}
        [[nodiscard]] bool ready() {
            SpscState<T>& state = sending_.state();
            return state.writable() || take_turn_or_arm(executor_, sending_.patience(),
                                                        [&state](Task* me) { return state.writable_after_arming(me); });
        }

    private:
        SpscSending<T> sending_;
        Executor& executor_;
    };
};

} // namespace nexus::detail
