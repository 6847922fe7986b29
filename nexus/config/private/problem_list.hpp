// Collecting the problems of one text, so that all of them can be reported at once.
#pragma once

#include "nexus/config/problem.hpp"

#include <nlohmann/json.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::config_detail {

/// Where something stands in the text, counted from 1.
struct Place {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
};

class ProblemList {
public:
    explicit ProblemList(std::string file) : file_(std::move(file)) {}

    /// `found F, expected A; did you mean N?`. `meant` is what the text should have had, as it is to be written.
    void add(Place place, std::string pointer, std::string found, std::string allowed, std::string meant = {});
    /// `unknown key "K"; did you mean "N"?`, or, when no known key is near, the known keys.
    void add_unknown_key(Place place, std::string pointer, const std::string& key, std::span<const std::string> known);
    /// A sentence that fits neither form.
    void add_sentence(Place place, std::string pointer, std::string found, std::string sentence);

    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] std::size_t size() const noexcept { return problems_.size(); }
    [[nodiscard]] bool empty() const noexcept { return problems_.empty(); }
    [[nodiscard]] std::vector<ConfigProblem> take() { return std::move(problems_); }
    /// Throws ConfigError when there is anything to report.
    void throw_if_any();

private:
    std::string file_;
    std::vector<ConfigProblem> problems_;
};

/// `text` in double quotes with escapes, cut off when it is long.
[[nodiscard]] std::string in_quotes(std::string_view text);
/// A value as a problem shows it: scalars as JSON, containers by their kind.
[[nodiscard]] std::string shown(const nlohmann::json& value);
/// `pointer` continued by one key, escaped as RFC 6901 wants it.
[[nodiscard]] std::string pointer_to(const std::string& pointer, std::string_view key);

} // namespace nexus::config_detail
