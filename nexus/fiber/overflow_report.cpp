#include "nexus/fiber/overflow_report.hpp"

#include "nexus/base/usage_error.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <string_view>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace nexus {
namespace {

constexpr std::size_t alternate_stack_bytes = std::size_t{64} * 1024;

struct Watched {
    const StackPool* pool = nullptr;
    OverflowReport::Describe describe = nullptr;
    void* context = nullptr;
    stack_t previous_stack{};
};

// What the handler can reach: the faulting thread's own watch, and the actions to chain to.
constinit thread_local Watched watched;
constinit std::mutex install_mutex;
constinit std::size_t installed = 0;
constinit std::array<struct sigaction, 2> previous_actions{};
constexpr std::array<int, 2> handled_signals{SIGSEGV, SIGBUS};

/// One line, put together without allocating.
class Line {
public:
    Line& operator<<(std::string_view text) noexcept {
        const std::size_t room = buffer_.size() - length_;
        const std::size_t count = text.size() < room ? text.size() : room;
        std::memcpy(buffer_.data() + length_, text.data(), count);
        length_ += count;
        return *this;
    }
    Line& number(std::uint64_t value, int base = 10) noexcept {
        std::array<char, 24> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
        return *this << std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data()));
    }
    void write() const noexcept { (void)!::write(STDERR_FILENO, buffer_.data(), length_); }

private:
    std::array<char, 1024> buffer_{};
    std::size_t length_ = 0;
};

void append_place(Line& line, const void* address) noexcept {
    Dl_info info{};
    if (address == nullptr || ::dladdr(address, &info) == 0) {
        line << "an unknown place";
        return;
    }
    // SAFETY: addresses only, for their difference.
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    const bool known = info.dli_sname != nullptr;
    // SAFETY: as above.
    const auto start = reinterpret_cast<std::uintptr_t>(known ? info.dli_saddr : info.dli_fbase);
    line << (known ? info.dli_sname : info.dli_fname) << "+0x";
    line.number(at - start, 16);
}

void report(const Stack& stack) noexcept {
    const OverflowReport::Fiber fiber = watched.describe(watched.context);
    Line line;
    line << "nexus: stack overflow: fiber \"" << (fiber.name != nullptr ? fiber.name : "?") << "\", spawned at ";
    append_place(line, fiber.spawn_site);
    line << ", used up its stack of ";
    line.number(stack.usable_bytes() / 1024);
    line << " KiB; raise stack_size (root_stack_size for the body of block_on), or SpawnOptions::stack_size for this "
            "fiber\n";
    line.write();
}

void chain(int number, siginfo_t* info, void* context) noexcept {
    const struct sigaction& previous = previous_actions[number == SIGSEGV ? 0 : 1];
    if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(number);
    } else {
        std::signal(number, SIG_DFL); // the instruction faults again, and the default action ends the process
    }
}

extern "C" void nexus_on_fault(int number, siginfo_t* info, void* context) {
    const Stack* stack = watched.pool != nullptr ? watched.pool->find_by_guard(info->si_addr) : nullptr;
    if (stack == nullptr) {
        chain(number, info, context);
        return;
    }
    report(*stack);
    std::signal(number, SIG_DFL);
}

} // namespace

OverflowReport::OverflowReport(const StackPool& pool, Describe describe, void* context) {
    if (watched.pool != nullptr) {
        throw UsageError("overflow_report: this thread has one already; a thread has one runtime at a time");
    }
    void* memory = ::mmap(nullptr, alternate_stack_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "overflow_report: mmap");
    stack_t alternate{};
    alternate.ss_sp = memory;
    alternate.ss_size = alternate_stack_bytes;
    if (::sigaltstack(&alternate, &watched.previous_stack) != 0) {
        const int error = errno;
        ::munmap(memory, alternate_stack_bytes);
        throw std::system_error(error, std::generic_category(), "overflow_report: sigaltstack");
    }
    alternate_stack_ = memory;
    watched.pool = &pool;
    watched.describe = describe;
    watched.context = context;
    std::lock_guard lock(install_mutex);
    if (installed++ > 0) return;
    struct sigaction action {};
    action.sa_sigaction = &nexus_on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < handled_signals.size(); ++i) {
        ::sigaction(handled_signals[i], &action, &previous_actions[i]);
    }
}

OverflowReport::~OverflowReport() {
    {
        std::lock_guard lock(install_mutex);
        if (--installed == 0) {
            for (std::size_t i = 0; i < handled_signals.size(); ++i) {
                struct sigaction now {};
                ::sigaction(handled_signals[i], nullptr, &now);
                const bool ours = (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &nexus_on_fault;
                if (ours) ::sigaction(handled_signals[i], &previous_actions[i], nullptr);
            }
        }
    }
    // A stack that was disabled has to be given back as disabled, without the flags sigaltstack only reports.
    stack_t previous = watched.previous_stack;
    previous.ss_flags &= SS_DISABLE;
    ::sigaltstack(&previous, nullptr);
    ::munmap(alternate_stack_, alternate_stack_bytes);
    watched = {};
}

} // namespace nexus
