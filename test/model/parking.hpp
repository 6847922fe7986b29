// Fibers under the model checker: what a channel's state parks and wakes there. Tests include this header last.
#pragma once

#include "relacy_backend.hpp"

#include <cstdint>
#include <utility>

#define EXPECT_CORRECT(...)                                                                                            \
    do {                                                                                                               \
        const Verdict verdict = explore<__VA_ARGS__>(enough);                                                          \
        EXPECT_TRUE(verdict.correct) << verdict.report;                                                                \
    } while (false)
#define EXPECT_REFUTED(...) EXPECT_FALSE((explore<__VA_ARGS__>(enough).correct)) << "the model does not see the fault"

namespace nexus::model {

/// A fiber that is alone on its thread.
struct Fiber {
    rl::rl_sem_t awake;
    rl::atomic<int> held;

    void before() {
        rl::rl_sem_init(&awake, 0, 0, RL_INFO);
        held.store(0, rl::mo_relaxed, RL_INFO);
    }
    void after() {
        rl::rl_sem_destroy(&awake, RL_INFO);
        RL_ASSERT(held.load(rl::mo_relaxed, RL_INFO) == 0); // every reference was released (H-17, A-4)
    }
    Fiber* reference() {
        held.fetch_add(1, rl::mo_relaxed, RL_INFO);
        return this;
    }
    void park() { rl::rl_sem_wait(&awake, RL_INFO); }
};

/// What TaskReference is in the library.
template <class AtomicsBackend, int threads, bool process_fence_works = true, bool process_fence_fails = false>
struct Parking {
    using Backend = AtomicsBackend;
    using Pointer = Fiber*;
    static constexpr std::uint32_t calm_limit = 1;

    static void wake(Fiber* fiber) {
        RL_ASSERT(fiber->held.load(rl::mo_relaxed, RL_INFO) > 0); // dispatched before it is released
        rl::rl_sem_post(&fiber->awake, RL_INFO);
    }
    static void release(Fiber* fiber) { fiber->held.fetch_sub(1, rl::mo_relaxed, RL_INFO); }
    static bool fence_all_threads() {
        if (process_fence_fails) return false;
        return !process_fence_works || nexus::model::fence_all_threads<threads>();
    }

    struct Mutex {
        rl::mutex mutex;
        void lock() { mutex.lock(RL_INFO); }
        void unlock() { mutex.unlock(RL_INFO); }
    };
    struct Handle {
        Fiber* fiber = nullptr;
        void wake() const { Parking::wake(fiber); }
        Handle() = default;
        explicit Handle(Fiber* of) : fiber(of->reference()) {}
        Handle(const Handle& other) : fiber(other.fiber == nullptr ? nullptr : other.fiber->reference()) {}
        Handle(Handle&& other) noexcept : fiber(std::exchange(other.fiber, nullptr)) {}
        Handle& operator=(Handle other) noexcept {
            std::swap(fiber, other.fiber);
            return *this;
        }
        ~Handle() {
            if (fiber != nullptr) release(fiber);
        }
    };
};

/// A planted mutant: the lock does not lock.
template <class Policy>
struct Unguarded : Policy {
    struct Mutex {
        void lock() {}
        void unlock() {}
    };
};

} // namespace nexus::model
