// The code of docs/tour.md, docs/net.md and README.md as it stands there; lint.docs compares.
#include <nexus/config/config.hpp>
#include <nexus/nexus.hpp>
#include <nexus/testing/gtest.hpp>

#include <array>
#include <chrono>
#include <filesystem>
#include <string>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

struct Order {
    int quantity = 0;
};

// The comments of the pages stand in columns.
// clang-format off
struct Limits {
    int idle_limit_ms = 30'000;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Limits, idle_limit_ms)

TEST(Tour, durations_of_own_structs_are_numbers) {
    const auto config = nexus::Config::parse(R"({"resources": {"limits": {"idle_limit_ms": 250}}})");
    EXPECT_EQ(config.resource<Limits>("limits").make().idle_limit_ms, 250);
}

NEXUS_TEST(Tour, deadlines) {
    nexus::Deadline heartbeat;                     // never
    heartbeat.reset_after(30s);                    // 30 s from now
    nexus::Deadline idle(nexus::now() + 5min);
    EXPECT_TRUE(heartbeat.armed() && idle.at() - heartbeat.at() == 270s);
}

NEXUS_TEST(Tour, timeout_does_not_wrap_a_result) {
    struct Feed {
        nexus::local::Sender<Order> orders;
    };
    auto [tx, rx] = nexus::local::channel<Order>(64);
    Feed feed{std::move(tx)};
    const auto receive = [&, &rx = rx] {
        bool late = false;
        nexus::Result<Order> order = nexus::timeout(5s, [&] { return rx.recv(); });   // recv() returns Result<Order>
        if (!order && order.error() == nexus::errc::timed_out) late = true;           // else closed, or a value
        return late;
    };
    EXPECT_TRUE(receive());
    EXPECT_TRUE(feed.orders.try_send({1}));
    EXPECT_FALSE(receive());
}

TEST(Tour, errors) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    std::string refused;
    int number = 0;
    runtime.block_on([&] {
        nexus::Result<nexus::TcpStream> stream = nexus::TcpStream::connect("127.0.0.1:1");
        if (!stream) {
            nexus::Error error = stream.error();
            std::string text = error.message();        // "connect 127.0.0.1:1: Connection refused"
            if (error == std::errc::connection_refused) refused = text;
            std::error_code code = error.code();       // for code that knows nothing of nexus
            number = code.value();
        }                                              // stream.value() would throw std::system_error with that text
        EXPECT_TRUE(nexus::TcpListener::bind("localhost:0").error() == nexus::errc::invalid_address);
    });
    EXPECT_EQ(refused, "connect 127.0.0.1:1: Connection refused");
    EXPECT_EQ(number, ECONNREFUSED);
}

void serve_echo(const nexus::SocketAddress& here) {
    nexus::TcpListener listener = nexus::TcpListener::bind(here).value(); // here: "127.0.0.1:7000"
    while (auto accepted = listener.accept()) {
        nexus::spawn([stream = std::move(accepted->stream)]() mutable {
            std::array<std::byte, 4096> buffer;
            while (auto got = stream.read(buffer)) {
                if (*got == 0 || !stream.write_all(std::span(buffer).first(*got))) return;
            }
        }).detach();
    }
}

TEST(NetPage, echo) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    runtime.block_on([] {
        auto port_finder = nexus::TcpListener::bind("127.0.0.1:0").value();
        const auto address = port_finder.local_address().value();
        port_finder.close();
        auto server = nexus::spawn(serve_echo, address);
        nexus::yield_now(); // it listens
        auto stream = nexus::TcpStream::connect(address).value();
        ASSERT_TRUE(stream.write_all("ping"));
        std::array<std::byte, 4> answer{};
        EXPECT_TRUE(stream.read_exact(answer));
        EXPECT_EQ(answer[3], std::byte{'g'});
        server.abort();
    });
}

template <class Handle>
void hear_quotes(const nexus::SocketAddress& here, const char* card_name, Handle handle) {
    nexus::UdpSocket feed = nexus::UdpSocket::bind(here, {.reuse_address = true}).value(); // here: "0.0.0.0:9000"
    const unsigned card = nexus::interface_index(card_name).value();                       // card_name: "eth0"
    feed.join_multicast(nexus::SocketAddress::ipv4({239, 1, 2, 3}, 0), card).value();
    feed.set_receive_timestamps(true).value();
    nexus::RecvBatch batch(64, 1500);                       // allocates here, and never again
    while (feed.recv_batch(batch)) {                        // one system call for all that is there
        for (const auto& datagram : batch) handle(datagram.bytes, datagram.time, datagram.from);
    }
}

NEXUS_TEST(NetPage, a_feed) {
    auto sender = nexus::UdpSocket::bind("127.0.0.1:0").value();
    const auto here = sender.local_address().value();
    sender.close();
    std::string heard;
    auto feed = nexus::spawn([&] {
        hear_quotes(here, "lo", [&](auto bytes, auto time, const auto& from) {
            if (time && from.port() != 0) heard.push_back(static_cast<char>(bytes[0]));
        });
    });
    nexus::yield_now(); // it listens
    auto quotes = nexus::UdpSocket::v4().value();
    for (const char quote : {'a', 'b'}) {
        EXPECT_TRUE(quotes.send_to(std::as_bytes(std::span(&quote, 1)), here));
    }
    while (heard.size() < 2) nexus::sleep(1ms);
    EXPECT_EQ(heard, "ab");
    feed.abort();
}

void serve_one(const std::string& path, std::span<std::byte> buffer) {
    nexus::UnixListenOptions options;
    options.unlink_on_close = true;                         // the file goes with the listener
    options.replace_stale = true;                           // one that a crash left behind is no obstacle
    options.mode = 0600;
    auto listener = nexus::UnixListener::bind(path, options).value(); // path: "/run/app.sock"
    auto client = listener.accept().value().stream;
    if (client.peer_credentials().value().uid != ::getuid()) return;
    std::array<nexus::os::Fd, 4> passed;
    auto got = client.read_with_descriptors(buffer, passed);
    EXPECT_EQ(got.value().descriptors, 1U);
}

NEXUS_TEST(NetPage, a_unix_server) {
    const auto path = std::filesystem::temp_directory_path() / ("nexus-page-" + std::to_string(::getpid()));
    std::array<std::byte, 16> buffer{};
    auto server = nexus::spawn([&] { serve_one(path.string(), buffer); });
    nexus::yield_now(); // it listens
    auto stream = nexus::UnixStream::connect(path.string()).value();
    const std::array<int, 1> mine{stream.fd()};
    EXPECT_TRUE(stream.write_with_descriptors(std::as_bytes(std::span("x", 1)), mine));
    server.join();
    EXPECT_FALSE(std::filesystem::exists(path));
}
// clang-format on

} // namespace
