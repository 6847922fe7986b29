// exchange [--config FILE] [--port-file FILE]: a FIX 4.4 order-entry venue. SIGTERM and SIGINT stop it in order.
#include "server.hpp"
#include <cstdio>
#include <fstream>

int main(int argc, char** argv) try {
    std::string config_file, port_file;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (const std::string_view option = argv[i]; option != "--config" && option != "--port-file")
            throw nexus::UsageError("usage: exchange [--config FILE] [--port-file FILE]");
        (argv[i] == std::string_view("--config") ? config_file : port_file) = argv[i + 1];
    }
    const nexus::Config config = config_file.empty() ? nexus::Config{} : nexus::Config::load(config_file);
    nexus::Log log = nexus::Log::open(config.log()).value();
    nexus::WorldBuilder builder;
    exchange::add_resources(builder, config, log);
    config.check();
    nexus::World world = builder.build();
    nexus::RuntimeOptions options = config.runtime();
    options.signal_handlers = true;
    options.overflow_report = true;
    nexus::Runtime runtime{world, options};
    runtime.set_on_unhandled([&log](std::exception_ptr failure, const char* fiber) {
        try {
            std::rethrow_exception(std::move(failure));
        } catch (const std::exception& error) {
            log.error("{} ended: {}", fiber, error.what());
        }
    });
    runtime.block_on(exchange::serve, [&](const nexus::SocketAddress& address) {
        log.info("listening on {}", address.to_string());
        if (!port_file.empty()) std::ofstream(port_file) << address.port() << '\n';
    });
    (void)world.res_mut<exchange::Journal>()->flush();
    const auto totals = world.res<exchange::Orders>()->totals;
    log.set_level(nexus::LogLevel::info); // the last line is written whatever the level
    log.info(
        "stopped: {} connections, {} orders accepted, {} refused, {} replaced, {} cancelled, {} fills, journal hash {}",
        world.res<exchange::Links>()->accepted, totals.accepted, totals.refused, totals.replaced, totals.cancelled,
        totals.fills, world.res<exchange::Journal>()->hash());
} catch (const std::exception& error) {
    std::fprintf(stderr, "exchange: %s\n", error.what());
    return 1;
}
