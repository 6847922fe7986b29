#include "nexus/reactor/io_handle.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/os/eventfd.hpp"
#include "test/os/fault.hpp"

#include <gtest/gtest.h>

#include <optional>

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

} // namespace
} // namespace nexus
