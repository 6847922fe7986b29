// Carrying the arguments of a log line to where it is formatted, without a formatting library in public headers.
//
// An Argument refers to its value: it is made and used within one call. The format text is checked by the compiler:
// as many `{}` or `{:spec}` as arguments, braces in pairs.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace nexus::log_detail {

template <class T>
concept HasToStringMember = requires(const T& value) {
    std::string(value.to_string());
};
template <class T>
concept HasMessageMember = requires(const T& value) {
    std::string(value.message());
};
template <class T>
concept HasWhatMember = requires(const T& value) {
    std::string(value.what());
};
template <class T>
concept HasToString = requires(const T& value) {
    std::string(to_string(value));
};

/// How the value of a type without a format of its own is turned into text.
struct Other {
    const void* value;
    std::string (*text)(const void* value);
};

template <class T>
std::string text_of(const void* address) {
    const T& value = *static_cast<const T*>(address);
    if constexpr (HasToStringMember<T>) {
        return std::string(value.to_string());
    } else if constexpr (HasToString<T>) {
        return std::string(to_string(value));
    } else if constexpr (HasMessageMember<T>) {
        return std::string(value.message());
    } else {
        static_assert(HasWhatMember<T>, "this type cannot be logged: give it a member to_string(), or a function "
                                        "to_string(const T&) in its namespace");
        return value.what();
    }
}

using Argument = std::variant<bool, char, std::int64_t, std::uint64_t, double, std::string_view, const void*, Other>;

template <class T>
Argument make_argument(const T& value) {
    if constexpr (std::same_as<T, bool> || std::same_as<T, char>) {
        return value;
    } else if constexpr (std::signed_integral<T>) {
        return static_cast<std::int64_t>(value);
    } else if constexpr (std::unsigned_integral<T>) {
        return static_cast<std::uint64_t>(value);
    } else if constexpr (std::floating_point<T>) {
        return static_cast<double>(value);
    } else if constexpr (std::convertible_to<const T&, const char*>) {
        const char* text = value;
        return text == nullptr ? std::string_view("(null)") : std::string_view(text);
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
        return static_cast<std::string_view>(value);
    } else if constexpr (std::convertible_to<const T&, const void*>) {
        return static_cast<const void*>(value);
    } else {
        return Other{&value, &text_of<T>};
    }
}

// Not constexpr: naming one of them in a constant expression is the compiler's error message.
inline void error_fewer_placeholders_than_arguments() {}
inline void error_more_placeholders_than_arguments() {}
inline void error_unpaired_brace_in_format() {}
inline void error_placeholder_is_not_empty_or_colon_and_format() {}

constexpr void check_format(std::string_view text, std::size_t arguments) {
    std::size_t placeholders = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_doubled = i + 1 < text.size() && text[i + 1] == text[i];
        if ((text[i] == '{' || text[i] == '}') && is_doubled) {
            ++i;
        } else if (text[i] == '}') {
            error_unpaired_brace_in_format();
        } else if (text[i] == '{') {
            const std::size_t end = text.find_first_of("{}", i + 1);
            if (end == text.npos || text[end] == '{') error_unpaired_brace_in_format();
            if (end != i + 1 && text[i + 1] != ':') error_placeholder_is_not_empty_or_colon_and_format();
            ++placeholders;
            i = end;
        }
    }
    if (placeholders < arguments) error_fewer_placeholders_than_arguments();
    if (placeholders > arguments) error_more_placeholders_than_arguments();
}

/// A format text for arguments of these types, checked by the compiler.
template <class... Args>
class FormatString {
public:
    template <std::convertible_to<std::string_view> Text>
    // Implicit, so that a literal can be passed where a FormatString is expected.
    consteval FormatString(const Text& text) : text_(text) { // NOLINT(google-explicit-constructor)
        check_format(text_, sizeof...(Args));
    }

    [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

private:
    std::string_view text_;
};

} // namespace nexus::log_detail
