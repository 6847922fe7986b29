// UsageError: the programmer's mistake, thrown where it is made.
//
// Its text says what was done and what to do instead. It is thrown in release builds too: a misuse that passes
// silently costs more than the check.
#pragma once

#include <stdexcept>

namespace nexus {

class UsageError : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

} // namespace nexus
