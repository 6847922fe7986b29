// The state word: who frees a task, in every order of its references going. Names packed_state_* are those of the seed.
#include "nexus/exec/state_word.hpp"
#include "nexus/exec/task.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace {

using nexus::FreeAction;
using nexus::Sharing;
using nexus::StateWord;

/// Both ways of changing the word have to agree.
class StateWordTest : public ::testing::TestWithParam<Sharing> {
protected:
    Sharing how = GetParam();
};

INSTANTIATE_TEST_SUITE_P(Sharing, StateWordTest, ::testing::Values(Sharing::owner_only, Sharing::shared),
                         [](const auto& parameter) {
                             return parameter.param == Sharing::shared ? "shared" : "owner_only";
                         });

// proves: EX-4
TEST_P(StateWordTest, packed_state_fire_and_forget) {
    StateWord state(1, 0);
    EXPECT_EQ(state.references(), 1U);
    EXPECT_FALSE(state.completed());
    EXPECT_FALSE(state.queued());
    EXPECT_FALSE(state.has_join());
    EXPECT_FALSE(state.aborted());
    EXPECT_TRUE(state.try_set_queued(how));
    EXPECT_TRUE(state.queued());
    EXPECT_FALSE(state.try_set_queued(how)) << "one caller puts the task into a queue";
    state.clear_queued(how);
    EXPECT_FALSE(state.queued());
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::free_heap);
}

TEST_P(StateWordTest, packed_state_joinable) {
    StateWord state(2, StateWord::has_join_bit);
    EXPECT_TRUE(state.has_join());
    EXPECT_EQ(state.references(), 2U);
    EXPECT_EQ(state.drop_join(how), FreeAction::retain);
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::free_heap);
}

// proves: EX-7
TEST_P(StateWordTest, packed_state_joinable_completion_before_handle_drop) {
    StateWord state(2, StateWord::has_join_bit);
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::retain);
    EXPECT_EQ(state.drop_join(how), FreeAction::free_heap);
}

TEST_P(StateWordTest, packed_state_cross_thread_waker_scenario) {
    StateWord state(2, StateWord::has_join_bit);
    state.add_reference(how);
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::retain);
    EXPECT_EQ(state.drop_join(how), FreeAction::retain);
    EXPECT_EQ(state.drop_reference(how), FreeAction::free_heap);
}

// proves: EX-5
TEST_P(StateWordTest, packed_state_fire_and_forget_terminal) {
    StateWord state(1, 0);
    (void)state.complete_and_drop(how);
    EXPECT_EQ(state.load(), 1U);
}

// proves: EX-4, EX-5, EX-8
TEST_P(StateWordTest, packed_state_slab_flag_terminal) {
    StateWord state(1, StateWord::slab_bit);
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::free_slab);
    EXPECT_EQ(state.load(), 33U);
}

TEST_P(StateWordTest, packed_state_joinable_handle_drops_first) {
    StateWord state(2, StateWord::has_join_bit);
    EXPECT_EQ(state.drop_join(how), FreeAction::retain);
    EXPECT_FALSE(state.has_join());
    EXPECT_FALSE(state.completed());
    EXPECT_EQ(state.references(), 1U);
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::free_heap);
    EXPECT_TRUE(state.completed());
    EXPECT_EQ(state.references(), 0U);
}

// proves: EX-5, EX-7
TEST_P(StateWordTest, packed_state_joinable_completion_first_then_handle) {
    StateWord state(2, StateWord::has_join_bit);
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::retain);
    EXPECT_TRUE(state.completed());
    EXPECT_TRUE(state.has_join());
    EXPECT_EQ(state.references(), 1U);
    state.set_output_taken(how);
    EXPECT_EQ(state.drop_join(how), FreeAction::free_heap) << "OUTPUT_TAKEN says nothing about freeing";
}

TEST_P(StateWordTest, packed_state_waker_clone_lifecycle) {
    StateWord state(2, StateWord::has_join_bit);
    state.add_reference(how);
    state.add_reference(how); // a clone
    EXPECT_EQ(state.drop_join(how), FreeAction::retain);
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::retain);
    EXPECT_EQ(state.drop_reference(how), FreeAction::retain);
    EXPECT_EQ(state.drop_reference(how), FreeAction::free_heap);
}

// proves: EX-5
TEST_P(StateWordTest, packed_state_leaked_flag_prevents_terminal) {
    StateWord state(1, StateWord::has_join_bit);
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::retain) << "HAS_JOIN is still set";
    EXPECT_EQ(StateWord::action(state.load() & ~StateWord::has_join_bit), FreeAction::free_heap);
}

TEST_P(StateWordTest, packed_state_many_refs_converge) {
    StateWord state(1, 0);
    for (int i = 0; i < 10; ++i) state.add_reference(how);
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::retain);
    for (int i = 0; i < 9; ++i) EXPECT_EQ(state.drop_reference(how), FreeAction::retain);
    EXPECT_EQ(state.drop_reference(how), FreeAction::free_heap);
}

