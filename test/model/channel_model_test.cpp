// The cross-thread channels under a model checker: the library's own rings, waiter slots and states, with fibers that
// park on a semaphore. A wake that is lost leaves a thread asleep for ever, which the checker reports as a deadlock;
// a value that is read before it is written, as a race. Each model is refuted when a fault is planted.
#include "parking.hpp"

namespace {

using namespace nexus::model;
using nexus::detail::Look;

constexpr rl::iteration_t enough = 10'000;

/// A value that the checker watches.
struct Watched {
    rl::var<int> number{-1};

    explicit Watched(int value) { number(RL_INFO) = value; }
    Watched(Watched&& other) noexcept { number(RL_INFO) = other.get(); }
    [[nodiscard]] int get() const { return number(RL_INFO); }
};

// --- spsc ---

/// The sender sends three values through a ring of `capacity` and leaves; the receiver takes them until the end.
template <class Policy, int capacity, bool may_be_quiet>
struct SpscModel : rl::test_suite<SpscModel<Policy, capacity, may_be_quiet>, 2> {
    using State = nexus::detail::BasicSpscState<Watched, Policy>;
    static constexpr int values = 3;

    State* state = nullptr;
    std::array<Fiber, 2> fibers;

    void before() {
        for (Fiber& fiber : fibers) fiber.before();
        state = make<State>(std::size_t{capacity}, may_be_quiet);
    }
    void after() {
        destroy(state);
        for (Fiber& fiber : fibers) fiber.after();
    }
    void thread(unsigned index) { index == 0 ? receive(fibers[0]) : send(fibers[1]); }

    void send(Fiber& me) {
        for (int i = 0; i < values; ++i) {
            Watched value(i);
            bool sent = false;
            state->begin_sending("send");
            while (!state->try_send(value, sent)) {
                const Look look = state->send_after_arming(value, sent, me.reference());
                if (look == Look::done) break;
                look == Look::park ? me.park() : rl::yield(1, RL_INFO);
            }
            state->end_sending();
            RL_ASSERT(sent);
        }
        state->drop_sender();
    }
    void receive(Fiber& me) {
        for (int expected = 0;; ++expected) {
            bool end = false;
            state->begin_receiving("recv");
            while (!state->receivable(end)) {
                const Look look = state->receivable_after_arming(end, me.reference());
                if (look == Look::done) break;
                look == Look::park ? me.park() : rl::yield(1, RL_INFO);
            }
            state->end_receiving();
            if (end) {
                RL_ASSERT(expected == values); // the last value comes before the end (H-35)
                break;
            }
            RL_ASSERT(state->front()->get() == expected);
            state->drop_front();
        }
        state->drop_receiver();
    }
};

template <class Backend, bool works = true, bool fails = false>
using SpscParking = Parking<Backend, 2, works, fails>;

TEST(ChannelModel, spsc_with_fences_loses_nothing) {
    EXPECT_CORRECT(SpscModel<SpscParking<RelacyAtomics>, 1, false>);
    EXPECT_CORRECT(SpscModel<SpscParking<RelacyAtomics>, 2, false>);
}
TEST(ChannelModel, spsc_that_becomes_quiet_loses_nothing) {
    EXPECT_CORRECT(SpscModel<SpscParking<RelacyAtomics>, 1, true>);
    EXPECT_CORRECT(SpscModel<SpscParking<RelacyAtomics>, 2, true>);
}
TEST(ChannelModel, spsc_whose_process_fence_fails_later_looks_again_instead_of_parking) {
    EXPECT_CORRECT(SpscModel<SpscParking<RelacyAtomics, true, true>, 1, true>);
}
TEST(ChannelModel, spsc_mutant_without_fence_is_refuted_H7) {
    EXPECT_REFUTED(SpscModel<SpscParking<WithoutFence>, 1, false>);
}
TEST(ChannelModel, spsc_mutant_quiet_without_process_fence_is_refuted) {
    EXPECT_REFUTED(SpscModel<SpscParking<RelacyAtomics, false>, 1, true>);
}
TEST(ChannelModel, spsc_mutant_that_becomes_quiet_without_a_fence_is_refuted) {
    EXPECT_REFUTED(SpscModel<SpscParking<WithoutFence>, 1, true>);
}
TEST(ChannelModel, spsc_mutant_position_without_release_is_refuted) {
    EXPECT_REFUTED(SpscModel<SpscParking<RelaxedLink>, 2, false>);
}
TEST(ChannelModel, spsc_mutant_torn_exchange_is_refuted_H11) {
    EXPECT_REFUTED(SpscModel<SpscParking<TornExchange>, 1, false>);
}

// --- mpsc ---

/// Two senders send two values each through a ring of `capacity` and leave; the receiver takes them until the end.
template <class Policy, int capacity>
struct MpscModel : rl::test_suite<MpscModel<Policy, capacity>, 3> {
    using State = nexus::detail::BasicMpscState<Watched, Policy>;
    using Handle = typename Policy::Handle;
    static constexpr int values = 2;

