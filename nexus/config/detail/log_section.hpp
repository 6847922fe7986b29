// What the section `log` of a configuration says, as plain data.
//
// The same fields as nexus::LogOptions, which Config::log() fills from it: config does not depend on log. A test holds
// the two together (fields, defaults, order of levels).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace nexus::config_detail {

struct LogSection {
    /// The value of a nexus::LogLevel.
    std::uint8_t level = 2;
    std::uint8_t flush_level = 0;
    std::string pattern = "%Y-%m-%dT%H:%M:%S.%fZ %l %v";
    std::string file = {};
    std::size_t max_file_bytes = std::size_t{64} * 1024 * 1024;
    int max_files = 5;
};

} // namespace nexus::config_detail
