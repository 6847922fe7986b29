#include "nexus/base/ring.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

namespace nexus::base {
namespace {

TEST(Ring, rounds_its_capacity_up_to_a_power_of_two) {
    EXPECT_EQ(Ring<int>{1}.capacity(), 1U);
    EXPECT_EQ(Ring<int>{2}.capacity(), 2U);
    EXPECT_EQ(Ring<int>{3}.capacity(), 4U);
    EXPECT_EQ(Ring<int>{1000}.capacity(), 1024U);
}

TEST(Ring, impossible_capacities_are_usage_errors) {
    EXPECT_THROW(Ring<int>{0}, UsageError);
    EXPECT_THROW(Ring<int>{std::numeric_limits<std::size_t>::max()}, UsageError);
}

// proves: S-130, S-131
TEST(Ring, is_first_in_first_out_and_full_at_its_capacity) {
    Ring<int> ring{4};
    EXPECT_TRUE(ring.empty());
    for (int i = 0; i < 4; ++i) {
        EXPECT_FALSE(ring.full());
        ring.push_back(i);
    }
    EXPECT_TRUE(ring.full());
    EXPECT_EQ(ring.size(), 4U);
    EXPECT_EQ(ring.front(), 0);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(ring.pop_front(), i);
    EXPECT_TRUE(ring.empty());
}

TEST(Ring, does_what_a_deque_does) {
    std::mt19937 random{1};
    Ring<unsigned> ring{8};
    std::deque<unsigned> model;
    for (unsigned i = 0; i < 10'000; ++i) {
        if (random() % 2 == 0 && !ring.full()) {
            ring.push_back(i);
            model.push_back(i);
        } else if (!ring.empty()) {
            ASSERT_EQ(ring.pop_front(), model.front());
            model.pop_front();
        }
        ASSERT_EQ(ring.size(), model.size());
        ASSERT_EQ(ring.full(), model.size() == 8);
    }
}

TEST(Ring, holds_what_can_only_be_moved) {
    Ring<std::unique_ptr<int>> ring{2};
    ring.push_back(std::make_unique<int>(1));
    ring.emplace_back(std::make_unique<int>(2));
    EXPECT_EQ(*ring.pop_front(), 1);
    ring.push_back(std::make_unique<int>(3));
    EXPECT_EQ(*ring.pop_front(), 2);
    EXPECT_EQ(*ring.front(), 3);
}

// proves: S-135
TEST(Ring, destroys_what_is_left_oldest_first) {
    struct Loud {
        Loud(std::vector<int>& log_, int id_) : log(&log_), id(id_) {}
        Loud(Loud&& other) noexcept : log(other.log), id(std::exchange(other.id, 0)) {}
        ~Loud() {
            if (id != 0) log->push_back(id);
        }
        std::vector<int>* log;
        int id;
    };
    std::vector<int> log;
    {
        Ring<Loud> ring{4};
        for (int id = 1; id <= 4; ++id) ring.emplace_back(log, id);
        (void)ring.pop_front();
        ring.drop_front();
        EXPECT_EQ(log, (std::vector<int>{1, 2}));
        ring.emplace_back(log, 5);
        ring.push_back(Loud{log, 6});
    }
    EXPECT_EQ(log, (std::vector<int>{1, 2, 3, 4, 5, 6}));
}

TEST(Ring, a_destructor_sees_the_ring_without_its_element) {
    struct Looks {
        Looks(const Ring<Looks>& ring_, std::vector<std::size_t>& sizes_) : ring(ring_), sizes(sizes_) {}
        ~Looks() { sizes.push_back(ring.size()); }
        const Ring<Looks>& ring;
        std::vector<std::size_t>& sizes;
    };
    std::vector<std::size_t> sizes;
    Ring<Looks> ring{4};
    for (int i = 0; i < 3; ++i) ring.emplace_back(ring, sizes);
    ring.clear();
    EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 1, 0}));
}

TEST(Ring, a_constructor_that_throws_changes_nothing) {
    struct Picky {
        explicit Picky(int value_) : value(value_) {
            if (value < 0) throw std::runtime_error("negative");
        }
        int value;
    };
    Ring<Picky> ring{2};
    ring.emplace_back(1);
    EXPECT_THROW(ring.emplace_back(-1), std::runtime_error);
    EXPECT_EQ(ring.size(), 1U);
    ring.emplace_back(2);
    EXPECT_EQ(ring.pop_front().value, 1);
    EXPECT_EQ(ring.pop_front().value, 2);
}

TEST(Ring, keeps_the_alignment_of_its_elements) {
    struct alignas(64) Wide {
        std::byte bytes[64];
    };
    Ring<Wide> ring{4};
    for (int i = 0; i < 4; ++i) {
        // SAFETY: an address as a number, to look at its low bits.
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&ring.emplace_back()) % 64, 0U);
    }
}

} // namespace
} // namespace nexus::base
