#include "nexus/reactor/reactor.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/exec/scope.hpp"
#include "nexus/os/eventfd.hpp"
#include "nexus/os/fd.hpp"
#include "test/os/fault.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace nexus {
namespace {

/// An executor with a reactor, turned by hand.
struct Loop {
    Loop() { executor.set_reactor(&reactor); }
    /// Takes in events, then runs one cycle.
    std::size_t turn() {
        const std::size_t events = reactor.poll(0);
        executor.poll();
        return events;
    }
    template <class F>
    auto spawn(F&& body) {
        return executor.spawn_boxed(std::forward<F>(body));
    }

    Executor executor;
    Reactor reactor{executor, 64};
};

/// Two connected stream sockets.
struct SocketPair {
    SocketPair() {
        std::array<int, 2> fds{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
        near = os::Fd(fds[0]);
        far = os::Fd(fds[1]);
    }
    void send_from_far(char c = 'x') const { EXPECT_EQ(::write(far.get(), &c, 1), 1); }
    [[nodiscard]] char receive() const {
        char c = 0;
        return ::read(near.get(), &c, 1) == 1 ? c : '\0';
    }
    /// Until there is no room. Returns how much went.
    [[nodiscard]] std::size_t fill() const {
        std::array<char, 4096> block{};
        std::size_t total = 0;
        for (ssize_t n = 0; (n = ::write(near.get(), block.data(), block.size())) > 0;) {
            total += static_cast<std::size_t>(n);
        }
        return total;
    }
    void drain_far() const {
        std::array<char, 65536> block{};
        while (::read(far.get(), block.data(), block.size()) > 0) {}
    }

    os::Fd near;
    os::Fd far;
};

/// What a fiber's wait came to.
using Outcome = std::optional<Result<void>>;

/// Spawns a fiber that has seen EAGAIN and waits.
auto spawn_wait(Loop& loop, IoSource& source, Direction direction, Outcome& outcome) {
    return loop.spawn([&source, direction, &outcome] {
        source.clear_ready(direction);
        outcome = source.wait(direction, "test");
    });
}

// proves: IO-6
TEST(Reactor, a_source_counts_as_ready_until_a_call_said_eagain) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    EXPECT_TRUE(source.ready(Direction::in));
    EXPECT_TRUE(source.ready(Direction::out));
    bool done = false;
    loop.spawn([&] { done = source.wait(Direction::in, "test").has_value(); }).detach();
    loop.turn();
    EXPECT_TRUE(done);
    EXPECT_EQ(loop.reactor.source_count(), 0U) << "nothing to wait for, nothing to register";
}

// proves: IO-6
TEST(Reactor, A26_registering_reports_what_was_there_before) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    pair.send_from_far();
    Outcome outcome;
    spawn_wait(loop, source, Direction::in, outcome).detach();
    loop.turn();
    EXPECT_FALSE(outcome);
    EXPECT_EQ(loop.reactor.source_count(), 1U);
    loop.turn();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->has_value());
    EXPECT_EQ(pair.receive(), 'x');
}

// proves: IO-1, IO-3
TEST(Reactor, an_event_wakes_the_waiter_and_does_not_run_it) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    Outcome outcome;
    spawn_wait(loop, source, Direction::in, outcome).detach();
    loop.turn();
    loop.turn(); // room to write is reported, and is of no interest
    EXPECT_FALSE(outcome);
    pair.send_from_far();
    EXPECT_EQ(loop.reactor.poll(0), 1U);
    EXPECT_FALSE(outcome);
    EXPECT_TRUE(loop.executor.has_ready());
    loop.executor.poll();
    EXPECT_TRUE(outcome);
}

// proves: IO-5, IO-6
TEST(Reactor, a_source_is_registered_once) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    const os::Fault<&os::Calls::epoll_ctl> counted(0, 0);
    int rounds = 0;
    loop.spawn([&] {
            for (; rounds < 5; ++rounds) {
                source.clear_ready(Direction::in);
                ASSERT_TRUE(source.wait(Direction::in, "test"));
                ASSERT_EQ(pair.receive(), 'x');
            }
        })
        .detach();
    for (int turn = 0; turn < 20 && rounds < 5; ++turn) {
        if (loop.reactor.source_count() == 1) pair.send_from_far();
        loop.turn();
    }
    EXPECT_EQ(rounds, 5);
    EXPECT_EQ(counted.calls_seen(), 1);
}

