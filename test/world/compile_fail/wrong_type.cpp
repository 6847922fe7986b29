// expect: nexus: this argument cannot be converted to what the handler takes at this position
#include "nexus/world/builder.hpp"

struct Book {
    int orders = 0;
};
nexus::World* world = nullptr;
void place(nexus::ResMut<Book> book, int quantity) { book->orders += quantity; }
void run() { nexus::bind_handler(world, place, "three")(); }
