// What the borrow programs share: resources, a composite parameter, and a fixture whose fibers are real.
#pragma once

#include "nexus/nexus.hpp"
#include "nexus/testing/gtest.hpp"

#include <string>
#include <vector>

namespace borrow_programs {

struct Book {
    std::vector<int> orders{1, 2, 3};
    int last = 0;
    void add(int order) { orders.push_back(order); }
};
struct Risk {
    int limit = 10;
};
struct Upstream {
    std::string address = "127.0.0.1:9";
};

/// A user's composite of injected parameters.
struct Desk {
    nexus::ResMut<Book> book;
    nexus::Res<Risk> risk;
};

/// Leak-checked: after a report, every fiber, stack, timer, descriptor and borrow has been given back.
class Programs : public nexus::testing::RuntimeTest {
protected:
    using RuntimeTest::configure;
    void configure(nexus::WorldBuilder& builder) override { builder.add<Book>().add<Risk>().add_const<Upstream>(); }
};

} // namespace borrow_programs

template <>
struct nexus::inject<borrow_programs::Desk>
    : nexus::inject_members<borrow_programs::Desk, nexus::ResMut<borrow_programs::Book>,
                            nexus::Res<borrow_programs::Risk>> {};
