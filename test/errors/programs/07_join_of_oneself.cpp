// A fiber joins itself.
#include "nexus/runtime/runtime.hpp"
#include "test/errors/programs/report.hpp"

int main() {
    return report([] {
        nexus::World world = nexus::WorldBuilder{}.build();
        nexus::Runtime runtime{world};
        runtime.block_on([] {
            nexus::JoinHandle<void> self;
            self = nexus::spawn([&self] { self.join(); });
            nexus::yield_now();
            nexus::yield_now();
            self.join();
        });
    });
}
