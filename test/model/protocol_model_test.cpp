// The three atomic protocols of the executor under a model checker: the library's own templates, all of whose atomic
// operations are points where another thread may run or where an old value may be seen. Each model is refuted when a
// fault is planted: that is the proof that it looks.
#include "relacy_backend.hpp"

#include <array>

namespace {

using nexus::FreeAction;
using nexus::Sharing;
using namespace nexus::model;

constexpr rl::iteration_t enough = 100'000;

#define EXPECT_CORRECT(...)                                                                                            \
    do {                                                                                                               \
        const Verdict verdict = explore<__VA_ARGS__>(enough);                                                          \
        EXPECT_TRUE(verdict.correct) << verdict.report;                                                                \
    } while (false)
#define EXPECT_REFUTED(...) EXPECT_FALSE((explore<__VA_ARGS__>(enough).correct)) << "the model does not see the fault"

// --- the queue ---

/// Two producers push; the consumer frees each node as soon as it has it.
template <class Backend>
struct QueueModel : rl::test_suite<QueueModel<Backend>, 3> {
    static constexpr int each = 2;
    struct Node : nexus::base::MpscNode<Backend> {
        rl::var<int> producer;
        rl::var<int> number;
    };

    nexus::base::MpscQueue<Backend> queue;

    void thread(unsigned index) {
        if (index == 0) {
            consume();
            return;
        }
        for (int i = 0; i < each; ++i) {
            Node* node = make<Node>();
            node->producer(RL_INFO) = static_cast<int>(index);
            node->number(RL_INFO) = i;
            queue.push(node);
        }
    }

    void consume() {
        std::array<int, 3> next{};
        for (int seen = 0; seen < 2 * each;) {
            auto* node = static_cast<Node*>(queue.pop());
            if (node == nullptr) {
                rl::yield(1, RL_INFO);
                continue;
            }
            const auto producer = static_cast<std::size_t>(static_cast<int>(node->producer(RL_INFO)));
            const int number = node->number(RL_INFO);
            RL_ASSERT(number == next[producer]); // FIFO for each producer
            ++next[producer];
            destroy(node); // from here on nobody may touch it (H-26)
            ++seen;
        }
        RL_ASSERT(queue.pop() == nullptr);
        RL_ASSERT(!queue.maybe_nonempty());
    }
};

// proves: CW-4, CW-5, CW-6, H-26
TEST(Model, queue_is_fifo_and_touches_no_popped_node) { EXPECT_CORRECT(QueueModel<RelacyAtomics>); }

// proves: CW-4
TEST(Model, queue_mutant_relaxed_link_is_refuted) { EXPECT_REFUTED(QueueModel<RelaxedLink>); }

// --- wake against park ---

/// A loop runs one fiber and sleeps when there is nothing; two threads announce something and wake the fiber. The loop
/// ends when the fiber has seen both: a lost wake leaves it asleep for ever, which the checker reports as a deadlock.
template <class QueueBackend, class StateBackend, class GateBackend>
struct ParkModel : rl::test_suite<ParkModel<QueueBackend, StateBackend, GateBackend>, 3> {
    using Gate = nexus::BasicParkGate<GateBackend>;
    struct Task : nexus::base::MpscNode<QueueBackend> {
        nexus::BasicStateWord<StateBackend> state{3, 0};
    };

    nexus::base::MpscQueue<QueueBackend> queue;
    Gate gate;
    Task task;
    rl::rl_sem_t poker; // the eventfd: what is signalled stays signalled
    std::array<rl::atomic<int>, 3> announced;

    void before() {
        rl::rl_sem_init(&poker, 0, 0, RL_INFO);
        for (auto& flag : announced) flag.store(0, rl::mo_relaxed, RL_INFO);
    }
    void after() { rl::rl_sem_destroy(&poker, RL_INFO); }

    void thread(unsigned index) {
        if (index == 0) {
            loop();
            return;
        }
        announced[index].store(1, rl::mo_relaxed, RL_INFO);
        if (!task.state.try_set_queued(Sharing::shared)) return;
        queue.push(&task);
        if (gate.after_push() == Gate::Duty::poke) rl::rl_sem_post(&poker, RL_INFO);
    }

    /// What the fiber sees when it runs.
    bool run_fiber() {
        RL_ASSERT(task.state.queued()); // it was in the queue once
        task.state.clear_queued(Sharing::shared);
        return announced[1].load(rl::mo_relaxed, RL_INFO) + announced[2].load(rl::mo_relaxed, RL_INFO) == 2;
    }

