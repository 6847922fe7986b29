// Threads of the bridges: they block every signal, since signals are the host's and go to threads that expect them.
#pragma once

#include <csignal>
#include <pthread.h>
#include <thread>
#include <utility>

namespace nexus::detail {

/// Starts a thread that runs `body()` with all signals blocked; the caller's mask is as before, also when this throws.
/// Throws std::system_error when no thread can be had.
template <class Body>
[[nodiscard]] std::thread start_quiet_thread(Body&& body) {
    struct Mask { // a thread inherits the mask of whoever starts it
        Mask() {
            sigset_t all;
            sigfillset(&all);
            pthread_sigmask(SIG_BLOCK, &all, &before);
        }
        Mask(const Mask&) = delete;
        Mask& operator=(const Mask&) = delete;
        ~Mask() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
        sigset_t before{};
    } const mask;
    return std::thread(std::forward<Body>(body));
}

} // namespace nexus::detail