TEST_P(StateWordTest, taskref_acquire_drop_balances_refcount) {
    StateWord state(2, StateWord::has_join_bit);
    state.add_reference(how);
    EXPECT_EQ(state.references(), 3U);
    EXPECT_EQ(state.drop_reference(how), FreeAction::retain);
    EXPECT_EQ(state.references(), 2U);
}

TEST_P(StateWordTest, taskref_drop_non_terminal_no_dispose) {
    StateWord state(2, 0);
    EXPECT_EQ(state.drop_reference(how), FreeAction::retain) << "not completed: the executor's is left";
    EXPECT_EQ(state.references(), 1U);
}

TEST_P(StateWordTest, H2_queued_keeps_a_completed_task_until_it_is_taken_out) {
    StateWord state(1, 0);
    EXPECT_TRUE(state.try_set_queued(how));
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::retain) << "a queue still points at it";
    EXPECT_EQ(state.clear_queued_completed(how), FreeAction::free_heap);
}

TEST_P(StateWordTest, H6_the_last_reference_of_a_queued_task_frees_nothing) {
    StateWord state(1, 0);
    state.add_reference(how);
    EXPECT_TRUE(state.try_set_queued(how));
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::retain);
    EXPECT_EQ(state.drop_reference(how), FreeAction::retain);
    EXPECT_EQ(state.clear_queued_completed(how), FreeAction::free_heap);
}

TEST_P(StateWordTest, aborted_says_whether_it_came_in_time) {
    StateWord state(1, 0);
    EXPECT_TRUE(state.set_aborted(how));
    EXPECT_TRUE(state.aborted());
    EXPECT_TRUE(state.set_aborted(how)) << "twice is as good";
    EXPECT_EQ(state.complete_and_drop(how), FreeAction::free_heap) << "ABORTED is inert";
    EXPECT_FALSE(state.set_aborted(how)) << "too late";
}

// proves: EX-4, EX-5, EX-8
TEST_P(StateWordTest, only_the_terminal_state_frees) {
    // All combinations of the flags, with and without references.
    for (StateWord::Word flags = 0; flags < 64; ++flags) {
        for (const StateWord::Word references : {0U, 1U, 5U}) {
            const FreeAction action = StateWord::action(references * StateWord::one_reference | flags);
            const bool terminal = references == 0 && (flags & StateWord::completed_bit) != 0 &&
                                  (flags & (StateWord::queued_bit | StateWord::has_join_bit)) == 0;
            EXPECT_EQ(action != FreeAction::retain, terminal) << flags << " with " << references;
            if (!terminal) continue;
            EXPECT_EQ(action == FreeAction::free_slab, (flags & StateWord::slab_bit) != 0);
        }
    }
}

/// Runs both at the same time on two threads, `rounds` times; returns in how many rounds not exactly one was told to
/// act.
template <class First, class Second>
int wrong_rounds(int rounds, First&& first, Second&& second) {
    struct Round {
        StateWord state{2, 0};
        std::atomic<int> told{0};
    };
    std::vector<Round> all(static_cast<std::size_t>(rounds));
    std::atomic<int> arrived{0};
    const auto run = [&](auto& action) {
        for (int i = 0; i < rounds; ++i) {
            ++arrived;
            while (arrived < 2 * (i + 1)) std::this_thread::yield();
            if (action(all[static_cast<std::size_t>(i)].state)) ++all[static_cast<std::size_t>(i)].told;
        }
    };
    std::thread other([&] { run(second); });
    run(first);
    other.join();
    int wrong = 0;
    for (const Round& round : all) wrong += round.told == 1 ? 0 : 1;
    return wrong;
}

// proves: EX-6, EX-44
TEST(StateWord, A1_completion_against_the_last_waker_frees_once) {
    EXPECT_EQ(wrong_rounds(
                  20'000, [](StateWord& word) { return word.complete_and_drop(Sharing::shared) != FreeAction::retain; },
                  [](StateWord& word) { return word.drop_reference(Sharing::shared) != FreeAction::retain; }),
              0);
}

TEST(StateWord, H4_of_two_wakes_at_once_one_queues_the_task) {
    const auto set = [](StateWord& word) { return word.try_set_queued(Sharing::shared); };
    EXPECT_EQ(wrong_rounds(20'000, set, set), 0);
}

TEST(StateWord, task_header_size) {
    // The seed has 72 bytes for a header; a fiber's also has its context, names and reports, and fits a slab slot.
    EXPECT_LE(sizeof(nexus::detail::TypedTask<void>), 256U);
    EXPECT_LE(sizeof(nexus::detail::TypedTask<std::uint64_t>), 256U);
}

} // namespace
