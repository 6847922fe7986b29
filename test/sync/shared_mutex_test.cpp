#include "nexus/sync/shared_mutex.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/notify.hpp"
#include "test/sync/fibers.hpp"

#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;

/// Fibers that go in, note it, and stay until they are let go, oldest first.
struct Room {
    Fibers fibers;
    SharedMutex mutex;
    std::string log;
    Notify leave;

    auto reader(char name) {
        return fibers.run([this, name] {
            auto guard = mutex.lock_shared();
            log += name;
            leave.wait();
        });
    }
    auto writer(char name) {
        return fibers.run([this, name] {
            auto guard = mutex.lock();
            log += name;
            leave.wait();
        });
    }
    void let_go(int count = 1) {
        for (int i = 0; i < count; ++i) {
            leave.notify_one();
            fibers.settle();
        }
    }
};

TEST(SharedMutex, readers_share_and_a_writer_is_alone) {
    Room room;
    (void)room.reader('a');
    (void)room.reader('b');
    EXPECT_EQ(room.log, "ab");
    EXPECT_EQ(room.mutex.reader_count(), 2U);
    EXPECT_FALSE(room.mutex.locked());
    (void)room.writer('W');
    room.let_go();
    EXPECT_EQ(room.log, "ab") << "one reader is still in";
    room.let_go();
    EXPECT_EQ(room.log, "abW");
    EXPECT_TRUE(room.mutex.locked());
    EXPECT_EQ(room.mutex.reader_count(), 0U);
    (void)room.writer('X');
    (void)room.reader('c');
    EXPECT_EQ(room.log, "abW");
    room.let_go(2);
    EXPECT_EQ(room.log, "abWXc");
    room.let_go();
    EXPECT_TRUE(room.mutex.try_lock());
}

TEST(SharedMutex, a_stream_of_readers_does_not_starve_a_writer_nor_the_other_way_round) {
    Room room;
    (void)room.reader('a');
    (void)room.writer('W');
    (void)room.reader('b'); // behind the writer, though a reader is in
    (void)room.reader('c');
    (void)room.writer('X');
    (void)room.reader('d');
    EXPECT_EQ(room.log, "a");
    EXPECT_EQ(room.mutex.waiter_count(), 5U);
    room.let_go();
    EXPECT_EQ(room.log, "aW");
    room.let_go();
    EXPECT_EQ(room.log, "aWbc") << "neighbours go in together";
    room.let_go(2);
    EXPECT_EQ(room.log, "aWbcX");
    room.let_go();
    EXPECT_EQ(room.log, "aWbcXd");
    room.let_go();
    EXPECT_EQ(room.fibers.alive(), 0U);
}

TEST(SharedMutex, try_forms) {
    Room room;
    {
        auto reading = room.mutex.try_lock_shared();
        EXPECT_TRUE(reading);
        EXPECT_TRUE(room.mutex.try_lock_shared());
        EXPECT_FALSE(room.mutex.try_lock());
        (void)room.writer('W');
        EXPECT_FALSE(room.mutex.try_lock_shared()) << "a writer waits";
    }
    room.fibers.settle();
    EXPECT_EQ(room.log, "W");
    EXPECT_FALSE(room.mutex.try_lock());
    EXPECT_FALSE(room.mutex.try_lock_shared());
    room.let_go();
    auto writing = room.mutex.try_lock();
    EXPECT_TRUE(writing);
    (void)room.reader('a');
    EXPECT_EQ(room.log, "W");
    writing.unlock();
    room.fibers.settle();
    EXPECT_EQ(room.log, "Wa");
    room.let_go();
}

TEST(SharedMutex, limits) {
    Room room;
    (void)room.reader('a');
    auto writer = room.fibers.run([&] {
        EXPECT_EQ(room.mutex.lock_for(10ms).error(), errc::timed_out);
        EXPECT_EQ(room.mutex.lock_until(room.fibers.now() + 10ms).error(), errc::timed_out);
    });
    room.fibers.advance(10ms);
    room.fibers.advance(10ms);
    EXPECT_TRUE(writer.is_finished());
    room.let_go();
    (void)room.writer('W');
    auto reader = room.fibers.run([&] {
        EXPECT_EQ(room.mutex.lock_shared_for(10ms).error(), errc::timed_out);
        EXPECT_EQ(room.mutex.lock_shared_until(room.fibers.now() + 10ms).error(), errc::timed_out);
        EXPECT_TRUE(room.mutex.lock_shared_for(1h));
        EXPECT_TRUE(room.mutex.lock_for(1h));
    });
    room.fibers.advance(10ms);
    room.fibers.advance(10ms);
    room.let_go();
    EXPECT_TRUE(reader.is_finished());
    EXPECT_EQ(room.mutex.waiter_count(), 0U);
}

