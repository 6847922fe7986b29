// A runtime with everything that can wait, and nothing that happens: for run_idle.py. Two calls of getpgid mark the
// beginning and the end of the 1.1 s in which it is idle.
#include "nexus/nexus.hpp"

#include <unistd.h>

using namespace std::chrono_literals;

namespace {

void accept_for_ever(nexus::TcpListener& listener) { (void)listener.accept(); }

void wait_for_everything() {
    auto listener = nexus::TcpListener::bind("127.0.0.1:0").value();
    auto [orders, receiver] = nexus::mpsc::channel<int>(16);
    nexus::CancellationToken stop;
    nexus::TaskGroup waiting;
    waiting.spawn(accept_for_ever, std::ref(listener));
    waiting.spawn([&in = receiver] { (void)in.recv(); });
    waiting.spawn([&stop] { stop.cancelled(); });
    waiting.spawn([] { nexus::ShutdownSignal::current().wait(); });
    waiting.spawn([] {
        nexus::Interval hourly = nexus::interval(1h);
        for (;;) hourly.tick();
    });
    for (int i = 0; i < 200; ++i) {
        waiting.spawn([i] { nexus::sleep(1h + std::chrono::milliseconds(i)); });
        nexus::spawn([] {}).join(); // leaves a stack in the pool
    }
    nexus::sleep(200ms); // what an idle loop tidies up is done by then
    (void)::getpgid(0);
    nexus::sleep(1100ms);
    (void)::getpgid(0);
    waiting.abort_all();
}

} // namespace

int main() {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    runtime.block_on(wait_for_everything);
}
