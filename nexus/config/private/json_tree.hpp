// Our own pass over a JSON text: a tree that knows where each key and each value stands.
//
// The tree is complete (the JSON library's parser is not used), so that a place is never computed twice in two ways.
// It accepts RFC 8259 plus // and /* */ comments and a leading byte order mark. Invariants of a tree that came with
// no problems: keys of one object differ, strings are valid UTF-8, nesting is at most `max_depth`.
#pragma once

#include "nexus/config/private/problem_list.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::config_detail {

inline constexpr std::size_t max_depth = 100;
inline constexpr std::size_t max_text_bytes = std::size_t{16} * 1024 * 1024;

struct Node {
    /// Scalars: the value. Containers: empty, of the right type; the content is in `children`. Of the type `discarded`
    /// where the text is wrong and that has been reported, so that nobody reports it again.
    nlohmann::json value;
    /// Where the value begins.
    Place place;
    /// Members of objects: the key and where its opening quote stands.
    std::string key;
    Place key_place;
    std::vector<Node> children;

    [[nodiscard]] bool is_object() const noexcept { return value.is_object(); }
    [[nodiscard]] bool is_unusable() const noexcept { return value.is_discarded(); }
    [[nodiscard]] bool is_array() const noexcept { return value.is_array(); }
    /// The member of that name, or null.
    [[nodiscard]] const Node* find(std::string_view name) const noexcept;
    /// The JSON pointer token of child `index`: its key, or its index in an array.
    [[nodiscard]] std::string token(std::size_t index) const;
};

/// Reads the whole text. Everything wrong with it goes to `problems`, as far as reading could go on; the result is
/// empty when it could not go on to the end.
[[nodiscard]] std::optional<Node> parse_json(std::string_view text, ProblemList& problems);

/// The value of a node with all that is below it.
[[nodiscard]] nlohmann::json to_json(const Node& node);

} // namespace nexus::config_detail