// proves: IO-3, IO-4
TEST(Reactor, H18_two_fibers_wait_for_the_two_directions) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    ASSERT_GT(pair.fill(), 0U);
    Outcome readable;
    Outcome writable;
    spawn_wait(loop, source, Direction::in, readable).detach();
    spawn_wait(loop, source, Direction::out, writable).detach();
    loop.turn();
    loop.turn();
    EXPECT_FALSE(readable);
    EXPECT_FALSE(writable);
    pair.send_from_far();
    loop.turn();
    EXPECT_TRUE(readable);
    EXPECT_FALSE(writable) << "the other direction's event is not this one's";
    pair.drain_far();
    loop.turn();
    EXPECT_TRUE(writable);
}

TEST(Reactor, H18_a_second_fiber_for_the_same_direction_is_a_mistake) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    Outcome first;
    spawn_wait(loop, source, Direction::in, first).detach();
    loop.turn();
    Outcome second;
    auto mistaken = spawn_wait(loop, source, Direction::in, second);
    loop.turn();
    EXPECT_THROW(mistaken.join(), UsageError);
    pair.send_from_far();
    loop.turn();
    EXPECT_TRUE(first) << "the rightful waiter is not disturbed";
}

// proves: H-30, IO-2
TEST(Reactor, A33_events_of_an_older_generation_are_dropped) {
    Loop loop;
    static std::uint64_t token = 0;
    static bool forge = false;
    os::Calls table = os::real_calls();
    table.epoll_ctl = [](int epoll, int operation, int fd, epoll_event* event) {
        if (operation == EPOLL_CTL_ADD) token = event->data.u64;
        return os::real_calls().epoll_ctl(epoll, operation, fd, event);
    };
    table.epoll_wait = [](int epoll, epoll_event* events, int capacity, int timeout_ms) {
        if (!forge) return os::real_calls().epoll_wait(epoll, events, capacity, timeout_ms);
        forge = false;
        events[0].events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
        events[0].data.u64 = token;
        return 1;
    };
    const os::CallsOverride override_calls(table);

    SocketPair first_pair;
    auto first = std::make_unique<IoSource>(first_pair.near.get());
    Outcome outcome;
    spawn_wait(loop, *first, Direction::in, outcome).detach();
    loop.turn();
    const std::uint64_t old_token = token;
    first->forget();
    loop.turn();
    first.reset();

    forge = true;
    token = old_token;
    EXPECT_EQ(loop.turn(), 1U) << "for an empty slot";

    SocketPair second_pair;
    IoSource second(second_pair.near.get());
    Outcome later;
    spawn_wait(loop, second, Direction::in, later).detach();
    loop.turn();
    const std::uint64_t new_token = token;
    EXPECT_NE(old_token, new_token);
    EXPECT_EQ(old_token & 0xFFFF'FFFF, new_token & 0xFFFF'FFFF) << "the slot is used again";
    forge = true;
    token = old_token;
    EXPECT_EQ(loop.turn(), 1U);
    EXPECT_FALSE(later) << "for a slot with another tenant";
    EXPECT_FALSE(second.ready(Direction::in));
    EXPECT_FALSE(second.hung_up());
    EXPECT_FALSE(second.failed());
    EXPECT_FALSE(second.peer_closed());
    forge = true;
    token = new_token;
    loop.turn();
    EXPECT_TRUE(later) << "the same event with the token of now";
}

// proves: H-30
TEST(Reactor, A33_a_source_forgotten_in_the_middle_of_a_batch_gets_no_event) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    os::EventFd bell = os::EventFd::create().value();
    struct Context {
        IoSource* source;
        os::EventFd* bell;
    } context{&source, &bell};
    ASSERT_TRUE(loop.reactor.add_wakeup(
        bell.fd(),
        [](void* raw) noexcept {
            auto& mine = *static_cast<Context*>(raw);
            mine.bell->drain();
            mine.source->forget();
        },
        &context));
    Outcome outcome;
    spawn_wait(loop, source, Direction::in, outcome).detach();
    loop.turn();
    loop.turn();
    bell.signal();
    pair.send_from_far();
    EXPECT_EQ(loop.reactor.poll(0), 2U) << "both in one batch, the bell first";
    EXPECT_FALSE(source.ready(Direction::in));
    loop.executor.poll();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->error(), errc::closed);
}

