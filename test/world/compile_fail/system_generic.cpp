// expect: nexus: a system has exactly one signature
#include "nexus/world/builder.hpp"

void run() {
    nexus::WorldBuilder{}.add_system([](auto) {});
}
