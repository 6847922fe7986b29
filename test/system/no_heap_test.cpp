// A program at work in which, after it has warmed up, whoever asks for memory ends it (rule 3 of the design): fibers
// from the slab and from the pool, every channel, locks, waits with and without limit, wakes from another thread, echo
// over TCP and UDP. allocation_free_test.cpp and allocation_free_net_test.cpp look at the same things one by one, and
// at more.
//
// Not in it: waits that end by throwing, whose exception the C++ runtime allocates.
#include "nexus/nexus.hpp"
#include "test/system/heap_calls.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <fcntl.h>
#include <memory>
#include <new>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr int warm_up = 50;
constexpr int rounds = 300;

using Bytes = std::array<std::byte, 64>;

/// Answers from another thread: asked through an atomic, it sends through each cross-thread channel.
class OtherThread {
public:
    OtherThread()
        : thread_([this] {
              for (int served = 0;;) {
                  asked_.wait(served);
                  const int wanted = asked_.load();
                  if (wanted < 0) return;
                  for (; served < wanted; ++served) answer(served);
              }
          }) {}
    OtherThread(const OtherThread&) = delete;
    OtherThread& operator=(const OtherThread&) = delete;
    ~OtherThread() {
        asked_ = -1;
        asked_.notify_one();
        thread_.join();
    }

    /// In a fiber: waits for what the thread sends, which wakes the loop where it has parked.
    void ask() {
        const int question = asked_++;
        asked_.notify_one();
        Bytes buffer{};
        EXPECT_EQ(mpsc_.receiver.recv().value(), question);
        EXPECT_EQ(spsc_.receiver.recv().value(), question);
        EXPECT_EQ(mpsc_bytes_.receiver.recv_into(buffer).value(), 16U);
        EXPECT_EQ(spsc_bytes_.receiver.recv().value().size(), 24U);
        EXPECT_EQ(oneshots_[static_cast<std::size_t>(question)].receiver.recv().value(), question);
    }

private:
    void answer(int question) {
        const Bytes bytes{};
        EXPECT_TRUE(mpsc_.sender.try_send(int{question}));
        EXPECT_TRUE(spsc_.sender.try_send(int{question}));
        EXPECT_TRUE(mpsc_bytes_.sender.try_send(std::span(bytes).first(16)));
        EXPECT_TRUE(spsc_bytes_.sender.try_send(std::span(bytes).first(24)));
        EXPECT_TRUE(oneshots_[static_cast<std::size_t>(question)].sender.send(int{question}));
    }
    static std::vector<nexus::oneshot::Channel<int>> make_oneshots() {
        std::vector<nexus::oneshot::Channel<int>> channels;
        for (int i = 0; i < warm_up + rounds; ++i) channels.push_back(nexus::oneshot::channel<int>());
        return channels;
    }

    nexus::mpsc::Channel<int> mpsc_ = nexus::mpsc::channel<int>(8);
    nexus::spsc::Channel<int> spsc_ = nexus::spsc::channel<int>(8);
    nexus::mpsc_bytes::Channel mpsc_bytes_ = nexus::mpsc_bytes::channel(1024);
    nexus::spsc_bytes::Channel spsc_bytes_ = nexus::spsc_bytes::channel(1024);
    std::vector<nexus::oneshot::Channel<int>> oneshots_ = make_oneshots(); // each serves once
    std::atomic<int> asked_ = 0;
    std::thread thread_;
};

/// One fiber sends through the channels, more than there is room for, so that it waits; another receives.
class SameThread {
public:
    void exchange() {
        auto sending = nexus::spawn([this] {
            const Bytes bytes{};
            for (int i = 0; i < count; ++i) {
                EXPECT_TRUE(local_.sender.send(int{i}));
                EXPECT_TRUE(mpsc_.sender.send(int{i}));
                EXPECT_TRUE(spsc_.sender.send(int{i}));
                EXPECT_TRUE(mpsc_bytes_.sender.send(bytes));
                EXPECT_TRUE(spsc_bytes_.sender.send(bytes));
            }
        });
        for (int i = 0; i < count; ++i) {
            EXPECT_EQ(local_.receiver.recv().value(), i);
            EXPECT_EQ(mpsc_.receiver.recv_for(1h).value(), i);
            EXPECT_EQ(spsc_.receiver.recv().value(), i);
            EXPECT_EQ(mpsc_bytes_.receiver.recv().value().size(), 64U);
            EXPECT_EQ(spsc_bytes_.receiver.recv().value().size(), 64U);
        }
        sending.join();
    }

