// After it has warmed up, a server neither allocates nor maps memory: spawn and join, waits, timers, channels, sockets,
// resources (rule 3 of the design).
#include "nexus/nexus.hpp"
#include "nexus/testing/gtest.hpp"
#include "test/system/heap_calls.hpp"

#include <array>
#include <cstdint>
#include <sys/socket.h>

using namespace std::chrono_literals;

namespace {

struct Book {
    std::uint64_t orders = 0;
};

/// System calls that map, unmap or advise on memory, on this thread.
class MappingWatch {
public:
    MappingWatch() {
        made = 0;
        table_.mmap = [](void* at, std::size_t size, int protection, int flags, int fd, off_t offset) {
            ++made;
            return nexus::os::real_calls().mmap(at, size, protection, flags, fd, offset);
        };
        table_.munmap = [](void* at, std::size_t size) { return ++made, nexus::os::real_calls().munmap(at, size); };
        table_.mprotect = [](void* at, std::size_t size, int protection) {
            return ++made, nexus::os::real_calls().mprotect(at, size, protection);
        };
    }
    [[nodiscard]] std::uint64_t calls() const { return made; }

private:
    static inline thread_local std::uint64_t made = 0;
    nexus::os::Calls table_ = nexus::os::real_calls();
    nexus::os::CallsOverride override_{table_};
};

class AllocationFree : public nexus::testing::RuntimeTest {
protected:
    using RuntimeTest::configure;
    void configure(nexus::WorldBuilder& builder) override { builder.add<Book>(); }
    void SetUp() override {
        if (!nexus::test::heap_is_counted()) GTEST_SKIP() << "a sanitizer owns the heap";
        RuntimeTest::SetUp();
    }

