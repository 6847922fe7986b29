// The cross-thread queue and what is built on it: wakes from other threads, the last reference dropped there, and what
// becomes of both when the executor is gone. Names queue_* and dispose_* are those of the seed.
#include "exec_tools.hpp"

#include "nexus/base/mpsc_queue.hpp"
#include "nexus/exec/cross_wake.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;
using Node = base::MpscNode<base::StdAtomics>;
using Queue = base::MpscQueue<base::StdAtomics>;

// proves: CW-3
TEST(MpscQueue, queue_push_pop_single) {
    Queue queue;
    Node node;
    queue.push(&node);
    EXPECT_TRUE(queue.maybe_nonempty());
    EXPECT_EQ(queue.pop(), &node);
    EXPECT_EQ(queue.pop(), nullptr);
    EXPECT_FALSE(queue.maybe_nonempty());
}

// proves: CW-6
TEST(MpscQueue, queue_push_pop_multiple) {
    Queue queue;
    std::array<Node, 3> nodes;
    for (Node& node : nodes) queue.push(&node);
    for (Node& node : nodes) EXPECT_EQ(queue.pop(), &node);
    EXPECT_EQ(queue.pop(), nullptr);
}

// proves: CW-5
TEST(MpscQueue, queue_interleaved_push_pop) {
    Queue queue;
    std::array<Node, 3> nodes;
    queue.push(&nodes[0]);
    queue.push(&nodes[1]);
    EXPECT_EQ(queue.pop(), &nodes[0]);
    queue.push(&nodes[2]);
    EXPECT_EQ(queue.pop(), &nodes[1]);
    queue.push(&nodes[0]);
    EXPECT_EQ(queue.pop(), &nodes[2]);
    EXPECT_EQ(queue.pop(), &nodes[0]);
    EXPECT_EQ(queue.pop(), nullptr);
}

// proves: CW-5
TEST(MpscQueue, queue_empty) {
    Queue queue;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.pop(), nullptr);
    EXPECT_FALSE(queue.maybe_nonempty());
}

// proves: CW-3, CW-5
TEST(MpscQueue, queue_reuse_after_drain) {
    Queue queue;
    Node node;
    for (int i = 0; i < 100; ++i) {
        queue.push(&node);
        ASSERT_EQ(queue.pop(), &node);
        ASSERT_EQ(queue.pop(), nullptr);
    }
}

// proves: CW-6
TEST(MpscQueue, keeps_the_order_of_each_producer) {
    struct Numbered : Node {
        int producer = 0;
        int number = 0;
    };
    constexpr int each = 20'000;
    Queue queue;
    std::vector<std::unique_ptr<Numbered[]>> nodes;
    std::vector<std::thread> producers;
    for (int producer = 0; producer < 2; ++producer) {
        nodes.push_back(std::make_unique<Numbered[]>(each));
        producers.emplace_back([&queue, mine = nodes.back().get(), producer] {
            for (int i = 0; i < each; ++i) {
                mine[i].producer = producer;
                mine[i].number = i;
                queue.push(&mine[i]);
            }
        });
    }
    std::array<int, 2> next{};
    for (int seen = 0; seen < 2 * each;) {
        auto* node = static_cast<Numbered*>(queue.pop());
        if (node == nullptr) continue;
        ASSERT_EQ(node->number, next[static_cast<std::size_t>(node->producer)]++);
        ++seen;
    }
    for (std::thread& producer : producers) producer.join();
    EXPECT_FALSE(queue.maybe_nonempty());
}

// --- wakes ---

