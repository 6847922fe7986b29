// tick_main: a game that owns its loop. Sixty times a second it simulates, then gives nexus what is left of the frame:
// there, fibers wait for time and for other threads, with the game's state injected.
//
//     tick_main [config.json] [frames]
#include <nexus/config/config.hpp>
#include <nexus/nexus.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

using namespace std::chrono_literals;

struct Arena {
    int width = 100;
    int monsters = 3;
    int spawn_every_ms = 50;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Arena, width, monsters, spawn_every_ms)

struct Scene {
    int alive = 0;
    int steps = 0;
};

// Reads like a script, suspends like one, and never holds the frame up.
void monster(nexus::ResMut<Scene> scene, int lifetime_ms) {
    ++scene->alive;
    nexus::sleep(std::chrono::milliseconds(lifetime_ms));
    --scene->alive;
}

void director(nexus::Res<Arena> arena, nexus::ResMut<Scene> scene, nexus::ShutdownSignal stop) {
    nexus::until(stop, [&] {
        nexus::Interval wave = nexus::interval(std::chrono::milliseconds(arena->spawn_every_ms));
        for (;;) {
            wave.tick();
            for (int i = 0; i < arena->monsters; ++i) nexus::spawn(monster, 20 + 10 * i).detach();
            const auto now = scene.borrow(); // one borrow for both members
            std::printf("wave: %d monsters after %d steps\n", now->alive + arena->monsters, now->steps);
        }
    });
}

int main(int argc, char** argv) {
    const nexus::Config config = argc > 1 ? nexus::Config::load(argv[1]) : nexus::Config{};
    const int frames = argc > 2 ? std::atoi(argv[2]) : 30;

    nexus::WorldBuilder builder;
    builder.add<Scene>();
    builder.add(config.resource<Arena>("arena"));
    nexus::World world = builder.build();
    nexus::Runtime runtime{world, config.runtime()};
    nexus::JoinHandle<void> directing = runtime.spawn(director);

    std::jthread loader([handle = runtime.handle()] { // assets come from another thread
        (void)handle.spawn(
            [](nexus::ResMut<Scene> scene) { std::printf("assets loaded after %d steps\n", scene->steps); });
    });

    for (int frame = 0; frame < frames; ++frame) {
        const auto frame_end = nexus::Clock::now() + 16ms;
        ++world.res_mut<Scene>()->steps; // the game's own work
        runtime.run_for(frame_end - nexus::Clock::now());
        std::this_thread::sleep_until(frame_end);
    }
    runtime.shutdown_handle().trigger();
    while (!directing.is_finished()) runtime.run_once();
    directing.join();
    std::printf("%d frames, %zu fibers left\n", frames, runtime.task_count());
}
