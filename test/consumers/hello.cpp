// The program that a newcomer starts with, built here as a stranger would: from the installed tree, or from nexus as a
// subproject. The same text stands in README.md.
#include <nexus/nexus.hpp>

#include <cstdio>

int main() {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    int answer = runtime.block_on([] {
        nexus::JoinHandle<int> task = nexus::spawn([] { return 42; });
        return task.join();
    });
    std::printf("%d\n", answer);
}
