// ConfigProblem and ConfigError: putting problems into words.
#include "nexus/config/problem.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace nexus {

namespace {

std::string listing(const std::vector<ConfigProblem>& problems) {
    std::string text;
    const std::size_t listed = std::min(problems.size(), ConfigError::max_listed);
    for (std::size_t i = 0; i < listed; ++i) {
        if (i != 0) text += '\n';
        text += problems[i].to_string();
    }
    if (listed < problems.size()) text += "\n... and " + std::to_string(problems.size() - listed) + " more problems";
    return text;
}

std::vector<ConfigProblem> in_order(std::vector<ConfigProblem> problems) {
    std::stable_sort(problems.begin(), problems.end(), [](const ConfigProblem& a, const ConfigProblem& b) {
        return std::tie(a.line, a.column) < std::tie(b.line, b.column);
    });
    return problems;
}

} // namespace

std::string ConfigProblem::to_string() const {
    std::string text = file;
    if (line != 0) text += ':' + std::to_string(line) + ':' + std::to_string(column);
    if (!pointer.empty()) text += ": " + pointer;
    return text + ": " + message;
}

ConfigError::ConfigError(std::vector<ConfigProblem> problems)
    : std::runtime_error((problems = in_order(std::move(problems)), listing(problems))),
      problems_(std::make_shared<const std::vector<ConfigProblem>>(std::move(problems))) {}

} // namespace nexus