// proves: IO-5
TEST(Reactor, H31_a_failing_removal_loses_no_slot_and_removing_twice_does_no_harm) {
    Loop loop;
    for (int round = 0; round < 3; ++round) {
        SocketPair pair;
        IoSource source(pair.near.get());
        Outcome outcome;
        spawn_wait(loop, source, Direction::in, outcome).detach();
        loop.turn();
        EXPECT_EQ(loop.reactor.source_count(), 1U);
        {
            const os::Fault<&os::Calls::epoll_ctl> failing(ENOENT, -1);
            source.forget();
            source.forget();
        }
        EXPECT_EQ(loop.reactor.source_count(), 0U);
        loop.turn();
        EXPECT_TRUE(outcome);
    }
}

// proves: IO-2
TEST(Reactor, H19_a_source_in_a_reused_slot_starts_afresh) {
    Loop loop;
    {
        SocketPair pair;
        IoSource source(pair.near.get());
        Outcome outcome;
        spawn_wait(loop, source, Direction::in, outcome).detach();
        loop.turn();
        pair.far.reset();
        loop.turn();
        EXPECT_TRUE(outcome);
        EXPECT_TRUE(source.hung_up());
        EXPECT_TRUE(source.peer_closed());
    }
    SocketPair pair;
    IoSource source(pair.near.get());
    Outcome outcome;
    spawn_wait(loop, source, Direction::in, outcome).detach();
    loop.turn();
    loop.turn();
    EXPECT_FALSE(outcome);
    EXPECT_FALSE(source.hung_up());
    EXPECT_FALSE(source.peer_closed());
}

TEST(Reactor, forgetting_ends_a_wait_with_closed) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    ASSERT_GT(pair.fill(), 0U);
    Outcome in;
    Outcome out;
    spawn_wait(loop, source, Direction::in, in).detach();
    spawn_wait(loop, source, Direction::out, out).detach();
    loop.turn();
    source.forget();
    EXPECT_EQ(loop.reactor.source_count(), 0U);
    loop.turn();
    ASSERT_TRUE(in);
    ASSERT_TRUE(out);
    EXPECT_EQ(in->error(), errc::closed);
    EXPECT_EQ(out->error(), errc::closed);
    Outcome late;
    spawn_wait(loop, source, Direction::in, late).detach();
    loop.turn();
    ASSERT_TRUE(late);
    EXPECT_EQ(late->error(), errc::closed) << "forgotten for good";
}

TEST(Reactor, a_source_outlives_its_reactor_and_serves_the_next) {
    SocketPair pair;
    IoSource source(pair.near.get());
    for (int round = 0; round < 2; ++round) {
        Loop loop;
        Outcome outcome;
        spawn_wait(loop, source, Direction::in, outcome).detach();
        loop.turn();
        pair.send_from_far();
        loop.turn();
        ASSERT_TRUE(outcome);
        EXPECT_TRUE(outcome->has_value());
        EXPECT_EQ(pair.receive(), 'x');
        EXPECT_EQ(loop.reactor.source_count(), 1U);
    }
}

TEST(Reactor, a_source_serves_one_reactor_at_a_time) {
    SocketPair pair;
    IoSource source(pair.near.get());
    Loop owner;
    Outcome outcome;
    spawn_wait(owner, source, Direction::in, outcome).detach();
    owner.turn();
    Loop other;
    Outcome mistaken;
    auto handle = spawn_wait(other, source, Direction::out, mistaken);
    other.turn();
    EXPECT_THROW(handle.join(), UsageError);
}

TEST(Reactor, an_aborted_waiter_leaves_its_place) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    Outcome aborted;
    auto handle = spawn_wait(loop, source, Direction::in, aborted);
    loop.turn();
    EXPECT_TRUE(handle.abort());
    loop.turn();
    EXPECT_TRUE(handle.is_finished());
    EXPECT_FALSE(aborted);
    EXPECT_EQ(loop.reactor.source_count(), 1U) << "the source stays registered";
    Outcome next;
    spawn_wait(loop, source, Direction::in, next).detach();
    loop.turn();
    EXPECT_FALSE(next);
    pair.send_from_far();
    loop.turn();
    EXPECT_TRUE(next);
}

// proves: IO-7
TEST(Reactor, H34_an_ended_waiter_is_not_kept) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    Outcome outcome;
    spawn_wait(loop, source, Direction::in, outcome).detach();
    loop.turn();
    pair.send_from_far();
    loop.turn();
    EXPECT_TRUE(outcome);
    loop.turn();
    EXPECT_EQ(loop.executor.outstanding_tasks(), 0U);
    pair.send_from_far();
    EXPECT_EQ(loop.reactor.poll(0), 1U);
    EXPECT_FALSE(loop.executor.has_ready());
}

