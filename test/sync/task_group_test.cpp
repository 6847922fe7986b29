#include "nexus/sync/task_group.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/exec/shield.hpp"
#include "nexus/sync/cancellation_token.hpp"
#include "nexus/sync/notify.hpp"
#include "nexus/sync/select.hpp"
#include "test/sync/fibers.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

/// Says when it goes.
struct Ends {
    int* count;
    ~Ends() { ++*count; }
};

TEST(TaskGroup, join_all_waits_for_every_child) {
    Fibers fibers;
    Notify go;
    int done = 0;
    auto fiber = fibers.run([&] {
        TaskGroup group;
        for (int i = 0; i < 5; ++i) {
            group.spawn([&] {
                go.wait();
                ++done;
            });
        }
        EXPECT_EQ(group.size(), 5U);
        group.join_all();
        EXPECT_EQ(done, 5);
        EXPECT_EQ(group.size(), 0U);
        EXPECT_TRUE(group.ready());
        group.spawn([&] { ++done; }); // and again
        group.join_all();
    });
    EXPECT_FALSE(fiber.is_finished());
    go.notify_all();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(done, 6);
}

TEST(TaskGroup, arguments_are_moved_in_and_results_dropped) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        int sum = 0;
        TaskGroup group;
        group.spawn([](std::unique_ptr<int> value, int& out) { return out += *value; }, std::make_unique<int>(4),
                    std::ref(sum));
        group.spawn({.name = "named"}, [&sum] { sum += 1; });
        group.join_all();
        EXPECT_EQ(sum, 5);
    });
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_NO_THROW(fiber.join());
}

TEST(TaskGroup, leaving_the_block_waits) {
    Fibers fibers;
    Notify go;
    bool left = false;
    int ended = 0;
    auto fiber = fibers.run([&] {
        {
            TaskGroup group;
            group.spawn([&] {
                Ends ends{&ended};
                go.wait();
            });
        }
        EXPECT_EQ(ended, 1);
        left = true;
    });
    EXPECT_FALSE(left);
    go.notify_one();
    fibers.settle();
    EXPECT_TRUE(left);
    EXPECT_TRUE(fiber.is_finished());
}

TEST(TaskGroup, the_first_failure_aborts_the_siblings_and_is_rethrown) {
    Fibers fibers;
    int ended = 0;
    bool never_started = true;
    auto fiber = fibers.run([&] {
        TaskGroup group;
        for (int i = 0; i < 3; ++i) {
            group.spawn([&] {
                Ends ends{&ended};
                park();
                ADD_FAILURE() << "goes on after its abort";
            });
        }
        yield_now();
        group.spawn([&]() -> int {
            group.spawn([&] { never_started = false; });
            throw std::runtime_error("first");
        });
        try {
            group.join_all();
            ADD_FAILURE() << "no failure";
        } catch (const std::runtime_error& failure) {
            EXPECT_STREQ(failure.what(), "first");
        }
        EXPECT_EQ(ended, 3);
        EXPECT_EQ(group.failures(), 1U);
        EXPECT_EQ(group.size(), 0U);
        EXPECT_NO_THROW(group.join_all()) << "delivered once";
        int again = 0;
        group.spawn([&] { ++again; });
        group.join_all();
        EXPECT_EQ(again, 1) << "usable again";
    });
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_NO_THROW(fiber.join());
    EXPECT_TRUE(never_started);
}

TEST(TaskGroup, failures_of_siblings_that_unwind_are_counted) {
    Fibers fibers;
    std::vector<std::string> unhandled;
    fibers.executor().set_on_unhandled([&](std::exception_ptr, const char* name) { unhandled.emplace_back(name); });
    auto fiber = fibers.run([&] {
        TaskGroup group;
        group.spawn([] {
            try {
                park();
            } catch (const Aborted&) {
                throw std::logic_error("while unwinding"); // wrong, but seen
            }
        });
        yield_now();
        group.spawn([] { throw std::runtime_error("first"); });
        EXPECT_THROW(group.join_all(), std::runtime_error);
        EXPECT_EQ(group.failures(), 2U);
    });
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_TRUE(unhandled.empty());
}

TEST(TaskGroup, a_failure_that_nobody_joins_is_reported) {
    Fibers fibers;
    int reported = 0;
    fibers.executor().set_on_unhandled([&](std::exception_ptr failure, const char*) {
        EXPECT_THROW(std::rethrow_exception(failure), std::runtime_error);
        ++reported;
    });
    (void)fibers.run([&] {
        TaskGroup group;
        group.spawn([] { throw std::runtime_error("unseen"); });
    });
    EXPECT_EQ(reported, 1);
}

