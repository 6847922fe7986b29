// One signature asks for a resource twice, once to change it.
#include "nexus/runtime/runtime.hpp"
#include "test/errors/programs/report.hpp"

struct Book {
    int depth = 0;
};

void match(nexus::ResMut<Book> bids, nexus::Res<Book> asks) { bids->depth = asks->depth; }

int main() {
    return report([] {
        nexus::World world = nexus::WorldBuilder{}.add<Book>().build();
        nexus::Runtime runtime{world};
        runtime.block_on(match);
    });
}
