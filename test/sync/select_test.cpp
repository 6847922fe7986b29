#include "nexus/sync/select.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/sync.hpp"
#include "test/sync/fibers.hpp"

#include <array>
#include <functional>
#include <optional>
#include <random>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

TEST(Select, returns_at_once_when_something_is_ready_and_takes_nothing) {
    Fibers fibers;
    auto a = local::channel<int>(1);
    auto b = mpsc::channel<int>(1);
    (void)b.sender.try_send(1);
    auto fiber = fibers.run([&] {
        EXPECT_EQ(select(a.receiver, b.receiver), 1U);
        EXPECT_EQ(b.receiver.depth(), 1U);
        EXPECT_EQ(b.receiver.try_recv().value(), 1);
    });
    EXPECT_TRUE(fiber.is_finished());
}

TEST(Select, waits_for_each_kind_of_source) {
    Fibers fibers;
    auto local_ch = local::channel<int>(1);
    auto mpsc_ch = mpsc::channel<int>(1);
    auto full_ch = local::channel<int>(1);
    (void)full_ch.sender.try_send(0);
    Notify notify;
    CancellationToken token;
    Deadline deadline;
    Interval tick(fibers.now() + 1h, 1h);
    auto child = fibers.spawn([] { park(); });
    std::optional<TaskGroup> group;
    std::vector<std::size_t> chosen;
    auto fiber = fibers.run([&] {
        group.emplace();
        group->spawn([] { park(); });
        for (int i = 0; i < 8; ++i) {
            const std::size_t index = select(local_ch.receiver, mpsc_ch.receiver, writable(full_ch.sender), notify,
                                             deadline, tick, child, *group, token);
            chosen.push_back(index);
            switch (index) {
            case 0: EXPECT_TRUE(local_ch.receiver.try_recv()); break;
            case 1: EXPECT_TRUE(mpsc_ch.receiver.try_recv()); break;
            case 2: EXPECT_TRUE(full_ch.sender.try_send(1)); break;
            case 3: EXPECT_TRUE(notify.try_wait()); break;
            case 4:
                EXPECT_TRUE(deadline.expired());
                deadline.disarm();
                break;
            case 5: tick.reset_at(fibers.now() + 1000h); break;
            case 6:
                EXPECT_THROW(child.join(), TaskAborted);
                child = fibers.spawn([] { park(); });
                break;
            case 7:
                EXPECT_EQ(group->size(), 0U);
                group->spawn([] { park(); });
                break;
            default: ADD_FAILURE();
            }
        }
        EXPECT_EQ(select(local_ch.receiver, token), 1U);
        group->abort_all();
        group.reset();
        child.abort();
    });
    (void)local_ch.sender.try_send(1);
    fibers.settle();
    (void)mpsc_ch.sender.try_send(1);
    fibers.settle();
    (void)full_ch.receiver.try_recv();
    fibers.settle();
    notify.notify_one();
    fibers.settle();
    deadline.reset(fibers.now() + 1ms);
    fibers.advance(1ms);
    fibers.advance(1h);
    child.abort();
    fibers.settle();
    group->abort_all();
    fibers.settle();
    EXPECT_EQ(chosen, (std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7}));
    token.cancel();
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
    EXPECT_EQ(fibers.alive(), 0U);
    EXPECT_EQ(token.cancel_state()->waiter_count(), 0U);
    EXPECT_EQ(notify.waiter_count(), 0U);
}

