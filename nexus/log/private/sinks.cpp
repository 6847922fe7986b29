// Where lines end up: a file that rotates, or a function.
#include "nexus/log/private/sinks.hpp"

#include <spdlog/pattern_formatter.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

namespace nexus::log_detail {

FileHandle open_for_append(const std::string& path) noexcept { return FileHandle(std::fopen(path.c_str(), "ae")); }

FileSink::FileSink(FileHandle file, std::string path, std::size_t max_bytes, int max_files)
    : file_(std::move(file)), path_(std::move(path)), max_bytes_(max_bytes), max_files_(max_files) {
    measure();
}

void FileSink::measure() {
    const long end = std::fseek(file_.get(), 0, SEEK_END) == 0 ? std::ftell(file_.get()) : 0;
    size_ = end > 0 ? static_cast<std::size_t>(end) : 0;
}

void FileSink::fail(const char* what) const {
    throw std::system_error(errno, std::generic_category(), what + (' ' + path_));
}

void FileSink::sink_it_(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (!file_) {
        file_ = open_for_append(path_);
        if (!file_) fail("open");
        measure();
    }
    if (max_bytes_ != 0 && size_ != 0 && size_ + line.size() > max_bytes_) rotate();
    if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size()) {
        std::clearerr(file_.get());
        fail("write");
    }
    size_ += line.size();
}

void FileSink::flush_() {
    if (file_ && std::fflush(file_.get()) != 0) {
        std::clearerr(file_.get());
        fail("flush");
    }
}

std::string FileSink::rotated(int number) const { return path_ + '.' + std::to_string(number); }

// Renaming fails for files that are not there yet, which is how it begins. If the file itself cannot be renamed, it
// simply goes on: a log that is too long is better than none.
void FileSink::rotate() {
    file_.reset();
    for (int number = max_files_ - 1; number >= 1; --number) {
        (void)std::rename(rotated(number).c_str(), rotated(number + 1).c_str());
    }
    if (max_files_ > 0) {
        (void)std::rename(path_.c_str(), rotated(1).c_str());
    } else {
        (void)std::remove(path_.c_str());
    }
    file_ = open_for_append(path_);
    if (!file_) fail("open");
    size_ = 0;
}

CallbackSink::CallbackSink(Log::Callback callback)
    : callback_(std::move(callback)),
      formatter_(std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::utc, "")) {}

void CallbackSink::log(const spdlog::details::log_msg& message) {
    const std::lock_guard lock(mutex_);
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    callback_(static_cast<LogLevel>(message.level), std::string_view(line.data(), line.size()));
}

void CallbackSink::flush() {}

void CallbackSink::set_pattern(const std::string& pattern) {
    set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, ""));
}

void CallbackSink::set_formatter(std::unique_ptr<spdlog::formatter> formatter) {
    const std::lock_guard lock(mutex_);
    formatter_ = std::move(formatter);
}

} // namespace nexus::log_detail
