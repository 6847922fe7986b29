// The tests of the seed's tokio bridge on what takes its place: Boost.Asio on a thread of its own for futures that are
// awaited (with_tokio), the blocking pool for work that runs elsewhere (spawn_on_tokio). Section 11 of the contract,
// under their names there.
#include "nexus/compat/asio.hpp"
#include "nexus/compat/blocking_pool.hpp"
#include "nexus/exec/waker.hpp"
#include "nexus/runtime/builder.hpp"
#include "nexus/runtime/slab.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/local.hpp"
#include "nexus/world/world.hpp"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using nexus::BlockingPool;
using nexus::errc;
using nexus::JoinHandle;
using nexus::use_fiber;
using namespace std::chrono_literals;

/// A runtime, an io_context beside it, a pool.
class Bridge : public ::testing::Test {
protected:
    void sleep_there(nexus::Duration duration) {
        asio::steady_timer timer(io.context(), duration);
        EXPECT_TRUE(timer.async_wait(use_fiber));
    }
    tcp::acceptor listen() { return {io.context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0)}; }
    /// Sends a word and takes it back.
    void converse(const tcp::endpoint& where, const std::string& word) {
        tcp::socket socket(io.context());
        ASSERT_TRUE(socket.async_connect(where, use_fiber));
        ASSERT_TRUE(asio::async_write(socket, asio::buffer(word), use_fiber));
        std::string back(word.size(), '\0');
        ASSERT_TRUE(asio::async_read(socket, asio::buffer(back), use_fiber));
        EXPECT_EQ(back, word);
    }
    /// Takes `count` connections, one after the other, and sends back what comes until they are closed.
    static void echo(tcp::acceptor& acceptor, int count) {
        for (; count > 0; --count) {
            auto peer = acceptor.async_accept(use_fiber);
            ASSERT_TRUE(peer);
            std::array<char, 64> data{};
            while (const auto n = peer->async_read_some(asio::buffer(data), use_fiber)) {
                ASSERT_TRUE(asio::async_write(*peer, asio::buffer(data.data(), *n), use_fiber));
            }
        }
    }

    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::AsioThread io;
    BlockingPool pool{{.threads = 2}};
    nexus::Runtime runtime{world};
};
class SeedTokioCompat : public Bridge {};
class SeedMiriCrossWake : public Bridge {};

// --- futures of another world, awaited here ---

// proves: TK-2, tokio_compat
TEST_F(SeedTokioCompat, sleep) {
    runtime.block_on([&] {
        const auto home = std::this_thread::get_id();
        const auto before = std::chrono::steady_clock::now();
        sleep_there(2ms);
        EXPECT_GE(std::chrono::steady_clock::now() - before, 2ms);
        EXPECT_EQ(std::this_thread::get_id(), home) << "the fiber goes on on its own thread";
    });
}

TEST_F(SeedTokioCompat, tcp_echo) {
    runtime.block_on([&] {
        auto acceptor = listen();
        auto server = nexus::spawn([&] { echo(acceptor, 1); });
        converse(acceptor.local_endpoint(), "hello");
        server.join();
    });
}

TEST_F(SeedTokioCompat, timeout_success) {
    runtime.block_on([&] {
        EXPECT_EQ(nexus::timeout(10s,
                                 [&] {
                                     sleep_there(1ms);
                                     return 42;
                                 })
                      .value(),
                  42);
    });
}

TEST_F(SeedTokioCompat, timeout_expires) {
    runtime.block_on([&] {
        asio::steady_timer timer(io.context(), 1h);
        EXPECT_EQ(nexus::timeout(2ms, [&] { return timer.async_wait(use_fiber); }).error(), errc::timed_out);
    });
}

TEST_F(SeedTokioCompat, several_awaits_in_one_block) {
    runtime.block_on([&] {
        const auto before = std::chrono::steady_clock::now();
        for (int i = 0; i < 3; ++i) sleep_there(1ms);
        EXPECT_GE(std::chrono::steady_clock::now() - before, 3ms);
    });
}

TEST_F(SeedTokioCompat, bridged_sleep_in_a_spawned_task) {
    runtime.block_on([&] {
        auto task = nexus::spawn([&] {
            sleep_there(1ms);
            return 7;
        });
        EXPECT_EQ(task.join(), 7);
    });
}

