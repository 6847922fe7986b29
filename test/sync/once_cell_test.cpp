#include "nexus/sync/once_cell.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/select.hpp"
#include "nexus/sync/sync.hpp"
#include "test/sync/fibers.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

TEST(OnceCell, the_first_makes_it_and_the_others_wait) {
    Fibers fibers;
    OnceCell<std::string> cell;
    int made = 0;
    std::vector<const std::string*> seen;
    for (int i = 0; i < 4; ++i) {
        (void)fibers.spawn([&] {
            const std::string& value = cell.get_or_init([&] {
                ++made;
                sleep_until(fibers.now() + 10ms);
                return std::string("prices");
            });
            seen.push_back(&value);
        });
    }
    fibers.settle();
    EXPECT_EQ(cell.get(), nullptr);
    EXPECT_EQ(cell.waiter_count(), 3U);
    fibers.advance(10ms);
    EXPECT_EQ(made, 1);
    EXPECT_EQ(seen, (std::vector<const std::string*>(4, cell.get())));
    EXPECT_EQ(*cell.get(), "prices");
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(OnceCell, holds_what_can_neither_be_copied_nor_moved) {
    struct Pinned {
        explicit Pinned(int n) : value(n) {}
        Pinned(const Pinned&) = delete;
        Pinned& operator=(const Pinned&) = delete;
        int value;
    };
    Fibers fibers;
    OnceCell<Pinned> cell;
    auto fiber = fibers.run([&] { EXPECT_EQ(cell.get_or_init([] { return 7; }).value, 7); });
    EXPECT_TRUE(fiber.is_finished());
    const OnceCell<Pinned>& read_only = cell;
    EXPECT_EQ(read_only.get()->value, 7);
}

TEST(OnceCell, set_and_wait) {
    Fibers fibers;
    OnceCell<std::unique_ptr<int>> cell;
    auto fiber = fibers.run([&] { return *cell.wait(); });
    EXPECT_FALSE(fiber.is_finished());
    EXPECT_TRUE(cell.set(std::make_unique<int>(5)));
    auto refused = std::make_unique<int>(6);
    EXPECT_FALSE(cell.set(std::move(refused)));
    EXPECT_EQ(*refused, 6) << "not moved from"; // NOLINT(bugprone-use-after-move)
    fibers.settle();
    EXPECT_EQ(fiber.join(), 5);
    EXPECT_EQ(fibers.run([&] { return *cell.wait(); }).join(), 5);
    OnceCell<int> copied;
    const int one = 1;
    EXPECT_TRUE(copied.set(one));
}

TEST(OnceCell, set_does_not_cross_one_that_is_being_made) {
    Fibers fibers;
    OnceCell<int> cell;
    Notify go;
    auto fiber = fibers.run([&] {
        EXPECT_EQ(cell.get_or_init([&] {
            go.wait();
            return 1;
        }),
                  1);
    });
    EXPECT_FALSE(cell.set(2));
    go.notify_one();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(*cell.get(), 1);
}

TEST(OnceCell, when_one_fails_the_next_tries) {
    Fibers fibers;
    OnceCell<int> cell;
    Notify go;
    std::vector<std::string> log;
    const auto maker = [&](int number, bool fails) {
        return [&, number, fails] {
            return cell.get_or_init([&, number, fails] {
                log.push_back("try " + std::to_string(number));
                go.wait();
                if (fails) throw std::runtime_error("attempt " + std::to_string(number));
                return number;
            });
        };
    };
    auto reader = fibers.run([&] { return cell.wait(); }); // cannot make it
    auto first = fibers.run(maker(1, true));
    auto second = fibers.run(maker(2, true));
    auto third = fibers.run(maker(3, false));
    auto fourth = fibers.run(maker(4, false));
    for (int i = 0; i < 3; ++i) {
        go.notify_one();
        fibers.settle();
    }
    EXPECT_EQ(log, (std::vector<std::string>{"try 1", "try 2", "try 3"}));
    EXPECT_THROW(first.join(), std::runtime_error);
    EXPECT_THROW(second.join(), std::runtime_error);
    EXPECT_EQ(third.join(), 3);
    EXPECT_EQ(fourth.join(), 3);
    EXPECT_EQ(reader.join(), 3);
}

TEST(OnceCell, H23_when_the_maker_is_aborted_the_next_tries) {
    Fibers fibers;
    OnceCell<int> cell;
    auto first = fibers.run([&] {
        (void)cell.get_or_init([] {
            park();
            return 1;
        });
    });
    auto second = fibers.run([&] { (void)cell.get_or_init([] { return 2; }); });
    auto third = fibers.run([&] { return cell.get_or_init([] { return 3; }); });
    first.abort();
    fibers.settle();
    EXPECT_TRUE(second.is_finished());
    EXPECT_EQ(third.join(), 2);
    EXPECT_EQ(cell.waiter_count(), 0U);
}

TEST(OnceCell, H23_one_that_was_woken_to_make_it_does_so_although_it_has_to_stop) {
    Fibers fibers;
    OnceCell<int> cell;
    Notify fail;
    auto first = fibers.run([&] {
        (void)cell.get_or_init([&]() -> int {
            fail.wait();
            throw std::runtime_error("x");
        });
    });
    std::vector<int> seen;
    auto second = fibers.run([&] {
        seen.push_back(cell.get_or_init([] { return 2; }));
        yield_now();
        seen.push_back(-1);
    });
    auto third = fibers.run([&] { return cell.get_or_init([] { return 3; }); });
    fail.notify_one();
    fibers.executor().poll(); // the first has failed, the second is woken
    second.abort();
    fibers.settle();
    EXPECT_EQ(seen, (std::vector{2}));
    EXPECT_EQ(third.join(), 2);
    EXPECT_THROW(first.join(), std::runtime_error);
}

TEST(OnceCell, one_that_failed_and_tries_again_does_not_overtake) {
    Fibers fibers;
    OnceCell<int> cell;
    Notify go;
    auto first = fibers.run([&] {
        const auto fails = [&]() -> int {
            go.wait();
            throw std::runtime_error("x");
        };
        EXPECT_THROW((void)cell.get_or_init(fails), std::runtime_error);
        EXPECT_FALSE(cell.set(1)) << "it is the other's turn";
        return cell.get_or_init(fails);
    });
    auto second = fibers.run([&] { return cell.get_or_init([] { return 2; }); });
    go.notify_one();
    fibers.settle();
    EXPECT_EQ(second.join(), 2);
    EXPECT_EQ(first.join(), 2);
}

TEST(OnceCell, H23_one_that_gave_up_is_not_the_next) {
    Fibers fibers;
    OnceCell<int> cell;
    Notify fail;
    auto first = fibers.run([&] {
        (void)cell.get_or_init([&]() -> int {
            fail.wait();
            throw std::runtime_error("x");
        });
    });
    auto limited = fibers.run([&] { return timeout(10ms, [&] { return cell.get_or_init([] { return 2; }); }); });
    auto aborted = fibers.run([&] { (void)cell.get_or_init([] { return 3; }); });
    auto patient = fibers.run([&] { return cell.get_or_init([] { return 4; }); });
    aborted.abort();
    fibers.advance(10ms);
    EXPECT_EQ(cell.waiter_count(), 1U);
    fail.notify_one();
    fibers.settle();
    EXPECT_EQ(limited.join().error(), errc::timed_out);
    EXPECT_EQ(patient.join(), 4);
    EXPECT_THROW(first.join(), std::runtime_error);
}

TEST(OnceCell, mistakes) {
    Fibers fibers;
    OnceCell<int> cell;
    auto fiber = fibers.run([&] {
        EXPECT_THROW((void)cell.get_or_init([&]() -> int { return cell.get_or_init([] { return 1; }); }), UsageError);
        EXPECT_THROW((void)cell.get_or_init([&]() -> int { return cell.wait(); }), UsageError);
        EXPECT_EQ(cell.get(), nullptr);
    });
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_THROW((void)cell.wait(), UsageError) << "outside a fiber";
}

TEST(OnceCell, while_an_exception_unwinds_it_does_not_wait) {
    Fibers fibers;
    OnceCell<int> empty;
    OnceCell<int> full;
    OnceCell<int> busy;
    auto maker = fibers.run([&] {
        (void)busy.get_or_init([] {
            park();
            return 1;
        });
    });
    std::vector<int> seen;
    struct AtEnd {
        OnceCell<int>& empty;
        OnceCell<int>& full;
        OnceCell<int>& busy;
        std::vector<int>& seen;
        ~AtEnd() {
            seen.push_back(full.get_or_init([] { return 1; }));
            seen.push_back(full.wait());
            try {
                seen.push_back(busy.get_or_init([] { return 2; }));
            } catch (const UsageError&) {
                seen.push_back(-1);
            }
            try {
                seen.push_back(empty.wait());
            } catch (const UsageError&) {
                seen.push_back(-2);
            }
            seen.push_back(empty.get_or_init([] { return 3; }));
        }
    };
    full.set(9);
    auto failing = fibers.run([&] {
        const AtEnd at_end{empty, full, busy, seen};
        throw std::runtime_error("x");
    });
    EXPECT_THROW(failing.join(), std::runtime_error);
    EXPECT_EQ(seen, (std::vector{9, 9, -1, -2, 3}));
    maker.abort();
    fibers.settle();
}

TEST(OnceCell, lives_longer_than_its_executor) {
    OnceCell<int> cell;
    {
        Fibers fibers;
        (void)fibers.run([&] {
            (void)cell.get_or_init([] {
                park();
                return 1;
            });
        });
        (void)fibers.run([&] { (void)cell.wait(); });
    }
    EXPECT_EQ(cell.waiter_count(), 0U);
    Fibers fibers;
    EXPECT_EQ(fibers.run([&] { return cell.get_or_init([] { return 2; }); }).join(), 2);
}

TEST(OnceCellSelect, is_ready_when_the_value_is_there) {
    Fibers fibers;
    OnceCell<int> cell;
    Notify never;
    auto fiber = fibers.run([&] {
        EXPECT_FALSE(try_select(never, cell));
        EXPECT_EQ(select(never, cell), 1U);
        return *cell.get();
    });
    auto failing = fibers.run([&] { (void)cell.get_or_init([]() -> int { throw std::runtime_error("x"); }); });
    EXPECT_FALSE(fiber.is_finished());
    EXPECT_THROW(failing.join(), std::runtime_error);
    cell.set(4);
    fibers.settle();
    EXPECT_EQ(fiber.join(), 4);
    EXPECT_EQ(never.waiter_count(), 0U);
}

/// What the destructor of a closure finds when it waits for a cell that nobody fills.
struct WaitsAtItsEnd {
    explicit WaitsAtItsEnd(OnceCell<int>& in, int& seen) noexcept : cell(&in), outcome(&seen) {}
    WaitsAtItsEnd(WaitsAtItsEnd&& other) noexcept : cell(std::exchange(other.cell, nullptr)), outcome(other.outcome) {}
    ~WaitsAtItsEnd() {
        if (cell == nullptr) return;
        try {
            *outcome = cell->wait();
        } catch (const UsageError&) {
            *outcome = -1;
        }
    }
    OnceCell<int>* cell;
    int* outcome;
};

TEST(OnceCell, an_aborted_fiber_that_ends_is_told_that_it_cannot_wait) {
    OnceCell<int> cell;
    int outcome = 0;
    Fibers fibers;
    auto fiber = fibers.spawn([at_end = WaitsAtItsEnd(cell, outcome)] {});
    fiber.abort(); // before it began: its closure is destroyed in it
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(outcome, -1);
}

TEST(OnceCell, an_abort_ends_the_wait_of_a_fiber_that_ends) {
    OnceCell<int> cell;
    int outcome = 0;
    Fibers fibers;
    auto fiber = fibers.run([at_end = WaitsAtItsEnd(cell, outcome)] {});
    EXPECT_EQ(cell.waiter_count(), 1U);
    fiber.abort();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(outcome, -1);
}

TEST(OnceCell, a_fiber_that_ends_does_not_make_what_another_one_makes) {
    OnceCell<int> cell;
    Notify go_on;
    Fibers fibers;
    auto maker = fibers.run([&] {
        return cell.get_or_init([&] {
            go_on.wait();
            return 1;
        });
    });
    struct Makes {
        OnceCell<int>* cell;
        explicit Makes(OnceCell<int>& in) noexcept : cell(&in) {}
        Makes(Makes&& other) noexcept : cell(std::exchange(other.cell, nullptr)) {}
        ~Makes() {
            if (cell == nullptr) return;
            EXPECT_THROW((void)cell->get_or_init([] { return 2; }), UsageError);
        }
    };
    auto ending = fibers.run([makes = Makes(cell)] {});
    ending.abort();
    fibers.settle();
    EXPECT_EQ(cell.get(), nullptr);
    go_on.notify_one();
    fibers.settle();
    EXPECT_EQ(maker.join(), 1);
}

} // namespace
