// The first program of the design page, as written there.
// clang-format off
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
// clang-format on