TEST_F(SeedTokioCompat, hundreds_of_sleeps) {
    runtime.block_on([&] {
        int done = 0;
        std::vector<JoinHandle<void>> tasks;
        for (int i = 0; i < 300; ++i) {
            tasks.push_back(nexus::spawn([&, i] {
                sleep_there(std::chrono::microseconds(i * 10));
                ++done;
            }));
        }
        for (auto& task : tasks) task.join();
        EXPECT_EQ(done, 300);
    });
}

TEST_F(SeedTokioCompat, rapid_tcp) {
    runtime.block_on([&] {
        auto acceptor = listen();
        auto server = nexus::spawn([&] { echo(acceptor, 1); });
        tcp::socket socket(io.context());
        ASSERT_TRUE(socket.async_connect(acceptor.local_endpoint(), use_fiber));
        for (int i = 0; i < 500; ++i) {
            const std::string word = std::to_string(i);
            ASSERT_TRUE(asio::async_write(socket, asio::buffer(word), use_fiber));
            std::string back(word.size(), '\0');
            ASSERT_TRUE(asio::async_read(socket, asio::buffer(back), use_fiber));
            ASSERT_EQ(back, word);
        }
        socket.close();
        server.join();
    });
}

TEST_F(SeedTokioCompat, bidirectional_conversation) {
    runtime.block_on([&] {
        auto acceptor = listen();
        auto server = nexus::spawn([&] {
            tcp::socket peer = acceptor.async_accept(use_fiber).value();
            for (int i = 0; i < 10; ++i) {
                std::array<char, 1> from{};
                ASSERT_TRUE(asio::async_read(peer, asio::buffer(from), use_fiber));
                const std::array<char, 1> to{static_cast<char>(from[0] + 1)};
                ASSERT_TRUE(asio::async_write(peer, asio::buffer(to), use_fiber));
            }
        });
        tcp::socket socket(io.context());
        ASSERT_TRUE(socket.async_connect(acceptor.local_endpoint(), use_fiber));
        std::array<char, 1> letter{'a'};
        for (int i = 0; i < 10; ++i) {
            ASSERT_TRUE(asio::async_write(socket, asio::buffer(letter), use_fiber));
            ASSERT_TRUE(asio::async_read(socket, asio::buffer(letter), use_fiber));
        }
        EXPECT_EQ(letter[0], 'k');
        server.join();
    });
}

TEST_F(SeedTokioCompat, concurrent_clients) {
    runtime.block_on([&] {
        auto acceptor = listen();
        constexpr int clients = 10;
        std::vector<JoinHandle<void>> servers;
        auto accepting = nexus::spawn([&] {
            for (int i = 0; i < clients; ++i) {
                auto peer = acceptor.async_accept(use_fiber);
                ASSERT_TRUE(peer);
                servers.push_back(nexus::spawn([peer = std::move(*peer)]() mutable {
                    std::array<char, 64> data{};
                    while (const auto n = peer.async_read_some(asio::buffer(data), use_fiber)) {
                        if (!asio::async_write(peer, asio::buffer(data.data(), *n), use_fiber)) return;
                    }
                }));
            }
        });
        std::vector<JoinHandle<void>> tasks;
        for (int i = 0; i < clients; ++i) {
            tasks.push_back(
                nexus::spawn([&, i] { converse(acceptor.local_endpoint(), "client " + std::to_string(i)); }));
        }
        for (auto& task : tasks) task.join();
        accepting.join();
        for (auto& server : servers) server.join();
        EXPECT_EQ(servers.size(), 10U);
    });
}

TEST_F(SeedTokioCompat, timeout_on_a_slow_server) {
    runtime.block_on([&] {
        auto acceptor = listen();
        auto server = nexus::spawn([&] {
            auto peer = acceptor.async_accept(use_fiber);
            std::array<char, 1> never{};
            EXPECT_FALSE(asio::async_read(*peer, asio::buffer(never), use_fiber)) << "until the client goes";
        });
        tcp::socket socket(io.context());
        ASSERT_TRUE(socket.async_connect(acceptor.local_endpoint(), use_fiber));
        std::array<char, 1> answer{};
        const auto got = nexus::timeout(2ms, [&] { return asio::async_read(socket, asio::buffer(answer), use_fiber); });
        EXPECT_EQ(got.error(), errc::timed_out);
        socket.close();
        server.join();
    });
}

