// One configuration text, read: what a Config and the bindings made from it share.
//
// Invariant: the text had no problems outside `resources`; those are looked at when a resource asks for them.
#pragma once

#include "nexus/config/detail/log_section.hpp"
#include "nexus/config/detail/resource_codec.hpp"
#include "nexus/config/private/json_tree.hpp"
#include "nexus/runtime/options.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::config_detail {

struct AskedResource {
    std::string name;
    ResourceCodec codec;
};

class Document {
public:
    /// Throws ConfigError.
    Document(std::string_view text, std::string name);

    [[nodiscard]] const RuntimeOptions& runtime() const noexcept { return runtime_; }
    [[nodiscard]] const LogSection& log() const noexcept { return log_; }

    void ask(std::string name, const ResourceCodec& codec);
    /// The completed value of a resource; nothing when the text has no section for it. Throws ConfigError.
    [[nodiscard]] std::optional<nlohmann::json> resource(const std::string& name, const ResourceCodec& codec) const;
    /// Throws ConfigError with the problems of all asked resources, and of all sections that nobody asked for.
    void check() const;
    /// Everything with its defaults. Throws ConfigError for a resource with problems.
    [[nodiscard]] nlohmann::ordered_json effective() const;

private:
    void read_root(ProblemList& problems);
    [[nodiscard]] const Node* find_resource(std::string_view name) const noexcept;
    [[nodiscard]] std::vector<std::string> asked_names() const;

    std::string name_;
    Node root_;
    RuntimeOptions runtime_;
    LogSection log_;
    std::vector<AskedResource> asked_;
};

} // namespace nexus::config_detail