// proves: CW-2, CW-10
TEST(CrossWake, a_wake_from_another_thread_runs_the_fiber) {
    Executor executor;
    Waker waker;
    bool done = false;
    JoinHandle<void> handle = spawn_parked(executor, waker, done);
    executor.poll();
    on_another_thread([&] {
        done = true;
        EXPECT_TRUE(waker.wake());
        EXPECT_TRUE(waker.wake()) << "a second wake finds it queued";
    });
    EXPECT_FALSE(executor.has_ready()) << "it is in the cross-thread queue";
    EXPECT_TRUE(executor.cross_wake().maybe_nonempty());
    EXPECT_EQ(executor.poll(), 1U);
    EXPECT_FALSE(waker.wake()) << "it has ended";
    waker = {};
    handle.join();
    settle(executor);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// proves: CW-17
TEST(CrossWake, wakes_of_several_tasks_keep_their_order) {
    Executor executor;
    std::array<Waker, 3> wakers;
    std::vector<int> order;
    for (int i = 0; i < 3; ++i) {
        executor
            .spawn_boxed([&, i] {
                wakers[static_cast<std::size_t>(i)] = Waker::of_current();
                park();
                order.push_back(i);
            })
            .detach();
    }
    executor.poll();
    on_another_thread([&] {
        for (const int i : {2, 0, 1}) wakers[static_cast<std::size_t>(i)].wake();
    });
    EXPECT_EQ(executor.poll(), 3U);
    EXPECT_EQ(order, (std::vector{2, 0, 1}));
}

// proves: CW-10, EX-14
TEST(CrossWake, H4_a_local_and_a_foreign_wake_queue_the_task_once) {
    Executor executor;
    Waker waker;
    int runs = 0;
    executor
        .spawn_boxed([&] {
            waker = Waker::of_current();
            for (;;) {
                park();
                ++runs;
            }
        })
        .detach();
    executor.poll();
    on_another_thread([&] { waker.wake(); });
    waker.wake(); // the owner's thread: would push into the ready queue
    EXPECT_FALSE(executor.has_ready());
    executor.poll();
    executor.poll();
    EXPECT_EQ(runs, 1);
    waker.wake();
    on_another_thread([&] { waker.wake(); });
    EXPECT_FALSE(executor.cross_wake().maybe_nonempty());
    executor.poll();
    executor.poll();
    EXPECT_EQ(runs, 2);
}

// proves: CW-7
TEST(CrossWake, H5_a_task_moved_to_the_ready_queue_stays_queued) {
    // The first fiber of a cycle wakes, locally and from another thread, one that was drained into the same cycle.
    Executor executor;
    Waker first;
    Waker second;
    int runs = 0;
    executor
        .spawn_boxed([&] {
            first = Waker::of_current();
            for (;;) {
                park();
                second.wake();
                on_another_thread([&] { second.wake(); });
                EXPECT_FALSE(executor.cross_wake().maybe_nonempty());
            }
        })
        .detach();
    executor
        .spawn_boxed([&] {
            second = Waker::of_current();
            for (;;) {
                park();
                ++runs;
            }
        })
        .detach();
    executor.poll();
    on_another_thread([&] {
        first.wake();
        second.wake();
    });
    executor.poll();
    EXPECT_EQ(runs, 1);
    executor.poll();
    EXPECT_EQ(runs, 1) << "in one queue, once";
    EXPECT_FALSE(executor.has_ready());
    EXPECT_FALSE(executor.cross_wake().maybe_nonempty());
}

// proves: CW-18, EX-44
TEST(CrossWake, H6_the_last_reference_goes_while_a_completed_task_is_queued) {
    Executor executor;
    Waker dropper;
    Waker completed;
    executor
        .spawn_boxed([&] {
            dropper = Waker::of_current();
            park();
            completed = {}; // before the stale entry is looked at, in the same cycle
        })
        .detach();
    executor
        .spawn_boxed([&] {
            completed = Waker::of_current();
            on_another_thread([&] { completed.wake(); }); // in the cross-thread queue when it completes
        })
        .detach();
    executor.poll();
    ASSERT_EQ(executor.task_count(), 1U);
    dropper.wake();
    executor.poll();
    dropper = {};
    settle(executor);
    EXPECT_EQ(executor.deferred_free_count(), 0U);
    EXPECT_EQ(executor.outstanding_tasks(), 0U) << "freed once";
}

// proves: CW-17
TEST(CrossWake, H8_a_drain_that_stops_at_its_limit_says_that_more_is_there) {
    Executor executor;
    std::array<Waker, 3> wakers;
    for (Waker& waker : wakers) {
        executor
            .spawn_boxed([&waker] {
                waker = Waker::of_current();
                park();
            })
            .detach();
    }
    executor.poll();
    on_another_thread([&] {
        for (Waker& waker : wakers) waker.wake();
    });
    EXPECT_FALSE(executor.drain_cross_queue(2)) << "one is left: the loop must not sleep";
    EXPECT_TRUE(executor.drain_cross_queue(2));
    EXPECT_EQ(executor.poll(), 3U);
}

TEST(CrossWake, H8_terminal_entries_count_as_work_left_over) {
    Executor executor;
    std::array<Waker, 3> wakers;
    for (Waker& waker : wakers) {
        executor.spawn_boxed([&waker] { waker = Waker::of_current(); }).detach();
    }
    executor.poll();
    on_another_thread([&] {
        for (Waker& waker : wakers) waker = {}; // each is the last reference: into the queue to be freed
    });
    EXPECT_FALSE(executor.drain_cross_queue(2));
    EXPECT_TRUE(executor.drain_cross_queue(2));
    settle(executor);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// proves: CW-10, CW-12
TEST(CrossWake, a_parked_loop_is_poked_once_for_a_storm) {
    Executor executor;
    std::array<Waker, 8> wakers;
    for (Waker& waker : wakers) {
        executor
            .spawn_boxed([&waker] {
                waker = Waker::of_current();
                park();
            })
            .detach();
    }
    executor.poll();
    os::EventFd* poker = executor.cross_wake().poker().value();
    on_another_thread([&] { wakers[0].wake(); });
    EXPECT_EQ(poker->drain(), 0U) << "nobody sleeps: no system call";
    executor.cross_wake().enter_park();
    on_another_thread([&] {
        for (Waker& waker : wakers) waker.wake();
    });
    EXPECT_EQ(poker->drain(), 1U);
    executor.cross_wake().leave_park();
    on_another_thread([&] { wakers[1].wake(); });
    EXPECT_EQ(poker->drain(), 0U);
    EXPECT_EQ(executor.poll(), 8U);
}

TEST(CrossWake, no_wake_from_another_thread_is_lost) {
    // The loop runs at full speed; a thread announces each step by a wake. Every step has to be seen.
#if defined(NEXUS_TSAN)
    constexpr int steps = 100'000;
#else
    constexpr int steps = 1'000'000;
#endif
    Executor executor;
    Waker waker;
    std::atomic<int> announced{0};
    std::atomic<int> taken{0};
    executor
        .spawn_boxed([&] {
            waker = Waker::of_current();
            while (taken != steps) {
                while (taken == announced) park();
                taken = announced.load();
            }
        })
        .detach();
    executor.poll();
    std::thread other([&, mine = waker] {
        for (int i = 1; i <= steps; ++i) {
            announced = i;
            mine.wake();
            // Now and then the fiber comes to rest, and the next step has to wake it.
            if (i % 1024 == 0) {
                while (taken < i) std::this_thread::yield();
            }
        }
    });
    while (executor.task_count() != 0) executor.poll();
    other.join();
    EXPECT_EQ(taken, steps);
}

// --- the last reference ---

// proves: A-9, CW-20, CW-21, EX-12, EX-43, S-40, S-41
TEST(CrossWake, dispose_terminal_on_executor_defers) {
    Executor executor;
    JoinHandle<int> handle = executor.spawn_boxed([] { return 1; });
    executor.poll();
    EXPECT_EQ(executor.deferred_free_count(), 0U);
    handle.detach();
    EXPECT_EQ(executor.deferred_free_count(), 1U) << "A-9: never freed on the spot";
    EXPECT_EQ(executor.outstanding_tasks(), 1U);
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// proves: CW-20, CW-21, EX-12
TEST(CrossWake, dispose_terminal_off_thread_queues) {
    Executor executor;
    Waker waker;
    executor.spawn_boxed([&waker] { waker = Waker::of_current(); }).detach();
    executor.poll();
    EXPECT_EQ(executor.outstanding_tasks(), 1U);
    on_another_thread([&waker] { waker = {}; });
    EXPECT_EQ(executor.deferred_free_count(), 0U);
    EXPECT_TRUE(executor.cross_wake().maybe_nonempty());
    settle(executor);
    EXPECT_EQ(executor.outstanding_tasks(), 0U);
}

// proves: A-10, EX-70
TEST(CrossWake, executor_drop_handles_terminal_in_cross_queue) {
    const std::int64_t before = blocks_in_use();
    {
        Executor executor;
        Waker waker;
        executor.spawn_boxed([&waker] { waker = Waker::of_current(); }).detach();
        executor.poll();
        on_another_thread([&waker] { waker = {}; });
        executor.shutdown();
        EXPECT_EQ(executor.outstanding_tasks(), 0U) << "A-10: the queue is emptied before the tasks are walked";
        EXPECT_EQ(executor.shutdown_stats().cross_queue_undrained, 1U);
        EXPECT_EQ(executor.shutdown_stats().unbalanced_normal_shutdowns, 0U);
    }
    EXPECT_EQ(blocks_in_use(), before);
}

// proves: EX-13, S-32, S-33
TEST(CrossWake, waker_roundtrip_and_identity) {
    Executor executor;
    Waker one;
    Waker two;
    executor
        .spawn_boxed([&] {
            one = Waker::of_current();
            const Waker copy = one; // NOLINT(performance-unnecessary-copy-initialization)
            EXPECT_TRUE(copy == Waker::of_current());
        })
        .detach();
    executor.spawn_boxed([&] { two = Waker::of_current(); }).detach();
    executor.poll();
    EXPECT_FALSE(one == two);
    EXPECT_TRUE(static_cast<bool>(one));
    EXPECT_FALSE(static_cast<bool>(Waker{}));
    EXPECT_FALSE(Waker{}.wake());
}

// --- after the executor ---

// proves: A-29, CW-1, EX-73
TEST(CrossWake, H26_wakers_are_harmless_after_the_executor) {
    const std::int64_t before = blocks_in_use();
    {
        Waker parked;
        Waker ended;
        {
            Executor executor;
            bool done = false;
            spawn_parked(executor, parked, done).detach();
            executor.spawn_boxed([&ended] { ended = Waker::of_current(); }).detach();
            executor.poll();
        }
        EXPECT_FALSE(parked.wake());
        on_another_thread([&] {
            EXPECT_FALSE(parked.wake());
            EXPECT_FALSE(ended.wake());
            Waker copy = parked;
            EXPECT_FALSE(copy.wake());
        });
        on_another_thread([&parked] { parked = {}; });
        ended = {};
    }
    EXPECT_EQ(blocks_in_use(), before) << "what outlived the executor is given back with the last reference";
}

// proves: EX-73
TEST(CrossWake, H26_threads_wake_and_drop_while_the_executor_goes) {
    const std::int64_t before = blocks_in_use();
    for (int round = 0; round < 200; ++round) {
        auto executor = std::make_unique<Executor>();
        std::array<Waker, 4> wakers;
        for (Waker& waker : wakers) {
            executor
                ->spawn_boxed([&waker] {
                    waker = Waker::of_current();
                    for (;;) park();
                })
                .detach();
        }
        executor->poll();
        std::atomic<bool> go{false};
        const auto wake_and_drop = [&go](Waker& one, Waker& two) {
            while (!go) std::this_thread::yield();
            one.wake();
            two.wake();
            one = {};
            two = {};
        };
        std::thread first([&] { wake_and_drop(wakers[0], wakers[1]); });
        std::thread second([&] { wake_and_drop(wakers[2], wakers[3]); });
        go = true;
        executor.reset();
        first.join();
        second.join();
    }
    EXPECT_EQ(blocks_in_use(), before);
}

// proves: CW-1
TEST(CrossWake, H26_a_job_pushed_after_the_executor_is_refused) {
    struct Job : detail::CrossNode {
        bool delivered = false;
        bool refused = false;
    } job;
    job.deliver = [](detail::CrossNode& node, Executor* executor) noexcept {
        auto& self = static_cast<Job&>(node);
        (executor != nullptr ? self.delivered : self.refused) = true;
    };
    CrossWake* cross = nullptr;
    {
        Executor executor;
        cross = &executor.cross_wake();
        cross->add_reference();
        cross->push(job);
        executor.poll();
        EXPECT_TRUE(job.delivered);
        EXPECT_FALSE(cross->closed());
    }
    EXPECT_TRUE(cross->closed());
    EXPECT_EQ(cross->executor(), nullptr);
    cross->push(job);
    EXPECT_TRUE(job.refused);
    cross->release();
}

} // namespace
