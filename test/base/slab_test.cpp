// The slab: distinct aligned slots, reused last-in-first-out, stable addresses.
#include "nexus/base/slab.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

namespace {

TEST(Slab, slots_are_distinct_aligned_and_as_large_as_asked) {
    nexus::base::Slab slab(256, 64, 8);
    std::set<void*> seen;
    for (int i = 0; i < 100; ++i) {
        void* slot = slab.allocate();
        // SAFETY: only the number of the address is looked at.
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slot) % 64, 0U);
        std::memset(slot, i, 256);
        EXPECT_TRUE(seen.insert(slot).second);
    }
}

TEST(Slab, the_slot_given_back_last_comes_first) {
    nexus::base::Slab slab(64, 64, 4);
    std::vector<void*> slots;
    for (int i = 0; i < 6; ++i) slots.push_back(slab.allocate());
    slab.deallocate(slots[1]);
    slab.deallocate(slots[4]);
    EXPECT_EQ(slab.allocate(), slots[4]);
    EXPECT_EQ(slab.allocate(), slots[1]);
}

} // namespace