    /// Runs `round` in a fiber: twenty times to warm up, then a thousand times, which may cost `calls_a_round` calls of
    /// malloc each.
    template <class Round>
    void expect_silence(Round&& round, std::uint64_t calls_a_round = 0) {
        run_in_fiber([&] {
            for (int i = 0; i < 20; ++i) round();
            const MappingWatch mapping;
            const std::uint64_t before = nexus::test::heap_calls();
            for (int i = 0; i < 1000; ++i) round();
            const std::uint64_t after = nexus::test::heap_calls();
            EXPECT_EQ(after - before, 1000 * calls_a_round) << "calls of malloc in 1,000 rounds";
            EXPECT_EQ(mapping.calls(), 0U) << "calls of mmap in 1,000 rounds";
        });
    }
};

TEST_F(AllocationFree, the_watch_sees_an_allocation) {
    const std::uint64_t before = nexus::test::heap_calls();
    auto box = std::make_unique<int>(4711);
    asm volatile("" : : "r"(box.get()) : "memory"); // else the compiler does without
    EXPECT_EQ(nexus::test::heap_calls() - before, 1U);
}

TEST_F(AllocationFree, spawn_and_join) {
    expect_silence([] { EXPECT_EQ(nexus::spawn([] { return 7; }).join(), 7); });
}

TEST_F(AllocationFree, many_fibers_at_once) {
    expect_silence([] {
        std::array<nexus::JoinHandle<void>, 64> fibers;
        for (auto& fiber : fibers) fiber = nexus::spawn([] { nexus::yield_now(); });
        for (auto& fiber : fibers) fiber.join();
    });
}

TEST_F(AllocationFree, injection_and_borrows) {
    expect_silence([] {
        nexus::spawn([](nexus::ResMut<Book> book) {
            ++book->orders;
            auto guard = book.borrow();
            guard->orders += 1;
        }).join();
    });
}

TEST_F(AllocationFree, yield) {
    expect_silence([] { nexus::yield_now(); });
}

TEST_F(AllocationFree, sleep) {
    expect_silence([] { nexus::sleep(1ms); });
}

TEST_F(AllocationFree, timeouts_that_do_and_do_not_fire) {
    auto channel = nexus::local::channel<int>(1); // nobody sends
    expect_silence([&channel] {
        EXPECT_TRUE(nexus::timeout(1h, [] { nexus::sleep(1ms); }).has_value());
        const auto late = nexus::timeout(1ms, [&] { return channel.receiver.recv(); });
        EXPECT_TRUE(late.error() == nexus::errc::timed_out);
    });
}

/// The C++ runtime allocates the exception object; the library adds nothing to it.
TEST_F(AllocationFree, a_wait_that_throws_costs_its_exception) {
    const auto round = [] {
        const auto late = nexus::timeout(1ms, [] { nexus::sleep(1h); });
        EXPECT_TRUE(late.error() == nexus::errc::timed_out);
    };
    expect_silence(round, 1);
}

TEST_F(AllocationFree, intervals) {
    expect_silence([] {
        nexus::Interval tick = nexus::interval(1ms);
        tick.tick();
        tick.tick();
    });
}

TEST_F(AllocationFree, local_and_mpsc_channels) {
    auto [tx, rx] = nexus::local::channel<int>(8);
    auto [far_tx, far_rx] = nexus::mpsc::channel<int>(8);
    auto* in = &rx;
    auto* far_in = &far_rx;
    expect_silence([&, in, far_in, out = &tx, far_out = &far_tx] {
        auto producer = nexus::spawn([out, far_out] {
            for (int i = 0; i < 20; ++i) { // more than there is room for: it waits
                (void)out->send(i);
                (void)far_out->send(i);
            }
        });
        for (int i = 0; i < 20; ++i) {
            EXPECT_EQ(in->recv().value(), i);
            EXPECT_EQ(far_in->recv().value(), i);
        }
        producer.join();
    });
}

TEST_F(AllocationFree, spsc_watch_and_broadcast_channels) {
    auto stream = nexus::spsc::channel<int>(8);
    auto latest = nexus::watch::channel(0);
    auto feed = nexus::broadcast::channel<int>(8);
    auto second = feed.sender.subscribe();
    expect_silence([&] {
        auto producer = nexus::spawn([&] {
            for (int i = 0; i < 20; ++i) EXPECT_TRUE(stream.sender.send(i)); // it waits for room
            latest.sender.send(1);
            for (int i = 0; i < 20; ++i) EXPECT_TRUE(feed.sender.send(i)); // nobody keeps up
        });
        for (int i = 0; i < 20; ++i) EXPECT_EQ(stream.receiver.recv().value(), i);
        EXPECT_TRUE(latest.receiver.changed());
        for (auto* receiver : {&feed.receiver, &second}) {
            EXPECT_EQ(receiver->recv()->missed, 12U);
            EXPECT_EQ(nexus::select(*receiver, latest.receiver), 0U);
            while (receiver->try_recv()) {}
        }
        producer.join();
    });
}

TEST_F(AllocationFree, task_groups_notify_and_select) {
    nexus::CancellationToken stop;
    expect_silence([&stop] {
        nexus::Notify told;
        nexus::Interval tick = nexus::interval(1h);
        nexus::TaskGroup group;
        group.spawn([&told] { told.notify_one(); });
        EXPECT_EQ(nexus::select(stop, tick, told), 2U);
        EXPECT_TRUE(told.try_wait());
        group.join_all();
    });
}

TEST_F(AllocationFree, locks_that_are_waited_for) {
    nexus::Mutex mutex;
    nexus::SharedMutex shared;
    nexus::Semaphore permits(1);
    nexus::ConditionVariable changed;
    nexus::Barrier barrier(3);
    expect_silence([&] {
        bool ready = false;
        const auto body = [&] {
            for (int i = 0; i < 4; ++i) {
                const auto guard = mutex.lock();
                const auto reading = shared.lock_shared();
                const auto permit = permits.acquire();
                nexus::yield_now();
            }
            const auto writing = shared.lock_for(1s);
            auto guard = mutex.lock();
            changed.wait(guard, [&] { return ready; });
        };
        nexus::OnceCell<int> cell;
        auto first = nexus::spawn([&] {
            body();
            (void)barrier.arrive_and_wait();
            EXPECT_EQ(cell.get_or_init([] {
                nexus::yield_now();
                return 1;
            }),
                      1);
        });
        auto second = nexus::spawn([&] {
            (void)barrier.arrive_and_wait();
            EXPECT_EQ(cell.wait(), 1);
        });
        nexus::Notify never;
        EXPECT_EQ(nexus::select(never, mutex, permits) != 0, true);
        nexus::yield_now();
        ready = true;
        changed.notify_all();
        (void)barrier.arrive_and_wait();
        nexus::join_all(first, second);
    });
}

nexus::TaskLocal<std::uint64_t> requests;

TEST_F(AllocationFree, task_locals_shields_and_backoff) {
    expect_silence([] {
        nexus::spawn([] {
            ++*requests;
            nexus::shield([] { nexus::yield_now(); });
            nexus::Backoff backoff = nexus::BackoffBuilder().initial(1ms).jitter(0.5).build();
            EXPECT_TRUE(backoff.wait(1));
        }).join();
    });
}

TEST_F(AllocationFree, sockets) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    auto here = nexus::TcpStream::from_fd(nexus::os::Fd(ends[0])).value();
    auto there = nexus::TcpStream::from_fd(nexus::os::Fd(ends[1])).value();
    expect_silence([&] {
        auto echo = nexus::spawn([&there] {
            std::array<std::byte, 64> bytes{};
            EXPECT_TRUE(there.read_exact(bytes));
            EXPECT_TRUE(there.write_all(bytes));
        });
        std::array<std::byte, 64> bytes{};
        EXPECT_TRUE(here.write_all(bytes));
        EXPECT_TRUE(here.read_exact(bytes));
        echo.join();
    });
    here.close();
    there.close();
}

TEST_F(AllocationFree, an_abort_costs_its_exception) {
    const auto round = [] {
        auto fiber = nexus::spawn([] { nexus::sleep(1h); });
        nexus::yield_now();
        EXPECT_TRUE(fiber.abort());
        fiber.detach();
        nexus::yield_now();
    };
    expect_silence(round, 1);
}

} // namespace
