#include "nexus/base/error.hpp"

#include <algorithm>

namespace nexus {
namespace {

class Category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "nexus"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
        case errc::timed_out: return "timed out";
        case errc::cancelled: return "cancelled";
        case errc::closed: return "closed";
        case errc::full: return "full";
        case errc::empty: return "empty";
        case errc::end_of_stream: return "end of stream";
        case errc::stopped: return "the runtime is stopped";
        case errc::invalid_address:
            return "not an address (wanted: IP address and port, as 127.0.0.1:80 or [::1]:80; names are not looked up)";
        }
        return "unknown error " + std::to_string(value);
    }

    [[nodiscard]] std::error_condition default_error_condition(int value) const noexcept override {
        switch (static_cast<errc>(value)) {
        case errc::timed_out: return std::errc::timed_out;
        case errc::cancelled: return std::errc::operation_canceled;
        case errc::invalid_address: return std::errc::invalid_argument;
        default: return {value, *this};
        }
    }
};

} // namespace

const std::error_category& error_category() noexcept {
    static const Category category;
    return category;
}

Error::Error(std::error_code code, const char* operation, std::string_view subject) noexcept
    : code_(code), operation_(operation) {
    std::size_t length = std::min(subject.size(), max_subject);
    std::copy_n(subject.data(), length, subject_.data());
    subject_[length] = '\0';
}

Error Error::from_errno(int errno_value, const char* operation, std::string_view subject) noexcept {
    return {std::error_code(errno_value, std::generic_category()), operation, subject};
}

std::string Error::message() const {
    std::string text = operation_;
    if (subject_[0] != '\0') text.append(" ").append(subject_.data());
    return text.append(": ").append(code_.message());
}

void throw_exception_from_error(const Error& error, const boost::source_location& /*location*/) {
    // std::system_error appends ": " and the code's message to the text it is given.
    std::string what = error.operation();
    if (!error.subject().empty()) what.append(" ").append(error.subject());
    throw std::system_error(error.code(), what);
}

} // namespace nexus
