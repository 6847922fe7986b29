// Stands in front of glibc's malloc in the test program and counts.
#include "test/system/heap_calls.hpp"

#include "nexus/base/atomic.hpp"

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NEXUS_TEST_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NEXUS_TEST_SANITIZED 1
#endif

namespace {
constinit nexus::base::Atomic<std::uint64_t> calls_made{0}; // a statistic: no partner
}

#ifdef NEXUS_TEST_SANITIZED

namespace nexus::test {
bool heap_is_counted() noexcept { return false; }
std::uint64_t heap_calls() noexcept { return calls_made.load_relaxed(); }
} // namespace nexus::test

#else

extern "C" {
// glibc's own names for the functions that are replaced here; free() stays glibc's.
void* __libc_malloc(std::size_t bytes);                          // NOLINT: not our name
void* __libc_calloc(std::size_t count, std::size_t bytes);       // NOLINT
void* __libc_realloc(void* block, std::size_t bytes);            // NOLINT
void* __libc_memalign(std::size_t alignment, std::size_t bytes); // NOLINT

void* malloc(std::size_t bytes) {
    calls_made.fetch_add_relaxed(1);
    return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
    calls_made.fetch_add_relaxed(1);
    return __libc_calloc(count, bytes);
}
void* realloc(void* block, std::size_t bytes) {
    calls_made.fetch_add_relaxed(1);
    return __libc_realloc(block, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    calls_made.fetch_add_relaxed(1);
    return __libc_memalign(alignment, bytes);
}
}

namespace nexus::test {
bool heap_is_counted() noexcept { return true; }
std::uint64_t heap_calls() noexcept { return calls_made.load_relaxed(); }
} // namespace nexus::test

#endif
