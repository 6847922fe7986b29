#include "nexus/fiber/stack.hpp"

#include "nexus/fiber/detail/sanitizer.hpp"
#include "nexus/os/calls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 // Linux 6.13; older headers do not have it
#endif

namespace nexus {
namespace {

constexpr std::size_t colour_steps = 16;
constexpr std::size_t colour_bytes = 128;
constexpr std::size_t red_zone_bytes = 64;
constexpr unsigned char red_zone_pattern = 0xA5;

std::size_t page_size() noexcept {
    static const std::size_t size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

std::size_t round_up(std::size_t value, std::size_t multiple) noexcept {
    return (value + multiple - 1) / multiple * multiple;
}

/// The bytes may lie in frames of a suspended fiber, whose red zones AddressSanitizer would report.
__attribute__((no_sanitize("address"))) bool holds_data(const std::byte* from, const std::byte* end) noexcept {
    for (; from < end; ++from) {
        if (*from != std::byte{0}) return true;
    }
    return false;
}

/// Half of vm.max_map_count, and a protected guard makes two mappings of one: the other half is the host's.
std::size_t read_mprotect_budget() {
    std::size_t max_map_count = 65530;
    if (std::ifstream file("/proc/sys/vm/max_map_count"); file) file >> max_map_count;
    return max_map_count / 4;
}

} // namespace

std::size_t Stack::high_water_bytes() const noexcept {
    const std::size_t page = page_size();
    std::array<unsigned char, 256> resident{};
    // SAFETY: addresses only, for rounding to pages; nothing is read through them.
    auto low = reinterpret_cast<std::uintptr_t>(limit);
    auto high = reinterpret_cast<std::uintptr_t>(top);
    if (guard == GuardKind::red_zone) {
        // The pattern itself keeps the lowest page resident: what the page holds above it tells whether a fiber came
        // there.
        if (holds_data(limit + red_zone_bytes, std::min(limit + page, top))) return high - low;
        low += page;
    }
    for (std::uintptr_t at = low / page * page; at < high; at += resident.size() * page) {
        const std::size_t pages = std::min<std::size_t>(resident.size(), (high - at + page - 1) / page);
        // SAFETY: a page-aligned address inside the mapping of this stack.
        if (::mincore(reinterpret_cast<void*>(at), pages * page, resident.data()) != 0) return 0;
        for (std::size_t i = 0; i < pages; ++i) {
            if ((resident[i] & 1U) != 0) return high - std::max(low, at + i * page);
        }
    }
    return 0;
}

StackPool::StackPool(StackPoolOptions options)
    : options_(options), guard_bytes_(round_up(options.guard_bytes, page_size())),
      guard_kind_(guard_bytes_ == 0 ? GuardKind::red_zone : options.best_guard),
      mprotect_budget_(read_mprotect_budget()) {}

StackPool::~StackPool() {
    for (Slab& slab : slabs_) {
        if (slab.leaked) {
            detail::left_behind(slab.stacks.release()); // the leaked fiber's header may still point at its Stack
            continue;
        }
        for (std::size_t i = 0; i < slab.count; ++i) detail::forget_stack(slab.stacks[i].limit, slab.stacks[i].top);
        os::calls().munmap(slab.base, slab.bytes);
    }
}

std::uint32_t StackPool::size_class(std::size_t bytes) {
    const std::size_t usable = round_up(std::clamp(bytes, page_size(), max_stack_bytes), page_size());
    for (std::size_t i = 0; i < classes_.size(); ++i) {
        if (classes_[i].usable_bytes == usable && !classes_[i].reserved) return static_cast<std::uint32_t>(i);
    }
    const std::uint32_t added = add_class(usable);
    classes_[added].reserved = false;
    return added;
}

std::uint32_t StackPool::add_class(std::size_t bytes) {
    Class cls;
    cls.usable_bytes = round_up(std::clamp(bytes, page_size(), max_stack_bytes), page_size());
    cls.reserved = true;
    classes_.push_back(std::move(cls));
    return static_cast<std::uint32_t>(classes_.size() - 1);
}

Stack* StackPool::take(Class& cls) noexcept {
    Stack* stack = cls.free.back();
    cls.free.pop_back();
    if (cls.free.size() < cls.trimmed_below) {
        cls.trimmed_below = cls.free.size();
        stack->trimmed = false;
    }
    ++in_use_;
    // A fiber that ended left poisoned frames behind; the next one starts on clean ground.
    detail::unpoison_stack(stack->limit, stack->top);
    return stack;
}

Result<Stack*> StackPool::acquire_slow(std::uint32_t size_class) {
    if (classes_[size_class].fresh.empty()) {
        // Slabs grow with the class: few stacks for a small server, few mappings for a large one.
        const std::size_t count = std::clamp<std::size_t>(classes_[size_class].total, 16, 1024);
        if (auto mapped = map_slab(size_class, count); !mapped) return mapped.error();
    }
    Class& cls = classes_[size_class];
    Stack* stack = cls.fresh.back();
    cls.fresh.pop_back();
    // The address may have belonged to an earlier pool whose fibers left their poison there.
    detail::unpoison_stack(stack->limit, stack->top);
    install_guard(*stack);
    ++in_use_;
    return stack;
}

Result<void> StackPool::map_slab(std::uint32_t size_class, std::size_t count) {
    Class& cls = classes_[size_class];
    const std::size_t stride = guard_bytes_ + cls.usable_bytes;
    if (count > (std::size_t{1} << 46) / stride) {
        return Error::from_errno(ENOMEM, "map fiber stacks", "(more than an address space holds)");
    }
    const std::size_t bytes = stride * count;
    // Everything that can throw comes before the mapping.
    auto stacks = std::make_unique<Stack[]>(count);
    cls.free.reserve(cls.total + count);
    cls.fresh.reserve(cls.fresh.size() + count);
    slabs_.reserve(slabs_.size() + 1);
    void* memory = os::calls().mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        return Error::from_errno(errno, "map fiber stacks", "(see vm.max_map_count, ulimit -v)");
    }
    // One huge page behind many stacks would cost megabytes and tens of microseconds at first touch.
    os::calls().madvise(memory, bytes, MADV_NOHUGEPAGE);
    auto* base = static_cast<std::byte*>(memory);
    for (std::size_t i = count; i-- > 0;) {
        Stack& stack = stacks[i];
        stack.limit = base + i * stride + guard_bytes_;
        // Tops a power of two apart would share cache sets; within the first page a colour costs no memory.
        stack.top = stack.limit + cls.usable_bytes - (next_colour_++ % colour_steps) * colour_bytes;
        stack.size_class = size_class;
        detail::register_stack(stack.limit, stack.top);
        cls.fresh.push_back(&stack);
    }
    cls.total += count;
    slabs_.push_back({base, bytes, stride, std::move(stacks), count, false});
    return {};
}

void StackPool::install_guard(Stack& stack) noexcept {
    std::byte* guard = stack.limit - guard_bytes_;
    if (guard_kind_ == GuardKind::lightweight) {
        if (os::calls().madvise(guard, guard_bytes_, MADV_GUARD_INSTALL) == 0) {
            stack.guard = guard_kind_;
            return;
        }
        guard_kind_ = GuardKind::protected_;
    }
    if (guard_kind_ == GuardKind::protected_) {
        if (mprotect_budget_ > 0 && os::calls().mprotect(guard, guard_bytes_, PROT_NONE) == 0) {
            --mprotect_budget_;
            stack.guard = guard_kind_;
            return;
        }
        guard_kind_ = GuardKind::red_zone;
    }
    stack.guard = guard_kind_;
    if (guard_kind_ == GuardKind::red_zone) std::memset(stack.limit, red_zone_pattern, red_zone_bytes);
}

void StackPool::check_red_zone(const Stack& stack) const noexcept {
    for (std::size_t i = 0; i < red_zone_bytes; ++i) {
        if (stack.limit[i] != std::byte{red_zone_pattern}) {
            std::fputs("nexus: a fiber ran past the end of its stack (found when it ended); raise stack_size\n",
                       stderr);
            std::abort(); // memory next to the stack is already damaged: nothing after this can be trusted
        }
    }
}

void StackPool::leak(Stack* stack) noexcept {
    for (Slab& slab : slabs_) {
        if (stack >= slab.stacks.get() && stack < slab.stacks.get() + slab.count) slab.leaked = true;
    }
    --in_use_;
}

Result<void> StackPool::reserve(std::uint32_t size_class, std::size_t count, bool prefault) {
    std::vector<Stack*> taken;
    taken.reserve(count);
    const Class& cls = classes_[size_class];
    if (const std::size_t there = cls.free.size() + cls.fresh.size(); there < count) {
        if (auto mapped = map_slab(size_class, count - there); !mapped) return mapped.error();
    }
    Result<void> outcome{};
    while (taken.size() < count) {
        Result<Stack*> stack = acquire(size_class);
        if (!stack) {
            outcome = stack.error();
            break;
        }
        if (prefault) *((*stack)->top - 1) = std::byte{0};
        taken.push_back(*stack);
    }
    for (Stack* stack : taken) release(stack);
    return outcome;
}

std::size_t StackPool::trim(std::size_t limit) noexcept {
    std::size_t done = 0;
    for (Class& cls : classes_) {
        if (cls.reserved || cls.free.size() <= options_.max_idle_stacks) continue;
        const std::size_t goal = cls.free.size() - options_.max_idle_stacks;
        for (; cls.trimmed_below < goal && done < limit; ++cls.trimmed_below, ++done) {
            Stack& stack = *cls.free[cls.trimmed_below];
            const std::size_t kept = stack.guard == GuardKind::red_zone ? page_size() : 0; // the pattern stays
            if (cls.usable_bytes > kept)
                os::calls().madvise(stack.limit + kept, cls.usable_bytes - kept, MADV_DONTNEED);
            if (kept != 0) {
                // The page that stays reads like one that was never used.
                detail::unpoison_stack(stack.limit, stack.top);
                std::memset(stack.limit + red_zone_bytes, 0, kept - red_zone_bytes);
            }
            stack.trimmed = true;
        }
    }
    return done;
}

StackPoolStats StackPool::stats() const noexcept {
    StackPoolStats stats;
    for (const Class& cls : classes_) {
        stats.mapped += cls.total;
        stats.trimmed += cls.trimmed_below;
    }
    stats.in_use = in_use_;
    return stats;
}

const Stack* StackPool::find_by_guard(const void* address) const noexcept {
    const auto* byte = static_cast<const std::byte*>(address);
    for (const Slab& slab : slabs_) {
        if (byte < slab.base || byte >= slab.base + slab.bytes) continue;
        const Stack& stack = slab.stacks[static_cast<std::size_t>(byte - slab.base) / slab.stride];
        return byte < stack.limit ? &stack : nullptr;
    }
    return nullptr;
}

} // namespace nexus
