// Errors as values: nexus::errc, nexus::Error and nexus::Result<T>.
//
// What the world can cause (I/O, closed channels, ended waits) is returned as Result<T>. An Error is a
// std::error_code, the name of the operation that failed and, where there is one, its subject ("127.0.0.1:80").
// It is trivially copyable and never allocates. Programmers' mistakes are UsageError, see usage_error.hpp.
#pragma once

#include <boost/system/result.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace nexus {

/// Conditions of this library. They compare equal to the std::errc of the same meaning where one exists.
enum class errc {
    timed_out = 1,  ///< a deadline passed; equals std::errc::timed_out
    cancelled,      ///< the wait was ended from outside; equals std::errc::operation_canceled
    closed,         ///< the other side is gone for good
    full,           ///< no room at the moment
    empty,          ///< nothing there at the moment
    end_of_stream,  ///< the peer ended the stream before the transfer was complete
    stopped,        ///< the runtime that should have done this is gone or going
    invalid_address ///< text is not an address
};

/// The category of nexus::errc; its name is "nexus".
[[nodiscard]] const std::error_category& error_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), error_category()};
}

/// A failure: the code, the operation ("connect"), and what it was done to ("127.0.0.1:7000", may be empty).
class Error {
public:
    /// Longest subject kept, in bytes; longer ones are cut off. An IPv6 address with its port fits.
    static constexpr std::size_t max_subject = 47;

    /// No error. Only what Result::error() returns when there is none.
    Error() noexcept : operation_(""), subject_{} {}
    /// `operation` must be a string literal or otherwise outlive the error; it is not copied.
    Error(std::error_code code, const char* operation, std::string_view subject = {}) noexcept;
    Error(errc code, const char* operation, std::string_view subject = {}) noexcept
        : Error(make_error_code(code), operation, subject) {}
    /// From an errno value, in the generic category.
    [[nodiscard]] static Error from_errno(int errno_value, const char* operation,
                                          std::string_view subject = {}) noexcept;

    [[nodiscard]] const std::error_code& code() const noexcept { return code_; }
    [[nodiscard]] const char* operation() const noexcept { return operation_; }
    [[nodiscard]] std::string_view subject() const noexcept { return subject_.data(); }
    /// "bind 127.0.0.1:80: Permission denied". Allocates.
    [[nodiscard]] std::string message() const;

    /// Codes are compared; operation and subject are not part of an error's identity.
    friend bool operator==(const Error& a, const Error& b) noexcept { return a.code_ == b.code_; }
    friend bool operator==(const Error& a, errc b) noexcept { return a.code_ == make_error_code(b); }
    friend bool operator==(const Error& a, std::errc b) noexcept { return a.code_ == std::make_error_condition(b); }

private:
    std::error_code code_;
    const char* operation_;
    std::array<char, max_subject + 1> subject_;
};

static_assert(std::is_trivially_copyable_v<Error>);

/// T or Error. value() throws std::system_error whose what() is Error::message().
template <class T = void>
using Result = boost::system::result<T, Error>;

/// Makes Result<T>::value() throw std::system_error; found by argument-dependent lookup.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& location);

} // namespace nexus

template <>
struct std::is_error_code_enum<nexus::errc> : std::true_type {};
