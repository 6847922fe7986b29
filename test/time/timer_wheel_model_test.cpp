// TimerWheel against a model that keeps every timer in one sorted list: random mixtures of arm, cancel and advance,
// where callbacks arm and cancel too, over time scales from nanoseconds to centuries.
#include "nexus/time/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace nexus::time {
namespace {

class Model;

struct Timer : TimerNode {
    Model* model = nullptr;
    std::size_t id = 0;
};

/// Both the wheel and the model of it; every operation goes to both, and what the wheel does is compared at once.
class Model {
public:
    static constexpr std::size_t timers = 200;

    Model(std::uint64_t seed, unsigned widest_bit) : random_(seed), widest_bit_(widest_bit) {
        for (std::size_t id = 0; id < timers; ++id) {
            timers_[id].model = this;
            timers_[id].id = id;
            timers_[id].fire = [](TimerNode& node) noexcept {
                // SAFETY: only Timers get this function.
                auto& timer = static_cast<Timer&>(node);
                timer.model->fired(timer);
            };
        }
    }
    ~Model() {
        for (Timer& timer : timers_) wheel_.cancel(timer);
    }
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    void step() {
        switch (random_() % 4) {
        case 0: cancel(pick()); break;
        case 1: advance(); break;
        default: arm(pick()); break;
        }
        EXPECT_EQ(wheel_.size(), armed_.size());
        const std::int64_t earliest = armed_.empty() ? never : armed_.begin()->first.first;
        if (cancelled_) {
            EXPECT_LE(wheel_.next_deadline(), earliest);
        } else {
            EXPECT_EQ(wheel_.next_deadline(), earliest);
        }
        EXPECT_EQ(armed_.empty(), wheel_.empty());
    }
    void forbid_cancelling() { may_cancel_ = false; }
    [[nodiscard]] std::size_t total_fired() const { return total_fired_; }

private:
    using Order = std::pair<std::int64_t, std::uint64_t>; // deadline, arming number

    Timer& pick() { return timers_[random_() % timers]; }

    std::int64_t random_distance() {
        const unsigned bits = static_cast<unsigned>(random_() % (widest_bit_ + 1));
        return static_cast<std::int64_t>(random_() & ((std::uint64_t{1} << bits) - 1));
    }

    std::int64_t random_deadline() {
        switch (random_() % 12) {
        case 0: return never;
        case 1: return now_ - random_distance() / 2;
        case 2: return now_;
        case 3: // one that somebody has already
            if (!armed_.empty()) {
                auto found = armed_.lower_bound({saturating_add(now_, random_distance()), 0});
                if (found != armed_.end()) return found->first.first;
            }
            return now_ + 1;
        default: return saturating_add(now_, random_distance());
        }
    }

    void forget(const Timer& timer) {
        armed_.erase(order_[timer.id]);
        std::erase(pass_, timer.id);
    }

    void arm(Timer& timer) {
        if (timer.armed()) {
            if (!may_cancel_) return;
            cancelled_ = true;
            forget(timer);
        }
        const std::int64_t deadline = random_deadline();
        order_[timer.id] = {deadline, ++armings_};
        armed_[order_[timer.id]] = timer.id;
        wheel_.arm(timer, deadline);
        EXPECT_TRUE(timer.armed());
    }

    void cancel(Timer& timer) {
        if (!may_cancel_) return;
        if (timer.armed()) {
            cancelled_ = true;
            forget(timer);
        }
        wheel_.cancel(timer);
        EXPECT_FALSE(timer.armed());
    }

    void advance() {
        // Now and then exactly to the next deadline, which is where mistakes by one show.
        const bool exact = random_() % 3 == 0 && wheel_.next_deadline() != never;
        now_ = exact ? std::max(now_, wheel_.next_deadline()) : saturating_add(now_, random_distance());
        pass_.clear();
        for (const auto& [order, id] : armed_) {
            if (order.first <= now_ && order.first != never) pass_.push_back(id);
        }
        const std::size_t before = total_fired_;
        const std::size_t fired = wheel_.advance(now_);
        EXPECT_EQ(fired, total_fired_ - before);
        EXPECT_TRUE(pass_.empty()) << "not fired although due at " << now_;
    }

    void fired(Timer& timer) noexcept {
        ++total_fired_;
        EXPECT_FALSE(timer.armed());
        EXPECT_LE(timer.deadline_ns, now_) << "H-13";
        ASSERT_FALSE(pass_.empty());
        EXPECT_EQ(pass_.front(), timer.id);
        forget(timer);
        if (random_() % 2 == 0) arm(timer);
        if (random_() % 4 == 0) arm(pick());
        if (random_() % 4 == 0) cancel(pick());
        if (random_() % 8 == 0 && !pass_.empty()) cancel(timers_[pass_.front()]);
    }

    std::mt19937_64 random_;
    unsigned widest_bit_;
    std::int64_t now_ = 0;
    std::uint64_t armings_ = 0;
    bool may_cancel_ = true;
    bool cancelled_ = false;
    std::size_t total_fired_ = 0;
    std::map<Order, std::size_t> armed_;
    std::vector<std::size_t> pass_; // due in the pass that is running, in order, not fired yet
    std::array<Order, timers> order_{};
    std::array<Timer, timers> timers_;
    TimerWheel wheel_{0};
};

class TimerWheelModel : public ::testing::TestWithParam<unsigned> {};

TEST_P(TimerWheelModel, does_what_a_sorted_list_does) {
    for (std::uint64_t seed = 1; seed <= 40 && !HasFailure(); ++seed) {
        SCOPED_TRACE(seed);
        Model model{seed, GetParam()};
        for (int i = 0; i < 2000 && !HasFailure(); ++i) model.step();
        EXPECT_GT(model.total_fired(), 0U);
    }
}

TEST_P(TimerWheelModel, next_deadline_is_exact_while_nothing_is_cancelled) {
    for (std::uint64_t seed = 1; seed <= 20 && !HasFailure(); ++seed) {
        SCOPED_TRACE(seed);
        Model model{seed, GetParam()};
        model.forbid_cancelling();
        for (int i = 0; i < 2000 && !HasFailure(); ++i) model.step();
    }
}

INSTANTIATE_TEST_SUITE_P(TimeScales, TimerWheelModel, ::testing::Values(3U, 8U, 17U, 20U, 24U, 32U, 42U, 63U),
                         [](const auto& scale) { return "bits_" + std::to_string(scale.param); });

} // namespace
} // namespace nexus::time
