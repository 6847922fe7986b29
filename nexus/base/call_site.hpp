// CallSite: a place in the program, cheap to take and turned into text only when a report needs it.
//
// Either file, line and function (CallSite::current() as a default argument, like std::source_location, which clang 14
// does not have with libstdc++ 12), or a program counter where there is no room for a default argument (operator->).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nexus {
namespace base {

/// The address of the instruction that is executing; when inlined, in the function it was inlined into.
[[nodiscard, gnu::always_inline]] inline const void* program_counter() noexcept {
    const void* here = nullptr;
    // Volatile: not moved across other volatile code, so that the offset stays at the use.
#if defined(__x86_64__)
    asm volatile("lea 0(%%rip), %0" : "=r"(here));
#elif defined(__aarch64__)
    asm volatile("adr %0, ." : "=r"(here));
#else
#error "nexus runs on x86-64 and aarch64 only"
#endif
    return here;
}

} // namespace base

class CallSite {
public:
    /// Nowhere: describe() says "an unknown place".
    constexpr CallSite() noexcept = default;
    /// Where the call is written. As a default argument: where the function that has it is called.
    [[nodiscard]] static constexpr CallSite current(const char* file = __builtin_FILE(),
                                                    std::uint32_t line = __builtin_LINE(),
                                                    const char* function = __builtin_FUNCTION()) noexcept {
        return CallSite{file, function, line};
    }
    /// The instruction that is executing; when inlined, in the function it was inlined into.
    [[nodiscard, gnu::always_inline]] static CallSite program_counter() noexcept {
        return CallSite{nullptr, base::program_counter(), 0};
    }
    /// A program counter taken by other means, for example a return address.
    [[nodiscard]] static constexpr CallSite at(const void* program_counter) noexcept {
        return CallSite{nullptr, program_counter, 0};
    }

    [[nodiscard]] constexpr bool known() const noexcept { return where_ != nullptr; }
    /// "file.cpp:12 (function)", or of a program counter what describe_address() says. Allocates.
    [[nodiscard]] std::string describe() const;

private:
    constexpr CallSite(const char* file, const void* where, std::uint32_t line) noexcept
        : file_(file), where_(where), line_(line) {}

    const char* file_ = nullptr;  ///< null: where_ is a program counter
    const void* where_ = nullptr; ///< the function's name (a C string), or the program counter
    std::uint32_t line_ = 0;
};

namespace base {

/// "function+0x1f" where the dynamic symbol table knows the function (programs export theirs with -rdynamic), else
/// "program+0x1234", which `addr2line -f -C -e program 0x1234` resolves. Allocates.
[[nodiscard]] std::string describe_address(const void* address);

/// The demangled name of the function that starts at `address`, or "" when the dynamic symbol table has none.
[[nodiscard]] std::string function_name(const void* address);

/// The callers of the calling function, innermost first, each on a line of its own after `indent`; at most `most`.
/// `skip` leaves out that many of the innermost. With `own` false, functions of nexus are left out where their names
/// are known. Ends at a fiber's entry. Allocates.
[[nodiscard]] std::string describe_callers(int skip, int most, const char* indent, bool own = true);

/// A line to put under `report`, with a newline before it, when it holds addresses of a program that does not export
/// its names; else "". Allocates.
[[nodiscard]] std::string names_hint(std::string_view report);

} // namespace base
} // namespace nexus
