// The option table: one entry for each option, from which everything about it is made: reading, diagnostics, the JSON
// schema, the printed effective configuration, and the table in docs/config.md.
//
// Defaults are not in the table: they are what a default-constructed options struct has (read through `get`).
#pragma once

#include "nexus/config/private/json_tree.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace nexus::config_detail {

enum class OptionKind : std::uint8_t {
    boolean,
    integer,  ///< without a unit
    size,     ///< bytes; text with a unit, or an integer
    duration, ///< nanoseconds; text with a unit only
    text,
    choice ///< one of `choices`; the value is its index
};

/// Booleans, integers, sizes, durations and choices are numbers, texts are text.
struct OptionValue {
    std::uint64_t number = 0;
    std::string text;
};

struct Option {
    std::string_view key;
    OptionKind kind;
    /// Both inclusive. Unused by booleans, texts and choices.
    std::uint64_t least;
    std::uint64_t most;
    std::span<const std::string_view> choices;
    std::string_view doc;
    /// Said instead of the default where that depends on the build; else empty.
    std::string_view default_note;
    OptionValue (*get)(const void* options);
    void (*set)(void* options, const OptionValue& value);
};

/// The options of one section of the file and a default-constructed struct to take the defaults from.
struct Section {
    std::string_view key;
    std::string_view doc;
    std::span<const Option> options;
    const void* defaults;
};

/// Options point to a RuntimeOptions.
[[nodiscard]] const Section& runtime_section();
/// Options point to a LogSection.
[[nodiscard]] const Section& log_section();

/// Reads what `node` gives into the struct at `options`; everything wrong goes to `problems`.
void read_section(const Section& section, const Node& node, void* options, ProblemList& problems);
/// All options of the struct at `options`, as read_section would read them again.
[[nodiscard]] nlohmann::ordered_json write_section(const Section& section, const void* options);
[[nodiscard]] nlohmann::ordered_json section_schema(const Section& section);
/// The rows of the table in docs/config.md, with its head.
[[nodiscard]] std::string section_markdown(const Section& section);

/// `an integer from 1 to 1000000`
[[nodiscard]] std::string allowed_values(const Option& option);
[[nodiscard]] std::vector<std::string> keys_of(const Section& section);

} // namespace nexus::config_detail
