// Checking the section of a resource against the resource's defaults, and filling it up from them.
//
// Three passes, each only if the one before found nothing: keys and types against the defaults; from_json, and if it
// refuses, a search for the field to blame; integers that from_json cut to the size of their field.
#include "nexus/config/private/resource_check.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/config/private/nearest.hpp"

#include <exception>
#include <optional>
#include <string_view>
#include <vector>

namespace nexus::config_detail {

namespace {

using Json = nlohmann::json;

// Of a struct the keys are known; of a map, whose default is empty, they are not.
bool has_known_keys(const Json& defaults) { return defaults.is_object() && !defaults.empty(); }

bool is_same_kind(const Json& given, const Json& defaults) {
    if (defaults.is_null()) return true;
    if (defaults.is_number_unsigned()) return given.is_number_unsigned();
    if (defaults.is_number_integer()) return given.is_number_integer();
    if (defaults.is_number_float()) return given.is_number();
    return given.type() == defaults.type();
}

// What each element of an array has to look like: the first default, when all defaults are alike.
const Json* prototype(const Json& defaults) {
    if (!defaults.is_array() || defaults.empty()) return nullptr;
    for (const Json& element : defaults) {
        if (element.type() != defaults.front().type()) return nullptr;
    }
    return &defaults.front();
}

void check_kinds(const Node& node, const Json& defaults, const std::string& pointer, ProblemList& problems) {
    if (node.is_unusable()) return;
    if (!is_same_kind(node.value, defaults)) {
        problems.add(node.place, pointer, shown(node.value), kind_of(defaults));
        return;
    }
    if (const Json* element = prototype(defaults)) {
        for (std::size_t i = 0; i < node.children.size(); ++i) {
            check_kinds(node.children[i], *element, pointer_to(pointer, node.token(i)), problems);
        }
    }
    if (!has_known_keys(defaults)) return;
    std::vector<std::string> known;
    for (const auto& [key, value] : defaults.items()) known.push_back(key);
    for (const Node& child : node.children) {
        const std::string at = pointer_to(pointer, child.key);
        if (defaults.contains(child.key)) {
            check_kinds(child, defaults[child.key], at, problems);
        } else {
            problems.add_unknown_key(child.key_place, at, child.key, known);
        }
    }
}

Json filled(const Node& node, const Json& defaults) {
    if (!has_known_keys(defaults) || !node.is_object()) return to_json(node);
    Json value = defaults;
    for (const Node& child : node.children) value[child.key] = filled(child, defaults[child.key]);
    return value;
}

// The JSON library puts an identifier of its own before its messages.
std::string without_prefix(std::string_view what) {
    if (what.substr(0, 1) == "[") what.remove_prefix(std::min(what.find("] ") + 2, what.size()));
    return std::string(what);
}

// Finds the smallest part of the section that from_json refuses when everything else is left at its default.
class Blame {
public:
    Blame(const ResourceCodec& codec, const Json& defaults, ProblemList& problems)
        : codec_(codec), defaults_(defaults), problems_(problems) {}

    std::optional<std::string> refusal(const Json& value) const {
        try {
            (void)codec_.round_trip(value);
            return std::nullopt;
        } catch (const std::exception& refused) {
            return without_prefix(refused.what());
        }
    }

    /// Whether `node` is refused; if so it has been reported. `in_value` leads to it from the resource's value, and
    /// `pointer` from the whole document.
    bool report(const Node& node, const Json& defaults, const Json::json_pointer& in_value,
                const std::string& pointer) const {
        const auto reason = refusal(with(in_value, filled(node, defaults)));
        if (!reason) return false;
        const bool is_told = has_known_keys(defaults) ? report_members(node, defaults, in_value, pointer)
                                                      : report_elements(node, in_value, pointer);
        if (!is_told) {
            const std::string found = shown(node.value);
            problems_.add_sentence(node.place, pointer, found, "found " + found + ", which is refused: " + *reason);
        }
        return true;
    }

private:
    Json with(const Json::json_pointer& where, Json part) const {
        Json value = defaults_;
        value[where] = std::move(part);
        return value;
    }

