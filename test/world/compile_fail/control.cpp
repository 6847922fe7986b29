// expect-ok
#include "nexus/world/builder.hpp"

struct Book {
    int orders = 0;
};
nexus::World* world = nullptr;
void place(nexus::ResMut<Book> book, int quantity) { book->orders += quantity; }
void run() {
    nexus::bind_handler(world, place, 1)();
    world->run(place, 2);
    world->resolve(place)(3);
}
