// Whether the test runs under Valgrind, which emulates what some tests look at: limits, signal stacks, the heap.
#pragma once

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

namespace nexus::test {

inline bool under_valgrind() noexcept {
#if defined(RUNNING_ON_VALGRIND)
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

} // namespace nexus::test