    bool report_members(const Node& node, const Json& defaults, const Json::json_pointer& in_value,
                        const std::string& pointer) const {
        bool is_told = false;
        for (const Node& child : node.children) {
            is_told |= report(child, defaults[child.key], in_value / child.key, pointer_to(pointer, child.key));
        }
        return is_told;
    }

    // An element is tried as the only one of its array. Where every one of several fails that way, it is the
    // array's length that is wrong, or something that the elements cannot be blamed for.
    bool report_elements(const Node& node, const Json::json_pointer& in_value, const std::string& pointer) const {
        if (!node.is_array()) return false;
        std::vector<std::pair<std::size_t, std::string>> refused;
        for (std::size_t i = 0; i < node.children.size(); ++i) {
            const auto reason = refusal(with(in_value, Json::array({to_json(node.children[i])})));
            if (reason) refused.emplace_back(i, *reason);
        }
        const bool is_fault_of_elements = refused.size() < node.children.size() || node.children.size() == 1;
        if (refused.empty() || !is_fault_of_elements) return false;
        for (const auto& [i, reason] : refused) {
            const Node& element = node.children[i];
            const std::string found = shown(element.value);
            problems_.add_sentence(element.place, pointer_to(pointer, node.token(i)), found,
                                   "found " + found + ", which is refused: " + reason);
        }
        return true;
    }

    const ResourceCodec& codec_;
    const Json& defaults_;
    ProblemList& problems_;
};

// from_json of a fixed-width integer cuts what does not fit, without a word.
void check_integers_kept(const Node& node, const Json& result, const std::string& pointer, ProblemList& problems) {
    if (node.value.is_number_integer()) {
        // As text, because the library's == takes -1 and 2^64-1 for equal.
        if (!result.is_number_integer() || result.dump() == node.value.dump()) return;
        problems.add(node.place, pointer, shown(node.value),
                     "an integer that fits its field (this one would become " + result.dump() + ')');
        return;
    }
    for (std::size_t i = 0; i < node.children.size(); ++i) {
        const std::string token = node.token(i);
        const Node& child = node.children[i];
        if (node.is_array() && result.is_array() && i < result.size()) {
            check_integers_kept(child, result[i], pointer_to(pointer, token), problems);
        } else if (node.is_object() && result.is_object() && result.contains(token)) {
            check_integers_kept(child, result[token], pointer_to(pointer, token), problems);
        }
    }
}

} // namespace

Json read_resource(const Node& node, const std::string& pointer, const ResourceCodec& codec, ProblemList& problems) {
    const Json defaults = codec.defaults();
    const std::size_t before = problems.size();
    check_kinds(node, defaults, pointer, problems);
    if (problems.size() != before) return defaults;

    Json value = filled(node, defaults);
    const Blame blame(codec, defaults, problems);
    if (const auto reason = blame.refusal(value)) {
        if (const auto own = blame.refusal(defaults)) {
            throw UsageError("the resource for the configuration key " + pointer +
                             " cannot be read back from its own defaults: " + *own +
                             "; make its to_json and from_json agree");
        }
        blame.report(node, defaults, Json::json_pointer(), pointer);
        return defaults;
    }
    check_integers_kept(node, codec.round_trip(value), pointer, problems);
    return value;
}

std::string kind_of(const Json& value) {
    switch (value.type()) {
    case Json::value_t::boolean: return "true or false";
    case Json::value_t::number_integer: return "an integer";
    case Json::value_t::number_unsigned: return "an integer that is not negative";
    case Json::value_t::number_float: return "a number";
    case Json::value_t::string: return "a string";
    case Json::value_t::array: return "an array";
    case Json::value_t::object: return "an object";
    default: return "any value";
    }
}

} // namespace nexus::config_detail
