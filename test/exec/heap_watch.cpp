// Replaces operator new and delete of the test program: counts what is in use, fills what is freed, fails on request.
#include "exec_tools.hpp"

#include "nexus/base/atomic.hpp"
#include "test/system/under_valgrind.hpp"

#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(NEXUS_TSAN) || defined(NEXUS_ASAN)

namespace nexus::test {
std::int64_t blocks_in_use() noexcept { return 0; }
bool fail_next_allocation() noexcept { return false; }
} // namespace nexus::test

#else

namespace {

constinit nexus::base::Atomic<std::int64_t> in_use{0};
constexpr int freed_pattern = 0xDD;
constinit thread_local bool fail_next = false;

void* take(std::size_t bytes, std::size_t alignment) {
    if (fail_next) {
        fail_next = false;
        throw std::bad_alloc();
    }
    void* block = alignment <= alignof(std::max_align_t)
                      ? std::malloc(bytes)
                      : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (block == nullptr) throw std::bad_alloc();
    in_use.fetch_add_relaxed(1);
    return block;
}

void give_back(void* block) noexcept {
    if (block == nullptr) return;
    in_use.fetch_add_relaxed(-1);
    std::memset(block, freed_pattern, ::malloc_usable_size(block));
    asm volatile("" : : "r"(block) : "memory"); // else the compiler drops stores to memory that is freed next
    std::free(block);
}

} // namespace

void* operator new(std::size_t bytes) { return take(bytes, 1); }
void* operator new[](std::size_t bytes) { return take(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return take(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { give_back(block); }
void operator delete[](void* block) noexcept { give_back(block); }
void operator delete(void* block, std::size_t) noexcept { give_back(block); }
void operator delete[](void* block, std::size_t) noexcept { give_back(block); }
void operator delete(void* block, std::align_val_t) noexcept { give_back(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { give_back(block); }

namespace nexus::test {
std::int64_t blocks_in_use() noexcept { return in_use.load_relaxed(); }
bool fail_next_allocation() noexcept {
    const bool ours = !under_valgrind(); // which puts its own operator new in front of this one
    fail_next = ours;
    return ours;
}
} // namespace nexus::test

#endif
