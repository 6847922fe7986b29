// What the library needs to know of a resource type: how its defaults and its values look as JSON.
#pragma once

#include <nlohmann/json.hpp>

namespace nexus::config_detail {

/// Two functions of one resource type. Equal types have equal codecs.
struct ResourceCodec {
    /// to_json(T{})
    nlohmann::json (*defaults)();
    /// to_json of the T that from_json makes; throws what from_json throws.
    nlohmann::json (*round_trip)(const nlohmann::json& value);

    template <class T>
    [[nodiscard]] static ResourceCodec of() noexcept {
        return {[] { return nlohmann::json(T{}); },
                [](const nlohmann::json& value) { return nlohmann::json(value.template get<T>()); }};
    }
};

} // namespace nexus::config_detail
