#include "nexus/sync/join_all.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/notify.hpp"
#include "test/sync/fibers.hpp"

#include <array>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

/// Ends after `turns`, with `value`.
auto slow(int turns, int value) {
    return [turns, value] {
        for (int i = 0; i < turns; ++i) yield_now();
        return value;
    };
}

TEST(JoinAll, values_in_the_order_of_the_arguments) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        auto late = fibers.spawn(slow(5, 1));
        auto [a, b, c] = join_all(late, fibers.spawn([] { return std::make_unique<int>(2); }),
                                  fibers.spawn([] { return std::string("three"); }));
        EXPECT_EQ(a, 1);
        EXPECT_EQ(*b, 2);
        EXPECT_EQ(c, "three");
        EXPECT_FALSE(late.valid());
    });
    fiber.join();
}

TEST(JoinAll, fibers_without_a_value) {
    Fibers fibers;
    int done = 0;
    auto fiber = fibers.run([&] {
        const auto nothing = [&done] { ++done; };
        join_all(fibers.spawn(nothing), fibers.spawn(nothing));
        static_assert(std::is_void_v<decltype(join_all(fibers.spawn(nothing)))>);
        auto mixed = join_all(fibers.spawn(nothing), fibers.spawn(slow(0, 4)));
        static_assert(std::is_same_v<decltype(mixed), std::tuple<std::monostate, int>>);
        EXPECT_EQ(std::get<1>(mixed), 4);
    });
    fiber.join();
    EXPECT_EQ(done, 3);
}

TEST(JoinAll, ranges) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        std::vector<JoinHandle<int>> many;
        for (int i = 0; i < 10; ++i) many.push_back(fibers.spawn(slow(10 - i, i)));
        EXPECT_EQ(join_all(many), (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
        std::list<JoinHandle<std::unique_ptr<int>>> few;
        few.push_back(fibers.spawn([] { return std::make_unique<int>(1); }));
        EXPECT_EQ(*join_all(few).front(), 1);
        std::array<JoinHandle<void>, 3> none;
        for (auto& handle : none) handle = fibers.spawn([] {});
        join_all(none);
        static_assert(std::is_void_v<decltype(join_all(none))>);
        EXPECT_TRUE(join_all(std::vector<JoinHandle<int>>()).empty());
    });
    fiber.join();
}

TEST(JoinAll, the_first_failure_comes_out_after_all_have_ended) {
    Fibers fibers;
    std::vector<std::string> unhandled;
    fibers.executor().set_on_unhandled([&](std::exception_ptr failure, const char*) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            unhandled.emplace_back(error.what());
        }
    });
    auto fiber = fibers.run([&] {
        auto good = fibers.spawn(slow(20, 1));
        const auto failing = [](int turns, const char* what) {
            return [turns, what]() -> int {
                for (int i = 0; i < turns; ++i) yield_now();
                throw std::runtime_error(what);
            };
        };
        auto second = fibers.spawn(failing(10, "second"));
        try {
            join_all(good, second, fibers.spawn(failing(1, "third")));
            ADD_FAILURE();
        } catch (const std::runtime_error& error) {
            EXPECT_STREQ(error.what(), "second") << "in the order of the arguments, not of time";
        }
        EXPECT_TRUE(good.is_finished());
        EXPECT_EQ(good.join(), 1) << "no value was taken";
        EXPECT_FALSE(second.valid());
    });
    fiber.join();
    EXPECT_EQ(unhandled, (std::vector<std::string>{"third"}));
}

TEST(JoinAll, aborted_ones_count_as_failures) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        std::vector<JoinHandle<int>> handles;
        handles.push_back(fibers.spawn(slow(3, 1)));
        handles.push_back(fibers.spawn(slow(3, 2)));
        handles[1].abort();
        EXPECT_THROW((void)join_all(handles), TaskAborted);
        EXPECT_EQ(handles[0].join(), 1);
        EXPECT_FALSE(handles[1].valid());
    });
    fiber.join();
}

