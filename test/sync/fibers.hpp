// A bare executor on a clock that the test moves, for tests of what fibers do to each other.
#pragma once

#include "nexus/exec/executor.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/exec/scope.hpp"
#include "nexus/exec/waker.hpp"
#include "nexus/os/clock.hpp"
#include "nexus/runtime/time.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

namespace nexus_test {

using namespace std::chrono_literals;

class Fibers {
public:
    Fibers() : now_ns_(nexus::os::monotonic_ns()) {
        executor_.set_clock({[](void* self) noexcept { return static_cast<Fibers*>(self)->now_ns_; }, this});
    }

    template <class F>
    auto spawn(F&& body) {
        return executor_.spawn_boxed(std::forward<F>(body));
    }
    /// Runs cycles until no fiber is ready.
    void settle() {
        do executor_.poll();
        while (executor_.has_ready());
    }
    /// Spawns a fiber and settles.
    template <class F>
    auto run(F&& body) {
        auto handle = spawn(std::forward<F>(body));
        settle();
        return handle;
    }
    void advance(nexus::Duration by) {
        now_ns_ += by.count();
        settle();
    }
    /// Runs until every fiber has ended, with help from other threads; false after `limit` of real time.
    bool finish(std::chrono::seconds limit = 30s) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (executor_.task_count() != 0) {
            settle();
            if (std::chrono::steady_clock::now() > end) return false;
            if (executor_.task_count() != 0) std::this_thread::yield();
        }
        return true;
    }
    [[nodiscard]] nexus::Executor& executor() noexcept { return executor_; }
    [[nodiscard]] nexus::TimePoint now() const noexcept { return nexus::detail::from_ns(now_ns_); }
    [[nodiscard]] std::size_t alive() const noexcept { return executor_.task_count(); }

private:
    std::int64_t now_ns_;
    nexus::Executor executor_;
};

/// Counts how many of its kind are alive.
struct Tracked {
    explicit Tracked(int number = 0) : value(number) { ++alive(); }
    Tracked(Tracked&& other) noexcept : value(std::exchange(other.value, -1)) { ++alive(); }
    Tracked& operator=(Tracked&&) = default;
    ~Tracked() { --alive(); }
    static int& alive() {
        static int count = 0;
        return count;
    }
    int value;
};

} // namespace nexus_test
