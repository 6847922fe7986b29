// The second program of README.md.
#include <nexus/nexus.hpp>

#include <cstdio>

struct Book {
    int orders = 0;
    int quantity = 0;
};

void place(nexus::ResMut<Book> book, int quantity) { // book: injected; quantity: from whoever calls or spawns it
    ++book->orders;
    book->quantity += quantity;
}

void trade(nexus::Res<Book> book) {
    nexus::spawn(place, 30).join(); // waits: other fibers run meanwhile
    nexus::spawn(place, 12).join();
    std::printf("%d orders, quantity %d\n", book->orders, book->quantity);
}

int main() {
    nexus::WorldBuilder builder;
    builder.add<Book>();
    nexus::World world = builder.build();
    nexus::Runtime runtime{world};
    runtime.block_on(trade);
}
