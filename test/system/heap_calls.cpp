// Stands in front of glibc's malloc in the test program: counts, fails on request, and ends the program under a ban.
#include "test/system/heap_calls.hpp"

#include "nexus/base/atomic.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <unistd.h>

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
HeapBan::HeapBan() noexcept = default;
HeapBan::~HeapBan() = default;
void fail_next_heap_call() noexcept {}
} // namespace nexus::test

#else

namespace {

constinit nexus::base::Atomic<bool> banned{false}; // the test's threads are in step when it changes: no partner
constinit thread_local bool fail_next = false;

/// False when this call has to fail.
bool allowed() noexcept {
    calls_made.fetch_add_relaxed(1);
    if (banned.load_relaxed()) [[unlikely]] {
        constexpr char text[] = "memory was asked for where none may be\n";
        (void)!::write(STDERR_FILENO, text, sizeof text - 1);
        std::abort();
    }
    if (!fail_next) [[likely]]
        return true;
    fail_next = false;
    errno = ENOMEM;
    return false;
}

} // namespace

extern "C" {
// glibc's own names for the functions that are replaced here; free() stays glibc's.
void* __libc_malloc(std::size_t bytes);                          // NOLINT: not our name
void* __libc_calloc(std::size_t count, std::size_t bytes);       // NOLINT
void* __libc_realloc(void* block, std::size_t bytes);            // NOLINT
void* __libc_memalign(std::size_t alignment, std::size_t bytes); // NOLINT

void* malloc(std::size_t bytes) { return allowed() ? __libc_malloc(bytes) : nullptr; }
void* calloc(std::size_t count, std::size_t bytes) { return allowed() ? __libc_calloc(count, bytes) : nullptr; }
void* realloc(void* block, std::size_t bytes) { return allowed() ? __libc_realloc(block, bytes) : nullptr; }
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    return allowed() ? __libc_memalign(alignment, bytes) : nullptr;
}
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
    *block = allowed() ? __libc_memalign(alignment, bytes) : nullptr;
    return *block == nullptr ? ENOMEM : 0;
}
}

namespace nexus::test {
bool heap_is_counted() noexcept {
    static const bool counted = [] { // Valgrind, for one, puts its own functions in front of these
        const std::uint64_t before = calls_made.load_relaxed();
        void* block = std::malloc(1);
        asm volatile("" : : "r"(block) : "memory"); // else the compiler does without
        std::free(block);
        return calls_made.load_relaxed() != before;
    }();
    return counted;
}
std::uint64_t heap_calls() noexcept { return calls_made.load_relaxed(); }
HeapBan::HeapBan() noexcept { banned.store_relaxed(true); }
HeapBan::~HeapBan() { banned.store_relaxed(false); }
void fail_next_heap_call() noexcept { fail_next = true; }
} // namespace nexus::test

#endif
