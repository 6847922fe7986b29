// What all kinds of sockets have in common: deadlines, aborts and select, and what they ask of the system.
#include "nexus/net/net.hpp"

#include "nexus/sync/select.hpp"
#include "test/net/rig.hpp"

#include <functional>
#include <memory>
#include <thread>
#include <unistd.h>

namespace nexus {
namespace {

using namespace std::chrono_literals;

/// The socket that is waited on.
struct Target {
    std::function<IoSource&()> source;
    std::function<void()> close;
};

/// One operation that waits, and what makes it go on.
struct Wait {
    std::string_view name;
    std::function<Error()> wait; ///< the error that it ended with, or none
    std::function<void()> satisfy;
    Target target;
    Direction direction = Direction::in;
};

template <class T>
Error error_of(const Result<T>& result) {
    return result ? Error{} : result.error();
}

/// A socket of every kind.
struct Zoo {
    Zoo() {
        std::array<int, 2> fds{};
        EXPECT_EQ(::pipe(fds.data()), 0);
        pipe_out = std::make_unique<AsyncFd>(AsyncFd::from_fd(os::Fd(fds[1])).value());
        pipe_in = std::make_unique<AsyncFd>(AsyncFd::from_fd(os::Fd(fds[0])).value());
        (void)fill(full_tcp.client);
        (void)fill(full_unix.first);
        while (full_datagrams.first.try_send(bytes_of("x"))) {}
        EXPECT_TRUE(udp.connect(udp.local_address().value()));
    }

    TempFolder folder;
    std::array<std::byte, 64> buffer{};
    std::array<os::Fd, 1> descriptors;
    Connected tcp = connect_pair();
    Connected full_tcp = connect_pair();
    TcpListener tcp_listener = listen_on_loopback();
    UnixStream::Pair local = UnixStream::pair().value();
    UnixStream::Pair full_unix = UnixStream::pair().value();
    UnixListener unix_listener = UnixListener::bind(folder.file("s")).value();
    UnixDatagram::Pair datagrams = UnixDatagram::pair().value();
    UnixDatagram::Pair full_datagrams = UnixDatagram::pair().value();
    UdpSocket udp = udp_on_loopback();
    std::unique_ptr<AsyncFd> pipe_in;
    std::unique_ptr<AsyncFd> pipe_out;
    RecvBatch batch{4, 16};
    std::vector<os::Fd> connecting;

    void drain(int fd) {
        std::vector<std::byte> block(1 << 20);
        while (os::receive(fd, block)) {}
    }
    void connect_raw(const auto& address, int family) {
        connecting.push_back(os::open_socket(family, SOCK_STREAM).value());
        (void)os::connect(connecting.back().get(), address);
    }