TEST(SharedMutex, H23_a_writer_that_gives_up_lets_the_readers_behind_it_in) {
    Room room;
    (void)room.reader('a');
    auto writer = room.writer('W');
    (void)room.reader('b');
    EXPECT_EQ(room.log, "a");
    writer.abort();
    room.fibers.settle();
    EXPECT_EQ(room.log, "ab");
    room.let_go(2);
}

TEST(SharedMutex, H23_what_was_handed_to_an_aborted_fiber_is_not_lost) {
    Room room;
    (void)room.writer('W');
    auto reader = room.reader('a');
    auto writer = room.writer('X');
    room.leave.notify_one();
    room.fibers.executor().poll(); // the reader is let in, and has not run
    EXPECT_EQ(room.mutex.reader_count(), 1U);
    reader.abort();
    room.fibers.settle();
    EXPECT_EQ(room.log, "WaX") << "it had it, and left at its next wait";
    room.let_go();
    EXPECT_TRUE(writer.is_finished());
    EXPECT_TRUE(room.mutex.try_lock());
}

TEST(SharedMutex, while_an_exception_unwinds_it_does_not_wait) {
    Fibers fibers;
    SharedMutex busy;
    SharedMutex free;
    auto held = busy.try_lock();
    bool checked = false;
    struct Destructor {
        SharedMutex& busy;
        SharedMutex& free;
        bool& checked;
        ~Destructor() {
            checked = !busy.lock() && !busy.lock_shared() && free.lock_shared();
            checked = checked && free.lock();
            checked = checked && busy.lock_for(1s).error() == errc::cancelled;
            checked = checked && busy.lock_shared_for(1s).error() == errc::cancelled;
        }
    };
    auto failing = fibers.run([&] {
        const Destructor destructor{busy, free, checked};
        throw std::runtime_error("x");
    });
    EXPECT_THROW(failing.join(), std::runtime_error);
    EXPECT_TRUE(checked);
}

TEST(SharedMutex, locking_it_again_while_holding_it_alone_is_a_mistake) {
    Fibers fibers;
    SharedMutex mutex;
    auto fiber = fibers.run([&] {
        auto guard = mutex.lock();
        EXPECT_THROW((void)mutex.lock(), UsageError);
        EXPECT_THROW((void)mutex.lock_shared(), UsageError);
    });
    fiber.join();
    EXPECT_TRUE(mutex.try_lock());
}

TEST(SharedMutexRandom, aborts_and_limits_lose_nothing) {
    for (unsigned seed = 1; seed <= 30; ++seed) {
        std::mt19937 random(seed);
        Fibers fibers;
        SharedMutex mutex;
        int readers = 0;
        int writers = 0;
        std::vector<JoinHandle<void>> all;
        for (int i = 0; i < 20; ++i) {
            all.push_back(fibers.spawn([&] {
                struct Count {
                    explicit Count(int& of) : count(of) { ++count; }
                    ~Count() { --count; }
                    int& count;
                };
                for (int round = 0; round < 5; ++round) {
                    if (random() % 3 == 0) {
                        auto got = mutex.lock_for(Duration(random() % 50));
                        if (!got) continue;
                        const Count count(writers);
                        ASSERT_TRUE(writers == 1 && readers == 0) << "seed " << seed;
                        yield_now();
                    } else {
                        auto guard = mutex.lock_shared();
                        const Count count(readers);
                        ASSERT_EQ(writers, 0) << "seed " << seed;
                        yield_now();
                    }
                }
            }));
        }
        for (int step = 0; step < 200 && fibers.alive() != 0; ++step) {
            fibers.executor().poll();
            if (random() % 4 == 0) all[random() % all.size()].abort();
            if (random() % 4 == 0) fibers.advance(Duration(random() % 20));
        }
        fibers.advance(1s);
        EXPECT_EQ(fibers.alive(), 0U) << "seed " << seed;
        EXPECT_TRUE(mutex.try_lock()) << "seed " << seed;
    }
}

} // namespace