TEST(JoinAll, a_wait_that_is_cut_short_leaves_every_handle) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        auto quick = fibers.spawn(slow(0, 1));
        Notify go;
        auto waiting = fibers.spawn([&] {
            go.wait();
            return 2;
        });
        const auto late = timeout(10ms, [&] { return join_all(quick, waiting); });
        EXPECT_EQ(late.error(), errc::timed_out);
        EXPECT_TRUE(quick.valid() && waiting.valid());
        go.notify_one();
        EXPECT_EQ(join_all(quick, waiting), std::make_tuple(1, 2));
    });
    fibers.advance(10ms);
    fiber.join();
}

TEST(JoinAll, mistakes_take_nothing) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        auto good = fibers.spawn(slow(0, 1));
        JoinHandle<int> empty;
        EXPECT_THROW((void)join_all(good, empty), UsageError);
        EXPECT_EQ(good.join(), 1);
    });
    fiber.join();
}

TEST(JoinAll, while_an_exception_unwinds_it_does_not_wait) {
    Fibers fibers;
    Notify never;
    int seen = 0;
    struct AtEnd {
        JoinHandle<void>& nothing;
        JoinHandle<int>& value;
        int& seen;
        ~AtEnd() {
            join_all(nothing);
            seen = 1;
            try {
                (void)join_all(nothing, value);
            } catch (const TaskAborted&) {
                seen += nothing.valid() && value.valid() ? 10 : 0;
            }
        }
    };
    auto nothing = fibers.run([&] { never.wait(); });
    auto value = fibers.run([&] {
        never.wait();
        return 1;
    });
    auto failing = fibers.run([&] {
        const AtEnd at_end{nothing, value, seen};
        throw std::runtime_error("x");
    });
    EXPECT_THROW(failing.join(), std::runtime_error);
    EXPECT_EQ(seen, 11);
    never.notify_all();
    fibers.settle();
}

TEST(JoinHandleWait, ends_with_the_fiber_and_takes_nothing) {
    Fibers fibers;
    auto fiber = fibers.run([&] {
        auto child = fibers.spawn(slow(2, 6));
        EXPECT_FALSE(child.has_failed());
        EXPECT_TRUE(child.wait());
        EXPECT_TRUE(child.is_finished());
        EXPECT_FALSE(child.has_failed());
        EXPECT_EQ(child.join(), 6);
        auto failing = fibers.spawn([] { throw std::runtime_error("x"); });
        EXPECT_TRUE(failing.wait());
        EXPECT_TRUE(failing.has_failed());
        EXPECT_THROW(failing.join(), std::runtime_error);
        EXPECT_THROW((void)failing.has_failed(), UsageError);
    });
    fiber.join();
}

TEST(JoinAll, while_an_exception_unwinds_what_became_of_fibers_without_a_value_does_not_matter) {
    std::vector<JoinHandle<void>> handles;
    int reported = 0;
    bool left = false;
    struct AtEnd {
        std::vector<JoinHandle<void>>& handles;
        JoinHandle<void>& one;
        JoinHandle<void>& other;
        bool& left;
        ~AtEnd() {
            join_all(handles);
            join_all(one, other);
            left = true;
        }
    };
    Fibers fibers;
    fibers.executor().set_on_unhandled([&](const std::exception_ptr&, const char*) { ++reported; });
    const auto fails = [] { throw std::runtime_error("lost"); };
    handles.push_back(fibers.run([] {}));
    handles.push_back(fibers.run(fails));
    auto one = fibers.run(fails);
    auto other = fibers.run([] {});
    auto failing = fibers.run([&] {
        const AtEnd at_end{handles, one, other, left};
        throw std::logic_error("x");
    });
    EXPECT_TRUE(left);
    EXPECT_EQ(reported, 2);
    EXPECT_THROW(failing.join(), std::logic_error);
}

} // namespace