    State* state = nullptr;
    std::array<Fiber, 3> fibers;

    void before() {
        for (Fiber& fiber : fibers) fiber.before();
        state = make<State>(std::size_t{capacity});
        state->add_sender();
        state->add_sender();
    }
    void after() {
        destroy(state);
        for (Fiber& fiber : fibers) fiber.after();
    }
    void thread(unsigned index) {
        index == 0 ? receive(fibers[0]) : send(fibers[index], static_cast<int>(index - 1) * values);
    }

    void send(Fiber& me, int first) {
        for (int i = 0; i < values; ++i) {
            Watched value(first + i);
            if (state->try_push(value)) continue;
            typename State::SendWaiter waiter(value, Handle(&me));
            state->link(waiter);
            while (!state->settle(waiter)) me.park();
            RL_ASSERT(waiter.served);
        }
        state->drop_sender();
    }
    void receive(Fiber& me) {
        std::array<int, 2> next{};
        int received = 0;
        for (;; ++received) {
            std::optional<Watched> value;
            bool end = false;
            state->begin_receiving("recv");
            while (!state->try_receive(value, end)) {
                if (state->receive_after_arming(value, end, me.reference())) break;
                me.park();
            }
            state->end_receiving();
            if (!value) break;
            const int number = value->get();
            RL_ASSERT(number % values == next[static_cast<std::size_t>(number / values)]++); // FIFO for each sender
        }
        RL_ASSERT(received == 2 * values); // the last value comes before the end (H-35)
        state->drop_receiver();
    }
};

/// The receiver takes a value at most and leaves, while two senders send, or do not, through a ring with room for all.
/// What was sent is destroyed although the state lives on.
template <class Policy>
struct MpscCloseModel : rl::test_suite<MpscCloseModel<Policy>, 3> {
    /// Counts how many of its kind are alive. The threads of the checker run one at a time: the count needs no order.
    struct Counted {
        int* alive;
        Watched watched;
        Counted(int& count, int value) : alive(&count), watched(value) { ++*alive; }
        Counted(Counted&& other) noexcept : alive(other.alive), watched(std::move(other.watched)) { ++*alive; }
        ~Counted() { --*alive; }
    };
    using State = nexus::detail::BasicMpscState<Counted, Policy>;
    static constexpr int values = 2;

    State* state = nullptr;
    std::array<Fiber, 3> fibers;
    int alive = 0;

    void before() {
        for (Fiber& fiber : fibers) fiber.before();
        alive = 0;
        state = make<State>(std::size_t{2 * values});
        for (int i = 0; i < 3; ++i) state->add_sender(); // one of them stays, so that no end of theirs wakes anybody
    }
    void after() {
        RL_ASSERT(alive == 0);
        destroy(state);
        for (Fiber& fiber : fibers) fiber.after();
    }
    void thread(unsigned index) { index == 0 ? receive(fibers[0]) : send(); }

