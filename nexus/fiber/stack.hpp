// Stacks for fibers: guarded, coloured, pooled.
//
// A StackPool maps stacks in slabs and hands them out last-in-first-out per size class, so that the next fiber gets
// the stack whose top page is warmest. Invariants: a stack belongs to one pool for the pool's whole life; a stack is
// either free (in its class's list) or held by exactly one fiber; the address range of a stack never changes, and
// below it lies a guard of `guard_bytes()` that faults on access (see GuardKind). Owner thread only; nothing suspends.
#pragma once

#include "nexus/base/build_config.hpp"
#include "nexus/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace nexus {

/// What stops a fiber that runs past the end of its stack.
enum class GuardKind : std::uint8_t {
    none,        ///< not decided yet: the stack has not been used
    lightweight, ///< MADV_GUARD_INSTALL (Linux 6.13): faults, and does not split the mapping
    protected_,  ///< mprotect(PROT_NONE): faults, costs a mapping each
    red_zone     ///< a known pattern below the stack's end, checked when the stack comes back
};

struct StackPoolOptions {
    /// Per stack, rounded up to pages; 0 leaves only the red zone.
    std::size_t guard_bytes = NEXUS_GUARDS != 0 ? std::size_t{16} * 1024 : 0;
    std::size_t max_idle_stacks = 4096; ///< trim() gives back the memory of free stacks beyond these
    /// The first kind to try; what the kernel refuses falls to the next.
    GuardKind best_guard = GuardKind::lightweight;
};

/// One stack. Lives as long as its pool.
struct Stack {
    std::byte* limit = nullptr; ///< lowest usable byte
    std::byte* top = nullptr;   ///< one past the highest usable byte, 64-byte aligned, coloured (see StackPool)
    std::uint32_t size_class = 0;
    GuardKind guard = GuardKind::none;
    bool trimmed = false;

    [[nodiscard]] std::size_t usable_bytes() const noexcept { return static_cast<std::size_t>(top - limit); }
    /// Bytes of the stack that have been touched, to the page, since it was mapped or trimmed; a system call (mincore).
    /// Above a red zone the lowest page counts as touched when it holds anything but zeros.
    [[nodiscard]] std::size_t high_water_bytes() const noexcept;
};

struct StackPoolStats {
    std::size_t mapped = 0;  ///< stacks in existence
    std::size_t in_use = 0;  ///< of these, held by fibers
    std::size_t trimmed = 0; ///< of the free ones, those whose memory went back to the kernel
};

class StackPool {
public:
    /// Usable bytes of a stack, at most; size_class() takes no more.
    static constexpr std::size_t max_stack_bytes = std::size_t{1} << 30;

    explicit StackPool(StackPoolOptions options = {});
    StackPool(const StackPool&) = delete;
    StackPool& operator=(const StackPool&) = delete;
    /// Unmaps all stacks, except slabs that hold a stack given to leak().
    ~StackPool();

    /// The size class for stacks with at least `bytes` usable bytes (rounded up to pages). Classes are few: O(n).
    [[nodiscard]] std::uint32_t size_class(std::size_t bytes);
    /// A class that size_class() never returns, so that its stacks are the caller's alone; trim() leaves them alone.
    [[nodiscard]] std::uint32_t add_class(std::size_t bytes);

    /// A stack of the class. Maps a slab when none is free. Errors: ENOMEM, its text names what to raise.
    [[nodiscard]] Result<Stack*> acquire(std::uint32_t size_class) {
        Class& cls = classes_[size_class];
        if (cls.free.empty()) [[unlikely]]
            return acquire_slow(size_class);
        return take(cls);
    }
    /// Gives a stack back. May be called on the very stack, as the last thing before the final switch away from it.
    void release(Stack* stack) noexcept {
        if (stack->guard == GuardKind::red_zone) [[unlikely]]
            check_red_zone(*stack);
        classes_[stack->size_class].free.push_back(stack); // capacity was reserved when the stack was mapped
        --in_use_;
    }
    /// Never gives the stack back: something still lives on it. Its slab stays mapped for ever.
    void leak(Stack* stack) noexcept;

    /// Makes `count` stacks of the class free, with their guards; with `prefault` touches the top page of each.
    [[nodiscard]] Result<void> reserve(std::uint32_t size_class, std::size_t count, bool prefault);
    /// Gives the memory of the coldest free stacks beyond `max_idle_stacks` back to the kernel, at most `limit` of
    /// them. Called when the loop is idle; returns how many were trimmed.
    std::size_t trim(std::size_t limit) noexcept;

    [[nodiscard]] StackPoolStats stats() const noexcept;
    /// The kind that the next stack gets. Settled by the first stack; falls to red_zone when mprotect's budget is used.
    [[nodiscard]] GuardKind guard_kind() const noexcept { return guard_kind_; }
    [[nodiscard]] std::size_t guard_bytes() const noexcept { return guard_bytes_; }
    /// The stack whose guard holds `address`, or null; a red zone is no guard. Async-signal-safe; O(slabs).
    [[nodiscard]] const Stack* find_by_guard(const void* address) const noexcept;

private:
    struct Slab {
        std::byte* base = nullptr;
        std::size_t bytes = 0;
        std::size_t stride = 0;
        std::unique_ptr<Stack[]> stacks;
        std::size_t count = 0;
        bool leaked = false;
    };
    struct Class {
        std::size_t usable_bytes = 0;
        bool reserved = false; ///< made by add_class()
        std::size_t total = 0;
        std::size_t trimmed_below = 0; ///< free[0, trimmed_below) are trimmed already
        std::vector<Stack*> free;      ///< back = warmest
        std::vector<Stack*> fresh;     ///< mapped, guard not installed yet; back = next
    };

    Stack* take(Class& cls) noexcept;
    Result<Stack*> acquire_slow(std::uint32_t size_class);
    Result<void> map_slab(std::uint32_t size_class, std::size_t count);
    void install_guard(Stack& stack) noexcept;
    void check_red_zone(const Stack& stack) const noexcept;

    StackPoolOptions options_;
    std::size_t guard_bytes_;
    GuardKind guard_kind_;
    std::size_t mprotect_budget_;
    std::size_t in_use_ = 0;
    std::size_t next_colour_ = 0;
    std::vector<Class> classes_;
    std::vector<Slab> slabs_;
};

} // namespace nexus
