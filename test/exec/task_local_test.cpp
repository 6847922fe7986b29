// TaskLocal: a value for each fiber, made when it is asked for, gone with the fiber.
#include "nexus/exec/task_local.hpp"

#include "exec_tools.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus::test;

TaskLocal<int> number{[] { return 7; }};
TaskLocal<std::string> name;

TEST(TaskLocal, each_fiber_has_its_own) {
    Executor executor;
    std::vector<int> seen;
    for (int i = 0; i < 3; ++i) {
        executor
            .spawn_boxed([&seen, i] {
                EXPECT_EQ(*number, 7);
                *number += i;
                yield_now(); // the others come and go
                seen.push_back(*number);
                EXPECT_TRUE(name->empty());
            })
            .detach();
    }
    settle(executor);
    EXPECT_EQ(seen, (std::vector{7, 8, 9}));
}

TEST(TaskLocal, a_child_inherits_nothing) {
    Executor executor;
    auto fiber = executor.spawn_boxed([&executor] {
        name.emplace("parent");
        auto child = executor.spawn_boxed([] { return name.find() == nullptr; });
        EXPECT_TRUE(child.join());
        EXPECT_EQ(*name, "parent");
    });
    settle(executor);
    fiber.join();
}

TEST(TaskLocal, find_emplace_and_reset) {
    Executor executor;
    auto fiber = executor.spawn_boxed([] {
        EXPECT_EQ(number.find(), nullptr);
        int& value = number.emplace(3);
        EXPECT_EQ(number.find(), &value);
        EXPECT_EQ(&number.emplace(4), &value) << "the place stays";
        EXPECT_EQ(*number, 4);
        number.reset();
        EXPECT_EQ(number.find(), nullptr);
        EXPECT_EQ(*number, 7);
        name.reset(); // none yet
    });
    settle(executor);
    fiber.join();
}

TEST(TaskLocal, outside_a_fiber_is_a_mistake) {
    EXPECT_THROW((void)number.get(), UsageError);
    EXPECT_THROW((void)number.find(), UsageError);
    EXPECT_THROW(number.reset(), UsageError);
}

TEST(TaskLocal, needs_neither_copy_nor_move) {
    struct Pinned {
        explicit Pinned(int n) : value(n) {}
        Pinned(const Pinned&) = delete;
        Pinned& operator=(const Pinned&) = delete;
        int value;
    };
    static TaskLocal<Pinned> pinned{[] { return Pinned(5); }};
    Executor executor;
    auto fiber = executor.spawn_boxed([] { return pinned->value + pinned.emplace(6).value; });
    settle(executor);
    EXPECT_EQ(fiber.join(), 11);
}

// --- the end ---

std::vector<std::string>* ended = nullptr;

struct Ends {
    std::string what;
    ~Ends() {
        if (ended != nullptr && !what.empty()) ended->push_back(what);
    }
};
TaskLocal<Ends> first;
TaskLocal<Ends> second;

class TaskLocalEnd : public ::testing::Test {
protected:
    TaskLocalEnd() { ended = &log_; }
    ~TaskLocalEnd() override { ended = nullptr; }
    std::vector<std::string> log_;
};

TEST_F(TaskLocalEnd, values_go_newest_first_after_the_frames) {
    Executor executor;
    auto fiber = executor.spawn_boxed([closure = std::make_unique<Ends>(Ends{"closure"})] {
        const AtExit frame([] { ended->emplace_back("frame"); });
        first->what = "first";
        second->what = "second";
    });
    log_.clear(); // of what was moved from
    settle(executor);
    EXPECT_EQ(log_, (std::vector<std::string>{"frame", "closure", "second", "first"}));
    EXPECT_TRUE(fiber.is_finished());
}

TEST_F(TaskLocalEnd, they_go_when_an_exception_or_an_abort_ends_the_fiber) {
    Executor executor;
    auto failing = executor.spawn_boxed([] {
        first->what = "failing";
        throw std::runtime_error("x");
    });
    auto aborted = executor.spawn_boxed([] {
        first->what = "aborted";
        park_for_ever();
    });
    settle(executor);
    EXPECT_EQ(log_, (std::vector<std::string>{"failing"}));
    EXPECT_THROW(failing.join(), std::runtime_error);
    aborted.abort();
    settle(executor);
    EXPECT_EQ(log_, (std::vector<std::string>{"failing", "aborted"}));
}

