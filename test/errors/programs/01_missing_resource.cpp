// A handler asks for resources that nobody registered.
#include "nexus/runtime/runtime.hpp"
#include "test/errors/programs/report.hpp"

struct Book {
    int depth = 0;
};
struct RiskLimits {
    int quantity = 0;
};
struct Clockwork {};

void trade(nexus::ResMut<Book> book, nexus::Res<RiskLimits> limits, nexus::Res<Clockwork>) {
    book->depth += limits->quantity;
}

int main() {
    return report([] {
        nexus::World world = nexus::WorldBuilder{}.add<Clockwork>().build();
        nexus::Runtime runtime{world};
        runtime.block_on([] { nexus::spawn(trade).join(); });
    });
}
