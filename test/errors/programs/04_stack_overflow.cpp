// A fiber needs more stack than it has.
#include "nexus/runtime/runtime.hpp"
#include "test/errors/programs/report.hpp"

#include <sys/resource.h>

/// Not a tail call: what comes back is used.
int depth_of(const volatile int* level, int count) {
    volatile int mine[64] = {count, *level};
    return count == 1'000'000 ? *level : depth_of(mine, count + 1) + mine[1];
}

void price_tree() {
    const volatile int root = 0;
    std::printf("%d\n", depth_of(&root, 1));
}

void serve() { nexus::spawn({.name = "pricer"}, price_tree).join(); }

int main() {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    return report([] {
        nexus::World world = nexus::WorldBuilder{}.build();
        nexus::RuntimeOptions options;
        options.overflow_report = true;
        nexus::Runtime runtime{world, options};
        runtime.block_on(serve);
    });
}
