// How often the program has asked for memory, and the word that it must not.
#pragma once

#include <cstdint>

namespace nexus::test {

/// False under sanitizers, whose heap cannot be replaced; heap_calls() stays 0 then.
[[nodiscard]] bool heap_is_counted() noexcept;
/// Calls of malloc, calloc, realloc and aligned_alloc so far, in all threads; operator new makes them too.
[[nodiscard]] std::uint64_t heap_calls() noexcept;

/// While it lives, whoever asks for memory, on any thread, ends the program with a line that says so. Giving memory
/// back is allowed. No effect under sanitizers. One at a time.
class HeapBan {
public:
    HeapBan() noexcept;
    HeapBan(const HeapBan&) = delete;
    HeapBan& operator=(const HeapBan&) = delete;
    ~HeapBan();
};

/// The next call of this thread fails for want of memory. No effect under sanitizers.
void fail_next_heap_call() noexcept;

} // namespace nexus::test
