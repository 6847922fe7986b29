// Helpers of the configuration's tests: the text of the error that something throws.
#pragma once

#include "nexus/config/problem.hpp"

#include <string>

namespace nexus::test {

/// what() of the ConfigError that `body` throws; "no error" when it throws none.
template <class Body>
std::string problems_of(Body&& body) {
    try {
        body();
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "no error";
}

} // namespace nexus::test
