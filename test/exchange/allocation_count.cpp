// Replaces operator new for this program, in a file of its own so that the compiler does not look into the pair.
#include "allocation_count.hpp"

#include <cstdlib>
#include <new>

std::size_t exchange::test::allocations = 0;

void* operator new(std::size_t size) {
    ++exchange::test::allocations;
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc{};
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++exchange::test::allocations;
    return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
