// A handler holds a mutable borrow while it waits.
#include "nexus/runtime/runtime.hpp"
#include "test/errors/programs/report.hpp"

using namespace std::chrono_literals;

struct Book {
    int depth = 0;
};

void trade(nexus::ResMut<Book> book) {
    auto guard = book.borrow();
    nexus::sleep(1ms);
    guard->depth = 1;
}

int main() {
    return report([] {
        nexus::World world = nexus::WorldBuilder{}.add<Book>().build();
        nexus::Runtime runtime{world};
        runtime.block_on([] { nexus::spawn({.name = "session-7"}, trade).join(); });
    });
}
