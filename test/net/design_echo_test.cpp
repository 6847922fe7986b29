// Runs the echo server of the design as a process: JSON in, bytes through it, a clean stop by a signal.
#include "test/net/rig.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nexus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The server with its configuration, until stop().
class Server {
public:
    explicit Server(const SocketAddress& address)
        : config_(std::filesystem::temp_directory_path() /
                  ("nexus_design_echo_" + std::to_string(::getpid()) + ".json")) {
        std::ofstream(config_) << R"({"runtime": {"signal_handlers": true}, "resources": {"listen": {"address": ")"
                               << address.to_string() << "\"}}}";
        std::string program = std::getenv("NEXUS_DESIGN_ECHO");
        std::string argument = config_.string();
        std::array<char*, 3> arguments{program.data(), argument.data(), nullptr};
        EXPECT_EQ(::posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments.data(), environ), 0);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        if (pid_ != -1) (void)stop(SIGKILL);
        std::filesystem::remove(config_);
    }
    /// The status that waitpid() reports.
    int stop(int signal) {
        int status = -1;
        EXPECT_EQ(::kill(pid_, signal), 0);
        EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
        pid_ = -1;
        return status;
    }

private:
    std::filesystem::path config_;
    pid_t pid_ = -1;
};

/// Connects as soon as the server listens.
TcpStream connect_when_up(const SocketAddress& address) {
    const TimePoint deadline = now() + seconds(30);
    for (;;) {
        auto stream = TcpStream::connect(address);
        if (stream || now() > deadline) return std::move(stream.value());
        sleep(milliseconds(5));
    }
}

TEST(DesignEcho, it_echoes_and_stops_cleanly) {
    if (std::getenv("NEXUS_DESIGN_ECHO") == nullptr) GTEST_SKIP() << "NEXUS_DESIGN_ECHO names no program";
    for (const int signal : {SIGINT, SIGTERM}) {
        const SocketAddress address = listen_on_loopback().local_address().value(); // free a moment ago
        Server server(address);
        in_runtime([&] {
            TcpStream client = connect_when_up(address);
            TcpStream idle = connect_when_up(address); // is still connected when the server is told to stop
            const std::vector<std::byte> sent = pattern(100'000);
            auto writer = spawn([&] {
                EXPECT_TRUE(client.write_all(sent));
                EXPECT_TRUE(client.shutdown_write());
            });
            EXPECT_EQ(read_all(client), sent);
            writer.join();
            const int status = server.stop(signal);
            EXPECT_TRUE(WIFEXITED(status)) << "signal " << signal << ", status " << status;
            EXPECT_EQ(WEXITSTATUS(status), 0);
            std::array<std::byte, 1> buffer{};
            EXPECT_EQ(idle.read(buffer).value(), 0U) << "closed in order";
        });
    }
}

} // namespace
} // namespace nexus
