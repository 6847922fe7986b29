// expect: nexus: a system returns bool (true: it changed something) or void
#include "nexus/world/builder.hpp"

void run() {
    nexus::WorldBuilder{}.add_system([] { return 1; });
}
