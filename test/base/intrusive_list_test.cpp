// The intrusive list: order, unlinking from anywhere, splicing.
#include "nexus/base/intrusive_list.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

struct Item : nexus::base::ListNode {
    explicit Item(int value_in) : value(value_in) {}
    int value;
};
using List = nexus::base::IntrusiveList<Item>;

std::vector<int> drain(List& list) {
    std::vector<int> values;
    while (Item* item = list.pop_front()) values.push_back(item->value);
    return values;
}

TEST(IntrusiveList, keeps_order_at_both_ends) {
    Item a(1), b(2), c(3);
    List list;
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.front(), nullptr);
    list.push_back(b);
    list.push_back(c);
    list.push_front(a);
    EXPECT_EQ(list.size(), 3U);
    EXPECT_EQ(list.next(a), &b);
    EXPECT_EQ(list.next(c), nullptr);
    EXPECT_EQ(drain(list), (std::vector<int>{1, 2, 3}));
    EXPECT_FALSE(a.linked());
}

TEST(IntrusiveList, a_node_leaves_from_anywhere_and_may_come_back) {
    Item a(1), b(2), c(3);
    List list;
    for (Item* item : {&a, &b, &c}) list.push_back(*item);
    b.unlink();
    b.unlink(); // no effect
    list.push_back(b);
    EXPECT_EQ(drain(list), (std::vector<int>{1, 3, 2}));
}

TEST(IntrusiveList, splice_moves_everything_behind) {
    Item a(1), b(2), c(3);
    List list, other, empty;
    list.push_back(a);
    other.push_back(b);
    other.push_back(c);
    list.splice_back(other);
    list.splice_back(empty);
    EXPECT_TRUE(other.empty());
    EXPECT_EQ(drain(list), (std::vector<int>{1, 2, 3}));
}

} // namespace
