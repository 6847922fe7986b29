// expect: nexus: this argument can be neither copied nor moved into the fiber
#include "nexus/world/builder.hpp"

struct Pinned {
    Pinned() = default;
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
};
nexus::World* world = nullptr;
void run() {
    Pinned pinned;
    nexus::bind_handler(
        world, [](const Pinned&) {}, pinned)();
}
