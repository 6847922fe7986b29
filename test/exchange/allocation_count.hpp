// How often this program has allocated through operator new.
#pragma once

#include <cstddef>

namespace exchange::test {

extern std::size_t allocations;

} // namespace exchange::test
