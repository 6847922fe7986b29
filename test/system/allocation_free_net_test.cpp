// After it has warmed up, every kind of socket works without asking for memory (rule 3 of the design).
#include "nexus/nexus.hpp"
#include "nexus/testing/gtest.hpp"
#include "test/system/heap_calls.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unistd.h>

namespace {

using nexus::UdpSocket;
using nexus::UnixDatagram;
using nexus::UnixStream;

constexpr std::array<std::byte, 64> message{};

class AllocationFreeNet : public nexus::testing::RuntimeTest {
protected:
    [[nodiscard]] bool manual_time() const override { return false; }
    void SetUp() override {
        if (!nexus::test::heap_is_counted()) GTEST_SKIP() << "a sanitizer owns the heap";
        RuntimeTest::SetUp();
    }

    /// Runs `ask` against `serve`, which runs in a fiber of its own until `end` is called: twenty rounds to warm up,
    /// then a thousand that may cost nothing.
    template <class Ask, class Serve, class End>
    void expect_silence(Ask&& ask, Serve&& serve, End&& end) {
        run_in_fiber([&] {
            auto server = nexus::spawn([&serve] { serve(); });
            for (int i = 0; i < 20; ++i) ask();
            const std::uint64_t before = nexus::test::heap_calls();
            for (int i = 0; i < 1000; ++i) ask();
            const std::uint64_t after = nexus::test::heap_calls();
            EXPECT_EQ(after - before, 0U) << "calls of malloc in 1,000 rounds";
            end();
            server.join();
        });
    }
};

TEST_F(AllocationFreeNet, tcp_echo) {
    auto listener = nexus::TcpListener::bind("127.0.0.1:0").value();
    const auto address = listener.local_address().value();
    std::optional<nexus::TcpStream> client;
    std::array<std::byte, 64> reply{};
    const auto ask = [&] {
        if (!client) client = nexus::TcpStream::connect(address).value();
        EXPECT_TRUE(client->write_all(message));
        EXPECT_TRUE(client->read_exact(reply));
    };
    const auto serve = [&] {
        nexus::TcpStream stream = listener.accept().value().stream;
        std::array<std::byte, 64> buffer{};
        while (auto got = stream.read(buffer)) {
            if (*got == 0 || !stream.write_all(std::span(buffer).first(*got))) return;
        }
    };
    expect_silence(ask, serve, [&] { client.reset(); });
}

TEST_F(AllocationFreeNet, udp_echo) {
    UdpSocket server = UdpSocket::bind("127.0.0.1:0").value();
    UdpSocket client = UdpSocket::bind("127.0.0.1:0").value();
    const auto address = server.local_address().value();
    std::array<std::byte, 64> reply{};
    const auto ask = [&] {
        EXPECT_TRUE(client.send_to(message, address));
        EXPECT_EQ(client.recv(reply).value(), 64U);
    };
    const auto serve = [&] {
        std::array<std::byte, 64> buffer{};
        while (auto got = server.recv_from(buffer)) EXPECT_TRUE(server.send_to(std::span(buffer), got->from));
    };
    expect_silence(ask, serve, [&] { server.close(); });
    client.close();
}

TEST_F(AllocationFreeNet, udp_batches) {
    UdpSocket server = UdpSocket::bind("127.0.0.1:0").value();
    UdpSocket client = UdpSocket::bind("127.0.0.1:0").value();
    ASSERT_TRUE(server.set_receive_timestamps(true));
    const auto address = server.local_address().value();
    nexus::RecvBatch replies(16, 64);
    nexus::SendBatch questions(16);
    const auto ask = [&] {
        questions.clear();
        while (!questions.full()) EXPECT_TRUE(questions.push(message, address));
        EXPECT_TRUE(client.send_batch(questions));
        for (std::size_t answered = 0; answered < 16;) answered += client.recv_batch(replies).value();
    };
    nexus::RecvBatch in(16, 64);
    nexus::SendBatch out(16);
    const auto serve = [&] {
        while (server.recv_batch(in)) {
            out.clear();
            for (const auto& datagram : in) EXPECT_TRUE(datagram.time && out.push(datagram.bytes, datagram.from));
            EXPECT_TRUE(server.send_batch(out));
        }
    };
    expect_silence(ask, serve, [&] { server.close(); });
    client.close();
}

TEST_F(AllocationFreeNet, unix_streams_and_descriptors) {
    auto ends = UnixStream::pair().value();
    std::array<std::byte, 64> reply{};
    std::array<nexus::os::Fd, 2> room;
    const auto ask = [&] {
        const std::array<int, 1> cargo{ends.first.fd()};
        EXPECT_TRUE(ends.first.write_with_descriptors(message, cargo));
        const auto got = ends.first.read_with_descriptors(reply, room).value();
        EXPECT_EQ(got.descriptors, 1U);
    };
    const auto serve = [&] {
        std::array<std::byte, 64> buffer{};
        std::array<nexus::os::Fd, 2> taken;
        for (;;) {
            const auto got = ends.second.read_with_descriptors(buffer, taken);
            if (!got || got->bytes == 0) return;
            const std::array<int, 1> cargo{taken[0].get()};
            EXPECT_TRUE(ends.second.write_with_descriptors(buffer, cargo));
        }
    };
    expect_silence(ask, serve, [&] { ends.second.close(); });
    ends.first.close();
}

TEST_F(AllocationFreeNet, unix_datagrams_with_senders_that_wait) {
    auto ends = UnixDatagram::pair().value();
    std::array<std::byte, 64> buffer{};
    std::size_t served = 0;
    const auto ask = [&] {
        for (int i = 0; i < 300; ++i) EXPECT_TRUE(ends.first.send(message)); // more than there is room for
    };
    const auto serve = [&] {
        while (ends.second.recv(buffer)) ++served;
    };
    expect_silence(ask, serve, [&] { ends.second.close(); });
    EXPECT_GT(served, 0U);
    ends.first.close();
}

TEST_F(AllocationFreeNet, any_descriptor) {
    std::array<int, 2> fds{};
    ASSERT_EQ(::pipe(fds.data()), 0);
    auto in = nexus::AsyncFd::from_fd(nexus::os::Fd(fds[0])).value();
    auto out = nexus::AsyncFd::from_fd(nexus::os::Fd(fds[1])).value();
    std::array<std::byte, 64> buffer{};
    const auto ask = [&] { EXPECT_EQ(in.read(buffer).value(), 64U); };
    const auto serve = [&] {
        while (out.is_open() && out.write(message)) nexus::yield_now();
    };
    expect_silence(ask, serve, [&] { out.close(); });
    in.close();
}

} // namespace
