// Collecting the problems of one text, and the words in which they are told.
#include "nexus/config/private/problem_list.hpp"

#include "nexus/config/private/nearest.hpp"

#include <utility>

namespace nexus::config_detail {

namespace {

constexpr std::size_t max_shown = 48;

std::string dumped(const nlohmann::json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Whole characters only: a cut inside one would put invalid UTF-8 into the message.
std::string_view shortened(std::string_view text) {
    std::size_t size = max_shown;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
    return text.substr(0, size);
}

} // namespace

void ProblemList::add(Place place, std::string pointer, std::string found, std::string allowed, std::string meant) {
    std::string message = "found " + found + ", expected " + allowed;
    if (!meant.empty()) message += "; did you mean " + meant + '?';
    if (meant.size() >= 2 && meant.front() == '"') meant = meant.substr(1, meant.size() - 2);
    problems_.push_back({file_, place.line, place.column, std::move(pointer), std::move(found), std::move(allowed),
                         std::move(meant), std::move(message)});
}

void ProblemList::add_unknown_key(Place place, std::string pointer, const std::string& key,
                                  std::span<const std::string> known) {
    std::string found = "unknown key " + in_quotes(key);
    std::string allowed = known.empty() ? "no key at all" : "one of " + quoted_list(known);
    std::string meant = nearest(key, known);
    std::string message = found +
                          (meant.empty() ? ", expected " + allowed : "; did you mean " + in_quotes(meant) + '?');
    problems_.push_back({file_, place.line, place.column, std::move(pointer), std::move(found), std::move(allowed),
                         std::move(meant), std::move(message)});
}

void ProblemList::add_sentence(Place place, std::string pointer, std::string found, std::string sentence) {
    problems_.push_back(
        {file_, place.line, place.column, std::move(pointer), std::move(found), {}, {}, std::move(sentence)});
}

void ProblemList::throw_if_any() {
    if (!problems_.empty()) throw ConfigError(take());
}

std::string in_quotes(std::string_view text) {
    if (text.size() <= max_shown) return dumped(std::string(text));
    std::string cut = dumped(std::string(shortened(text)));
    cut.insert(cut.size() - 1, "...");
    return cut;
}

std::string shown(const nlohmann::json& value) {
    if (value.is_object()) return "an object";
    if (value.is_array()) return "an array";
    if (value.is_string()) return in_quotes(value.get_ref<const std::string&>());
    return dumped(value);
}

std::string pointer_to(const std::string& pointer, std::string_view key) {
    std::string result = pointer + '/';
    for (char c : key) {
        if (c == '~') {
            result += "~0";
        } else if (c == '/') {
            result += "~1";
        } else {
            result += c;
        }
    }
    return result;
}

} // namespace nexus::config_detail