    std::vector<Wait> waits() {
        const auto send_udp = [this] { EXPECT_TRUE(udp.try_send(bytes_of("x"))); };
        const auto write_tcp = [this] { EXPECT_TRUE(tcp.client.try_write(bytes_of("x"))); };
        const auto write_unix = [this] { EXPECT_TRUE(local.first.try_write(bytes_of("x"))); };
        const auto send_unix = [this] { EXPECT_TRUE(datagrams.first.try_send(bytes_of("x"))); };
        const auto drain_tcp = [this] { drain(full_tcp.server.fd()); };
        const auto drain_unix = [this] { drain(full_unix.second.fd()); };
        const auto in = [](auto& x) {
            return Target{[&x]() -> IoSource& { return x.io_source(); }, [&x] { x.close(); }};
        };
        const auto drain_datagrams = [this] { drain(full_datagrams.second.fd()); };
        return {
            {"tcp read", [this] { return error_of(tcp.server.read(buffer)); }, write_tcp, in(tcp.server)},
            {"tcp readable", [this] { return error_of(tcp.server.readable()); }, write_tcp, in(tcp.server)},
            {"tcp write", [this] { return error_of(full_tcp.client.write_all("x")); }, drain_tcp, in(full_tcp.client),
             Direction::out},
            {"tcp accept", [this] { return error_of(tcp_listener.accept()); },
             [this] { connect_raw(tcp_listener.local_address().value(), AF_INET); }, in(tcp_listener)},
            {"unix read", [this] { return error_of(local.second.read(buffer)); }, write_unix, in(local.second)},
            {"unix read_with_descriptors",
             [this] { return error_of(local.second.read_with_descriptors(buffer, descriptors)); }, write_unix,
             in(local.second)},
            {"unix write", [this] { return error_of(full_unix.first.write_all("x")); }, drain_unix, in(full_unix.first),
             Direction::out},
            {"unix accept", [this] { return error_of(unix_listener.accept()); },
             [this] { connect_raw(unix_listener.local_address().value(), AF_UNIX); }, in(unix_listener)},
            {"unix recv", [this] { return error_of(datagrams.second.recv(buffer)); }, send_unix, in(datagrams.second)},
            {"unix send", [this] { return error_of(full_datagrams.first.send(bytes_of("x"))); }, drain_datagrams,
             in(full_datagrams.first), Direction::out},
            {"unix send_with_descriptors",
             [this] { return error_of(full_datagrams.first.send_with_descriptors(bytes_of("x"), {})); },
             drain_datagrams, in(full_datagrams.first), Direction::out},
            {"unix writable", [this] { return error_of(full_datagrams.first.writable()); }, drain_datagrams,
             in(full_datagrams.first), Direction::out},
            {"unix recv_with_descriptors",
             [this] { return error_of(datagrams.second.recv_with_descriptors(buffer, descriptors)); }, send_unix,
             in(datagrams.second)},
            {"udp recv", [this] { return error_of(udp.recv(buffer)); }, send_udp, in(udp)},
            {"udp recv_from", [this] { return error_of(udp.recv_from(buffer)); }, send_udp, in(udp)},
            {"udp peek", [this] { return error_of(udp.peek(buffer)); }, send_udp, in(udp)},
            {"udp recv_batch", [this] { return error_of(udp.recv_batch(batch)); }, send_udp, in(udp)},
            {"udp readable", [this] { return error_of(udp.readable()); }, send_udp, in(udp)},
            {"pipe read", [this] { return error_of(pipe_in->read(buffer)); },
             [this] { EXPECT_TRUE(pipe_out->try_write(bytes_of("x"))); }, in(*pipe_in)},
        };
    }
    static constexpr std::size_t kinds = 19;
};

/// Each kind of wait in a zoo of its own.
template <class F>
void for_each_wait(F&& check) {
    for (std::size_t i = 0; i < Zoo::kinds; ++i) {
        in_runtime([&] {
            Zoo zoo;
            auto waits = zoo.waits();
            ASSERT_EQ(waits.size(), Zoo::kinds);
            SCOPED_TRACE(waits[i].name);
            check(waits[i]);
        });
    }
}

TEST(Waits, every_wait_ends_with_its_deadline_and_loses_nothing) {
    for_each_wait([](Wait& it) {
        Error inner;
        const auto late = timeout(1ms, [&]() -> Result<void> {
            inner = it.wait();
            return inner;
        });
        ASSERT_FALSE(late);
        EXPECT_EQ(late.error(), errc::timed_out);
        EXPECT_EQ(inner, errc::timed_out);
        it.satisfy();
        EXPECT_EQ(it.wait(), Error{}) << "it goes on as if nothing had happened";
    });
}

TEST(Waits, a_wait_in_a_scope_that_ended_takes_nothing) {
    for_each_wait([](Wait& it) {
        it.satisfy();
        settle();
        Error inner;
        const auto late = timeout(1ms, [&]() -> Result<void> {
            try {
                sleep(1h);
            } catch (const ScopeEnded&) { // as a careless catch (...) would
            }
            inner = it.wait();
            return inner;
        });
        EXPECT_EQ(late.error(), errc::timed_out);
        EXPECT_EQ(inner, errc::timed_out);
        EXPECT_EQ(it.wait(), Error{});
    });
}

TEST(Waits, every_wait_can_be_aborted_and_leaves_its_place) {
    for_each_wait([](Wait& it) {
        auto fiber = spawn([&] { (void)it.wait(); });
        settle();
        EXPECT_FALSE(fiber.is_finished());
        EXPECT_TRUE(fiber.abort());
        EXPECT_THROW(fiber.join(), TaskAborted);
        auto next = spawn([&] { return it.wait(); });
        settle();
        it.satisfy();
        EXPECT_EQ(next.join(), Error{});
    });
}

TEST(Waits, every_wait_ends_when_its_socket_is_closed) {
    for_each_wait([](Wait& it) {
        auto fiber = spawn([&] { return it.wait(); });
        settle();
        EXPECT_FALSE(fiber.is_finished());
        it.target.close();
        EXPECT_EQ(fiber.join(), errc::closed);
        EXPECT_EQ(it.wait(), errc::closed) << "and so does the next";
    });
}

TEST(Waits, a_select_ends_when_its_socket_is_closed) {
    for_each_wait([](Wait& it) {
        IoSource& source = it.target.source();
        auto fiber = spawn([&] { return select(it.direction == Direction::in ? readable(source) : writable(source)); });
        settle();
        EXPECT_FALSE(fiber.is_finished());
        it.target.close();
        EXPECT_EQ(fiber.join(), 0U);
        EXPECT_EQ(it.wait(), errc::closed);
    });
}

// The condition comes true and the scope ends in the same turn of the loop: either the wait got it, or it is still
// there.
TEST(Waits, what_comes_with_the_end_of_the_scope_is_not_lost) {
    for_each_wait([](Wait& it) {
        Error inner;
        auto fiber = spawn([&] {
            (void)timeout(1h, [&]() -> Result<void> {
                inner = it.wait();
                return inner;
            });
        });
        settle();
        it.satisfy();
        (void)fiber.abort();
        try {
            fiber.join();
        } catch (const TaskAborted&) {
            Error later;
            (void)timeout(5s, [&]() -> Result<void> {
                later = it.wait();
                return {};
            });
            EXPECT_EQ(later, Error{});
        }
    });
}

TEST(Waits, every_socket_can_be_selected_on) {
    for_each_wait([](Wait& it) {
        IoSource& source = it.target.source();
        const auto side = [&] { return it.direction == Direction::in ? readable(source) : writable(source); };
        Deadline soon(now() + 2ms);
        EXPECT_EQ(select(side(), soon), 1U) << "nothing there yet";
        auto waiter = spawn([&] { return select(side()); });
        settle();
        EXPECT_FALSE(waiter.is_finished());
        it.satisfy();
        EXPECT_EQ(waiter.join(), 0U);
        EXPECT_EQ(it.wait(), Error{});
    });
}

TEST(Waits, select_over_sockets_of_different_kinds_says_which) {
    in_runtime([] {
        Zoo zoo;
        const auto which = [&] {
            return select(readable(zoo.udp), readable(zoo.local.second), readable(*zoo.pipe_in),
                          writable(zoo.full_tcp.client), readable(zoo.datagrams.second));
        };
        auto waiter = spawn(which);
        settle();
        EXPECT_FALSE(waiter.is_finished());
        ASSERT_TRUE(zoo.pipe_out->try_write(bytes_of("x")));
        EXPECT_EQ(waiter.join(), 2U);
        ASSERT_TRUE(zoo.pipe_in->try_read(zoo.buffer));
        ASSERT_TRUE(zoo.udp.try_send(bytes_of("x")));
        EXPECT_EQ(which(), 0U);
        ASSERT_TRUE(zoo.udp.try_recv(zoo.buffer));
        zoo.drain(zoo.full_tcp.server.fd());
        EXPECT_EQ(which(), 3U);
    });
}

// --- system calls ---

/// Counts the calls that move bytes, wait for events, or change what is waited for.
struct CallCount {
    CallCount() {
        total = 0;
        count<&os::Calls::recv>();
        count<&os::Calls::send>();
        count<&os::Calls::recvmsg>();
        count<&os::Calls::sendmsg>();
        count<&os::Calls::recvmmsg>();
        count<&os::Calls::sendmmsg>();
        count<&os::Calls::read>();
        count<&os::Calls::write>();
        count<&os::Calls::poll>();
        count<&os::Calls::epoll_ctl>();
        count<&os::Calls::epoll_wait>();
    }
    template <auto Entry>
    void count() {
        table.*Entry = Counted<Entry>::call;
    }
    template <auto Entry>
    struct Counted;
    template <class Return, class... Arguments, Return (*os::Calls::*Entry)(Arguments...)>
    struct Counted<Entry> {
        static Return call(Arguments... arguments) {
            ++total;
            return (os::real_calls().*Entry)(arguments...);
        }
    };
    static inline thread_local int total = 0;
    os::Calls table = os::real_calls();
    os::CallsOverride override_{table};
};

/// Asks `requests` times and waits for each answer, on a thread of its own, whose calls are not counted.
std::jthread ask(const SocketAddress& server, int requests) {
    return std::jthread([server, requests] {
        const os::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); // blocking
        EXPECT_EQ(::connect(fd.get(), server.data(), server.size()), 0);
        char c = 'x';
        for (int i = 0; i < requests; ++i) {
            EXPECT_EQ(::send(fd.get(), &c, 1, 0), 1);
            EXPECT_EQ(::recv(fd.get(), &c, 1, 0), 1);
        }
    });
}

constexpr int requests = 200;
constexpr int start_and_end = 10; ///< calls

// One written by hand, edge-triggered, reading until EAGAIN, makes four calls a request when the client is slow:
// epoll_wait, recvmsg, sendmsg, and the recvmsg that finds nothing. How often the client is faster is not ours to say.
TEST(SystemCalls, a_datagram_server_asks_no_more_than_one_written_by_hand) {
    in_runtime([&] {
        UdpSocket server = udp_on_loopback();
        const CallCount calls;
        const std::jthread client = ask(server.local_address().value(), requests);
        std::array<std::byte, 64> buffer;
        for (int answered = 0; answered < requests; ++answered) {
            const auto got = server.recv_from(buffer).value();
            ASSERT_TRUE(server.send_to(std::span(buffer).first(got.size), got.from));
        }
        EXPECT_LE(CallCount::total, 4 * requests + start_and_end);
    });
}

TEST(SystemCalls, batches_need_no_second_look) {
    in_runtime([&] {
        UdpSocket server = udp_on_loopback();
        RecvBatch in(8, 64);
        SendBatch out(8);
        const CallCount calls;
        const std::jthread client = ask(server.local_address().value(), requests);
        for (int answered = 0; answered < requests;) {
            answered += static_cast<int>(server.recv_batch(in).value());
            out.clear();
            for (const auto& datagram : in) ASSERT_TRUE(out.push(datagram.bytes, datagram.from));
            ASSERT_TRUE(server.send_batch(out));
        }
        EXPECT_LE(CallCount::total, 3 * requests + start_and_end) << "recvmmsg, sendmmsg, epoll_wait";
    });
}

TEST(SystemCalls, a_burst_of_datagrams_costs_one_call_each_and_a_batch_one_for_all) {
    in_runtime([] {
        UdpSocket server = udp_on_loopback();
        UdpSocket client = udp_on_loopback();
        ASSERT_TRUE(client.connect(server.local_address().value()));
        const auto send_many = [&] {
            for (int i = 0; i < 32; ++i) ASSERT_TRUE(client.send(bytes_of("x")));
        };
        send_many();
        {
            const CallCount calls;
            std::array<std::byte, 64> buffer;
            for (int i = 0; i < 32; ++i) ASSERT_TRUE(server.recv_from(buffer));
            EXPECT_EQ(CallCount::total, 32);
        }
        send_many();
        RecvBatch in(64, 16);
        SendBatch out(64);
        const CallCount calls;
        ASSERT_EQ(server.recv_batch(in).value(), 32U);
        for (const auto& datagram : in) EXPECT_TRUE(out.push(datagram.bytes, datagram.from));
        ASSERT_TRUE(server.send_batch(out));
        EXPECT_EQ(CallCount::total, 2);
    });
}

} // namespace
} // namespace nexus
