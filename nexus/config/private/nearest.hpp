// Finding the word that was probably meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace nexus::config_detail {

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. Letter case does not count,
/// and '-' is '_'.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate most like `word`, the first of equals; "" when none is near enough to be worth a question.
[[nodiscard]] std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// `"park", "busy", "adaptive"`
[[nodiscard]] std::string quoted_list(std::span<const std::string> words);

} // namespace nexus::config_detail
