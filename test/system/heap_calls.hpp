// How often the program has asked for memory.
#pragma once

#include <cstdint>

namespace nexus::test {

/// False under sanitizers, whose heap cannot be replaced; heap_calls() stays 0 then.
[[nodiscard]] bool heap_is_counted() noexcept;
/// Calls of malloc, calloc, realloc and aligned_alloc so far, in all threads; operator new makes them too.
[[nodiscard]] std::uint64_t heap_calls() noexcept;

} // namespace nexus::test
