#include "nexus/reactor/io_handle.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/os/eventfd.hpp"
#include "test/os/fault.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <unistd.h>

namespace nexus {
namespace {

/// An executor with a reactor, turned by hand.
struct Loop {
    Loop() { executor.set_reactor(&reactor); }
    void turn() {
        reactor.poll(0);
        executor.poll();
    }
    /// Runs `body` as a fiber, to its end.
    template <class F>
    void run(F&& body) {
        executor.spawn_boxed(std::forward<F>(body)).detach();
        turn();
    }

    Executor executor;
    Reactor reactor{executor, 16};
};

// proves: S-123
TEST(IoHandle, current_panics_outside_runtime) {
    EXPECT_THROW((void)IoHandle::current(), UsageError);
    Executor bare;
    bare.spawn_boxed([] { EXPECT_THROW((void)IoHandle::current(), UsageError); }).detach();
    bare.poll();
}

// proves: IoHandle
TEST(IoHandle, IO5_registers_deregisters_and_tells_readiness) {
    Loop loop;
    os::EventFd event = os::EventFd::create().value();
    IoSource source(event.fd());
    loop.run([&] {
        const IoHandle io = IoHandle::current();
        EXPECT_EQ(io.source_count(), 0U);
        ASSERT_TRUE(io.register_source(source));
        ASSERT_TRUE(io.register_source(source)) << "again is no mistake";
        EXPECT_EQ(io.source_count(), 1U);
        io.clear_readable(source);
        EXPECT_FALSE(io.readiness(source).readable);
        EXPECT_TRUE(io.readiness(source).writable);
        io.clear_writable(source);
        EXPECT_FALSE(io.readiness(source).writable);
        event.signal();
    });
    loop.turn();
    loop.run([&] {
        const IoHandle io = IoHandle::current();
        EXPECT_TRUE(io.readiness(source).readable);
        io.deregister(source);
        io.deregister(source);
        EXPECT_EQ(io.source_count(), 0U);
        ASSERT_TRUE(io.register_source(source)) << "it may come back";
    });
}

TEST(IoHandle, a_deregistered_source_ends_waits) {
    Loop loop;
    os::EventFd event = os::EventFd::create().value();
    IoSource source(event.fd());
    std::optional<Result<void>> outcome;
    loop.run([&] {
        source.clear_ready(Direction::in);
        outcome = source.wait(Direction::in, "test");
    });
    EXPECT_FALSE(outcome);
    loop.run([&] { IoHandle::current().deregister(source); });
    loop.turn();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->error(), errc::stopped);
}

TEST(IoHandle, the_error_of_registering_is_returned) {
    Loop loop;
    os::EventFd event = os::EventFd::create().value();
    IoSource source(event.fd());
    loop.run([&] {
        const IoHandle io = IoHandle::current();
        {
            os::Fault<&os::Calls::epoll_ctl> fault{ENOSPC, 1};
            EXPECT_EQ(io.register_source(source).error(), std::errc::no_space_on_device);
        }
        source.forget();
        EXPECT_EQ(io.register_source(source).error(), errc::closed);
    });
}

TEST(IoHandle, H20_one_of_another_runtime_or_of_one_that_is_gone_is_a_mistake) {
    std::optional<IoHandle> old;
    std::optional<Loop> loop(std::in_place);
    loop->run([&] { old = IoHandle::current(); });
    EXPECT_THROW((void)old->source_count(), UsageError) << "outside the loop";
    os::EventFd event = os::EventFd::create().value();
    IoSource source(event.fd());
    loop.reset();
    loop.emplace(); // where the first one was
    loop->run([&] {
        EXPECT_THROW((void)old->register_source(source), UsageError);
        EXPECT_THROW(old->deregister(source), UsageError);
    });
}

TEST(IoHandle, a_source_that_comes_back_at_once_ends_waits_all_the_same) {
    for (const Direction direction : {Direction::in, Direction::out}) {
        Loop loop;
        os::EventFd event = os::EventFd::create().value();
        if (direction == Direction::out) { // full
            constexpr std::uint64_t most = 0xFFFF'FFFF'FFFF'FFFE;
            ASSERT_EQ(::write(event.fd(), &most, sizeof most), 8);
        }
        IoSource source(event.fd(), OutEvents::on_demand);
        std::optional<Result<void>> outcome;
        loop.run([&] {
            source.clear_ready(direction);
            outcome = source.wait(direction, "test");
        });
        ASSERT_FALSE(outcome);
        loop.run([&] {
            const IoHandle io = IoHandle::current();
            io.deregister(source);
            ASSERT_TRUE(io.register_source(source));
        });
        for (int i = 0; i < 3; ++i) loop.turn();
        ASSERT_TRUE(outcome);
        EXPECT_EQ(outcome->error(), errc::stopped);
    }
}

TEST(IoHandle, a_source_of_another_runtime_is_not_deregistered) {
    os::EventFd event = os::EventFd::create().value();
    Loop mine;
    Loop other;
    IoSource source(event.fd());
    other.run([&] { ASSERT_TRUE(IoHandle::current().register_source(source)); });
    mine.run([&] { EXPECT_THROW(IoHandle::current().deregister(source), UsageError); });
    EXPECT_EQ(other.reactor.source_count(), 1U);
}

} // namespace
} // namespace nexus