TEST(TaskGroup, abort_all) {
    Fibers fibers;
    int ended = 0;
    auto fiber = fibers.run([&] {
        TaskGroup group;
        group.spawn([&] {
            Ends ends{&ended};
            park();
        });
        yield_now();
        group.spawn([tracked = Tracked(1)] { ADD_FAILURE() << "never starts"; });
        EXPECT_EQ(Tracked::alive(), 1);
        group.abort_all();
        group.join_all();
        EXPECT_EQ(ended, 1);
        EXPECT_EQ(Tracked::alive(), 0);
    });
    EXPECT_TRUE(fiber.is_finished());
}

TEST(TaskGroup, what_is_spawned_while_the_group_aborts_never_starts) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        TaskGroup group;
        group.spawn([] { park(); });
        group.abort_all();
        group.spawn([] { ADD_FAILURE() << "starts"; });
        group.join_all();
        bool ran = false;
        group.spawn([&] { ran = true; });
        group.join_all();
        EXPECT_TRUE(ran) << "over with the join";
    });
    EXPECT_TRUE(fiber.is_finished());
}

TEST(TaskGroup, an_exception_that_leaves_the_block_aborts_the_children_and_waits) {
    Fibers fibers;
    int ended = 0;
    auto fiber = fibers.run([&] {
        try {
            TaskGroup group;
            for (int i = 0; i < 3; ++i) {
                group.spawn([&] {
                    Ends ends{&ended};
                    park();
                });
            }
            yield_now();
            throw std::runtime_error("mine");
        } catch (const std::runtime_error&) {
            EXPECT_EQ(ended, 3);
        }
    });
    EXPECT_TRUE(fiber.is_finished());
}

TEST(TaskGroup, abort_of_the_owner_unwinds_the_children_first) {
    Fibers fibers;
    int ended = 0;
    bool group_gone_first = false;
    auto fiber = fibers.run([&] {
        TaskGroup group;
        group.spawn([&] {
            struct Slow { // a child that needs several turns to unwind
                int* count;
                ~Slow() {
                    TaskGroup inner;
                    inner.spawn([count = count] { ++*count; });
                }
            } slow{&ended};
            park();
        });
        yield_now();
        group.join_all();
        group_gone_first = true;
    });
    EXPECT_TRUE(fiber.abort());
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_FALSE(group_gone_first);
    EXPECT_THROW(fiber.join(), TaskAborted);
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(TaskGroup, an_abort_while_the_destructor_waits_comes_out_at_the_next_wait) {
    Fibers fibers;
    int ended = 0;
    bool after_block = false;
    bool after_wait = false;
    auto fiber = fibers.run([&] {
        {
            TaskGroup group;
            group.spawn([&] {
                Ends ends{&ended};
                park();
            });
        } // waits here, ordinarily
        after_block = true;
        yield_now();
        after_wait = true;
    });
    EXPECT_TRUE(fiber.abort());
    fibers.settle();
    EXPECT_EQ(ended, 1);
    EXPECT_TRUE(after_block);
    EXPECT_FALSE(after_wait);
    EXPECT_TRUE(fiber.is_finished());
}

TEST(TaskGroup, the_end_of_a_scope_aborts_the_children) {
    Fibers fibers;
    int ended = 0;
    CancellationToken token;
    auto fiber = fibers.run([&] {
        const auto timed = timeout(10ms, [&] {
            TaskGroup group;
            group.spawn([&] {
                Ends ends{&ended};
                park();
            });
            group.join_all();
        });
        EXPECT_EQ(timed.error(), errc::timed_out);
        EXPECT_EQ(ended, 1);
        const auto cancelled = until(token, [&] {
            TaskGroup group;
            group.spawn([&] {
                Ends ends{&ended};
                park();
            });
        }); // the token ends the wait of the destructor
        EXPECT_TRUE(cancelled) << "the body went to its end";
        EXPECT_EQ(ended, 2);
    });
    fibers.advance(11ms);
    token.cancel();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(TaskGroup, children_of_children_and_groups_in_groups) {
    Fibers fibers;
    int done = 0;
    auto fiber = fibers.run([&] {
        TaskGroup outer;
        for (int i = 0; i < 3; ++i) {
            outer.spawn([&] {
                TaskGroup inner;
                for (int k = 0; k < 3; ++k) {
                    inner.spawn([&] {
                        yield_now();
                        outer.spawn([&] { ++done; });
                    });
                }
                inner.join_all();
            });
        }
        outer.join_all();
        EXPECT_EQ(done, 9);
    });
    EXPECT_TRUE(fiber.is_finished());
}

TEST(TaskGroup, in_select) {
    Fibers fibers;
    Notify go;
    auto fiber = fibers.run([&] {
        TaskGroup group;
        group.spawn([&] { go.wait(); });
        Notify never;
        EXPECT_EQ(select(never, group), 1U);
        EXPECT_EQ(group.size(), 0U);
        group.join_all();
    });
    go.notify_one();
    fibers.settle();
    go.notify_one();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(TaskGroup, two_joiners_are_refused) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        TaskGroup group;
        group.spawn([&] { EXPECT_THROW(group.join_all(), UsageError); });
        group.join_all();
    });
    EXPECT_TRUE(fiber.is_finished());
}

