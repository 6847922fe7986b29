// Durations and sizes as text with a unit, exactly.
//
// Invariant: parse_x(format_x(v)) == v for every v.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nexus::config_detail {

/// `250us`, `1.5ms`, `2s` in nanoseconds. Units: ns us ms s min h. Nothing when the text is something else, when it
/// is no whole number of nanoseconds, or when it exceeds 2^63-1 of them.
[[nodiscard]] std::optional<std::uint64_t> parse_duration(std::string_view text);
/// The shortest form without a fraction: 1'500'000 is `1500us`.
[[nodiscard]] std::string format_duration(std::uint64_t nanoseconds);

/// `64KiB` in bytes. Units: B KiB MiB GiB. Nothing when the text is something else.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
[[nodiscard]] std::string format_size(std::uint64_t bytes);

} // namespace nexus::config_detail
