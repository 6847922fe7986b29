#include "nexus/runtime/signals.hpp"

#include "nexus/base/usage_error.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <unistd.h>

namespace nexus::detail {
namespace {

struct Listener {
    base::Atomic<int> poke_fd{-1};     // partners: the handler reads what SignalGuard stores
    base::Atomic<bool> pending{false}; // partners: the handler stores, take_pending() exchanges
};

constexpr std::array<int, 2> handled_signals{SIGINT, SIGTERM};

// Lock-free globals: a signal handler can reach nothing else. constinit, so there is no order of initialisation.
constinit std::array<Listener, SignalGuard::max_listeners> listeners;
constinit std::mutex install_mutex;
constinit std::size_t installed = 0;
constinit std::array<struct sigaction, handled_signals.size()> previous_actions{};

extern "C" void nexus_on_signal(int number, siginfo_t* info, void* context) {
    const int saved_errno = errno;
    for (Listener& listener : listeners) {
        const int fd = listener.poke_fd.load_acquire();
        if (fd < 0) continue;
        listener.pending.store_release(true);
        const std::uint64_t one = 1;
        (void)!::write(fd, &one, sizeof one); // a full eventfd is readable already
    }
    for (std::size_t i = 0; i < handled_signals.size(); ++i) {
        if (handled_signals[i] != number) continue;
        const struct sigaction& previous = previous_actions[i];
        if ((previous.sa_flags & SA_SIGINFO) != 0) {
            previous.sa_sigaction(number, info, context);
        } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
            previous.sa_handler(number);
        }
    }
    errno = saved_errno;
}

void install() {
    struct sigaction action {};
    action.sa_sigaction = &nexus_on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < handled_signals.size(); ++i) {
        ::sigaction(handled_signals[i], &action, &previous_actions[i]);
    }
}

void restore() {
    for (std::size_t i = 0; i < handled_signals.size(); ++i) {
        struct sigaction now {};
        ::sigaction(handled_signals[i], nullptr, &now);
        // Somebody may have installed a handler on top of ours: then it is not ours to take away.
        const bool ours = (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &nexus_on_signal;
        if (ours) ::sigaction(handled_signals[i], &previous_actions[i], nullptr);
    }
}

} // namespace

SignalGuard::SignalGuard(int poke_fd) : slot_(0) {
    std::lock_guard lock(install_mutex);
    while (slot_ < listeners.size() && listeners[slot_].poke_fd.load_acquire() >= 0) ++slot_;
    if (slot_ == listeners.size()) {
        throw UsageError(
            "signal_handlers: 16 runtimes of this process listen already; let one of them pass the word on");
    }
    listeners[slot_].pending.store_release(false);
    listeners[slot_].poke_fd.store_release(poke_fd);
    if (installed++ == 0) install();
}

SignalGuard::~SignalGuard() {
    std::lock_guard lock(install_mutex);
    if (--installed == 0) restore();
    listeners[slot_].poke_fd.store_release(-1);
}

bool SignalGuard::take_pending() noexcept {
    return listeners[slot_].pending.load_acquire() && listeners[slot_].pending.exchange_acq_rel(false);
}

} // namespace nexus::detail
