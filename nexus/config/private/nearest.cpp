// Finding the word that was probably meant.
#include "nexus/config/private/nearest.hpp"

#include <algorithm>
#include <vector>

namespace nexus::config_detail {

namespace {

// Bounds the cost of comparing hostile keys: no key of ours is near to this.
constexpr std::size_t max_word = 64;

char folded(char c) {
    if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
    return c == '-' ? '_' : c;
}

} // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const char left = folded(a[i - 1]);
            const char right = folded(b[j - 1]);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (left == right ? 0U : 1U)});
            const bool swapped = i > 1 && j > 1 && left == folded(b[j - 2]) && folded(a[i - 2]) == right;
            if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before.swap(above);
        above.swap(row);
    }
    return above[b.size()];
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
    if (word.empty() || word.size() > max_word) return {};
    std::string best;
    std::size_t best_distance = max_word;
    for (const std::string& candidate : candidates) {
        if (candidate.size() > max_word) continue;
        const std::size_t near_enough = (std::max(word.size(), candidate.size()) + 2) / 3;
        const std::size_t distance = edit_distance(word, candidate);
        if (distance > near_enough || distance >= best_distance) continue;
        best = candidate;
        best_distance = distance;
    }
    return best;
}

std::string quoted_list(std::span<const std::string> words) {
    std::string text;
    for (const std::string& word : words) {
        if (!text.empty()) text += ", ";
        text += '"' + word + '"';
    }
    return text;
}

} // namespace nexus::config_detail
