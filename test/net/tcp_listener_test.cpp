#include "nexus/net/tcp_listener.hpp"

#include "nexus/testing/manual_clock.hpp"
#include "test/net/rig.hpp"
#include "test/os/fault.hpp"
#include "test/system/under_valgrind.hpp"

#include <chrono>
#include <optional>
#include <sys/resource.h>
#include <sys/socket.h>

namespace nexus {
namespace {

using std::chrono::milliseconds;

TEST(TcpListener, bind_says_what_is_wrong_with_the_address) {
    const auto none = TcpListener::bind("nowhere");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error(), errc::invalid_address);
    EXPECT_EQ(none.error().message(), "bind nowhere: not an address (wanted: IP address and port, as 127.0.0.1:80 or "
                                      "[::1]:80; names are not looked up)");
    TcpListener first = listen_on_loopback();
    const auto taken = TcpListener::bind(first.local_address().value());
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error(), std::errc::address_in_use);
    EXPECT_EQ(taken.error().subject(), first.local_address().value().to_string());
    EXPECT_EQ(TcpListener::bind("192.0.2.1:0").error(), std::errc::address_not_available);
}

TEST(TcpListener, bind_reports_each_step_that_fails) {
    const auto failing = [](auto&& fault, const char* operation) {
        const auto failed = TcpListener::bind("127.0.0.1:0");
        ASSERT_FALSE(failed) << operation;
        EXPECT_EQ(failed.error(), std::errc::no_buffer_space);
        EXPECT_STREQ(failed.error().operation(), operation);
        EXPECT_EQ(failed.error().subject(), "127.0.0.1:0");
        (void)fault;
    };
    failing(os::Fault<&os::Calls::socket>(ENOBUFS, 1), "socket");
    failing(os::Fault<&os::Calls::setsockopt>(ENOBUFS, 1), "set reuse_address");
    failing(os::Fault<&os::Calls::bind>(ENOBUFS, 1), "bind");
    failing(os::Fault<&os::Calls::listen>(ENOBUFS, 1), "listen");
}

TEST(TcpListener, several_listeners_share_a_port_when_they_say_so) {
    TcpListener first = TcpListener::bind("127.0.0.1:0", {.reuse_port = true}).value();
    EXPECT_TRUE(TcpListener::bind(first.local_address().value(), {.reuse_port = true}));
}

// proves: NET-9
TEST(TcpListener, accept_says_who_came) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        TcpStream client = TcpStream::connect(listener.local_address().value()).value();
        auto accepted = listener.accept();
        ASSERT_TRUE(accepted);
        EXPECT_EQ(accepted->peer, client.local_address().value());
        EXPECT_EQ(accepted->stream.peer_address().value(), client.local_address().value());
        EXPECT_EQ(accepted->stream.local_address().value(), listener.local_address().value());
    });
}

TEST(TcpListener, try_accept_does_not_wait) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        EXPECT_EQ(listener.try_accept().error(), std::errc::resource_unavailable_try_again);
        EXPECT_FALSE(listener.io_source().ready(Direction::in)) << "select() must not take it for ready again (H-19)";
        TcpStream client = TcpStream::connect(listener.local_address().value()).value();
        EXPECT_TRUE(listener.try_accept());
        const os::Fault<&os::Calls::accept4> fault(EMFILE, 1);
        EXPECT_EQ(listener.try_accept().error(), std::errc::too_many_files_open);
    });
}

TEST(TcpListener, its_source_tells_select_the_truth) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        EXPECT_FALSE(listener.io_source().probe(Direction::in));
        EXPECT_EQ(timeout(milliseconds(1), [&] { return listener.io_source().wait(Direction::in, "select"); }).error(),
                  errc::timed_out);
        TcpStream client = TcpStream::connect(listener.local_address().value()).value();
        ASSERT_TRUE(listener.io_source().wait(Direction::in, "select"));
        EXPECT_TRUE(listener.io_source().probe(Direction::in));
        EXPECT_TRUE(listener.try_accept());
        EXPECT_FALSE(listener.io_source().probe(Direction::in));
    });
}