TEST(Select, reports_ends_as_ready) {
    Fibers fibers;
    auto a = local::channel<int>(1);
    auto b = mpsc::channel<int>(1);
    auto c = local::channel<int>(1);
    (void)c.sender.try_send(1);
    auto fiber = fibers.run([&] {
        EXPECT_EQ(select(a.receiver), 0U);
        EXPECT_EQ(a.receiver.try_recv().error(), errc::closed);
        EXPECT_EQ(select(b.receiver), 0U);
        EXPECT_EQ(b.receiver.try_recv().error(), errc::closed);
        EXPECT_EQ(select(writable(c.sender)), 0U);
        EXPECT_EQ(c.sender.try_send(1).error(), errc::closed);
    });
    a.sender = {};
    fibers.settle();
    b.sender = {};
    fibers.settle();
    c.receiver = {};
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(Select, ties_rotate) {
    Fibers fibers;
    auto a = local::channel<int>(1);
    auto b = local::channel<int>(1);
    auto c = local::channel<int>(1);
    for (auto* ch : {&a, &b, &c}) (void)ch->sender.try_send(1);
    std::array<int, 3> wins{};
    (void)fibers.run([&] {
        for (int i = 0; i < 300; ++i) ++wins[select(a.receiver, b.receiver, c.receiver)];
        for (int i = 0; i < 300; ++i) ++wins[*try_select(a.receiver, b.receiver, c.receiver)];
    });
    for (int count : wins) EXPECT_NEAR(count, 200, 10);
}

TEST(Select, nothing_ready_source_starves_the_others) {
    Fibers fibers;
    auto busy = local::channel<int>(1);
    auto quiet = local::channel<int>(1);
    (void)busy.sender.try_send(1); // always ready
    (void)quiet.sender.try_send(1);
    int until_seen = 0;
    (void)fibers.run([&] {
        while (select(busy.receiver, quiet.receiver) == 0) ++until_seen;
    });
    EXPECT_LE(until_seen, 2);
}

TEST(Select, a_loop_on_what_is_always_ready_lets_others_run) {
    Fibers fibers;
    auto busy = local::channel<int>(1);
    (void)busy.sender.try_send(1);
    bool other = false;
    auto fiber = fibers.spawn([&] {
        int turns = 0;
        while (!other && ++turns < 100'000) (void)select(busy.receiver);
        EXPECT_LT(turns, 1'000);
    });
    (void)fibers.spawn([&] { other = true; });
    fibers.settle();
    EXPECT_TRUE(fiber.is_finished());
}

TEST(Select, try_select) {
    Fibers fibers;
    auto a = local::channel<int>(1);
    Notify notify;
    (void)fibers.run([&] {
        EXPECT_FALSE(try_select(a.receiver, notify));
        (void)a.sender.try_send(1);
        EXPECT_EQ(try_select(a.receiver, notify), 0U);
        EXPECT_EQ(try_select(notify, a.receiver), 1U);
    });
    EXPECT_EQ(notify.waiter_count(), 0U);
    EXPECT_THROW((void)try_select(notify), UsageError);
    EXPECT_THROW((void)select(notify), UsageError);
}

TEST(Select, scopes_and_aborts_end_it) {
    Fibers fibers;
    auto a = local::channel<int>(1);
    auto b = mpsc::channel<int>(1);
    Notify notify;
    CancellationToken token;
    Deadline deadline(fibers.now() + 1h);
    const auto wait = [&] { (void)select(a.receiver, b.receiver, notify, token, deadline); };
    auto timed = fibers.run([&] { EXPECT_EQ(timeout(1ms, wait).error(), errc::timed_out); });
    fibers.advance(2ms);
    EXPECT_TRUE(timed.is_finished());
    auto aborted = fibers.run(wait);
    aborted.abort();
    fibers.settle();
    EXPECT_TRUE(aborted.is_finished());
    EXPECT_EQ(notify.waiter_count(), 0U);
    EXPECT_EQ(token.cancel_state()->waiter_count(), 0U);
    EXPECT_TRUE(fibers.executor().timers().empty());
    (void)a.sender.try_send(1);
    (void)fibers.run([&] { EXPECT_EQ(select(a.receiver, b.receiver), 0U); });
}

TEST(Select, an_ended_scope_fails_even_when_something_is_ready) {
    Fibers fibers;
    Notify notify;
    notify.notify_one();
    bool went_on = false;
    (void)fibers.run([&] {
        Scope scope(Scope::never_ns, "test");
        (void)scope.run("test", [&] {
            scope.end_from_outside();
            (void)select(notify);
            went_on = true;
        });
    });
    EXPECT_FALSE(went_on);
    EXPECT_TRUE(notify.has_permit());
}

TEST(Select, while_unwinding_it_neither_throws_nor_parks) {
    Fibers fibers;
    Notify notify;
    Notify told;
    told.notify_one();
    std::size_t none = 99;
    std::size_t one = 99;
    struct AtEnd {
        std::function<void()> action;
        ~AtEnd() { action(); }
    };
    auto fiber = fibers.run([&] {
        AtEnd at_end{[&] {
            none = select(notify, notify);
            one = select(notify, told);
        }};
        park();
    });
    fiber.abort();
    fibers.settle();
    EXPECT_EQ(none, 2U) << "the number of sources: none";
    EXPECT_EQ(one, 1U);
}

TEST(Select, what_has_room_for_one_waiter_refuses_a_second) {
    Fibers fibers;
    auto a = local::channel<int>(1);
    auto b = mpsc::channel<int>(1);
    auto child = fibers.spawn([] { park(); });
    auto first = fibers.run([&] { (void)select(a.receiver, b.receiver, child); });
    (void)fibers.run([&] {
        EXPECT_THROW((void)select(a.receiver), UsageError);
        EXPECT_THROW((void)select(b.receiver), UsageError);
        EXPECT_THROW((void)select(child), UsageError);
        EXPECT_THROW((void)a.receiver.recv(), UsageError);
        EXPECT_THROW((void)b.receiver.recv(), UsageError);
        EXPECT_THROW((void)child.join(), UsageError);
    });
    first.abort();
    child.abort();
    fibers.settle();
    (void)fibers.run([&] { EXPECT_THROW((void)select(a.receiver, a.receiver), UsageError) << "twice in one call"; });
    (void)fibers.run([&] { EXPECT_THROW((void)select(b.receiver, b.receiver), UsageError); });
    (void)a.sender.try_send(1);
    (void)fibers.run([&] { EXPECT_EQ(select(a.receiver), 0U) << "nothing is left linked"; });
}

TEST(Select, a_refused_call_leaves_nothing_linked) {
    Fibers fibers;
    auto a = local::channel<int>(1);
    auto b = local::channel<int>(1);
    Notify notify;
    auto holder = fibers.run([&] { (void)b.receiver.recv(); });
    (void)fibers.run([&] {
        EXPECT_THROW((void)select(a.receiver, notify, b.receiver), UsageError);
        EXPECT_EQ(notify.waiter_count(), 0U);
    });
    (void)fibers.run([&] {
        EXPECT_EQ(a.receiver.recv_for(0ns).error(), errc::timed_out);
        EXPECT_TRUE(a.sender.try_send(1));
        EXPECT_TRUE(a.receiver.recv());
    });
    holder.abort();
    fibers.settle();
}

// --- writable ---

TEST(SelectWritable, waits_its_turn_among_senders) {
    Fibers fibers;
    auto ch = local::channel<int>(1);
    (void)ch.sender.try_send(0);
    std::vector<int> got;
    (void)fibers.run([&] { EXPECT_TRUE(ch.sender.send(1)); });
    (void)fibers.run([&] {
        EXPECT_EQ(select(writable(ch.sender)), 0U);
        EXPECT_TRUE(ch.sender.try_send(2)) << "that is the promise";
    });
    (void)fibers.run([&] { EXPECT_TRUE(ch.sender.send(3)); });
    for (int i = 0; i < 4; ++i) {
        got.push_back(ch.receiver.try_recv().value());
        fibers.settle();
    }
    EXPECT_EQ(got, (std::vector{0, 1, 2, 3}));
    EXPECT_EQ(fibers.alive(), 0U);
}

TEST(SelectWritable, a_later_send_does_not_overtake_it) {
    Fibers fibers;
    auto ch = local::channel<int>(1);
    (void)ch.sender.try_send(0);
    (void)fibers.run([&] {
        EXPECT_EQ(select(writable(ch.sender)), 0U);
        EXPECT_TRUE(ch.sender.try_send(1));
    });
    (void)fibers.spawn([&] { EXPECT_TRUE(ch.sender.send(2)); }); // ready before the select is woken
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(ch.receiver.try_recv().value(), i);
        fibers.settle();
    }
}

TEST(SelectWritable, H23_room_that_a_winner_does_not_use_goes_on) {
    Fibers fibers;
    auto ch = local::channel<int>(1);
    (void)ch.sender.try_send(0);
    (void)fibers.run([&] { EXPECT_EQ(select(writable(ch.sender)), 0U); }); // and sends nothing
    auto waiting = fibers.run([&] { EXPECT_TRUE(ch.sender.send(1)); });
    (void)ch.receiver.try_recv();
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
    EXPECT_EQ(ch.receiver.try_recv().value(), 1);
}

TEST(SelectWritable, H23_room_meant_for_a_loser_goes_on) {
    Fibers fibers;
    auto ch = local::channel<int>(1);
    Notify notify;
    (void)ch.sender.try_send(0);
    auto selecting = fibers.run([&] { EXPECT_EQ(select(notify, writable(ch.sender)), 0U); });
    auto waiting = fibers.run([&] { EXPECT_TRUE(ch.sender.send(1)); });
    notify.notify_one();
    (void)ch.receiver.try_recv(); // wakes the select, which prefers the other source
    fibers.settle();
    EXPECT_TRUE(selecting.is_finished());
    EXPECT_TRUE(waiting.is_finished());
    EXPECT_EQ(ch.receiver.try_recv().value(), 1);
}

TEST(SelectWritable, H23_room_meant_for_an_aborted_select_goes_on) {
    Fibers fibers;
    auto ch = local::channel<int>(1);
    (void)ch.sender.try_send(0);
    auto selecting = fibers.run([&] {
        (void)select(writable(ch.sender));
        park();
    });
    auto waiting = fibers.run([&] { EXPECT_TRUE(ch.sender.send(1)); });
    (void)ch.receiver.try_recv();
    selecting.abort();
    fibers.settle();
    EXPECT_TRUE(waiting.is_finished());
}

// --- random ---

/// Fibers select over shared things and are aborted at random; what was sent has to be what was received.
void random_rounds(unsigned seed) {
    Fibers fibers;
    std::mt19937 random(seed);
    const auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
    auto a = local::channel<int>(1 + pick(3));
    auto b = mpsc::channel<int>(1 + pick(3));
    Notify notify;
    int sent = 0;
    int received = 0;
    int told = 0;
    int heard = 0;
    std::vector<JoinHandle<void>> senders;
    const auto consume = [&] {
        for (;;) {
            switch (select(a.receiver, b.receiver, notify)) {
            case 0: received += a.receiver.try_recv() ? 1 : 0; break;
            case 1: received += b.receiver.try_recv() ? 1 : 0; break;
            case 2: heard += notify.try_wait() ? 1 : 0; break;
            }
        }
    };
    auto consumer = fibers.spawn(consume);
    for (int step = 0; step < 400; ++step) {
        switch (pick(6)) {
        case 0: senders.push_back(fibers.spawn([&] { sent += a.sender.send(1) ? 1 : 0; })); break;
        case 1: senders.push_back(fibers.spawn([&] { sent += b.sender.send(1) ? 1 : 0; })); break;
        case 2:
            senders.push_back(fibers.spawn([&] {
                (void)select(writable(a.sender));
                sent += a.sender.try_send(1) ? 1 : 0;
            }));
            break;
        case 3:
            if (!notify.has_permit() && notify.waiter_count() != 0) {
                notify.notify_one();
                ++told;
            }
            break;
        case 4:
            if (!senders.empty()) (void)senders[pick(static_cast<unsigned>(senders.size()))].abort();
            break;
        case 5:
            consumer.abort();
            fibers.settle();
            consumer = fibers.spawn(consume);
            break;
        }
        for (unsigned turns = pick(3); turns > 0; --turns) fibers.executor().poll();
    }
    fibers.settle();
    EXPECT_EQ(a.receiver.depth() + b.receiver.depth(), 0U) << seed;
    EXPECT_EQ(heard, told) << seed;
    EXPECT_GE(received, sent) << seed; // a send that was served and then aborted has sent without counting
    consumer.abort();
    fibers.settle();
    EXPECT_EQ(fibers.alive(), 0U) << "everything was received, so every sender has ended " << seed;
}

TEST(Select, random_aborts_lose_nothing) {
    for (unsigned seed = 1; seed <= 200; ++seed) random_rounds(seed);
}

TEST(SelectThreads, values_from_threads_and_a_foreign_cancel) {
    Fibers fibers;
    auto a = mpsc::channel<int>(4);
    auto b = mpsc::channel<int>(4);
    CancellationToken token;
    int sum = 0;
    bool stopped = false;
    (void)fibers.spawn([&] {
        for (bool a_open = true, b_open = true; a_open || b_open;) {
            switch (select(a.receiver, b.receiver)) {
            case 0:
                if (auto value = a.receiver.try_recv()) {
                    sum += *value;
                } else {
                    a_open = false;
                    while (auto rest = b.receiver.recv()) sum += *rest;
                    b_open = false;
                }
                break;
            case 1:
                if (auto value = b.receiver.try_recv()) {
                    sum += *value;
                } else {
                    b_open = false;
                    while (auto rest = a.receiver.recv()) sum += *rest;
                    a_open = false;
                }
                break;
            }
        }
        Notify never;
        stopped = select(never, token) == 1;
    });
    const auto feed = [](mpsc::Sender<int> sender) {
        Fibers mine;
        (void)mine.spawn([&] {
            for (int i = 0; i < 20'000; ++i) EXPECT_TRUE(sender.send(1));
        });
        EXPECT_TRUE(mine.finish());
    };
    std::jthread first(feed, std::move(a.sender));
    std::jthread second([&feed, token, sender = std::move(b.sender)]() mutable {
        feed(std::move(sender));
        token.cancel();
    });
    EXPECT_TRUE(fibers.finish());
    EXPECT_EQ(sum, 40'000);
    EXPECT_TRUE(stopped);
}

// --- descriptors ---

struct Pair {
    Pair() {
        std::array<int, 2> fds{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) != 0) std::abort();
        near = fds[0];
        far = fds[1];
    }
    ~Pair() {
        ::close(near);
        if (far >= 0) ::close(far);
    }
    int near = -1;
    int far = -1;
};

struct HasSource {
    IoSource& io_source() { return source; }
    IoSource source;
};

TEST(SelectIo, readable_is_true_only_when_a_read_will_succeed) {
    World world = WorldBuilder{}.build();
    Runtime runtime{world};
    Pair pair;
    HasSource socket{IoSource(pair.near)};
    runtime.block_on([&] {
        Deadline soon;
        soon.reset_after(1ms);
        EXPECT_EQ(select(readable(socket), soon), 1U) << "the flag is optimistic at first, select is not";
        soon.disarm();
        auto writer = spawn([&] { EXPECT_EQ(::write(pair.far, "x", 1), 1); });
        EXPECT_EQ(select(soon, readable(socket)), 1U);
        char byte = 0;
        EXPECT_EQ(::read(pair.near, &byte, 1), 1);
        soon.reset_after(1ms);
        EXPECT_EQ(select(readable(socket), soon), 1U) << "read dry without an EAGAIN";
        soon.disarm();
        EXPECT_EQ(select(writable(socket), soon), 0U);
        auto closer = spawn([&] { ::close(std::exchange(pair.far, -1)); });
        EXPECT_EQ(select(readable(socket.source), soon), 0U) << "the end is readable";
        EXPECT_EQ(::read(pair.near, &byte, 1), 0);
        writer.join();
        closer.join();
    });
}

TEST(SelectIo, forgotten_while_selected) {
    World world = WorldBuilder{}.build();
    Runtime runtime{world};
    Pair pair;
    IoSource source(pair.near);
    runtime.block_on([&] {
        Notify never;
        auto closer = spawn([&] { source.forget(); });
        EXPECT_EQ(select(never, readable(source)), 1U);
        closer.join();
    });
}

TEST(SelectIo, a_waiter_of_the_same_direction_is_refused) {
    World world = WorldBuilder{}.build();
    Runtime runtime{world};
    Pair pair;
    IoSource source(pair.near);
    runtime.block_on([&] {
        auto first = spawn([&] { (void)select(readable(source)); });
        yield_now();
        EXPECT_THROW((void)select(readable(source)), UsageError);
        first.abort();
        EXPECT_THROW(first.join(), TaskAborted);
        EXPECT_EQ(::write(pair.far, "x", 1), 1);
        EXPECT_EQ(select(readable(source)), 0U);
    });
}

TEST(SelectIo, shutdown_and_interval_in_a_runtime) {
    World world = WorldBuilder{}.build();
    Runtime runtime{world};
    runtime.block_on([&](ShutdownSignal shutdown) {
        Interval tick = interval(1ms);
        int ticks = 0;
        while (select(tick, shutdown) == 0) {
            tick.tick();
            if (++ticks == 3) runtime.shutdown_handle().trigger();
        }
        EXPECT_GE(ticks, 3);
    });
}

} // namespace