TEST(TaskGroup, outside_a_fiber_is_refused) { EXPECT_THROW(TaskGroup{}, UsageError); }

TEST(TaskGroup, destroyed_outside_a_fiber_it_leaves_the_children_to_unwind) {
    Fibers fibers;
    std::unique_ptr<TaskGroup> group;
    int ended = 0;
    auto fiber = fibers.run([&] {
        group = std::make_unique<TaskGroup>();
        group->spawn([&] {
            Ends ends{&ended};
            park();
        });
    });
    group.reset();
    fibers.settle();
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(TaskGroup, a_child_that_swallows_its_abort_for_ever_does_not_hold_the_group) {
#if defined(NEXUS_ASAN)
    GTEST_SKIP() << "such a fiber is leaked, on purpose";
#endif
    Fibers fibers;
    auto fiber = fibers.run([&] {
        TaskGroup group;
        group.spawn([] {
            for (;;) {
                try {
                    park();
                } catch (const Aborted&) { // wrong on purpose
                }
            }
        });
        yield_now();
        group.abort_all();
        group.join_all();
    });
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(fibers.executor().leaked_fibers(), 1U);
}

TEST(TaskGroup, teardown_unwinds_owner_and_children) {
    int ended = 0;
    {
        Fibers fibers;
        (void)fibers.run([&] {
            Ends mine{&ended};
            TaskGroup group;
            for (int i = 0; i < 3; ++i) {
                group.spawn([&] {
                    Ends ends{&ended};
                    park();
                });
            }
            group.join_all();
        });
        const auto stats = [&] {
            fibers.executor().shutdown();
            return fibers.executor().shutdown_stats();
        }();
        EXPECT_EQ(stats.unbalanced_normal_shutdowns, 0U);
    }
    EXPECT_EQ(ended, 4);
}

struct Ledger {
    int entries = 0;
};

TEST(TaskGroup, children_are_injected) {
    WorldBuilder builder;
    builder.add<Ledger>();
    World world = builder.build();
    Runtime runtime{world};
    const int entries = runtime.block_on([](ResMut<Ledger> ledger) {
        TaskGroup group;
        for (int i = 1; i <= 3; ++i) {
            group.spawn([](ResMut<Ledger> mine, int count) { mine->entries += count; }, int{i});
        }
        group.join_all();
        EXPECT_THROW(group.spawn([](Res<std::string>) {}), UsageError) << "missing resources show here";
        group.join_all();
        return ledger->entries;
    });
    EXPECT_EQ(entries, 6);
}

TEST(TaskGroup, a_token_that_is_cancelled_already_keeps_children_from_starting) {
    Fibers fibers;
    CancellationToken token;
    bool started = false;
    auto fiber = fibers.run([&] {
        until(token, [&] {
            TaskGroup group;
            group.spawn([&] { started = true; });
            token.cancel();
        });
    });
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_FALSE(started);
}

// --- in a shield ---

TEST(TaskGroupShield, an_abort_does_not_reach_the_children_of_a_group_in_a_shield) {
    Fibers fibers;
    Notify go;
    int finished = 0;
    auto fiber = fibers.run([&] {
        shield([&] {
            TaskGroup group;
            group.spawn([&] {
                go.wait();
                ++finished;
            });
        });
        yield_now();
        ADD_FAILURE() << "aborted";
    });
    fiber.abort();
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 2U);
    go.notify_one();
    fibers.settle();
    EXPECT_EQ(finished, 1);
    EXPECT_TRUE(fiber.is_finished());
}

TEST(TaskGroupShield, the_end_of_a_scope_around_the_shield_does_not_either_but_one_inside_does) {
    Fibers fibers;
    Notify go;
    int finished = 0;
    auto fiber = fibers.run([&] {
        const auto outer = timeout(10ms, [&] {
            shield([&] {
                {
                    TaskGroup group;
                    group.spawn([&] {
                        go.wait();
                        ++finished;
                    });
                }
                const auto inner = timeout(10ms, [&] {
                    TaskGroup group;
                    group.spawn([&] {
                        go.wait();
                        ++finished;
                    });
                });
                EXPECT_TRUE(inner.has_value()) << "the body came to its end, late";
            });
            yield_now();
        });
        EXPECT_EQ(outer.error(), errc::timed_out);
    });
    fibers.advance(11ms);
    EXPECT_EQ(fibers.alive(), 2U);
    go.notify_one();
    fibers.settle();
    EXPECT_EQ(finished, 1);
    EXPECT_EQ(fibers.alive(), 2U);
    fibers.advance(11ms);
    EXPECT_EQ(finished, 1) << "the second child was aborted";
    EXPECT_TRUE(fiber.is_finished());
}

} // namespace