TEST(Reactor, an_event_that_comes_after_a_timeout_is_kept_for_the_next_wait) {
    Loop loop;
    static std::int64_t now_ns = 0;
    now_ns = loop.executor.now_ns();
    loop.executor.set_clock({[](void*) noexcept { return now_ns; }, nullptr});
    SocketPair pair;
    IoSource source(pair.near.get());
    std::optional<Error> first;
    Outcome second;
    loop.spawn([&] {
            source.clear_ready(Direction::in);
            {
                Scope scope(now_ns + 1000, "timeout");
                auto waited = scope.run("timeout", [&] { return source.wait(Direction::in, "test"); });
                ASSERT_FALSE(waited);
                first = waited.error();
            }
            second = source.wait(Direction::in, "test");
        })
        .detach();
    loop.turn();
    now_ns += 1000;
    loop.turn();
    ASSERT_TRUE(first);
    EXPECT_EQ(*first, errc::timed_out);
    EXPECT_FALSE(second);
    pair.send_from_far();
    loop.turn();
    ASSERT_TRUE(second);
    EXPECT_TRUE(second->has_value());
}

TEST(Reactor, a_spurious_wake_does_not_end_the_wait) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    Outcome outcome;
    auto handle = spawn_wait(loop, source, Direction::in, outcome);
    loop.turn();
    for (int i = 0; i < 3; ++i) {
        loop.executor.wake(handle.header());
        loop.turn();
    }
    EXPECT_FALSE(outcome);
    pair.send_from_far();
    loop.turn();
    EXPECT_TRUE(outcome);
}

TEST(Reactor, the_error_of_registering_comes_out_of_the_wait) {
    Loop loop;
    // epoll does not take regular files.
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
    ASSERT_NE(file, nullptr);
    IoSource source(::fileno(file.get()));
    Outcome outcome;
    spawn_wait(loop, source, Direction::in, outcome).detach();
    loop.turn();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->error(), std::errc::operation_not_permitted);
    EXPECT_STREQ(outcome->error().operation(), "test");
    EXPECT_EQ(loop.reactor.source_count(), 0U);
}

TEST(Reactor, registering_can_be_tried_again_after_it_failed) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    Outcome failed;
    {
        const os::Fault<&os::Calls::epoll_ctl> fault(ENOSPC, 1);
        spawn_wait(loop, source, Direction::in, failed).detach();
        loop.turn();
    }
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->error(), std::errc::no_space_on_device);
    pair.send_from_far();
    Outcome outcome;
    spawn_wait(loop, source, Direction::in, outcome).detach();
    loop.turn();
    loop.turn();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->has_value());
}

TEST(Reactor, waiting_needs_a_fiber_and_a_reactor) {
    SocketPair pair;
    IoSource source(pair.near.get());
    source.clear_ready(Direction::in);
    EXPECT_THROW((void)source.wait(Direction::in, "test"), UsageError);
    Executor bare;
    auto handle = bare.spawn_boxed([&] { (void)source.wait(Direction::in, "test"); });
    bare.poll();
    EXPECT_THROW(handle.join(), UsageError);
}

TEST(Reactor, the_end_of_the_peer_is_reported_to_readers) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    Outcome outcome;
    spawn_wait(loop, source, Direction::in, outcome).detach();
    loop.turn();
    ::shutdown(pair.far.get(), SHUT_WR);
    loop.turn();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->has_value());
    EXPECT_TRUE(source.peer_closed());
    EXPECT_FALSE(source.hung_up()) << "we can still write";
    EXPECT_FALSE(source.failed());
}

// proves: IO-3
TEST(Reactor, a_gone_peer_wakes_both_directions) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    ASSERT_GT(pair.fill(), 0U);
    Outcome in;
    Outcome out;
    spawn_wait(loop, source, Direction::in, in).detach();
    spawn_wait(loop, source, Direction::out, out).detach();
    loop.turn();
    pair.far.reset();
    loop.turn();
    EXPECT_TRUE(in);
    EXPECT_TRUE(out);
    EXPECT_TRUE(source.hung_up());
}