    void tell_everybody() {
        auto hearing = nexus::spawn([this] {
            EXPECT_EQ(broadcast_.receiver.recv().value().value, 1);
            EXPECT_EQ(watch_.receiver.recv().value(), 2);
        });
        nexus::yield_now();
        EXPECT_TRUE(broadcast_.sender.send(1));
        watch_.sender.send(2);
        hearing.join();
    }

    void select_among_them() {
        nexus::Notify told;
        auto telling = nexus::spawn([&] {
            told.notify_one();
            nexus::yield_now();
            EXPECT_TRUE(local_.sender.send(7));
        });
        EXPECT_EQ(nexus::select(local_.receiver, stop_, tick_, told), 3U);
        EXPECT_TRUE(told.try_wait());
        EXPECT_EQ(nexus::select(local_.receiver, stop_, tick_, told), 0U);
        EXPECT_EQ(local_.receiver.try_recv().value(), 7);
        telling.join();
    }

    /// Every lock, each of them waited for.
    void take_turns() {
        ready_ = false;
        auto other = nexus::spawn([this] {
            {
                auto guard = mutex_.lock();
                auto alone = shared_mutex_.lock();
                auto permit = semaphore_.acquire();
                nexus::yield_now();
                ready_ = true;
            }
            while (changed_.waiter_count() == 0) nexus::yield_now();
            auto guard = mutex_.lock();
            changed_.notify_one();
        });
        nexus::yield_now();
        auto shared = shared_mutex_.lock_shared();
        auto permit = semaphore_.acquire();
        auto guard = mutex_.lock();
        changed_.wait(guard, [this] { return std::exchange(told_, true) && ready_; });
        told_ = false;
        EXPECT_FALSE(mutex_.try_lock());
        other.join();
    }

    void run_out_of_time() {
        const auto late = nexus::timeout(20us, [this] { return local_.receiver.recv(); });
        EXPECT_EQ(late.error(), nexus::errc::timed_out);
    }

private:
    static constexpr int count = 20;
    nexus::local::Channel<int> local_ = nexus::local::channel<int>(8);
    nexus::mpsc::Channel<int> mpsc_ = nexus::mpsc::channel<int>(8);
    nexus::spsc::Channel<int> spsc_ = nexus::spsc::channel<int>(8);
    nexus::mpsc_bytes::Channel mpsc_bytes_ = nexus::mpsc_bytes::channel(512);
    nexus::spsc_bytes::Channel spsc_bytes_ = nexus::spsc_bytes::channel(512);
    nexus::broadcast::Channel<int> broadcast_ = nexus::broadcast::channel<int>(8);
    nexus::watch::Channel<int> watch_ = nexus::watch::channel(0);
    nexus::Mutex mutex_;
    nexus::SharedMutex shared_mutex_;
    nexus::Semaphore semaphore_{1};
    nexus::ConditionVariable changed_;
    bool ready_ = false;
    bool told_ = false;
    nexus::CancellationToken stop_;
    nexus::Interval tick_ = nexus::interval_at(nexus::now() + 1h, 1h);
};

/// A server for each protocol in a fiber of its own, and their client.
class Echo {
public:
    Echo()
        : tcp_server_(nexus::spawn([this] {
              nexus::TcpStream stream = listener_.accept().value().stream;
              Bytes buffer{};
              while (auto got = stream.read(buffer)) {
                  if (*got == 0 || !stream.write_all(std::span(buffer).first(*got))) return;
              }
          })),
          udp_server_(nexus::spawn([this] {
              Bytes buffer{};
              while (auto got = udp_.recv_from(buffer)) {
                  EXPECT_TRUE(udp_.send_to(std::span(buffer).first(got->size), got->from));
              }
          })) {}
    Echo(const Echo&) = delete;
    Echo& operator=(const Echo&) = delete;
    ~Echo() {
        tcp_client_.close();
        udp_.close();
        tcp_server_.join();
        udp_server_.join();
    }

