// expect: nexus: the handler takes this argument by reference
#include "nexus/world/builder.hpp"

nexus::World* world = nullptr;
void count(int& seen) { ++seen; }
void run() {
    int seen = 0;
    nexus::bind_handler(world, count, seen)();
}
