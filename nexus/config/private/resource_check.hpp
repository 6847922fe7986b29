// Checking the section of a resource against the resource's defaults, and filling it up from them.
#pragma once

#include "nexus/config/detail/resource_codec.hpp"
#include "nexus/config/private/json_tree.hpp"

#include <string>

namespace nexus::config_detail {

/// The value of a resource: its defaults, replaced by what `node` says. Everything wrong goes to `problems` (unknown
/// keys, wrong types, values that from_json refuses, integers that do not fit their field); the result is then of no
/// use. Throws UsageError when from_json refuses the type's own defaults.
[[nodiscard]] nlohmann::json read_resource(const Node& node, const std::string& pointer, const ResourceCodec& codec,
                                           ProblemList& problems);

/// `an integer`, `a string` ...: the kind of values that may stand where the default is `value`.
[[nodiscard]] std::string kind_of(const nlohmann::json& value);

} // namespace nexus::config_detail
