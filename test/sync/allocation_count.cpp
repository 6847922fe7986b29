#include "allocation_count.hpp"

#include "nexus/base/atomic.hpp"

#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(NEXUS_TSAN) || defined(NEXUS_ASAN)

namespace nexus_test {
std::uint64_t allocations() noexcept { return 0; }
bool counts_allocations() noexcept { return false; }
} // namespace nexus_test

#else

namespace {

constinit nexus::base::Atomic<std::uint64_t> count{0};

void* take(std::size_t bytes, std::size_t alignment) {
    void* block = alignment == 0 ? std::malloc(bytes)
                                 : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (block == nullptr) throw std::bad_alloc();
    count.fetch_add_relaxed(1);
    return block;
}

} // namespace

void* operator new(std::size_t bytes) { return take(bytes, 0); }
void* operator new[](std::size_t bytes) { return take(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return take(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

namespace nexus_test {
std::uint64_t allocations() noexcept { return count.load_relaxed(); }
bool counts_allocations() noexcept { return true; }
} // namespace nexus_test

#endif
