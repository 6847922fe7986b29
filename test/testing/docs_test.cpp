// Every piece of code of docs/testing.md, compiled and run; the last test compares the page with this file.
#include <nexus/nexus.hpp>
#include <nexus/testing/gtest.hpp>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

// As on the page, letter for letter.
// clang-format off
NEXUS_TEST(Heartbeat, comes_every_second) {
    nexus::Interval heartbeat = nexus::interval(1s);
    const nexus::TimePoint start = nexus::now();
    for (int beat = 0; beat < 3600; ++beat) heartbeat.tick();
    EXPECT_EQ(nexus::now() - start, 1h); // and took no time
}

struct Session {
    int logons = 0;
};

class Logon : public nexus::testing::RuntimeTest {
protected:
    using RuntimeTest::configure;
    void configure(nexus::WorldBuilder& builder) override { builder.add<Session>(); }
};

NEXUS_TEST_F(Logon, is_counted) {
    nexus::spawn([](nexus::ResMut<Session> session) { ++session->logons; }).join();
    EXPECT_EQ(world().res<Session>()->logons, 1);
}

std::vector<std::string> left_behind_by(void (*work)()) {
    nexus::testing::LeakCheck leaks; // before the runtime: sees what is open already
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    runtime.block_on(work);
    return leaks.problems_in(runtime);
}

NEXUS_TEST(Quote, is_given_up_after_five_seconds) {
    auto [quotes, in] = nexus::mpsc::channel<int>(1);
    const nexus::TimePoint start = nexus::now();
    const auto quote = nexus::timeout(5s, [&in = in] { return in.recv(); });
    EXPECT_TRUE(quote.error() == nexus::errc::timed_out);
    EXPECT_EQ(nexus::now() - start, 5s);
}

void by_hand() {
    nexus::testing::ManualClock clock;
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    clock.attach(runtime); // before the first wait
    clock.set_auto_advance(false);
    auto order = runtime.spawn([] { nexus::sleep(10ms); });
    runtime.run_for(1ms); // until idle: time stands still
    clock.advance(10ms - 1ns);
    runtime.run_for(1ms);
    EXPECT_FALSE(order.is_finished()); // nothing fires early
    clock.advance(1ns);
    runtime.run_for(1ms);
    EXPECT_TRUE(order.is_finished());
}

/// Two deposits of 1, each with a wait between reading and writing.
int balance_with(std::uint64_t seed) {
    int balance = 0;
    nexus::testing::SeededChoice choice(seed);
    nexus::testing::ManualClock clock;
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    clock.attach(runtime);
    choice.attach(runtime.executor());
    runtime.block_on([&balance] {
        nexus::TaskGroup deposits;
        for (int i = 0; i < 2; ++i) {
            deposits.spawn([&balance, i] {
                if (i == 1) nexus::yield_now();
                const int read = balance;
                nexus::yield_now();
                balance = read + 1;
            });
        }
        deposits.join_all();
    });
    return balance;
}

TEST(Deposits, are_lost_in_some_orders) {
    const std::uint64_t first = nexus::testing::seed_from_environment(0);
    std::set<int> balances;
    for (std::uint64_t seed = first; seed < first + 20; ++seed) balances.insert(balance_with(seed));
    EXPECT_EQ(balances, (std::set<int>{1, 2})); // 1: a deposit was lost
}

int accepts_refused = 0;

NEXUS_TEST(Listener, survives_a_lack_of_descriptors) {
    auto listener = nexus::TcpListener::bind("127.0.0.1:0").value();
    auto client = nexus::TcpStream::connect(listener.local_address().value()).value();
    nexus::os::Calls table = nexus::os::real_calls();
    table.accept4 = [](int fd, sockaddr* peer, socklen_t* size, int flags) {
        if (++accepts_refused <= 3) return errno = EMFILE, -1;
        return nexus::os::real_calls().accept4(fd, peer, size, flags);
    };
    const nexus::os::CallsOverride override_calls(table);
    EXPECT_TRUE(listener.accept().has_value()); // it waited and tried again
    EXPECT_EQ(accepts_refused, 4);
}
// clang-format on

TEST(Time, moves_by_hand) { by_hand(); }

TEST(LeakCheck, works_without_the_fixture) {
    EXPECT_TRUE(left_behind_by([] { nexus::sleep(1ms); }).empty());
    const std::vector<std::string> left = left_behind_by([] {
        nexus::spawn({.name = "forgotten"}, [] { nexus::sleep(1h); }).detach();
        nexus::yield_now();
    });
    ASSERT_EQ(left.size(), 3U);
    EXPECT_NE(left.front().find("fiber \"forgotten\" spawned at "), std::string::npos) << left.front();
}

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(TestingPage, shows_only_code_that_is_here) {
    const std::string page = read_file(NEXUS_TESTING_PAGE);
    const std::string code = read_file(NEXUS_TESTING_SOURCE);
    ASSERT_FALSE(code.empty());
    std::size_t pieces = 0;
    const std::string opening = "```cpp\n";
    for (std::size_t at = page.find(opening); at != std::string::npos; at = page.find(opening, at)) {
        at += opening.size();
        const std::string piece = page.substr(at, page.find("```", at) - at);
        EXPECT_NE(code.find(piece), std::string::npos) << piece;
        at += piece.size() + 3;
        ++pieces;
    }
    EXPECT_EQ(pieces, 9U);
}

} // namespace
