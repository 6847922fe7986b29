// The host of the design page, as written there: someone else's frame loop owns the thread, another thread reaches in.
#include <nexus/nexus.hpp>

#include <atomic>
#include <cstdio>
#include <thread>

using namespace std::chrono_literals;

// clang-format off
int host() {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    std::atomic<int> reached = 0;
    std::jthread other([handle = runtime.handle(), &reached] { (void)handle.spawn([&] { ++reached; }); });
    for (int frame = 0; frame < 50 && !reached; ++frame) {
        std::this_thread::sleep_for(1ms);                // the game's own work
        runtime.run_for(2ms);                            // returns when idle or when 2 ms are over
    }
    return reached;                                      // 1
}
// clang-format on

int main() { std::printf("%d\n", host()); }
