// Where lines end up: a file that rotates, or a function.
//
// The file sink is our own because the formatting library's neither closes its descriptor in child processes nor
// fails without sleeping, and a sink that sleeps stops the loop.
#pragma once

#include "nexus/log/log.hpp"

#include <spdlog/formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/sink.h>

#include <cstddef>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>

namespace nexus::log_detail {

struct CloseFile {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

/// Opens for appending, not inherited by child processes; null with errno set on failure.
[[nodiscard]] FileHandle open_for_append(const std::string& path) noexcept;

/// Appends lines to a file. A line that cannot be written throws std::system_error, which the logger counts; the next
/// line tries again.
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    FileSink(FileHandle file, std::string path, std::size_t max_bytes, int max_files);

private:
    void sink_it_(const spdlog::details::log_msg& message) override;
    void flush_() override;
    void rotate();
    [[nodiscard]] std::string rotated(int number) const;
    void measure();
    [[noreturn]] void fail(const char* what) const;

    FileHandle file_;
    std::string path_;
    std::size_t max_bytes_;
    int max_files_;
    std::size_t size_ = 0;
};

/// Hands lines to a function. The function may log: the lock is recursive and nothing is half done when it is called.
class CallbackSink final : public spdlog::sinks::sink {
public:
    explicit CallbackSink(Log::Callback callback);

    void log(const spdlog::details::log_msg& message) override;
    void flush() override;
    void set_pattern(const std::string& pattern) override;
    void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override;

private:
    std::recursive_mutex mutex_;
    Log::Callback callback_;
    std::unique_ptr<spdlog::formatter> formatter_;
};

} // namespace nexus::log_detail
