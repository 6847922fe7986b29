#include "nexus/testing/seeded_choice.hpp"

#include <charconv>
#include <cstdlib>
#include <string_view>

namespace nexus::testing {

std::uint64_t SeededChoice::below(std::uint64_t bound) noexcept {
    // SplitMix64: small, well mixed from any seed, the same everywhere.
    std::uint64_t mixed = state_ += 0x9E37'79B9'7F4A'7C15;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58'476D'1CE4'E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D0'49BB'1331'11EB;
    mixed ^= mixed >> 31;
    return mixed % bound;
}

void SeededChoice::attach(Executor& executor) noexcept {
    executor.set_choice({[](void* context, std::size_t count) noexcept {
                             return static_cast<std::size_t>(static_cast<SeededChoice*>(context)->below(count));
                         },
                         this});
}

std::uint64_t seed_from_environment(std::uint64_t fallback) noexcept {
    const char* text = std::getenv("NEXUS_SEED"); // NOLINT(concurrency-mt-unsafe): tests set it before they start
    if (text == nullptr) return fallback;
    const std::string_view digits(text);
    std::uint64_t seed = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), seed);
    return parsed.ec == std::errc{} && parsed.ptr == digits.data() + digits.size() ? seed : fallback;
}

} // namespace nexus::testing