// proves: RT-13
TEST(Reactor, an_interrupted_poll_is_an_empty_one_and_a_failing_one_throws) {
    Loop loop;
    {
        const os::Fault<&os::Calls::epoll_wait> fault(EINTR, 1);
        EXPECT_EQ(loop.reactor.poll(-1), 0U);
    }
    const os::Fault<&os::Calls::epoll_wait> fault(EBADF, -1);
    EXPECT_THROW(loop.reactor.poll(0), std::system_error);
}

// proves: IO-2
TEST(Reactor, more_sources_than_fit_into_a_batch_all_get_their_turn) {
    Executor executor;
    Reactor reactor(executor, 3);
    executor.set_reactor(&reactor);
    constexpr std::size_t count = 100;
    std::vector<os::EventFd> bells;
    std::vector<std::unique_ptr<IoSource>> sources;
    std::vector<bool> rung(count);
    for (std::size_t i = 0; i < count; ++i) {
        bells.push_back(os::EventFd::create().value());
        sources.push_back(std::make_unique<IoSource>(bells[i].fd()));
        executor
            .spawn_boxed([&, i] {
                sources[i]->clear_ready(Direction::in);
                ASSERT_TRUE(sources[i]->wait(Direction::in, "test"));
                rung[i] = true;
            })
            .detach();
    }
    while (executor.has_ready()) executor.poll();
    EXPECT_EQ(reactor.source_count(), count);
    for (const os::EventFd& bell : bells) bell.signal();
    for (std::size_t turn = 0; turn < 2 * count; ++turn) {
        EXPECT_LE(reactor.poll(0), 3U);
        executor.poll();
    }
    EXPECT_EQ(rung, std::vector<bool>(count, true));
}

TEST(Reactor, a_select_enlists_and_takes_its_place_back) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    int wakes = 0;
    bool go_on = true;
    loop.spawn([&] {
            detail::Task& me = loop.executor.current_task();
            source.clear_ready(Direction::in);
            ASSERT_TRUE(source.enlist(Direction::in, me, "select"));
            ASSERT_TRUE(source.enlist(Direction::in, me, "select")) << "the same fiber again";
            while (!source.ready(Direction::in)) loop.executor.suspend("select");
            ++wakes;
            source.delist(Direction::in, me);
            source.clear_ready(Direction::in);
            while (go_on) {
                loop.executor.suspend("something else");
                ++wakes;
            }
        })
        .detach();
    loop.turn();
    EXPECT_EQ(wakes, 0);
    pair.send_from_far();
    loop.turn();
    EXPECT_EQ(wakes, 1);
    pair.send_from_far();
    loop.turn();
    EXPECT_EQ(wakes, 1) << "nobody waits for it any more";
    EXPECT_TRUE(source.ready(Direction::in));
    go_on = false;
}

TEST(Reactor, probe_corrects_an_optimistic_flag) {
    Loop loop;
    SocketPair pair;
    ASSERT_GT(pair.fill(), 0U);
    IoSource source(pair.near.get());
    for (const Direction direction : {Direction::in, Direction::out}) {
        EXPECT_TRUE(source.ready(direction));
        EXPECT_FALSE(source.probe(direction));
        EXPECT_FALSE(source.ready(direction));
    }
    Outcome in;
    Outcome out;
    spawn_wait(loop, source, Direction::in, in).detach();
    spawn_wait(loop, source, Direction::out, out).detach();
    loop.turn();
    {
        const os::Fault<&os::Calls::poll> counted(0, 0);
        EXPECT_FALSE(source.probe(Direction::in)) << "a flag that is cleared is right, once edges set it";
        EXPECT_EQ(counted.calls_seen(), 0);
    }
    pair.send_from_far();
    pair.drain_far();
    loop.turn();
    EXPECT_TRUE(in);
    EXPECT_TRUE(out);
    EXPECT_TRUE(source.probe(Direction::in));
    EXPECT_TRUE(source.probe(Direction::out));
    const os::Fault<&os::Calls::poll> fault(ENOMEM, 1);
    EXPECT_TRUE(source.probe(Direction::in)) << "a failing poll leaves it to the call that follows";
}

TEST(Reactor, probe_asks_the_kernel_when_no_event_would_correct_the_flag) {
    SocketPair pair;
    IoSource source(pair.near.get()); // not registered: it was only tried
    source.clear_ready(Direction::in);
    source.clear_ready(Direction::out);
    EXPECT_FALSE(source.probe(Direction::in));
    EXPECT_TRUE(source.probe(Direction::out));
    pair.send_from_far();
    EXPECT_TRUE(source.probe(Direction::in));
}

