// Bugs of the sockets.
#include "nexus/net/net.hpp"
#include "nexus/os/fd.hpp"
#include "nexus/sync/select.hpp"
#include "nexus/testing/gtest.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <sys/socket.h>
#include <sys/un.h>
#include <vector>

namespace {

using nexus::TcpListener;
using nexus::TcpStream;

struct Pair {
    TcpStream client;
    TcpStream server;
};

Pair connected() {
    auto listener = TcpListener::bind("127.0.0.1:0").value();
    auto client = TcpStream::connect(listener.local_address().value().to_string()).value();
    return {std::move(client), std::move(listener.accept().value().stream)};
}

NEXUS_TEST(NetRegress, readiness_is_seen_by_a_stream_that_nobody_has_waited_on)
{
    Pair pair = connected();
    EXPECT_FALSE(pair.server.is_readable());
    const std::array<std::byte, 5> hello{};
    ASSERT_TRUE(pair.client.write_all(hello));
    EXPECT_TRUE(pair.server.is_readable()) << "loopback delivers at once";
    EXPECT_TRUE(pair.server.is_writable());
}

NEXUS_TEST(NetRegress, writing_exactly_as_many_buffers_as_fit_into_one_call_is_a_success)
{
    Pair pair = connected();
    const std::array<std::byte, 10> ten{};
    for (const std::size_t count : {63U, 64U, 128U}) {
        const std::vector<std::span<const std::byte>> buffers(count, std::span(ten));
        nexus::CancellationToken token;
        std::size_t transferred = 0;
        auto outcome = nexus::until(token, [&] {
            auto done = pair.client.write_all_vectored(buffers, &transferred);
            token.cancel();
            return done;
        });
        EXPECT_TRUE(outcome) << count;
        EXPECT_EQ(transferred, count * ten.size());
    }
}

NEXUS_TEST(NetRegress, a_unix_listener_is_no_tcp_listener)
{
    nexus::os::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX; // the rest empty: the kernel chooses an abstract name
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof(sa_family_t)), 0);
    ASSERT_EQ(::listen(fd.get(), 1), 0);
    auto listener = TcpListener::from_fd(std::move(fd));
    ASSERT_FALSE(listener);
    EXPECT_EQ(listener.error(), std::errc::address_family_not_supported);
}

} // namespace
