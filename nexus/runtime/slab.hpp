// Spawning into the runtime's slab, with injection: spawn_slab, claim_slab, try_claim_slab (SL-4 to SL-8).
//
// A claim reserves a slot and a stack now, so that the spawn on the hot path cannot fail for want of them. Owner thread
// only; nothing suspends; misuse throws UsageError. JoinHandle does not tell where its task lives (SL-7).
#pragma once

#include "nexus/runtime/runtime.hpp"

#include <optional>
#include <type_traits>
#include <utility>

namespace nexus {

/// A reserved slot. Gives it back when it goes without having been used; may outlive the runtime (SL-6).
class SlabClaim {
public:
    SlabClaim(SlabClaim&&) noexcept = default;
    SlabClaim& operator=(SlabClaim&&) noexcept = default;
    ~SlabClaim() = default;

    /// Spawns `body(args...)` with injection into the slot, which is used up. Throws UsageError when the claim is used
    /// up, when the runtime is gone, when the output does not fit, and for what spawn() throws; the claim is as before
    /// then.
    template <class F, class... Args>
        requires(!std::is_same_v<std::decay_t<F>, SpawnOptions>)
    auto spawn(F&& body, Args&&... args) {
        return spawn(SpawnOptions{.name = nullptr, .stack_size = 0, .site = base::program_counter()},
                     std::forward<F>(body), std::forward<Args>(args)...);
    }
    /// The same with a name; SpawnOptions::stack_size has no effect, the slab decided about it.
    template <class F, class... Args>
    auto spawn(SpawnOptions options, F&& body, Args&&... args) {
        return usable_runtime().spawn_in(slot_, options, std::forward<F>(body), std::forward<Args>(args)...);
    }

    /// False once it was used or moved from.
    [[nodiscard]] bool valid() const noexcept { return slot_.valid(); }
    /// The slot's memory; null once it was used. For diagnostics.
    [[nodiscard]] const void* as_ptr() const noexcept { return slot_.memory(); }
    /// Bytes of the slot.
    [[nodiscard]] std::size_t slot_size() const noexcept { return slot_bytes_; }

private:
    friend class Runtime;
    SlabClaim(Runtime& runtime, detail::SlabSlot slot, std::size_t slot_bytes) noexcept
        : runtime_(&runtime), slot_(std::move(slot)), slot_bytes_(slot_bytes) {}
    [[nodiscard]] Runtime& usable_runtime() const;

    Runtime* runtime_;
    detail::SlabSlot slot_;
    std::size_t slot_bytes_;
};

template <class F, class... Args>
auto Runtime::spawn_in(detail::SlabSlot& slot, SpawnOptions options, F&& body, Args&&... args) {
    if (options.site == nullptr) options.site = __builtin_return_address(0);
    return executor_.spawn_in(
        slot,
        bind_handler(ResolveEnvironment(&world_, identity_.get()), std::forward<F>(body), std::forward<Args>(args)...),
        options);
}

template <class F, class... Args>
auto Runtime::spawn_slab(SpawnOptions options, F&& body, Args&&... args) {
    detail::SlabSlot slot = executor_.claim_slot("spawn_slab");
    return spawn_in(slot, options, std::forward<F>(body), std::forward<Args>(args)...);
}

template <class F, class... Args>
    requires(!std::is_same_v<std::decay_t<F>, SpawnOptions>)
auto Runtime::spawn_slab(F&& body, Args&&... args) {
    return spawn_slab(SpawnOptions{.name = nullptr, .stack_size = 0, .site = base::program_counter()},
                      std::forward<F>(body), std::forward<Args>(args)...);
}

/// As spawn(), in a slot of the running runtime's slab: no allocation (SL-4). Throws UsageError without a slab, when it
/// is full, or when the output does not fit (the text says by how much).
template <class F, class... Args>
    requires(!std::is_same_v<std::decay_t<F>, SpawnOptions>)
[[gnu::always_inline]] inline auto spawn_slab(F&& body, Args&&... args) {
    return Runtime::require("spawn_slab")
        .spawn_slab(SpawnOptions{.name = nullptr, .stack_size = 0, .site = base::program_counter()},
                    std::forward<F>(body), std::forward<Args>(args)...);
}
template <class F, class... Args>
[[gnu::always_inline]] inline auto spawn_slab(SpawnOptions options, F&& body, Args&&... args) {
    if (options.site == nullptr) options.site = base::program_counter();
    return Runtime::require("spawn_slab").spawn_slab(options, std::forward<F>(body), std::forward<Args>(args)...);
}

/// Reserves a slot of the running runtime's slab. Throws UsageError when a bounded slab is full or when there is no
/// slab (SL-5).
[[nodiscard]] SlabClaim claim_slab();
/// The same; nothing when a bounded slab is full.
[[nodiscard]] std::optional<SlabClaim> try_claim_slab();

} // namespace nexus
