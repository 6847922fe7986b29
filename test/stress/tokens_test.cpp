// Trees of CancellationTokens under random use: fibers wait for tokens in every form, run into deadlines, are aborted,
// and leave, while tokens are made, dropped and cancelled. Who waits for a token is woken exactly when it or one above
// it is cancelled, and nobody sleeps for ever.
#include "nexus/sync/sync.hpp"
#include "nexus/testing/seeded_choice.hpp"
#include "test/stress/seeds.hpp"
#include "test/sync/fibers.hpp"

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace nexus;
using namespace nexus_test;
using namespace nexus_stress;

/// A token and what the test knows of it, without asking it.
struct Node {
    std::optional<CancellationToken> token; // empty once dropped
    std::optional<std::size_t> parent;
    bool cancelled = false;
};

class Tree {
public:
    explicit Tree(Random random) : random_(std::move(random)) { nodes_.push_back({CancellationToken(), {}, false}); }

    /// One thing that happens to the tree.
    void step() {
        const std::size_t at = random_.below(nodes_.size());
        Node& node = nodes_[at];
        switch (random_.below(12)) {
        case 0: cancel(at); break;
        case 1: nodes_.push_back({CancellationToken(), {}, false}); break;
        case 2: node.token.reset(); break; // its children are cut off from nothing: the one above still reaches them
        default:
            if (node.token) nodes_.push_back({node.token->child(), at, node.cancelled});
        }
    }
    void cancel(std::size_t at) {
        if (!nodes_[at].token) return;
        nodes_[at].token->cancel();
        nodes_[at].cancelled = true;
        for (std::size_t i = 0; i < nodes_.size(); ++i) { // parents come first
            if (nodes_[i].parent && nodes_[*nodes_[i].parent].cancelled) nodes_[i].cancelled = true;
        }
    }
    [[nodiscard]] std::optional<std::size_t> any() {
        const std::size_t at = random_.below(nodes_.size());
        return nodes_[at].token ? std::optional(at) : std::nullopt;
    }
    [[nodiscard]] const CancellationToken& token(std::size_t at) const { return *nodes_[at].token; }
    [[nodiscard]] bool cancelled(std::size_t at) const { return nodes_[at].cancelled; }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    void check() const {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (nodes_[i].token) {
                EXPECT_EQ(nodes_[i].token->is_cancelled(), nodes_[i].cancelled) << "token " << i;
            }
        }
    }

private:
    Random random_;
    std::vector<Node> nodes_;
};

/// Waits for the token in one of the forms, at random; true when it was cancelled, false at a deadline.
bool wait_for(const CancellationToken& token, Random& random, Duration patience) {
    switch (random.below(4)) {
    case 0: token.cancelled(); return true;
    case 1: {
        Deadline soon;
        soon.reset_after(patience);
        return select(token, soon) == 0;
    }
    case 2: return until(token, [&] { sleep(patience); }).has_error();
    default: return timeout(patience, [&] { token.cancelled(); }).has_value();
    }
}

TEST(TokenStress, waiters_on_one_thread_are_woken_exactly_with_their_token) {
    for_each_seed([](std::uint64_t seed) {
        Random random(seed);
        nexus::testing::SeededChoice choice(seed);
        Fibers fibers;
        choice.attach(fibers.executor());
        Tree tree{Random(random.seed())};
        struct Waiter {
            std::size_t token;
            JoinHandle<void> fiber;
            bool leaves; // aborted
        };
        std::vector<Waiter> waiters;
        for (int step = 0; step < 300; ++step) {
            tree.step();
            if (const auto at = tree.any(); at && waiters.size() < 200) {
                waiters.push_back({*at, fibers.spawn([token = tree.token(*at), mine = Random(random.seed())]() mutable {
                                       while (!wait_for(token, mine, 100ns)) {}
                                   }),
                                   false});
            }
            if (random.one_in(10) && !waiters.empty()) {
                Waiter& leaver = waiters[random.below(waiters.size())];
                leaver.leaves = true;
                leaver.fiber.abort();
            }
            if (random.one_in(3)) fibers.advance(Duration(static_cast<std::int64_t>(random.below(300))));
            fibers.settle();
            tree.check();
            for (const Waiter& waiter : waiters) {
                ASSERT_EQ(waiter.fiber.is_finished(), waiter.leaves || tree.cancelled(waiter.token))
                    << "step " << step << ", token " << waiter.token;
            }
            if (::testing::Test::HasFailure()) return;
        }
        for (Waiter& waiter : waiters) {
            if (!waiter.fiber.is_finished()) waiter.fiber.abort();
        }
        fibers.settle();
        EXPECT_EQ(fibers.alive(), 0U);
    });
}

/// Fibers of one thread wait for tokens that other threads cancel; each wait has to end.
void wait_on_a_thread(const std::vector<CancellationToken>& tokens, std::uint64_t seed, std::atomic<int>& woken) {
    Random random(seed);
    Executor executor;
    for (const CancellationToken& token : tokens) {
        executor
            .spawn_boxed([&woken, token, mine = Random(random.seed())]() mutable {
                while (!wait_for(token, mine, 3us)) {
                    if (mine.one_in(3)) yield_now();
                }
                EXPECT_TRUE(token.is_cancelled());
                woken.fetch_add(1);
            })
            .detach();
    }
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (executor.task_count() != 0) {
        executor.poll();
        if (executor.has_ready()) continue;
        ASSERT_LT(std::chrono::steady_clock::now(), end) << "somebody waits for ever";
        std::this_thread::yield();
    }
}

TEST(TokenStress, no_waiter_between_threads_misses_its_token) {
    for_each_seed([](std::uint64_t seed) {
        Random random(seed);
        std::vector<CancellationToken> tokens;
        tokens.emplace_back();
        while (tokens.size() < 40) tokens.push_back(tokens[random.below(tokens.size())].child());
        std::atomic<int> woken{0};
        {
            std::vector<std::jthread> threads;
            for (int t = 0; t < 2; ++t) {
                threads.emplace_back([&, own = random.seed()] { wait_on_a_thread(tokens, own, woken); });
            }
            for (int t = 0; t < 2; ++t) {
                threads.emplace_back([tokens, mine = Random(random.seed())]() mutable {
                    for (int i = 0; i < 60; ++i) {
                        const CancellationToken& token = tokens[mine.below(tokens.size())];
                        if (mine.one_in(4)) {
                            token.cancel();
                        } else {
                            const bool before = token.is_cancelled();
                            const CancellationToken child = token.child(); // comes and goes beside the cancels
                            EXPECT_TRUE(!before || child.is_cancelled()) << "born cancelled (CA-8)";
                        }
                        if (mine.one_in(4)) std::this_thread::yield();
                    }
                    tokens.front().cancel();
                });
            }
        }
        EXPECT_EQ(woken.load(), 80);
        for (const CancellationToken& token : tokens) EXPECT_TRUE(token.is_cancelled());
    });
}

} // namespace
