// Log: lines with a level, written by the calling thread before the call returns.
//
// There is no global logger, no registry and no thread. A Log is a value: make one in main, put it into the World
// (`builder.add(log)`), and inject it where lines are written. What has no Log writes nothing.
//
// Sinks run where suspending is forbidden: on the stack of the fiber that logs, in the middle of its line. A callback
// sink must not wait for anything, and a slow device holds up the loop for as long as it takes. Hot paths do not log.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/log/detail/format.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace nexus {

/// From chatty to severe. `off` is for thresholds only.
enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, critical, off };

/// "trace" ... "off".
[[nodiscard]] std::string_view to_string(LogLevel level) noexcept;

struct LogOptions {
    /// The least severe lines that are written.
    LogLevel level = LogLevel::info;
    /// Lines from this level on reach the kernel before the call returns; others may wait in the process until the
    /// next such line, and are lost if it crashes.
    LogLevel flush_level = LogLevel::trace;
    /// In the notation of spdlog (%v is the text); times are UTC.
    std::string pattern = "%Y-%m-%dT%H:%M:%S.%fZ %l %v";
    /// Lines are appended to this file; "" is the standard error stream.
    std::string file = {};
    /// The file is rotated before a line would make it longer than this; 0 never rotates.
    std::size_t max_file_bytes = std::size_t{64} * 1024 * 1024;
    /// Rotated files that are kept, as file.1 (the youngest), file.2, ...; 0 starts the file over.
    int max_files = 5;
};

namespace log_detail {
class Core;
}

/// A handle to a log, cheap to copy; copies write to the same place. Usable from any thread: lines do not mix.
/// Nothing here suspends. Failing to write a line never throws: it is counted.
class Log {
public:
    /// Called with each line, formatted by the pattern, without its newline. Must not suspend and may log itself.
    using Callback = std::function<void(LogLevel level, std::string_view line)>;

    /// The same as null().
    Log() noexcept = default;
    /// Writes nothing.
    [[nodiscard]] static Log null() noexcept { return {}; }
    /// Opens the file for appending, or takes the standard error stream. The descriptor is not inherited by child
    /// processes. Fails as open(2) does; directories are not made.
    [[nodiscard]] static Result<Log> open(const LogOptions& options);
    /// Hands lines to a function, for tests and for hosts with a log of their own; `file` and rotation do not apply.
    [[nodiscard]] static Log to_callback(Callback callback, const LogOptions& options = {});

    /// Whether lines of that level are written, for callers whose arguments are dear.
    [[nodiscard]] bool is_enabled(LogLevel level) const noexcept;
    /// Changes the threshold, for all copies and at once.
    void set_level(LogLevel level) noexcept;
    /// Hands everything to the kernel.
    void flush();
    /// Lines that could not be written or formatted (full disk, a callback that threw).
    [[nodiscard]] std::uint64_t lost() const noexcept;

    /// Writes ready-made text, in which braces mean nothing.
    void write(LogLevel level, std::string_view text);

    /// Formats and writes a line: `log.info("{} from {:>5}", n, name)`. The notation is that of std::format with
    /// automatic numbering; the compiler checks the number of arguments. Arguments: numbers, bool, char, strings,
    /// pointers, and types with to_string(), message() or what(). Nothing is formatted when the level is off.
    template <class... Args>
    void log(LogLevel level, log_detail::FormatString<std::type_identity_t<Args>...> format, const Args&... args) {
        if (is_enabled(level)) write_formatted(level, format.text(), {log_detail::make_argument(args)...});
    }
    template <class... Args>
    void trace(log_detail::FormatString<std::type_identity_t<Args>...> format, const Args&... args) {
        log(LogLevel::trace, format, args...);
    }
    template <class... Args>
    void debug(log_detail::FormatString<std::type_identity_t<Args>...> format, const Args&... args) {
        log(LogLevel::debug, format, args...);
    }
    template <class... Args>
    void info(log_detail::FormatString<std::type_identity_t<Args>...> format, const Args&... args) {
        log(LogLevel::info, format, args...);
    }
    template <class... Args>
    void warn(log_detail::FormatString<std::type_identity_t<Args>...> format, const Args&... args) {
        log(LogLevel::warn, format, args...);
    }
    template <class... Args>
    void error(log_detail::FormatString<std::type_identity_t<Args>...> format, const Args&... args) {
        log(LogLevel::error, format, args...);
    }
    template <class... Args>
    void critical(log_detail::FormatString<std::type_identity_t<Args>...> format, const Args&... args) {
        log(LogLevel::critical, format, args...);
    }

private:
    explicit Log(std::shared_ptr<log_detail::Core> core) noexcept;
    void write_formatted(LogLevel level, std::string_view format,
                         std::initializer_list<log_detail::Argument> arguments);

    std::shared_ptr<log_detail::Core> core_;
};

} // namespace nexus