// proves: NET-9
TEST(TcpListener, connections_that_broke_before_are_passed_over) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        TcpStream client = TcpStream::connect(listener.local_address().value()).value();
        for (const int broken : {ECONNABORTED, EPROTO, EPERM, ENETDOWN, EHOSTUNREACH, EINTR}) {
            const os::Fault<&os::Calls::accept4> fault(broken, 5);
            std::optional<TcpStream> another;
            if (broken != ECONNABORTED) another = TcpStream::connect(listener.local_address().value()).value();
            EXPECT_TRUE(listener.accept()) << broken;
            EXPECT_EQ(fault.calls_seen(), 6);
        }
        const os::Fault<&os::Calls::accept4> fault(ECONNABORTED, 1);
        EXPECT_EQ(listener.try_accept().error(), std::errc::resource_unavailable_try_again);
        EXPECT_EQ(fault.calls_seen(), 2);
    });
}

TEST(TcpListener, a_storm_of_broken_connections_starves_nobody_and_can_be_stopped) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        const os::Fault<&os::Calls::accept4> fault(ECONNABORTED, -1);
        auto acceptor = spawn([&] { (void)listener.accept(); });
        settle();
        EXPECT_FALSE(acceptor.is_finished());
        EXPECT_TRUE(acceptor.abort());
        EXPECT_THROW(acceptor.join(), TaskAborted);
    });
}

TEST(TcpListener, what_makes_the_socket_unusable_is_returned) {
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        const os::Fault<&os::Calls::accept4> fault(EINVAL, 1);
        EXPECT_EQ(listener.accept().error(), std::errc::invalid_argument);
    });
}

/// What the override of accept4 below notes: the time of each attempt, and how many more are to fail.
struct Attempts {
    const testing::ManualClock* clock = nullptr;
    int failing = 0;
    int with = EMFILE;
    std::vector<TimePoint> times;
};
Attempts attempts;

os::Calls noting_attempts() {
    os::Calls table = os::real_calls();
    table.accept4 = [](int fd, sockaddr* peer, socklen_t* size, int flags) {
        attempts.times.push_back(attempts.clock->now());
        if (attempts.failing > 0) {
            --attempts.failing;
            errno = attempts.with;
            return -1;
        }
        return os::real_calls().accept4(fd, peer, size, flags);
    };
    return table;
}

/// Runs `body` in a runtime whose time jumps when everybody waits.
template <class F>
void on_manual_clock(F&& body) {
    testing::ManualClock clock;
    World world = WorldBuilder{}.build();
    Runtime runtime{world};
    clock.attach(runtime);
    runtime.block_on([&] { body(clock); });
}

// proves: NET-9
TEST(TcpListener, accept_survives_a_lack_of_descriptors_and_tries_again_at_growing_intervals) {
    for (const int lacking : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
        on_manual_clock([lacking](testing::ManualClock& clock) {
            TcpListener listener = listen_on_loopback();
            TcpStream client = TcpStream::connect(listener.local_address().value()).value();
            attempts = {&clock, 10, lacking, {}};
            const os::Calls table = noting_attempts();
            const os::CallsOverride override_calls(table);
            ASSERT_TRUE(listener.accept());
            std::vector<std::int64_t> pauses;
            for (std::size_t i = 1; i < attempts.times.size(); ++i) {
                pauses.push_back(
                    std::chrono::duration_cast<milliseconds>(attempts.times[i] - attempts.times[i - 1]).count());
            }
            EXPECT_EQ(pauses, (std::vector<std::int64_t>{1, 2, 4, 8, 16, 32, 64, 100, 100, 100}));
        });
    }
}

TEST(TcpListener, a_pause_of_accept_lets_others_run_and_ends_with_its_scope) {
    on_manual_clock([](testing::ManualClock& clock) {
        TcpListener listener = listen_on_loopback();
        attempts = {&clock, 1'000'000, EMFILE, {}};
        const os::Calls table = noting_attempts();
        const os::CallsOverride override_calls(table);
        const TimePoint start = clock.now();
        const auto accepted = timeout(milliseconds(50), [&] { return listener.accept(); });
        ASSERT_FALSE(accepted);
        EXPECT_EQ(accepted.error(), errc::timed_out);
        EXPECT_EQ(clock.now() - start, milliseconds(50)) << "not a millisecond later";
    });
}

TEST(TcpListener, a_pause_of_accept_ends_when_the_listener_is_closed) {
    on_manual_clock([](testing::ManualClock& clock) {
        clock.set_auto_advance(false);
        TcpListener listener = listen_on_loopback();
        attempts = {&clock, 1'000'000, EMFILE, {}};
        const os::Calls table = noting_attempts();
        const os::CallsOverride override_calls(table);
        auto acceptor = spawn([&] { return listener.accept().error(); });
        settle();
        EXPECT_EQ(attempts.times.size(), 1U) << "it does not spin";
        listener.close();
        EXPECT_EQ(acceptor.join(), errc::closed) << "without time going by";
    });
}