TEST_F(TaskLocalEnd, they_go_on_the_fibers_own_stack_and_may_wait) {
    struct Waits {
        const void* stack = nullptr;
        bool armed = false;
        ~Waits() {
            if (!armed) return;
            EXPECT_EQ(Executor::current()->current_task().stack, stack);
            yield_now(); // at once when the fiber has been aborted, a turn otherwise
            ended->emplace_back("waited");
        }
    };
    static TaskLocal<Waits> waits;
    Executor executor;
    const auto body = [] {
        waits->stack = Executor::current()->current_task().stack;
        waits->armed = true;
    };
    executor.spawn_boxed(body).detach();
    executor.poll();
    EXPECT_TRUE(log_.empty());
    executor.poll();
    EXPECT_EQ(log_.size(), 1U);
    executor
        .spawn_boxed([&body] {
            body();
            park_for_ever();
        })
        .detach();
    executor.poll();
    executor.shutdown();
    EXPECT_EQ(log_.size(), 2U);
}

TEST_F(TaskLocalEnd, an_output_that_nobody_wants_may_still_ask) {
    struct Asks {
        explicit Asks(bool arm) : armed(arm) {}
        Asks(Asks&& other) noexcept : armed(std::exchange(other.armed, false)) {}
        Asks& operator=(Asks&&) = delete;
        ~Asks() {
            if (armed) ended->push_back("output, " + first->what);
        }
        bool armed;
    };
    Executor executor;
    executor
        .spawn_boxed([] {
            first->what = "value";
            return Asks(true);
        })
        .detach();
    settle(executor);
    EXPECT_EQ(log_, (std::vector<std::string>{"output, value", "value"}));
}

TEST_F(TaskLocalEnd, a_destructor_may_ask_for_values) {
    struct Asks {
        bool armed = false;
        ~Asks() {
            if (armed) first->what = "made anew"; // gone before, for it was newer
        }
    };
    static TaskLocal<Asks> asks;
    Executor executor;
    executor
        .spawn_boxed([] {
            asks->armed = true;
            first->what = "first";
        })
        .detach();
    settle(executor);
    EXPECT_EQ(log_, (std::vector<std::string>{"first", "made anew"}));
}

TEST_F(TaskLocalEnd, a_handle_that_goes_while_they_do_takes_the_output_along) {
    struct Waits {
        bool armed = false;
        ~Waits() {
            if (armed) yield_now();
        }
    };
    static TaskLocal<Waits> waits;
    Executor executor;
    auto fiber = executor.spawn_boxed([] {
        waits->armed = true;
        return std::make_unique<Ends>(Ends{"output"});
    });
    auto failing = executor.spawn_boxed([] {
        waits->armed = true;
        throw std::runtime_error("nobody joins");
    });
    executor.poll();
    EXPECT_FALSE(fiber.is_finished());
    fiber.detach();
    failing.detach();
    log_.clear(); // of what was moved from
    EXPECT_THROW(settle(executor), std::runtime_error);
    settle(executor);
    EXPECT_EQ(log_, (std::vector<std::string>{"output"}));
    EXPECT_EQ(executor.task_count(), 0U);
}

/// Asks for the value of its own TaskLocal while it goes.
struct Stubborn {
    Stubborn() { ++alive; }
    Stubborn(const Stubborn&) = delete;
    Stubborn& operator=(const Stubborn&) = delete;
    ~Stubborn();
    int again = 0;
    std::string text = "long enough that it lies on the heap";
    static inline int alive = 0;
};
TaskLocal<Stubborn> stubborn;
Stubborn::~Stubborn() {
    --alive;
    if (again > 0) stubborn->again = again - 1;
    EXPECT_EQ(text, "long enough that it lies on the heap");
}

TEST(TaskLocal, a_value_that_goes_may_ask_for_its_successor) {
    Executor executor;
    auto fiber = executor.spawn_boxed([] {
        stubborn->again = 2;
        stubborn.emplace();
        EXPECT_EQ(Stubborn::alive, 1);
        EXPECT_EQ(stubborn->again, 0);
        stubborn->again = 2;
        stubborn.reset();
        EXPECT_EQ(Stubborn::alive, 1);
        EXPECT_EQ(stubborn->again, 1);
    });
    settle(executor);
    fiber.join();
    EXPECT_EQ(Stubborn::alive, 0);
}

TEST_F(TaskLocalEnd, a_fiber_that_never_starts_has_none) {
    Executor executor;
    auto fiber = executor.spawn_boxed([] { first->what = "never"; });
    fiber.abort();
    settle(executor);
    EXPECT_TRUE(log_.empty());
}

// --- where they are kept ---

