// Fault: a table of system calls in which one call fails a given number of times, then works again. One at a time a
// thread, because the entries of the table are plain functions.
#pragma once

#include "nexus/os/calls.hpp"

#include <cerrno>

namespace nexus::os {

template <auto Entry>
struct Fault;

template <class Return, class... Arguments, Return (*Calls::*Entry)(Arguments...)>
struct Fault<Entry> {
    /// `times` < 0: always.
    Fault(int errno_value, int times) {
        error = errno_value;
        left = times;
        seen = 0;
        table.*Entry = [](Arguments... arguments) -> Return {
            ++seen;
            if (left == 0) return (real_calls().*Entry)(arguments...);
            --left;
            errno = error;
            return static_cast<Return>(-1);
        };
    }
    /// How often the call was made.
    [[nodiscard]] int calls_seen() const { return seen; }

private:
    static inline thread_local int error = 0;
    static inline thread_local int left = 0;
    static inline thread_local int seen = 0;
    Calls table = real_calls();
    CallsOverride override_{table};
};

} // namespace nexus::os
