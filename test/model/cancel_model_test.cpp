// The cross-thread protocol of CancellationToken under a model checker: the library's own template, whose flag, counts
// and lock are points where another thread may run. Waiters, children and last handles come and go while a cancel is
// under way. Each model is refuted when a fault is planted.
#include "parking.hpp"

namespace {

using namespace nexus::model;

constexpr rl::iteration_t enough = 50'000;

class CheckedMutex {
public:
    void lock() { mutex_.lock(RL_INFO); }
    void unlock() { mutex_.unlock(RL_INFO); }

private:
    rl::mutex mutex_;
};

/// Where a fiber parks: what is signalled stays signalled. Wakes may be spurious, as those of fibers are.
struct Bed {
    /// For a waiter that was added: it is woken, without looking first. A lost wake is a deadlock.
    template <class State>
    void wait_for(const State& state) {
        do rl::rl_sem_wait(&signal, RL_INFO);
        while (!state.cancelled());
    }
    rl::rl_sem_t signal;
};

/// Stands for nexus::Waker. The checker sees who copies it while somebody else destroys it: the waiter's node lies on
/// its fiber's stack and goes with the wait.
class CheckedWaker {
public:
    CheckedWaker() : intact_(0) {}
    explicit CheckedWaker(Bed& where) : where_(&where), intact_(1) {}
    CheckedWaker(const CheckedWaker& other) : where_(other.where_), intact_(static_cast<int>(other.intact_(RL_INFO))) {}
    CheckedWaker& operator=(const CheckedWaker& other) {
        where_ = other.where_;
        intact_(RL_INFO) = static_cast<int>(other.intact_(RL_INFO));
        return *this;
    }
    ~CheckedWaker() { intact_(RL_INFO) = 0; }
    void wake() const {
        RL_ASSERT(static_cast<int>(intact_(RL_INFO)) == 1);
        rl::rl_sem_post(&where_->signal, RL_INFO);
    }

private:
    Bed* where_ = nullptr;
    rl::var<int> intact_;
};

struct CancelAtomics : RelacyAtomics {
    using Mutex = CheckedMutex;
    using Waker = CheckedWaker;
    static constexpr std::size_t wakers_at_once = 1; // so that two waiters take two turns
    template <class T>
    static T* create() {
        return make<T>();
    }
    template <class T>
    static void destroy(T* object) {
        nexus::model::destroy(object);
    }
};

// --- planted mutants ---

/// nothing guards the lists.
struct WithoutLock : CancelAtomics {
    struct Mutex {
        void lock() {}
        void unlock() {}
    };
};

/// The flag is raised without release.
struct RelaxedFlag : CancelAtomics {
    template <class T>
    class Atomic : public RelacyAtomics::Atomic<T> {
    public:
        using RelacyAtomics::Atomic<T>::Atomic;
        void store_release(T value) { this->store_relaxed(value); }
    };
};

/// The parent's cancel takes a reference to a child in two steps, though its last one may be going.
struct CountedInTwoSteps : CancelAtomics {
    template <class T>
    class Atomic : public RelacyAtomics::Atomic<T> {
    public:
        using RelacyAtomics::Atomic<T>::Atomic;
        bool compare_exchange_acq_rel(T& /*expected*/, T desired) {
            this->store_release(desired);
            return true;
        }
    };
};

// --- waiters ---

/// One thread publishes something and cancels; two wait for it: one only for the token, one as until() does, giving up
/// at any moment.
template <class Backend>
struct WaitModel : rl::test_suite<WaitModel<Backend>, 3> {
    using State = nexus::detail::BasicCancelState<Backend>;
    using Ref = nexus::detail::BasicCancelRef<Backend>;

    std::array<Ref, 3> handles;
    std::array<Bed, 3> parking;
    rl::var<int> published;

    void before() {
        published(RL_INFO) = 0;
        for (Bed& place : parking) rl::rl_sem_init(&place.signal, 0, 0, RL_INFO);
        handles[0] = State::make();
        handles[1] = handles[2] = handles[0];
    }
    void after() {
        for (Bed& place : parking) rl::rl_sem_destroy(&place.signal, RL_INFO);
    }

    void thread(unsigned index) {
        {
            const Ref token = std::move(handles[index]);
            if (index == 0) {
                published(RL_INFO) = 1;
                token->cancel();
            } else {
                wait(*token, index);
            }
        }
    }

    void wait(State& state, unsigned index) {
        const bool patient = index == 1;
        nexus::detail::BasicCancelWaiter<Backend> waiter{typename Backend::Waker(parking[index])};
        const bool added = state.add(waiter);
        RL_ASSERT(added || state.cancelled());
        if (added && patient) parking[index].wait_for(state);
        if (state.cancelled()) RL_ASSERT(static_cast<int>(published(RL_INFO)) == 1);
        state.remove(waiter);
    }
};

TEST(CancelModel, no_waiter_is_missed_or_touched_after_it_left_A6) { EXPECT_CORRECT(WaitModel<CancelAtomics>); }

TEST(CancelModel, mutant_without_lock_is_refuted) { EXPECT_REFUTED(WaitModel<WithoutLock>); }

TEST(CancelModel, mutant_relaxed_flag_is_refuted) { EXPECT_REFUTED(WaitModel<RelaxedFlag>); }

// --- children ---

/// One thread cancels the root. One makes a child of it and waits for that; one has a child and drops it, and with it,
/// perhaps, the last reference to the root.
template <class Backend>
struct FamilyModel : rl::test_suite<FamilyModel<Backend>, 3> {
    using State = nexus::detail::BasicCancelState<Backend>;
    using Ref = nexus::detail::BasicCancelRef<Backend>;

    std::array<Ref, 3> handles;
    Bed parking;

    void before() {
        rl::rl_sem_init(&parking.signal, 0, 0, RL_INFO);
        handles[0] = State::make();
        handles[1] = handles[0];
        handles[2] = State::child_of(State::child_of(handles[0]));
    }
    void after() { rl::rl_sem_destroy(&parking.signal, RL_INFO); }

    void thread(unsigned index) {
        const Ref mine = std::move(handles[index]);
        if (index == 0) mine->cancel();
        if (index != 1) return;
        const Ref child = State::child_of(mine); // before, during or after the cancel
        nexus::detail::BasicCancelWaiter<Backend> waiter{typename Backend::Waker(parking)};
        if (child->add(waiter)) parking.wait_for(*child);
        child->remove(waiter);
        RL_ASSERT(child->cancelled() && mine->cancelled());
    }
};

TEST(CancelModel, children_come_and_go_during_a_cancel_A21_H27) { EXPECT_CORRECT(FamilyModel<CancelAtomics>); }

TEST(CancelModel, mutant_counted_in_two_steps_is_refuted) { EXPECT_REFUTED(FamilyModel<CountedInTwoSteps>); }

TEST(CancelModel, mutant_family_without_lock_is_refuted) { EXPECT_REFUTED(FamilyModel<WithoutLock>); }

} // namespace