    void send() {
        for (unsigned i = rl::rand(values + 1); i > 0 && !state->closed(); --i) {
            Counted value(alive, 0);
            RL_ASSERT(state->try_push(value));
        }
        state->drop_sender();
    }
    /// One fiber looks, and waits; another one of its thread gives the receiver up meanwhile, which ends the wait.
    void receive(Fiber& me) {
        std::optional<Counted> value;
        bool end = false;
        state->begin_receiving("recv");
        const bool parked = !state->try_receive(value, end) && !state->receive_after_arming(value, end, me.reference());
        state->drop_receiver();
        if (parked) {
            me.park();
            RL_ASSERT(state->try_receive(value, end) && end && !value);
        }
        state->end_receiving();
    }
};

template <class Backend>
using MpscParking = Parking<Backend, 3>;

TEST(ChannelModel, mpsc_leaves_nothing_behind_the_receiver) {
    EXPECT_CORRECT(MpscCloseModel<MpscParking<RelacyAtomics>>);
}
TEST(ChannelModel, mpsc_mutant_close_without_fence_is_refuted) {
    EXPECT_REFUTED(MpscCloseModel<MpscParking<WithoutFence>>);
}
TEST(ChannelModel, mpsc_mutant_close_without_lock_is_refuted) {
    EXPECT_REFUTED(MpscCloseModel<Unguarded<MpscParking<RelacyAtomics>>>);
}

TEST(ChannelModel, mpsc_loses_nothing) {
    EXPECT_CORRECT(MpscModel<MpscParking<RelacyAtomics>, 1>);
    EXPECT_CORRECT(MpscModel<MpscParking<RelacyAtomics>, 2>);
}
TEST(ChannelModel, mpsc_mutant_without_fence_is_refuted_H7) { EXPECT_REFUTED(MpscModel<MpscParking<WithoutFence>, 1>); }
TEST(ChannelModel, mpsc_mutant_turn_without_release_is_refuted) {
    EXPECT_REFUTED(MpscModel<MpscParking<RelaxedLink>, 2>);
}
TEST(ChannelModel, mpsc_mutant_torn_exchange_is_refuted_H11) {
    EXPECT_REFUTED(MpscModel<MpscParking<TornExchange>, 2>);
}

// --- oneshot ---

/// One value, while the receiver waits for it or leaves. Each value is destroyed once: the checker sees what leaks.
template <class Policy, bool receiver_stays>
struct OneshotModel : rl::test_suite<OneshotModel<Policy, receiver_stays>, 2> {
    /// Owns an object on the checker's heap.
    struct Owner {
        Watched* object;
        explicit Owner(int value) : object(make<Watched>(value)) {}
        Owner(Owner&& other) noexcept : object(std::exchange(other.object, nullptr)) {}
        ~Owner() {
            if (object != nullptr) destroy(object);
        }
    };
    using State = nexus::detail::BasicOneshotState<Owner, Policy>;

    State* state = nullptr;
    std::array<Fiber, 2> fibers;

    void before() {
        for (Fiber& fiber : fibers) fiber.before();
        state = make<State>();
    }
    void after() {
        destroy(state);
        for (Fiber& fiber : fibers) fiber.after();
    }
    void thread(unsigned index) { index == 0 ? receive(fibers[0]) : send(); }

    void send() {
        Owner value(7);
        const bool sent = state->send(value);
        RL_ASSERT(sent == (value.object == nullptr)); // what was not sent is still here
        RL_ASSERT(sent || !receiver_stays);
        state->drop_sender();
    }
    void receive(Fiber& me) {
        if (receiver_stays) {
            std::optional<Owner> value;
            bool end = false;
            state->begin_receiving("recv");
            while (!state->try_receive(value, end)) {
                if (state->receive_after_arming(value, end, me.reference())) break;
                me.park();
            }
            state->end_receiving();
            RL_ASSERT(value && value->object->get() == 7);
        }
        state->drop_receiver();
    }
};

TEST(ChannelModel, oneshot_hands_over_or_gives_back) {
    EXPECT_CORRECT(OneshotModel<SpscParking<RelacyAtomics>, true>);
    EXPECT_CORRECT(OneshotModel<SpscParking<RelacyAtomics>, false>);
}
TEST(ChannelModel, oneshot_mutant_without_fence_is_refuted) {
    EXPECT_REFUTED(OneshotModel<SpscParking<WithoutFence>, true>);
}
TEST(ChannelModel, oneshot_mutant_test_then_set_is_refuted) {
    EXPECT_REFUTED(OneshotModel<SpscParking<TestThenSet>, false>);
}

} // namespace
