// Helpers of the exchange's tests: messages written with '|' for SOH, and bytes cut back into such messages. They use
// nothing of the codec under test, so that a fault in it cannot hide itself.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace exchange::test {

inline std::string with_soh(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c == '|') c = '\x01';
    return out;
}

inline std::string with_bars(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c == '\x01') c = '|';
    return out;
}

/// A whole message around "35=...|", with the right BodyLength and CheckSum.
inline std::string whole(std::string_view body, std::string_view begin_string = "FIX.4.4") {
    std::string out = with_soh("8=" + std::string{begin_string} + "|9=" + std::to_string(body.size()) + "|");
    out += with_soh(body);
    unsigned sum = 0;
    for (const char c : out) sum += static_cast<unsigned char>(c);
    char trailer[16];
    std::snprintf(trailer, sizeof trailer, "10=%03u\x01", sum % 256);
    return out + trailer;
}

/// Cuts well-formed output into messages, with bars.
inline std::vector<std::string> split(std::string_view bytes) {
    std::vector<std::string> found;
    while (!bytes.empty()) {
        const std::size_t end = bytes.find("\x01"
                                           "10=");
        if (end == std::string_view::npos) {
            found.push_back("unfinished: " + with_bars(bytes));
            break;
        }
        found.push_back(with_bars(bytes.substr(0, end + 8)));
        bytes.remove_prefix(end + 8);
    }
    return found;
}

/// The value of a tag in a message with bars, "" when it is missing.
inline std::string value_of(std::string_view message, int tag) {
    const std::string key = "|" + std::to_string(tag) + "=";
    const std::size_t at = message.find(key);
    if (at == std::string_view::npos) return "";
    const std::size_t begin = at + key.size();
    return std::string{message.substr(begin, message.find('|', begin) - begin)};
}

} // namespace exchange::test
