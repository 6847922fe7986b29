// expect: nexus: an injected parameter is made for the call
#include "nexus/world/builder.hpp"

struct Book {};
nexus::World* world = nullptr;
void run() {
    world->run([](nexus::ResMut<Book>&) {});
}
