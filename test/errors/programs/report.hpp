// What the wrong programs share: each makes its mistake and prints what the library says about it.
#pragma once

#include <cstdio>
#include <exception>
#include <utility>

/// The exit code of main: 0 when the mistake was reported as an exception, 1 when it passed silently.
template <class Mistake>
int report(Mistake&& mistake) {
    try {
        std::forward<Mistake>(mistake)();
    } catch (const std::exception& error) {
        std::puts(error.what());
        return 0;
    }
    std::puts("(no report)");
    return 1;
}
