// A fiber drives the loop that runs it.
#include "nexus/runtime/runtime.hpp"
#include "test/errors/programs/report.hpp"

using namespace std::chrono_literals;

int main() {
    return report([] {
        nexus::World world = nexus::WorldBuilder{}.build();
        nexus::Runtime runtime{world};
        runtime.block_on([&runtime] { runtime.run_for(2ms); });
    });
}
