// How often this program has allocated through operator new.
#pragma once

#include <cstdint>

namespace nexus_test {

/// 0 for ever where a sanitizer has the allocator: compare with counts_allocations().
[[nodiscard]] std::uint64_t allocations() noexcept;
[[nodiscard]] bool counts_allocations() noexcept;

} // namespace nexus_test
