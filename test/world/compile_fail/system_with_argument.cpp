// expect: nexus: nobody passes arguments to a system
#include "nexus/world/builder.hpp"

void run() {
    nexus::WorldBuilder{}.add_system([](int) {});
}