    void loop() {
        for (;;) {
            if (auto* node = queue.pop(); node != nullptr) {
                RL_ASSERT(node == &task);
                if (run_fiber()) return;
                continue;
            }
            gate.enter();
            if (!queue.maybe_nonempty()) rl::rl_sem_wait(&poker, RL_INFO);
            gate.leave();
            rl::yield(1, RL_INFO);
        }
    }
};

// proves: CW-7, CW-13, CW-14, H-7
TEST(Model, park_loses_no_wake) { EXPECT_CORRECT(ParkModel<RelacyAtomics, RelacyAtomics, RelacyAtomics>); }

// proves: CW-14
TEST(Model, park_mutant_without_fence_is_refuted_H7) {
    EXPECT_REFUTED(ParkModel<RelacyAtomics, RelacyAtomics, WithoutFence>);
}

TEST(Model, park_mutant_test_then_set_is_refuted_H4) {
    EXPECT_REFUTED(ParkModel<RelacyAtomics, TestThenSet, RelacyAtomics>);
}

// --- closing against push ---

/// Teardown closes the gate while two threads push: each node is consumed once, by the closer or by a pusher.
template <class Backend>
struct CloseModel : rl::test_suite<CloseModel<Backend>, 3> {
    using Gate = nexus::BasicParkGate<Backend>;
    struct Node : nexus::base::MpscNode<Backend> {
        rl::var<int> consumed{0};
    };

    nexus::base::MpscQueue<Backend> queue;
    Gate gate;
    std::array<Node, 3> nodes;
    rl::mutex lock;

    void thread(unsigned index) {
        if (index == 0) {
            gate.close();
            drain();
            return;
        }
        queue.push(&nodes[index]);
        if (gate.after_push() == Gate::Duty::drain_closed) drain();
    }

    /// As CrossWake::drain_closed() does: one consumer at a time.
    void drain() {
        for (;;) {
            lock.lock(RL_INFO);
            auto* node = static_cast<Node*>(queue.pop());
            lock.unlock(RL_INFO);
            if (node == nullptr) return;
            node->consumed(RL_INFO) += 1;
        }
    }

    void after() {
        for (unsigned i = 1; i < 3; ++i) RL_ASSERT(static_cast<int>(nodes[i].consumed(RL_INFO)) == 1);
    }
};

// proves: EX-73
TEST(Model, what_is_pushed_while_the_queue_closes_is_consumed_once_H26) { EXPECT_CORRECT(CloseModel<RelacyAtomics>); }

TEST(Model, close_mutant_without_fence_is_refuted) { EXPECT_REFUTED(CloseModel<WithoutFence>); }

// --- completion against the last reference ---

/// The owner runs a task once and completes it; two threads hold a Waker each, wake and let go. Whoever sees TERMINAL
/// sends the task to be freed: the owner by deferred free, the others through the queue. Freed once, never touched
/// after.
template <class Backend>
struct FreeModel : rl::test_suite<FreeModel<Backend>, 3> {
    struct Task : nexus::base::MpscNode<Backend> {
        nexus::BasicStateWord<Backend> state{3, 0};
    };

    nexus::base::MpscQueue<Backend> queue;
    Task* task = nullptr;
    int freed = 0;
    rl::atomic<int> finished;

    void before() {
        finished.store(0, rl::mo_relaxed, RL_INFO);
        task = make<Task>();
    }
    void after() { RL_ASSERT(freed == 1); }

    void thread(unsigned index) {
        if (index == 0) {
            own();
            return;
        }
        // Waker::wake()
        if (!task->state.completed() && task->state.try_set_queued(Sharing::shared)) queue.push(task);
        // ~Waker(), and CrossWake::dispose()
        if (task->state.drop_reference(Sharing::shared) != FreeAction::retain) {
            if (task->state.try_set_queued(Sharing::shared)) queue.push(task);
        }
        finished.fetch_add(1, rl::mo_release, RL_INFO);
    }

    void free_task() {
        RL_ASSERT(freed == 0);
        ++freed;
        destroy(task);
    }

    void own() {
        bool completed = false;
        if (task->state.complete_and_drop(Sharing::shared) != FreeAction::retain) free_task();
        completed = true;
        for (;;) {
            const bool all_done = finished.load(rl::mo_acquire, RL_INFO) == 2;
            while (queue.pop() != nullptr) {
                RL_ASSERT(completed);
                if (task->state.clear_queued_completed(Sharing::shared) != FreeAction::retain) free_task();
            }
            if (all_done) return;
            rl::yield(1, RL_INFO);
        }
    }
};

// proves: CW-11, CW-20, EX-6, EX-7, EX-42, EX-44
TEST(Model, a_task_is_freed_once_A1_H6) { EXPECT_CORRECT(FreeModel<RelacyAtomics>); }

// proves: EX-6
TEST(Model, free_mutant_test_then_set_is_refuted) { EXPECT_REFUTED(FreeModel<TestThenSet>); }

} // namespace
