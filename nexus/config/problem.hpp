// What is wrong with a configuration: ConfigProblem, and ConfigError which carries all of them.
//
// Invariant: the problems of one ConfigError are in the order of their places in the text.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace nexus {

/// One mistake and its place.
struct ConfigProblem {
    /// The file as it was named to Config::load, or the name given to Config::parse.
    std::string file;
    /// Counted from 1; 0 when the problem has no place (the file cannot be read).
    std::uint32_t line = 0;
    /// Counted from 1 in characters, not bytes; a tab is one character.
    std::uint32_t column = 0;
    /// JSON pointer (RFC 6901) of the value or key, "" for the whole document.
    std::string pointer;
    /// What the text has there, shortened when it is long.
    std::string found;
    /// What would have been right.
    std::string allowed;
    /// The known key or value that is most like the one found; "" when none is alike.
    std::string nearest;
    /// The sentence made of these: `found "many", expected an integer from 1 to 1000000`.
    std::string message;

    /// "exchange.json:12:9: /runtime/tasks_per_cycle: found ...". Allocates.
    [[nodiscard]] std::string to_string() const;
};

/// A configuration that cannot be used. what() lists the problems, one a line; after `max_listed` lines it only says
/// how many more there are, while problems() has every one.
class ConfigError : public std::runtime_error {
public:
    static constexpr std::size_t max_listed = 100;

    explicit ConfigError(std::vector<ConfigProblem> problems);

    [[nodiscard]] const std::vector<ConfigProblem>& problems() const noexcept { return *problems_; }

private:
    // Shared, because copying an exception must not throw.
    std::shared_ptr<const std::vector<ConfigProblem>> problems_;
};

} // namespace nexus
