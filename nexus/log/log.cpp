// Log on top of one spdlog logger of its own, which is in no registry.
#include "nexus/log/log.hpp"

#include "nexus/base/atomic.hpp"
#include "nexus/log/private/sinks.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#if defined(SPDLOG_FMT_EXTERNAL)
#include <fmt/args.h>
#else
#include <spdlog/fmt/bundled/args.h>
#endif

#include <array>
#include <cerrno>
#include <exception>
#include <iterator>
#include <utility>

namespace nexus {

namespace {

constexpr std::array<std::string_view, 7> level_names = {"trace", "debug", "info", "warn", "error", "critical", "off"};

spdlog::level::level_enum spdlog_level(LogLevel level) noexcept {
    static_assert(static_cast<int>(LogLevel::trace) == spdlog::level::trace);
    static_assert(static_cast<int>(LogLevel::warn) == spdlog::level::warn);
    static_assert(static_cast<int>(LogLevel::off) == spdlog::level::off);
    return static_cast<spdlog::level::level_enum>(level);
}

} // namespace

namespace log_detail {

class Core {
public:
    Core(spdlog::sink_ptr sink, const LogOptions& options) : logger_("nexus", std::move(sink)) {
        logger_.set_formatter(
            std::make_unique<spdlog::pattern_formatter>(options.pattern, spdlog::pattern_time_type::utc));
        logger_.set_level(spdlog_level(options.level));
        logger_.flush_on(spdlog_level(options.flush_level));
        // Without a handler spdlog writes to the standard error stream, which is the host's.
        logger_.set_error_handler([this](const std::string&) { lose_line(); });
    }

    [[nodiscard]] spdlog::logger& logger() noexcept { return logger_; }
    [[nodiscard]] std::uint64_t lost() const noexcept {
        // SAFETY: a statistic; it orders nothing. Partner: lose_line.
        return lost_.load_relaxed();
    }
    void lose_line() noexcept {
        // SAFETY: a statistic; it orders nothing. Partner: lost.
        lost_.fetch_add_relaxed(1);
    }

private:
    spdlog::logger logger_;
    base::Atomic<std::uint64_t> lost_;
};

namespace {

void append(fmt::dynamic_format_arg_store<fmt::format_context>& store, const Argument& argument) {
    std::visit(
        [&store](const auto& value) {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, Other>) {
                store.push_back(value.text(value.value));
            } else {
                store.push_back(value);
            }
        },
        argument);
}

} // namespace

} // namespace log_detail

std::string_view to_string(LogLevel level) noexcept { return level_names[static_cast<std::size_t>(level)]; }

Log::Log(std::shared_ptr<log_detail::Core> core) noexcept : core_(std::move(core)) {}

Result<Log> Log::open(const LogOptions& options) {
    if (options.file.empty()) {
        return Log(std::make_shared<log_detail::Core>(std::make_shared<spdlog::sinks::stderr_sink_mt>(), options));
    }
    log_detail::FileHandle file = log_detail::open_for_append(options.file);
    if (!file) return Error::from_errno(errno, "open log file", options.file);
    auto sink = std::make_shared<log_detail::FileSink>(std::move(file), options.file, options.max_file_bytes,
                                                       options.max_files);
    return Log(std::make_shared<log_detail::Core>(std::move(sink), options));
}

Log Log::to_callback(Callback callback, const LogOptions& options) {
    auto sink = std::make_shared<log_detail::CallbackSink>(std::move(callback));
    auto core = std::make_shared<log_detail::Core>(sink, options);
    sink->set_pattern(options.pattern);
    return Log(std::move(core));
}

bool Log::is_enabled(LogLevel level) const noexcept {
    return core_ && level != LogLevel::off && core_->logger().should_log(spdlog_level(level));
}

void Log::set_level(LogLevel level) noexcept {
    if (core_) core_->logger().set_level(spdlog_level(level));
}

void Log::flush() {
    if (core_) core_->logger().flush();
}

std::uint64_t Log::lost() const noexcept { return core_ ? core_->lost() : 0; }

void Log::write(LogLevel level, std::string_view text) {
    if (!is_enabled(level)) return;
    core_->logger().log(spdlog::source_loc{}, spdlog_level(level), spdlog::string_view_t(text.data(), text.size()));
}

void Log::write_formatted(LogLevel level, std::string_view format,
                          std::initializer_list<log_detail::Argument> arguments) {
    fmt::memory_buffer line;
    try {
        fmt::dynamic_format_arg_store<fmt::format_context> store;
        store.reserve(arguments.size(), 0);
        for (const log_detail::Argument& argument : arguments) log_detail::append(store, argument);
        fmt::vformat_to(std::back_inserter(line), fmt::string_view(format.data(), format.size()), store);
    } catch (const std::exception& wrong) {
        // A line whose format does not suit its arguments still says where to look.
        core_->lose_line();
        write(level, "cannot format the log line \"" + std::string(format) + "\": " + wrong.what());
        return;
    }
    write(level, std::string_view(line.data(), line.size()));
}

} // namespace nexus