TEST_F(SeedTokioCompat, local_channel_and_sleep) {
    runtime.block_on([&] {
        auto [tx, rx] = nexus::local::channel<int>(4);
        auto producer = nexus::spawn([&, tx = std::move(tx)]() mutable {
            for (int i = 0; i < 5; ++i) {
                sleep_there(1ms);
                EXPECT_TRUE(tx.send(i));
            }
        });
        int sum = 0;
        for (const int value : rx) sum += value;
        EXPECT_EQ(sum, 10);
        producer.join();
    });
}

// proves: TK-5
TEST_F(SeedTokioCompat, rapid_zero_sleeps) {
    runtime.block_on([&] {
        for (int i = 0; i < 10'000; ++i) sleep_there(0ns);
    });
}

// proves: TK-5
TEST_F(SeedTokioCompat, fifty_tasks_hundred_sleeps) {
    runtime.block_on([&] {
        int done = 0;
        std::vector<JoinHandle<void>> tasks;
        for (int i = 0; i < 50; ++i) {
            tasks.push_back(nexus::spawn([&] {
                for (int sleep = 0; sleep < 100; ++sleep, ++done) sleep_there(0ns);
            }));
        }
        for (auto& task : tasks) task.join();
        EXPECT_EQ(done, 5'000);
    });
}

// proves: TK-5
TEST_F(SeedTokioCompat, connect_echo_close) {
    runtime.block_on([&] {
        auto acceptor = listen();
        auto server = nexus::spawn([&] { echo(acceptor, 200); });
        for (int i = 0; i < 200; ++i) converse(acceptor.local_endpoint(), std::to_string(i));
        server.join();
    });
}

// --- work that runs elsewhere ---

// proves: TK-1, TK-4, spawn_on_tokio, TokioJoinHandle
TEST_F(SeedTokioCompat, spawn_value) {
    runtime.block_on([&] {
        EXPECT_EQ(pool.stats().threads, 0U) << "none before the first job";
        auto job = pool.spawn_blocking([] { return std::this_thread::get_id(); });
        EXPECT_NE(job.join(), std::this_thread::get_id());
        EXPECT_EQ(pool.stats().threads, 1U);
    });
}

TEST_F(SeedTokioCompat, spawn_string) {
    runtime.block_on([&] { EXPECT_EQ(pool.spawn_blocking([] { return std::string("hello"); }).join(), "hello"); });
}

TEST_F(SeedTokioCompat, spawn_with_sleep) {
    runtime.block_on([&] {
        int turns = 0;
        auto other = nexus::spawn([&] { ++turns; });
        auto job = pool.spawn_blocking([] {
            std::this_thread::sleep_for(2ms);
            return 99;
        });
        EXPECT_EQ(job.join(), 99);
        EXPECT_EQ(turns, 1) << "others ran meanwhile";
        other.join();
    });
}

// proves: TK-4, TokioJoinError
TEST_F(SeedTokioCompat, abort_gives_cancelled) {
    BlockingPool one{{.threads = 1}};
    std::promise<void> open;
    runtime.block_on([&] {
        auto busy = one.spawn_blocking([&] { open.get_future().wait(); });
        bool ran = false;
        auto job = one.spawn_blocking([&ran] { ran = true; });
        EXPECT_TRUE(job.abort());
        open.set_value();
        EXPECT_THROW(job.join(), nexus::TaskAborted);
        busy.join();
        EXPECT_FALSE(ran);
    });
}

// proves: TK-4
TEST_F(SeedTokioCompat, handle_drop_aborts) {
    BlockingPool one{{.threads = 1}};
    std::promise<void> open;
    runtime.block_on([&] {
        auto busy = one.spawn_blocking([&] { open.get_future().wait(); });
        auto shared = std::make_shared<int>(1);
        {
            auto dropped = one.spawn_blocking([shared] { ++*shared; });
        }
        EXPECT_EQ(shared.use_count(), 1) << "what it held is gone at once";
        open.set_value();
        busy.join();
        EXPECT_EQ(*shared, 1);
        EXPECT_EQ(one.stats().aborted, 1U);
    });
}

TEST_F(SeedTokioCompat, is_finished) {
    std::promise<void> open;
    runtime.block_on([&] {
        auto job = pool.spawn_blocking([&] { open.get_future().wait(); });
        EXPECT_FALSE(job.is_finished());
        open.set_value();
        while (!job.is_finished()) nexus::yield_now();
        job.join();
    });
}

// proves: TokioJoinError
TEST_F(SeedTokioCompat, panic_gives_is_panic) {
    runtime.block_on([&] {
        auto job = pool.spawn_blocking([]() -> int { throw std::runtime_error("boom"); });
        try {
            (void)job.join();
            ADD_FAILURE() << "it threw";
        } catch (const std::runtime_error& error) {
            EXPECT_STREQ(error.what(), "boom") << "the exception itself, not word of it";
        }
    });
}

TEST_F(SeedTokioCompat, three_concurrent) {
    runtime.block_on([&] {
        auto a = pool.spawn_blocking([] { return 1; });
        auto b = pool.spawn_blocking([] { return 2; });
        auto c = pool.spawn_blocking([] { return 3; });
        EXPECT_EQ(c.join() + b.join() + a.join(), 6);
    });
}

TEST_F(SeedTokioCompat, tcp_wholly_on_tokio) {
    runtime.block_on([&] {
        EXPECT_EQ(pool.spawn_blocking([] {
                          asio::io_context there; // nothing of this loop is involved
                          tcp::acceptor acceptor(there, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
                          tcp::socket client(there);
                          client.connect(acceptor.local_endpoint());
                          tcp::socket peer = acceptor.accept();
                          asio::write(client, asio::buffer("echo", 4));
                          std::string word(4, '\0');
                          asio::read(peer, asio::buffer(word));
                          return word;
                      })
                      .join(),
                  "echo");
    });
}

/// An exception ends block_on while a thread holds wakers of a slab's task. The handle keeps the header, and with it
/// the waker harmless, after the runtime has gone.
TEST(SeedTokioCompatTeardown, executor_drop_during_unwind_slab) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Waker waker;
    std::promise<void> gone;
    std::jthread there([&, over = gone.get_future()] {
        over.wait();
        EXPECT_FALSE(waker.wake()) << "nobody is there to be woken";
        waker = {};
    });
    bool unwound = false;
    try {
        auto runtime = nexus::Runtime::builder(world).slab(nexus::ByteSlab::bounded({.slots = 4})).build();
        runtime.block_on([&] {
            nexus::spawn_slab([&] {
                struct AtEnd {
                    bool* flag;
                    ~AtEnd() { *flag = true; }
                } at_end{&unwound};
                waker = nexus::Waker::of_current();
                nexus::sleep(1h);
            }).detach();
            nexus::yield_now();
            throw std::runtime_error("the original");
        });
        ADD_FAILURE() << "the exception comes out";
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "the original");
    }
    EXPECT_TRUE(unwound);
    gone.set_value();
}

// --- wakes across threads ---

TEST_F(SeedMiriCrossWake, spawn_on_tokio) {
    runtime.block_on([&] { EXPECT_EQ(pool.spawn_blocking([] { return 42; }).join(), 42); });
}

TEST_F(SeedMiriCrossWake, with_tokio) {
    runtime.block_on([&] { EXPECT_TRUE(asio::post(io.context(), use_fiber)); });
}

TEST_F(SeedMiriCrossWake, ten_concurrent_spawns) {
    runtime.block_on([&] {
        std::vector<nexus::BlockingHandle<int>> jobs;
        for (int i = 0; i < 10; ++i) jobs.push_back(pool.spawn_blocking([i] { return i; }));
        int sum = 0;
        for (auto& job : jobs) sum += job.join();
        EXPECT_EQ(sum, 45);
    });
}

TEST_F(SeedMiriCrossWake, dropping_the_handle_aborts) {
    runtime.block_on([&] {
        std::promise<void> open;
        auto future = open.get_future().share();
        auto first = pool.spawn_blocking([future] { future.wait(); });
        auto second = pool.spawn_blocking([future] { future.wait(); });
        {
            auto dropped = pool.spawn_blocking([] { ADD_FAILURE() << "it was dropped"; });
        }
        open.set_value();
        first.join();
        second.join();
        EXPECT_EQ(pool.stats().aborted, 1U);
    });
}

TEST_F(SeedMiriCrossWake, twenty_staggered_sleeps) {
    runtime.block_on([&] {
        std::vector<int> order;
        std::vector<JoinHandle<void>> tasks;
        for (int i = 0; i < 20; ++i) {
            tasks.push_back(nexus::spawn([&, i] {
                sleep_there(std::chrono::microseconds(100 * i));
                order.push_back(i);
            }));
        }
        for (auto& task : tasks) task.join();
        EXPECT_EQ(order.size(), 20U);
    });
}

} // namespace
