#include "nexus/runtime/signals.hpp"

#include "nexus/base/usage_error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <thread>
#include <unistd.h>

namespace nexus::detail {
namespace {

struct Listener {
    base::Atomic<int> poke_fd{-1};     // partners: the handler reads what SignalGuard stores
    base::Atomic<bool> pending{false}; // partners: the handler stores, take_pending() exchanges
};

/// One signal, and what our handler replaced. A host may put its own handler on top of ours and leave it there when the
/// last runtime goes; the next runtime then goes on top of that. So our handler may be in the chain several times, and
/// each time it is reached it passes on to what that appearance of it had replaced.
struct Chain {
    static constexpr int max_levels = 8;
    int number;
    std::array<struct sigaction, max_levels> replaced{};
    base::Atomic<int> levels{0}; // partners: the handler reads what install() and restore() store
};

// Lock-free globals: a signal handler can reach nothing else. constinit, so there is no order of initialisation.
constinit std::array<Listener, SignalGuard::max_listeners> listeners;
constinit std::array<Chain, 2> chains{{{.number = SIGINT}, {.number = SIGTERM}}};
constinit base::Atomic<int> handlers_writing{0}; // partners: the handler counts itself, ~SignalGuard waits for zero
constinit std::mutex install_mutex;
constinit std::size_t installed = 0;
/// How often our handler is being run on this thread for each signal: a chain that leads back to it goes one level
/// down.
constinit thread_local std::array<int, 2> depth{};

bool is_ours(const struct sigaction& action) noexcept;

/// True when somebody has to be told.
bool tell_listeners() noexcept {
    bool told = false;
    handlers_writing.fetch_add_acq_rel(1);
    base::StdAtomics::fence_seq_cst(); // partner: the fence in ~SignalGuard()
    for (Listener& listener : listeners) {
        const int fd = listener.poke_fd.load_acquire();
        if (fd < 0) continue;
        listener.pending.store_release(true);
        const std::uint64_t one = 1;
        (void)!::write(fd, &one, sizeof one); // a full eventfd is readable already
        told = true;
    }
    handlers_writing.fetch_sub_acq_rel(1);
    return told;
}

/// Nobody listens and nothing else handles the signal, but our handler is still in place: a host put it back after it
/// had been taken over. The default has to happen.
void do_default(int number) noexcept {
    struct sigaction now {};
    ::sigaction(number, nullptr, &now);
    if (!is_ours(now)) return; // somebody stands above us, and has handled it
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    ::sigaction(number, &action, nullptr);
    (void)::raise(number); // comes when this handler returns
}

void pass_on(const struct sigaction& previous, int number, siginfo_t* info, void* context, bool told) noexcept {
    // The disposition first: SA_SIGINFO may be set beside SIG_IGN and SIG_DFL.
    if (previous.sa_handler == SIG_IGN) return;
    if (previous.sa_handler == SIG_DFL) {
        if (!told) do_default(number);
        return;
    }
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(number, info, context);
    } else {
        previous.sa_handler(number);
    }
}

extern "C" void nexus_on_signal(int number, siginfo_t* info, void* context) {
    const int saved_errno = errno;
    const bool told = tell_listeners();
    for (std::size_t i = 0; i < chains.size(); ++i) {
        if (chains[i].number != number) continue;
        const int level = chains[i].levels.load_acquire() - 1 - depth[i];
        if (level < 0) continue; // the chain leads in a circle
        ++depth[i];
        pass_on(chains[i].replaced[static_cast<std::size_t>(level)], number, info, context, told);
        --depth[i];
    }
    errno = saved_errno;
}

bool is_ours(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &nexus_on_signal;
}

void install() {
    struct sigaction action {};
    action.sa_sigaction = &nexus_on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK; // a fiber's stack may be small
    sigemptyset(&action.sa_mask);
    for (Chain& chain : chains) {
        const int level = chain.levels.load_acquire();
        struct sigaction now {};
        ::sigaction(chain.number, nullptr, &now);
        // On top already; or so deep that the handlers above have to lead to us.
        if (is_ours(now) || level == Chain::max_levels) continue;
        chain.replaced[static_cast<std::size_t>(level)] = now;
        chain.levels.store_release(level + 1);
        ::sigaction(chain.number, &action, nullptr);
    }
}

void restore() {
    for (Chain& chain : chains) {
        struct sigaction now {};
        ::sigaction(chain.number, nullptr, &now);
        // Somebody may have installed a handler on top of ours: then it is not ours to take away, and ours stays below.
        const int level = chain.levels.load_acquire();
        if (!is_ours(now) || level == 0) continue;
        ::sigaction(chain.number, &chain.replaced[static_cast<std::size_t>(level - 1)], nullptr);
        chain.levels.store_release(level - 1);
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
    base::StdAtomics::fence_seq_cst(); // partner: the fence in tell_listeners()
    // A handler on another thread may have read the descriptor, which is about to be closed.
    while (handlers_writing.load_acquire() != 0) std::this_thread::yield();
}

bool SignalGuard::take_pending() noexcept {
    return listeners[slot_].pending.load_acquire() && listeners[slot_].pending.exchange_acq_rel(false);
}

} // namespace nexus::detail