    void over_tcp() {
        const Bytes question{};
        Bytes answer{};
        EXPECT_TRUE(tcp_client_.write_all(question));
        EXPECT_TRUE(tcp_client_.read_exact(answer));
    }
    void over_udp() {
        const Bytes question{};
        Bytes answer{};
        EXPECT_TRUE(udp_client_.send_to(question, udp_address_));
        EXPECT_EQ(udp_client_.recv(answer).value(), 64U);
    }

private:
    nexus::TcpListener listener_ = nexus::TcpListener::bind("127.0.0.1:0").value();
    nexus::UdpSocket udp_ = nexus::UdpSocket::bind("127.0.0.1:0").value();
    nexus::UdpSocket udp_client_ = nexus::UdpSocket::bind("127.0.0.1:0").value();
    nexus::SocketAddress udp_address_ = udp_.local_address().value();
    nexus::JoinHandle<void> tcp_server_;
    nexus::JoinHandle<void> udp_server_;
    nexus::TcpStream tcp_client_ = nexus::TcpStream::connect(listener_.local_address().value()).value();
};

void spawn_and_join() {
    EXPECT_EQ(nexus::spawn_slab([] { return 7; }).join(), 7);
    EXPECT_EQ(nexus::claim_slab().spawn([] { return 8; }).join(), 8);
    EXPECT_EQ(nexus::spawn([] { return 9; }).join(), 9);
    std::array<nexus::JoinHandle<void>, 16> many;
    for (auto& one : many) one = nexus::spawn([] { nexus::sleep(10us); });
    for (auto& one : many) one.join();
    nexus::TaskGroup group;
    group.spawn([] { nexus::yield_now(); });
    group.join_all();
}

TEST(NoHeap, the_ban_ends_whoever_asks) {
    if (!nexus::test::heap_is_counted()) GTEST_SKIP() << "a sanitizer owns the heap";
    const auto ask = [] {
        const nexus::test::HeapBan ban;
        auto box = std::make_unique<int>(4711);
        asm volatile("" : : "r"(box.get()) : "memory"); // else the compiler does without
    };
    EXPECT_DEATH(ask(), "memory was asked for where none may be");
    nexus::test::fail_next_heap_call();
    EXPECT_THROW((void)nexus::CancellationToken(), std::bad_alloc);
}

// proves: CA-5, CW-3
TEST(NoHeap, a_program_at_work) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime = nexus::RuntimeBuilder(world).slab_bounded({.slots = 8}).build();
    runtime.block_on([] {
        OtherThread other_thread;
        SameThread same_thread;
        Echo echo;
        const auto round = [&] {
            spawn_and_join();
            same_thread.exchange();
            same_thread.tell_everybody();
            same_thread.select_among_them();
            same_thread.take_turns();
            same_thread.run_out_of_time();
            other_thread.ask();
            echo.over_tcp();
            echo.over_udp();
        };
        for (int i = 0; i < warm_up; ++i) round();
        const nexus::test::HeapBan ban;
        for (int i = 0; i < rounds; ++i) round();
    });
}

// A descriptor that is only watched belongs to somebody else, whatever happens here.
TEST(NoHeap, watching_that_fails_leaves_the_descriptor_open) {
    if (!nexus::test::heap_is_counted()) GTEST_SKIP() << "a sanitizer owns the heap";
    auto pair = nexus::os::socket_pair(SOCK_STREAM).value();
    nexus::test::fail_next_heap_call();
    EXPECT_THROW((void)nexus::AsyncFd::watch(pair.first.get()), std::bad_alloc);
    EXPECT_NE(::fcntl(pair.first.get(), F_GETFD), -1) << "not ours to close";
    const int ours = pair.second.get();
    nexus::test::fail_next_heap_call();
    EXPECT_THROW((void)nexus::AsyncFd::from_fd(std::move(pair.second)), std::bad_alloc);
    EXPECT_EQ(::fcntl(ours, F_GETFD), -1) << "taken over, so not left open";
}

} // namespace
