// Boost.Asio beside the loop, and around it.
#include "nexus/compat/asio.hpp"

#include "nexus/exec/waker.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/cancellation_token.hpp"
#include "nexus/testing/gtest.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <optional>
#include <stdexcept>
#include <string>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using nexus::AsioHost;
using nexus::AsioThread;
using nexus::errc;
using nexus::use_fiber;
using namespace std::chrono_literals;

class AsioFiber : public ::testing::Test {
protected:
    template <class Body>
    auto in_fiber(Body&& body) {
        return runtime.block_on(std::forward<Body>(body));
    }
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
};

TEST_F(AsioFiber, a_timer_of_asio_is_awaited) {
    AsioThread io;
    in_fiber([&] {
        asio::steady_timer timer(io.context(), 1ms);
        int turns = 0;
        auto other = nexus::spawn([&turns] { ++turns; });
        EXPECT_TRUE(timer.async_wait(use_fiber));
        EXPECT_EQ(turns, 1) << "others ran";
        other.join();
    });
}

TEST_F(AsioFiber, a_conversation_over_tcp) {
    AsioThread io;
    in_fiber([&] {
        tcp::acceptor acceptor(io.context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        auto server = nexus::spawn([&] {
            tcp::socket peer = acceptor.async_accept(use_fiber).value();
            std::array<char, 5> word{};
            EXPECT_EQ(asio::async_read(peer, asio::buffer(word), use_fiber).value(), 5U);
            EXPECT_EQ(asio::async_write(peer, asio::buffer(word), use_fiber).value(), 5U);
        });
        tcp::socket client(io.context());
        ASSERT_TRUE(client.async_connect(acceptor.local_endpoint(), use_fiber));
        EXPECT_TRUE(asio::async_write(client, asio::buffer("hello", 5), use_fiber));
        std::array<char, 16> answer{};
        EXPECT_EQ(client.async_read_some(asio::buffer(answer), use_fiber).value(), 5U);
        EXPECT_EQ(std::string(answer.data(), 5), "hello");
        server.join();
        const std::error_code end_of_file = asio::error::make_error_code(asio::error::eof);
        EXPECT_EQ(client.async_read_some(asio::buffer(answer), use_fiber).error().code(), end_of_file);
    });
}

TEST_F(AsioFiber, errors_are_values) {
    AsioThread io;
    in_fiber([&] {
        tcp::acceptor acceptor(io.context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        const auto nobody = acceptor.local_endpoint();
        acceptor.close();
        tcp::socket client(io.context());
        const auto outcome = client.async_connect(nobody, use_fiber);
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error(), std::errc::connection_refused);
    });
}

TEST_F(AsioFiber, a_scope_cancels_the_operation_and_waits_for_it) {
    AsioThread io;
    in_fiber([&] {
        asio::steady_timer timer(io.context(), 1h);
        EXPECT_EQ(nexus::timeout(2ms, [&] { return timer.async_wait(use_fiber); }).error(), errc::timed_out);
        nexus::CancellationToken token;
        token.cancel();
        nexus::until(token, [&] { EXPECT_EQ(timer.async_wait(use_fiber).error(), errc::cancelled); });
        tcp::acceptor acceptor(io.context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        EXPECT_EQ(nexus::timeout(2ms, [&] { return acceptor.async_accept(use_fiber); }).error(), errc::timed_out);
    });
}

TEST_F(AsioFiber, abort_unwinds_a_fiber_with_an_operation_under_way) {
    AsioThread io;
    in_fiber([&] {
        tcp::acceptor acceptor(io.context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        tcp::socket client(io.context());
        ASSERT_TRUE(client.async_connect(acceptor.local_endpoint(), use_fiber));
        bool unwound = false;
        auto reader = nexus::spawn([&] {
            std::array<char, 4096> buffer{}; // on the stack that goes away
            struct AtEnd {
                bool* flag;
                ~AtEnd() { *flag = true; }
            } at_end{&unwound};
            (void)client.async_read_some(asio::buffer(buffer), use_fiber);
        });
        nexus::yield_now();
        EXPECT_TRUE(reader.abort());
        EXPECT_THROW(reader.join(), nexus::TaskAborted);
        EXPECT_TRUE(unwound);
    });
}

TEST_F(AsioFiber, an_operation_whose_context_goes_ends_with_stopped) {
    std::optional<asio::io_context> io(std::in_place);
    std::optional<asio::steady_timer> timer(std::in_place, *io, 1h);
    in_fiber([&] {
        auto waiter = nexus::spawn([&] { return timer->async_wait(use_fiber).error(); });
        nexus::yield_now();
        timer.reset(); // cancels; the handler is queued, but nobody runs it
        io.reset();
        EXPECT_EQ(waiter.join(), errc::stopped);
    });
}

TEST_F(AsioFiber, completions_without_an_error_and_with_exceptions) {
    AsioThread io;
    in_fiber([&] {
        EXPECT_TRUE(asio::post(io.context(), use_fiber));
        const auto two = asio::async_initiate<const nexus::UseFiber, void(boost::system::error_code, int, std::string)>(
            [&io](auto handler) {
                asio::post(io.context(), [handler = std::move(handler)]() mutable {
                    std::move(handler)(boost::system::error_code(), 4, std::string("four"));
                });
            },
            use_fiber);
        EXPECT_EQ(two.value(), (std::tuple(4, std::string("four"))));
        const auto throwing = [&io](bool fails) {
            return asio::async_initiate<const nexus::UseFiber, void(std::exception_ptr, int)>(
                [&io, fails](auto handler) {
                    asio::post(io.context(), [handler = std::move(handler), fails]() mutable {
                        std::move(handler)(fails ? std::make_exception_ptr(std::out_of_range("x")) : nullptr, 4);
                    });
                },
                use_fiber);
        };
        EXPECT_EQ(throwing(false).value(), 4);
        EXPECT_THROW((void)throwing(true), std::out_of_range);
    });
}

// --- Asio owns the main ---

TEST(AsioHosts, fibers_run_inside_an_io_context) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    asio::io_context io;
    AsioHost host(runtime, io);
    std::string order;
    auto fiber = runtime.spawn([&] {
        order += 'a';
        nexus::sleep(2ms);
        order += 'b';
        asio::steady_timer timer(io, 1ms);
        EXPECT_TRUE(timer.async_wait(use_fiber)) << "an operation of the same io_context";
        order += 'c';
        host.stop();
    });
    asio::post(io, [&] { order += '0'; });
    io.run();
    EXPECT_EQ(order, "0abc");
    EXPECT_TRUE(fiber.is_finished());
}

TEST(AsioHosts, an_exception_of_a_fiber_comes_out_of_run_and_the_runtime_goes_on) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    asio::io_context io;
    AsioHost host(runtime, io);
    runtime.spawn([] { throw std::out_of_range("fiber"); }).detach();
    EXPECT_THROW(io.run(), std::out_of_range);
    int ran = 0;
    runtime
        .spawn([&] {
            ++ran;
            host.stop();
        })
        .detach();
    io.run();
    EXPECT_EQ(ran, 1);
}

} // namespace