TEST(TaskLocalMemory, small_values_lie_on_the_stack_large_ones_on_the_heap) {
    struct alignas(64) Large {
        std::array<char, 200> bytes{};
    };
    static TaskLocal<Large> large;
    static TaskLocal<std::uint64_t> small;
    static TaskLocal<std::uint64_t> other;
    static TaskLocal<std::uint64_t> third;
    static TaskLocal<std::uint64_t> fourth;
    Executor executor;
    auto fiber = executor.spawn_boxed([] {
        const Stack& stack = *Executor::current()->current_task().stack;
        const auto on_stack = [&stack](const void* at) {
            return std::less<>()(static_cast<const void*>(stack.limit), at) &&
                   std::less<>()(at, static_cast<const void*>(stack.top));
        };
        EXPECT_FALSE(on_stack(&large.get()));
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&large.get()) % 64, 0U);
        EXPECT_TRUE(on_stack(&small.get()));
        EXPECT_TRUE(on_stack(&other.get()));
        *small = 1;
        *other = 2;
        *third = 3;
        *fourth = 4; // no room any more
        EXPECT_FALSE(on_stack(&fourth.get()));
        // Not the address of a variable: AddressSanitizer may keep those elsewhere.
        EXPECT_LT(static_cast<const void*>(__builtin_frame_address(0)), static_cast<const void*>(&other.get()));
        EXPECT_EQ(*small + *other + *third + *fourth, 10U);
    });
    settle(executor);
    fiber.join();
}

TEST(TaskLocalMemory, the_first_frame_lies_below_the_room) {
    Executor executor;
    auto fiber = executor.spawn_boxed([] {});
    const detail::Task& task = fiber.header();
    const detail::StackBase& base = detail::StackBase::of(task);
    EXPECT_EQ(base.room, detail::StackBase::room_bytes);
    const void* lowest = base.end - base.room;
    EXPECT_FALSE(std::less<>()(lowest, static_cast<const void*>(task.context.handle)));
    settle(executor);
}

TEST(TaskLocalMemory, closures_of_any_size_and_alignment_stay_intact) {
    struct alignas(256) Wide {
        std::array<std::uint64_t, 64> words;
    };
    static TaskLocal<std::array<std::uint64_t, 8>> values;
    Executor executor;
    Wide wide{};
    for (std::size_t i = 0; i < wide.words.size(); ++i) wide.words[i] = i;
    auto fiber = executor.spawn_boxed([wide] {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&wide) % 256, 0U);
        values->fill(~0ULL);
        yield_now();
        for (std::size_t i = 0; i < wide.words.size(); ++i) EXPECT_EQ(wide.words[i], i);
        for (const std::uint64_t word : *values) EXPECT_EQ(word, ~0ULL);
    });
    char little = 'x';
    auto tiny = executor.spawn_boxed([little] {
        values->fill(1);
        yield_now();
        EXPECT_EQ(little, 'x');
        EXPECT_EQ(values->front(), 1U);
    });
    settle(executor);
    fiber.join();
    tiny.join();
}

TEST(TaskLocalMemory, fibers_that_come_and_go_take_nothing_from_the_heap) {
    Executor executor;
    const auto round = [&executor] {
        executor.spawn_boxed([] { *number += 1; }).detach();
        settle(executor);
    };
    for (int i = 0; i < 100; ++i) round();
    const std::int64_t before = blocks_in_use();
    for (int i = 0; i < 1000; ++i) round();
    EXPECT_EQ(blocks_in_use(), before);
}

TEST(TaskLocalMemory, one_that_is_made_in_the_place_of_another_has_its_own_values) {
    std::optional<TaskLocal<int>> local;
    Executor executor;
    auto fiber = executor.spawn_boxed([&local] {
        local.emplace([] { return 1; });
        EXPECT_EQ(**local, 1);
        local.emplace([] { return 2; });
        EXPECT_EQ(**local, 2);
        local.reset(); // the fiber ends after it
    });
    settle(executor);
    fiber.join();
}

TEST(TaskLocalThreads, one_serves_the_fibers_of_all_threads) {
    std::atomic<int> wrong = 0;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 3; ++t) {
            threads.emplace_back([t, &wrong] {
                Executor executor;
                for (int i = 0; i < 50; ++i) {
                    executor
                        .spawn_boxed([t, i, &wrong] {
                            *number = t * 100 + i;
                            yield_now();
                            if (*number != t * 100 + i) ++wrong;
                        })
                        .detach();
                }
                settle(executor);
            });
        }
    }
    EXPECT_EQ(wrong, 0);
}

} // namespace
