// A thread makes a runtime although it has one.
#include "nexus/runtime/runtime.hpp"
#include "test/errors/programs/report.hpp"

int main() {
    return report([] {
        nexus::World world = nexus::WorldBuilder{}.build();
        nexus::Runtime first{world};
        nexus::Runtime second{world};
    });
}
