// How options of each kind are read, written, described and documented.
#include "nexus/config/private/nearest.hpp"
#include "nexus/config/private/option_table.hpp"
#include "nexus/config/private/units.hpp"

#include <algorithm>
#include <optional>

namespace nexus::config_detail {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view duration_pattern = R"(^[0-9]+(\.[0-9]+)?(ns|us|ms|s|min|h)$)";
constexpr std::string_view size_pattern = R"(^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB)$)";

std::vector<std::string> choices_of(const Option& option) { return {option.choices.begin(), option.choices.end()}; }

bool in_range(const Option& option, std::uint64_t number) { return number >= option.least && number <= option.most; }

std::optional<std::uint64_t> natural(const nlohmann::json& value) {
    if (value.is_number_unsigned()) return value.get<std::uint64_t>();
    return std::nullopt;
}

// What a number without a unit, or with a unit as other programs write it, was probably meant to be.
std::string meant_duration(const nlohmann::json& value) {
    if (const auto number = natural(value)) return '"' + std::to_string(*number) + (*number == 0 ? "s\"" : "ns\"");
    if (!value.is_string()) return {};
    std::string text;
    for (char c : value.get_ref<const std::string&>()) {
        if (c != ' ') text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    for (const auto& [ending, unit] : {std::pair{"\xC2\xB5s", "us"},
                                       {"sec", "s"},
                                       {"seconds", "s"},
                                       {"hours", "h"},
                                       {"minutes", "min"},
                                       {"m", "min"}}) {
        const std::string_view end = ending;
        if (text.size() > end.size() && text.ends_with(end) && text[text.size() - end.size() - 1] <= '9') {
            text.replace(text.size() - end.size(), end.size(), unit);
            break;
        }
    }
    return in_quotes(text);
}

std::string meant_size(const nlohmann::json& value) {
    if (!value.is_string()) return {};
    std::string text = value.get<std::string>();
    std::erase(text, ' ');
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    if (digits == 0) return {};
    std::string unit;
    switch (digits < text.size() ? text[digits] : 'b') {
    case 'b':
    case 'B': unit = "B"; break;
    case 'k':
    case 'K': unit = "KiB"; break;
    case 'm':
    case 'M': unit = "MiB"; break;
    case 'g':
    case 'G': unit = "GiB"; break;
    default: return {};
    }
    text = text.substr(0, digits) + unit;
    return in_quotes(text);
}

std::string meant_boolean(const nlohmann::json& value) {
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    if (text == "true" || text == "yes" || text == "on" || text == "1") return "true";
    if (text == "false" || text == "no" || text == "off" || text == "0") return "false";
    return {};
}

std::string meant_choice(const Option& option, const nlohmann::json& value) {
    if (!value.is_string()) return {};
    const std::string name = nearest(value.get_ref<const std::string&>(), choices_of(option));
    return name.empty() ? name : in_quotes(name);
}

std::string meant_integer(const nlohmann::json& value) {
    if (value.is_number_float()) {
        const double number = value.get<double>();
        if (number < 0 || number > 1e15) return {};
        const auto whole = static_cast<std::uint64_t>(number);
        return static_cast<double>(whole) == number ? std::to_string(whole) : std::string();
    }
    if (!value.is_string()) return {};
    const std::string& text = value.get_ref<const std::string&>();
    const bool is_number = !text.empty() && text.size() < 16 && text.find_first_not_of("0123456789") == text.npos;
    return is_number ? std::to_string(std::stoull(text)) : std::string();
}

std::optional<OptionValue> number_in_range(const Option& option, std::optional<std::uint64_t> number) {
    if (!number || !in_range(option, *number)) return std::nullopt;
    return OptionValue{*number, {}};
}

std::optional<OptionValue> value_from(const Option& option, const nlohmann::json& value) {
    switch (option.kind) {
    case OptionKind::boolean:
        if (!value.is_boolean()) return std::nullopt;
        return OptionValue{value.get<bool>() ? 1U : 0U, {}};
    case OptionKind::integer: return number_in_range(option, natural(value));
    case OptionKind::size:
        return number_in_range(option, value.is_string() ? parse_size(value.get<std::string>()) : natural(value));
    case OptionKind::duration:
        if (!value.is_string()) return std::nullopt;
        return number_in_range(option, parse_duration(value.get<std::string>()));
    case OptionKind::text:
        if (!value.is_string() || value.get_ref<const std::string&>().find('\0') != std::string::npos)
            return std::nullopt;
        return OptionValue{0, value.get<std::string>()};
    case OptionKind::choice: {
        const auto found = std::find(option.choices.begin(), option.choices.end(), value);
        if (found == option.choices.end()) return std::nullopt;
        return OptionValue{static_cast<std::uint64_t>(found - option.choices.begin()), {}};
    }
    }
    return std::nullopt;
}

// A range is enough for who got the form right; the others are told the form.
std::string allowed_for(const Option& option, const nlohmann::json& value) {
    std::string allowed = allowed_values(option);
    const bool has_form = value.is_string();
    if (option.kind == OptionKind::duration && !(has_form && parse_duration(value.get<std::string>())))
        allowed += ", as text with its unit (ns, us, ms, s, min, h)";
    if (option.kind == OptionKind::size && !value.is_number_integer() &&
        !(has_form && parse_size(value.get<std::string>())))
        allowed += ", in bytes or as text with its unit (B, KiB, MiB, GiB)";
    return allowed;
}

std::string guess(const Option& option, const nlohmann::json& value) {
    switch (option.kind) {
    case OptionKind::boolean: return meant_boolean(value);
    case OptionKind::integer: return meant_integer(value);
    case OptionKind::size: return meant_size(value);
    case OptionKind::duration: return meant_duration(value);
    case OptionKind::choice: return meant_choice(option, value);
    case OptionKind::text: break;
    }
    return {};
}

// Only what would be accepted is suggested.
std::string meant(const Option& option, const nlohmann::json& value) {
    std::string text = guess(option, value);
    const bool is_valid = !text.empty() && value_from(option, nlohmann::json::parse(text, nullptr, false)).has_value();
    return is_valid ? text : std::string();
}

Json written(const Option& option, const OptionValue& value) {
    switch (option.kind) {
    case OptionKind::boolean: return value.number != 0;
    case OptionKind::integer: return value.number;
    case OptionKind::size: return format_size(value.number);
    case OptionKind::duration: return format_duration(value.number);
    case OptionKind::text: return value.text;
    case OptionKind::choice: return option.choices[value.number];
    }
    return {};
}

Json option_schema(const Option& option) {
    Json schema = {{"description", option.doc}};
    switch (option.kind) {
    case OptionKind::boolean: schema["type"] = "boolean"; break;
    case OptionKind::integer:
        schema.update({{"type", "integer"}, {"minimum", option.least}, {"maximum", option.most}});
        break;
    case OptionKind::size:
        schema["anyOf"] = Json::array({Json{{"type", "integer"}, {"minimum", option.least}, {"maximum", option.most}},
                                       Json{{"type", "string"}, {"pattern", size_pattern}}});
        break;
    case OptionKind::duration: schema.update({{"type", "string"}, {"pattern", duration_pattern}}); break;
    case OptionKind::text: schema["type"] = "string"; break;
    case OptionKind::choice: schema["enum"] = choices_of(option); break;
    }
    return schema;
}

std::string markdown_type(const Option& option) {
    std::string text = allowed_values(option);
    std::replace(text.begin(), text.end(), '"', '`');
    return text;
}

} // namespace

void read_section(const Section& section, const Node& node, void* options, ProblemList& problems) {
    const std::string at = pointer_to({}, section.key);
    if (node.is_unusable()) return;
    if (!node.is_object()) {
        problems.add(node.place, at, shown(node.value), "an object");
        return;
    }
    for (const Node& member : node.children) {
        const auto option = std::find_if(section.options.begin(), section.options.end(),
                                         [&](const Option& candidate) { return candidate.key == member.key; });
        const std::string pointer = pointer_to(at, member.key);
        if (option == section.options.end()) {
            problems.add_unknown_key(member.key_place, pointer, member.key, keys_of(section));
        } else if (member.is_unusable()) {
            continue;
        } else if (const auto value = value_from(*option, member.value)) {
            option->set(options, *value);
        } else {
            problems.add(member.place, pointer, shown(member.value), allowed_for(*option, member.value),
                         meant(*option, member.value));
        }
    }
}

Json write_section(const Section& section, const void* options) {
    Json result = Json::object();
    for (const Option& option : section.options) {
        result[std::string(option.key)] = written(option, option.get(options));
    }
    return result;
}

Json section_schema(const Section& section) {
    Json properties = Json::object();
    for (const Option& option : section.options) {
        Json schema = option_schema(option);
        if (option.default_note.empty()) schema["default"] = written(option, option.get(section.defaults));
        properties[std::string(option.key)] = std::move(schema);
    }
    return {{"description", section.doc},
            {"type", "object"},
            {"properties", std::move(properties)},
            {"additionalProperties", false}};
}

std::string section_markdown(const Section& section) {
    std::string text = "| key | value | default | meaning |\n|---|---|---|---|\n";
    for (const Option& option : section.options) {
        const std::string value = '`' + written(option, option.get(section.defaults)).dump() + '`';
        const std::string by_default = option.default_note.empty() ? value : std::string(option.default_note);
        text += "| `" + std::string(option.key) + "` | " + markdown_type(option) + " | " + by_default + " | " +
                std::string(option.doc) + " |\n";
    }
    return text;
}

std::string allowed_values(const Option& option) {
    const auto range = [&](const char* what, const auto& format) {
        return what + format(option.least) + " to " + format(option.most);
    };
    switch (option.kind) {
    case OptionKind::boolean: return "true or false";
    case OptionKind::integer:
        return range("an integer from ", [](std::uint64_t number) { return std::to_string(number); });
    case OptionKind::size: return range("a size from ", format_size);
    case OptionKind::duration: return range("a duration from ", format_duration);
    case OptionKind::text: return "a string without NUL characters";
    case OptionKind::choice: return "one of " + quoted_list(choices_of(option));
    }
    return {};
}

std::vector<std::string> keys_of(const Section& section) {
    std::vector<std::string> keys;
    for (const Option& option : section.options) keys.emplace_back(option.key);
    return keys;
}

} // namespace nexus::config_detail