TEST(TcpListener, destroying_the_listener_in_a_pause_of_accept_is_closing_it) {
    on_manual_clock([](testing::ManualClock& clock) {
        clock.set_auto_advance(false);
        std::optional<TcpListener> listener = listen_on_loopback();
        attempts = {&clock, 1'000'000, EMFILE, {}};
        const os::Calls table = noting_attempts();
        const os::CallsOverride override_calls(table);
        auto acceptor = spawn([&] { return listener->accept().error(); });
        settle();
        listener.reset();
        EXPECT_EQ(acceptor.join(), errc::closed);
    });
}

TEST(TcpListener, real_descriptors_run_out_and_come_back) {
    if (nexus::test::under_valgrind()) GTEST_SKIP() << "limits do not bind there";
    in_runtime([] {
        TcpListener listener = listen_on_loopback();
        const auto address = listener.local_address().value();
        TcpStream client = TcpStream::connect(address).value();
        struct Limit {
            Limit() {
                EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
                rlimit few = before;
                few.rlim_cur = 256;
                EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
            }
            Limit(const Limit&) = delete;
            Limit& operator=(const Limit&) = delete;
            ~Limit() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0); }
            rlimit before{};
        } const limit;
        // As many as there are: each further one fails with the kernel's own EMFILE.
        std::vector<os::Fd> hoard;
        for (;;) {
            os::Fd fd(::dup(listener.fd()));
            if (!fd) break;
            hoard.push_back(std::move(fd));
            ASSERT_LT(hoard.size(), 256U);
        }
        ASSERT_EQ(errno, EMFILE);
        bool accepted = false;
        auto acceptor = spawn([&] { accepted = listener.accept().has_value(); });
        settle();
        EXPECT_FALSE(accepted);
        EXPECT_FALSE(acceptor.is_finished());
        hoard.clear();
        acceptor.join();
        EXPECT_TRUE(accepted);
    });
}

TEST(TcpListener, many_connections_at_once) {
    in_runtime([] {
        constexpr std::size_t count = 200;
        TcpListener listener = listen_on_loopback();
        const auto address = listener.local_address().value();
        auto server = spawn([&] {
            for (std::size_t i = 0; i < count; ++i) {
                spawn([stream = listener.accept().value().stream]() mutable {
                    std::array<std::byte, 64> buffer;
                    while (auto got = stream.read(buffer)) {
                        if (*got == 0 || !stream.write_all(std::span(buffer).first(*got))) return;
                    }
                }).detach();
            }
        });
        std::vector<JoinHandle<bool>> clients;
        for (std::size_t i = 0; i < count; ++i) {
            clients.push_back(spawn([address, i] {
                TcpStream stream = TcpStream::connect(address).value();
                const std::vector<std::byte> request = pattern(64, static_cast<std::uint32_t>(i));
                for (int round = 0; round < 10; ++round) {
                    std::vector<std::byte> reply(request.size());
                    if (!stream.write_all(request) || !stream.read_exact(reply) || reply != request) return false;
                }
                return true;
            }));
        }
        std::size_t good = 0;
        for (auto& client : clients) good += client.join() ? 1U : 0U;
        EXPECT_EQ(good, count);
        server.join();
    });
}

TEST(TcpListener, from_fd_takes_listening_sockets_only) {
    os::Fd idle(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(TcpListener::from_fd(std::move(idle)).error(), std::errc::invalid_argument);
    EXPECT_TRUE(idle) << "stays with the caller";
    ASSERT_EQ(::listen(idle.get(), 8), 0);
    in_runtime([&] {
        TcpListener listener = TcpListener::from_fd(std::move(idle)).value();
        const std::uint16_t port = listener.local_address().value().port();
        TcpStream client = TcpStream::connect(SocketAddress::ipv4({127, 0, 0, 1}, port)).value();
        EXPECT_TRUE(listener.accept());
        const os::Fd back = std::move(listener).into_fd();
        EXPECT_TRUE(back);
        EXPECT_FALSE(listener.is_open()); // NOLINT(bugprone-use-after-move): what is tested
    });
}

} // namespace
} // namespace nexus
