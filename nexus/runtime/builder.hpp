// RuntimeBuilder: RuntimeOptions one by one, and what is no plain data: the slab (RT-3, SL-1).
//
//     nexus::Runtime runtime = nexus::Runtime::builder(world)
//                                  .tasks_per_cycle(128)
//                                  .slab(nexus::ByteSlab::bounded({.slots = 256}))
//                                  .build();
//
// Nothing is checked or made before build(), which throws what Runtime's constructor throws.
#pragma once

#include "nexus/runtime/runtime.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace nexus {

class RuntimeBuilder {
public:
    explicit RuntimeBuilder(World& world) noexcept : world_(world) {}

    /// All options at once, for instance Config::runtime(); those set afterwards win.
    RuntimeBuilder& options(const RuntimeOptions& options) {
        options_ = options;
        return *this;
    }
    RuntimeBuilder& mode(LoopMode mode) { return set(options_.mode, mode); }
    RuntimeBuilder& spin_window(std::chrono::nanoseconds window) { return set(options_.spin_window, window); }
    RuntimeBuilder& tasks_per_cycle(std::uint32_t tasks) { return set(options_.tasks_per_cycle, tasks); }
    RuntimeBuilder& event_interval(std::uint32_t cycles) { return set(options_.event_interval, cycles); }
    RuntimeBuilder& event_capacity(std::uint32_t events) { return set(options_.event_capacity, events); }
    RuntimeBuilder& cross_thread_drain_limit(std::uint32_t wakes) {
        return set(options_.cross_thread_drain_limit, wakes);
    }
    RuntimeBuilder& stack_size(std::size_t bytes) { return set(options_.stack_size, bytes); }
    RuntimeBuilder& root_stack_size(std::size_t bytes) { return set(options_.root_stack_size, bytes); }
    RuntimeBuilder& guard_size(std::size_t bytes) { return set(options_.guard_size, bytes); }
    RuntimeBuilder& preallocated_stacks(std::uint32_t stacks) { return set(options_.preallocated_stacks, stacks); }
    RuntimeBuilder& prefault_stacks(bool on) { return set(options_.prefault_stacks, on); }
    RuntimeBuilder& timer_slack(std::chrono::nanoseconds slack) { return set(options_.timer_slack, slack); }
    RuntimeBuilder& signal_handlers(bool on) { return set(options_.signal_handlers, on); }
    RuntimeBuilder& overflow_report(bool on) { return set(options_.overflow_report, on); }
    RuntimeBuilder& strict_borrows(bool on) { return set(options_.strict_borrows, on); }
    /// The slab for spawn_slab(); the last one given wins (RT-3).
    RuntimeBuilder& slab(ByteSlab slab) {
        slab_.emplace(std::move(slab));
        return *this;
    }
    /// The seed's names for the same.
    RuntimeBuilder& slab_bounded(ByteSlabOptions options) { return slab(ByteSlab::bounded(options)); }
    RuntimeBuilder& slab_unbounded(ByteSlabOptions options) { return slab(ByteSlab::unbounded(options)); }

    /// The runtime; takes the slab along, so it is called once.
    [[nodiscard]] Runtime build() { return Runtime(world_, options_, std::exchange(slab_, std::nullopt)); }

private:
    template <class T>
    RuntimeBuilder& set(T& option, T value) {
        option = value;
        return *this;
    }

    World& world_;
    RuntimeOptions options_;
    std::optional<ByteSlab> slab_;
};

inline RuntimeBuilder Runtime::builder(World& world) { return RuntimeBuilder(world); }

} // namespace nexus
