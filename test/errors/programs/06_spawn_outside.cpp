// spawn() where no runtime runs.
#include "nexus/runtime/runtime.hpp"
#include "test/errors/programs/report.hpp"

int main() {
    return report([] {
        nexus::World world = nexus::WorldBuilder{}.build();
        nexus::Runtime runtime{world};
        nexus::spawn([] { return 42; }).detach();
    });
}
