// expect: nexus: too few arguments for this handler
#include "nexus/world/builder.hpp"

struct Book {
    int orders = 0;
};
nexus::World* world = nullptr;
void place(nexus::ResMut<Book> book, int quantity) { book->orders += quantity; }
void run() { nexus::bind_handler(world, place)(); }