TEST(Reactor, events_for_writing_on_demand_come_only_while_somebody_waits_for_them) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get(), OutEvents::on_demand);
    Outcome in;
    spawn_wait(loop, source, Direction::in, in).detach();
    loop.turn();
    const auto exchange = [&] { // the far side takes something: for a Unix socket that is room, and an event
        EXPECT_EQ(::write(pair.near.get(), "x", 1), 1);
        pair.drain_far();
    };
    exchange();
    EXPECT_EQ(loop.turn(), 0U) << "nobody wants to hear of it";

    (void)pair.fill();
    Outcome out;
    spawn_wait(loop, source, Direction::out, out).detach();
    loop.turn();
    loop.turn();
    EXPECT_FALSE(out);
    pair.drain_far();
    EXPECT_EQ(loop.turn(), 1U);
    ASSERT_TRUE(out);
    EXPECT_TRUE(*out);
    exchange();
    EXPECT_EQ(loop.turn(), 1U) << "one that nobody waits for";
    exchange();
    loop.turn(); // what the change of interest reports
    exchange();
    EXPECT_EQ(loop.turn(), 0U) << "it was the last";

    // Once more, with room at the time when the wait begins.
    Outcome again;
    spawn_wait(loop, source, Direction::out, again).detach();
    loop.turn();
    loop.turn();
    EXPECT_TRUE(again);
    EXPECT_FALSE(in) << "reading was not disturbed";
    pair.send_from_far();
    loop.turn();
    EXPECT_TRUE(in);
}

TEST(Reactor, a_failing_change_of_interest_comes_out_of_the_wait) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get(), OutEvents::on_demand);
    Outcome in;
    Outcome out;
    spawn_wait(loop, source, Direction::in, in).detach();
    loop.turn();
    {
        const os::Fault<&os::Calls::epoll_ctl> fault(ENOMEM, 1);
        spawn_wait(loop, source, Direction::out, out).detach();
        loop.turn();
    }
    ASSERT_TRUE(out);
    EXPECT_EQ(out->error(), std::errc::not_enough_memory);
    spawn_wait(loop, source, Direction::out, out).detach();
    loop.turn();
    loop.turn();
    EXPECT_TRUE(*out) << "the next wait tries again";
    source.forget();
    loop.turn();
    EXPECT_TRUE(in);
}

TEST(Reactor, a_wait_whose_reactor_ends_fails_with_stopped) {
    Executor executor;
    auto reactor = std::make_unique<Reactor>(executor, 8);
    executor.set_reactor(reactor.get());
    SocketPair pair;
    IoSource source(pair.near.get());
    Outcome outcome;
    executor
        .spawn_boxed([&] {
            source.clear_ready(Direction::in);
            outcome = source.wait(Direction::in, "test");
        })
        .detach();
    executor.poll();
    executor.set_reactor(nullptr);
    reactor.reset();
    executor.poll();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->error(), errc::stopped);
}

TEST(Reactor, urgent_data_is_remembered) {
    Loop loop;
    SocketPair pair;
    IoSource source(pair.near.get());
    Outcome outcome;
    spawn_wait(loop, source, Direction::in, outcome).detach();
    loop.turn();
    EXPECT_FALSE(source.urgent());
    if (::send(pair.far.get(), "!", 1, MSG_OOB) != 1) GTEST_SKIP() << "this kernel has no urgent data on such sockets";
    loop.turn();
    EXPECT_TRUE(outcome);
    EXPECT_TRUE(source.urgent());
}

TEST(Reactor, fibers_parked_on_sources_are_unwound_by_teardown) {
    SocketPair pair;
    IoSource source(pair.near.get());
    bool unwound = false;
    {
        Loop loop;
        loop.spawn([&] {
                struct Note {
                    bool& flag;
                    ~Note() { flag = true; }
                } note{unwound};
                source.clear_ready(Direction::in);
                (void)source.wait(Direction::in, "test");
            })
            .detach();
        loop.turn();
    }
    EXPECT_TRUE(unwound);
    pair.send_from_far();
    Loop next;
    Outcome outcome;
    spawn_wait(next, source, Direction::in, outcome).detach();
    next.turn();
    next.turn();
    EXPECT_TRUE(outcome) << "its place is free again";
}

} // namespace
} // namespace nexus
