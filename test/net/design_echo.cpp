// The echo server of the design, word for word; design_echo_test.cpp runs it as a process of its own.
// clang-format off
#include <nexus/nexus.hpp>
#include <nexus/config/config.hpp>

struct Traffic { std::uint64_t bytes = 0; };
struct Listen { std::string address = "127.0.0.1:7000"; };
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Listen, address)

void echo(nexus::TcpStream stream, nexus::ResMut<Traffic> traffic) {
    std::array<std::byte, 4096> buffer;
    while (auto n = stream.read(buffer)) {              // Result<std::size_t>, 0 at the end of the stream
        if (*n == 0) return;
        traffic->bytes += *n;
        if (!stream.write_all(std::span(buffer).first(*n))) return;
    }
}

void serve(nexus::Res<Listen> listen, nexus::ShutdownSignal shutdown) {
    auto listener = nexus::TcpListener::bind(listen->address).value();
    nexus::until(shutdown, [&] {                         // waits inside fail with errc::cancelled after SIGINT
        while (auto accepted = listener.accept()) nexus::spawn(echo, std::move(accepted->stream));
    });                                                  // accept itself deals with what passes by itself (EMFILE ...)
}

int main(int argc, char** argv) {
    nexus::Config config = argc > 1 ? nexus::Config::load(argv[1]) : nexus::Config{};
    nexus::WorldBuilder builder;
    builder.add<Traffic>();
    builder.add(config.resource<Listen>("listen"));
    nexus::World world = builder.build();
    nexus::Runtime runtime{world, config.runtime()};    // {"runtime": {"signal_handlers": true}} wires SIGINT/SIGTERM
    runtime.block_on(serve);
}
