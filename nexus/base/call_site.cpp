// Turning places into text. Cold: only reports come here.
#include "nexus/base/call_site.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <link.h>
#include <unwind.h>

#include <charconv>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace nexus {
namespace base {
namespace {

std::uintptr_t number(const void* address) noexcept {
    // SAFETY: only arithmetic and printing; the number is never turned back into a pointer.
    return reinterpret_cast<std::uintptr_t>(address);
}

std::string hex(std::uintptr_t value) {
    char digits[2 * sizeof value];
    const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
    return "0x" + std::string(digits, end);
}

std::string demangled(const char* symbol) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(symbol, nullptr, nullptr, &status),
                                                           &std::free);
    return status == 0 && text ? std::string(text.get()) : std::string(symbol);
}

struct Frames {
    int skip;
    int left;
    const char* indent;
    bool own;
    std::string text;
};

/// Whether the function at `address` is known to be of nexus, by its mangled name.
bool is_own(const void* address) {
    Dl_info info{};
    if (dladdr(address, &info) == 0 || info.dli_sname == nullptr) return false;
    std::string_view name(info.dli_sname);
    if (name.starts_with("_ZZ")) name.remove_prefix(1); // of something local to a function
    return name.starts_with("nexus_fiber_") || name.starts_with("_ZN5nexus") || name.starts_with("_ZNK5nexus") ||
           name.starts_with("_ZNO5nexus");
}

_Unwind_Reason_Code add_frame(_Unwind_Context* context, void* argument) {
    Frames& frames = *static_cast<Frames*>(argument);
    const _Unwind_Ptr return_address = _Unwind_GetIP(context);
    if (return_address == 0 || frames.left == 0) return _URC_END_OF_STACK;
    if (frames.skip > 0) {
        --frames.skip;
        return _URC_NO_REASON;
    }
    // SAFETY: only looked up, never followed. One less: a return address may lie behind the function's last byte.
    const void* call = reinterpret_cast<const void*>(return_address - 1);
    if (!frames.own && is_own(call)) return _URC_NO_REASON;
    --frames.left;
    frames.text += frames.indent + describe_address(call) + "\n";
    return _URC_NO_REASON;
}

} // namespace

std::string describe_address(const void* address) {
    Dl_info info{};
    void* extra = nullptr;
    if (dladdr1(address, &info, &extra, RTLD_DL_LINKMAP) == 0) return hex(number(address));
    if (info.dli_sname != nullptr) {
        return demangled(info.dli_sname) + "+" + hex(number(address) - number(info.dli_saddr));
    }
    const std::string_view path = info.dli_fname != nullptr ? info.dli_fname : "";
    const std::string_view module = path.substr(path.find_last_of('/') + 1);
    // The link map's base is what addr2line wants subtracted, also of programs that are not position independent.
    const std::uintptr_t base = static_cast<const link_map*>(extra)->l_addr;
    return std::string(module) + "+" + hex(number(address) - base);
}

std::string function_name(const void* address) {
    Dl_info info{};
    if (dladdr(address, &info) == 0 || info.dli_sname == nullptr || info.dli_saddr != address) return {};
    return demangled(info.dli_sname);
}

[[gnu::noinline]] std::string describe_callers(int skip, int most, const char* indent, bool own) {
    // Two more: this function's own frame and its caller's, which knows where it is.
    Frames frames{skip + 2, most, indent, own, {}};
    _Unwind_Backtrace(&add_frame, &frames);
    return std::move(frames.text);
}

std::string names_hint(std::string_view report) {
    // A program that exports its names exports that of main.
    if (report.find("+0x") == std::string_view::npos || dlsym(RTLD_DEFAULT, "main") != nullptr) return {};
    return "\nFor names instead of numbers, link the program with -rdynamic (CMake: ENABLE_EXPORTS ON).";
}

} // namespace base

std::string CallSite::describe() const {
    if (!known()) return "an unknown place";
    if (file_ == nullptr) return base::describe_address(where_);
    return std::string(file_) + ":" + std::to_string(line_) + " (" + static_cast<const char*>(where_) + ")";
}

} // namespace nexus
