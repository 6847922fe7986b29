// The programs of docs/locks.md, as they stand there.
#include "nexus/nexus.hpp"
#include "nexus/testing/gtest.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct RequestId {
    std::uint64_t value = 0;
};

inline nexus::TaskLocal<RequestId> request_id;

std::uint64_t logged = 0;

void log(const RequestId& id) { logged = id.value; }

NEXUS_TEST(LocksDocs, what_all_locks_have_in_common)
{
    nexus::Mutex mutex;
    int used = 0;
    const auto use = [&used](auto& guard) { used += guard ? 1 : 0; };
    {
        auto guard = mutex.lock();
        guard.unlock();
    }
    if (auto got = mutex.lock_for(50ms)) use(*got);
    if (auto got = mutex.try_lock()) use(got);
    EXPECT_EQ(used, 2);
}

NEXUS_TEST(LocksDocs, semaphore)
{
    nexus::Semaphore requests(8);
    auto permit = requests.acquire();
    auto bulk = requests.acquire(4);
    EXPECT_EQ(requests.available(), 3U);
}

NEXUS_TEST(LocksDocs, condition_variable)
{
    nexus::Mutex mutex;
    nexus::ConditionVariable changed;
    std::deque<int> queue;
    auto producer = nexus::spawn([&] {
        auto guard = mutex.lock();
        queue.push_back(1);
        changed.notify_one();
    });
    auto guard = mutex.lock();
    changed.wait(guard, [&] { return !queue.empty(); });
    EXPECT_EQ(queue.front(), 1);
    guard.unlock();
    producer.join();
}

NEXUS_TEST(LocksDocs, once_cell_and_barrier)
{
    using Prices = std::vector<int>;
    nexus::OnceCell<Prices> prices;
    const std::string upstream = "feed";
    const auto load = [](const std::string& from) { return Prices{static_cast<int>(from.size())}; };
    const Prices& now = prices.get_or_init([&] { return load(upstream); });
    EXPECT_EQ(now.front(), 4);
    constexpr std::size_t players = 2;
    nexus::Barrier tick(players);
    int published = 0;
    const auto publish = [&published] { ++published; };
    auto other = nexus::spawn([&] {
        if (tick.arrive_and_wait()) publish();
    });
    if (tick.arrive_and_wait()) publish();
    other.join();
    EXPECT_EQ(published, 1);
}

NEXUS_TEST(LocksDocs, join_all)
{
    const auto load_book = [] { return std::string("book"); };
    const auto load_limits = [] { return 100; };
    auto [book, limits] = nexus::join_all(nexus::spawn(load_book), nexus::spawn(load_limits));
    EXPECT_EQ(book, "book");
    EXPECT_EQ(limits, 100);
}

NEXUS_TEST(LocksDocs, task_local)
{
    const auto next_id = [] { return RequestId{7}; };
    request_id.emplace(next_id());
    log(*request_id);
    EXPECT_EQ(logged, 7U);
}

class Session {
public:
    explicit Session(nexus::local::Sender<std::string> out) : out_(std::move(out)) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        nexus::shield([this] { // also while the fiber is aborted
            (void)nexus::timeout(500ms, [this] { return out_.send(std::string("goodbye")); });
        });
    }

private:
    nexus::local::Sender<std::string> out_;
};

NEXUS_TEST(LocksDocs, shield)
{
    auto wire = nexus::local::channel<std::string>(1);
    (void)wire.sender.try_send(std::string("last order")); // no room for a goodbye until this is read
    auto fiber = nexus::spawn([&] {
        const Session session(wire.sender);
        nexus::park();
    });
    nexus::yield_now();
    fiber.abort();
    nexus::yield_now();
    EXPECT_FALSE(fiber.is_finished());
    EXPECT_EQ(wire.receiver.recv().value(), "last order");
    EXPECT_EQ(wire.receiver.recv().value(), "goodbye");
    EXPECT_THROW(fiber.join(), nexus::TaskAborted);
}

nexus::Result<nexus::TcpStream> connect_patiently(const std::string& address) {
    nexus::Backoff backoff = nexus::BackoffBuilder().max_retries(5).jitter(0.2).build();
    for (;;) {
        auto stream = nexus::TcpStream::connect(address);
        if (stream) return stream;
        if (auto again = backoff.wait(stream.error()); !again) return again.error().error;
    }
}

NEXUS_TEST(LocksDocs, backoff)
{
    const auto before = nexus::now();
    const auto failed = connect_patiently("not an address");
    EXPECT_EQ(failed.error(), nexus::errc::invalid_address);
    // 100, 200, 400, 800 and 1,600 ms, each give or take a fifth, on the test's clock.
    EXPECT_GE(nexus::now() - before, 2480ms);
    EXPECT_LE(nexus::now() - before, 3720ms);
}

} // namespace
