// Characters, space, comments, strings and scalars of a JSON text.
#include "nexus/config/private/json_scanner.hpp"

#include "nexus/config/private/nearest.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace nexus::config_detail {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '+' || c == '-' ||
           c == '.';
}

unsigned byte_of(char c) { return static_cast<unsigned char>(c); }

std::string hex(unsigned value, int digits) {
    static constexpr std::string_view alphabet = "0123456789abcdef";
    std::string text;
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) text += alphabet[(value >> shift) & 0xFU];
    return text;
}

void append_utf8(std::string& out, std::uint32_t point) {
    const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (point < 0x80) {
        put(point);
    } else if (point < 0x800) {
        put(0xC0U | point >> 6U);
        put(0x80U | (point & 0x3FU));
    } else if (point < 0x10000) {
        put(0xE0U | point >> 12U);
        put(0x80U | (point >> 6U & 0x3FU));
        put(0x80U | (point & 0x3FU));
    } else {
        put(0xF0U | point >> 18U);
        put(0x80U | (point >> 12U & 0x3FU));
        put(0x80U | (point >> 6U & 0x3FU));
        put(0x80U | (point & 0x3FU));
    }
}

// -? (0 | [1-9][0-9]*) (.[0-9]+)? ([eE][+-]?[0-9]+)?   The result says whether it is an integer.
enum class NumberShape { none, integer, real };

NumberShape number_shape(std::string_view text) {
    std::size_t i = 0;
    const auto at = [&](std::size_t k) { return k < text.size() ? text[k] : '\0'; };
    const auto digits = [&] {
        const std::size_t start = i;
        while (is_digit(at(i))) ++i;
        return i > start;
    };
    if (at(i) == '-') ++i;
    if (at(i) == '0') {
        ++i;
    } else if (!digits()) {
        return NumberShape::none;
    }
    NumberShape shape = NumberShape::integer;
    if (at(i) == '.') {
        shape = NumberShape::real;
        ++i;
        if (!digits()) return NumberShape::none;
    }
    if (at(i) == 'e' || at(i) == 'E') {
        shape = NumberShape::real;
        ++i;
        if (at(i) == '+' || at(i) == '-') ++i;
        if (!digits()) return NumberShape::none;
    }
    return i == text.size() ? shape : NumberShape::none;
}

template <class Number>
bool converted(std::string_view text, nlohmann::json& out) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return false;
    out = number;
    return true;
}

// For numbers that fit no double: whether they are too small rather than too large.
bool is_below_one(std::string_view text) {
    const std::size_t e = std::min(text.find_first_of("eE"), text.size());
    const std::string_view mantissa = text.substr(0, e);
    const std::size_t point = std::min(mantissa.find('.'), e);
    const std::size_t leading = std::min(mantissa.find_first_of("123456789"), e);
    // Saturates: an exponent too long for the type decides alone.
    long long exponent = 0;
    if (e < text.size()) {
        std::string_view digits = text.substr(e + 1);
        if (digits.front() == '+') digits.remove_prefix(1);
        const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
        if (result.ec != std::errc{}) return digits.front() == '-';
    }
    const long long first_digit = static_cast<long long>(point) - static_cast<long long>(leading);
    return exponent < -first_digit;
}

bool to_number(std::string_view text, NumberShape shape, nlohmann::json& out) {
    if (shape == NumberShape::integer) {
        const bool fits = text.front() == '-' ? converted<std::int64_t>(text, out)
                                              : converted<std::uint64_t>(text, out);
        if (fits) return true;
    }
    if (converted<double>(text, out)) return true;
    // from_chars reports underflow and overflow alike; only overflow is an error of the text.
    if (!is_below_one(text)) return false;
    out = 0.0;
    return true;
}

} // namespace

JsonScanner::JsonScanner(std::string_view text, ProblemList& problems) : text_(text), problems_(problems) {
    static constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text_.substr(0, byte_order_mark.size()) == byte_order_mark) text_.remove_prefix(byte_order_mark.size());
}

char JsonScanner::take() noexcept {
    const char c = text_[at_++];
    if (c == '\n') {
        ++place_.line;
        place_.column = 1;
    } else if ((byte_of(peek()) & 0xC0U) != 0x80U) {
        // A column is a character: it ends where the next byte does not continue it.
        ++place_.column;
    }
    return c;
}

bool JsonScanner::skip_space() {
    while (!at_end()) {
        const char c = peek();
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            take();
        } else if (c == '/' && peek(1) == '/') {
            while (!at_end() && peek() != '\n') take();
        } else if (c == '/' && peek(1) == '*') {
            if (!skip_block_comment()) return false;
        } else {
            return true;
        }
    }
    return true;
}

bool JsonScanner::skip_block_comment() {
    const Place start = place_;
    take();
    take();
    while (!at_end()) {
        if (take() == '*' && peek() == '/') {
            take();
            return true;
        }
    }
    problems_.add(start, {}, "a comment without its end", "*/ before the end of the text");
    return false;
}

bool JsonScanner::read_string(std::string& out, const std::string& pointer) {
    const Place start = place_;
    take();
    while (!at_end() && peek() != '\n') {
        if (peek() == '"') {
            take();
            return true;
        }
        if (peek() == '\\') {
            read_escape(out, pointer);
        } else {
            read_character(out, pointer);
        }
    }
    problems_.add(start, pointer, "a string without its closing quote", "'\"' on the same line");
    return false;
}

void JsonScanner::read_character(std::string& out, const std::string& pointer) {
    const Place start = place_;
    const std::size_t length = sequence_length();
    if (length == 0) {
        const unsigned byte = byte_of(take());
        problems_.add(start, pointer, "byte 0x" + hex(byte, 2) + " in a string", "valid UTF-8");
        return;
    }
    const char first = peek();
    if (byte_of(first) < 0x20) {
        take();
        const std::string escape = first == '\t' ? "\\t" : "\\u" + hex(byte_of(first), 4);
        problems_.add(start, pointer, "control character 0x" + hex(byte_of(first), 2) + " in a string",
                      "it escaped: " + escape);
        return;
    }
    for (std::size_t i = 0; i < length; ++i) out += take();
}

std::size_t JsonScanner::sequence_length() const noexcept {
    const unsigned first = byte_of(peek());
    if (first < 0x80) return at_end() ? 0 : 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte_of(peek(i)) & 0xC0U) != 0x80U) return 0;
    }
    // Overlong forms, surrogates and what is above U+10FFFF show in the second byte.
    const unsigned second = byte_of(peek(1));
    const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
    const bool beyond = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
    return overlong || beyond ? 0 : length;
}

void JsonScanner::read_escape(std::string& out, const std::string& pointer) {
    static constexpr std::string_view names = "\"\\/bfnrt";
    static constexpr std::string_view values = "\"\\/\b\f\n\r\t";
    const Place start = place_;
    take();
    if (peek() == 'u') {
        take();
        read_unicode_escape(out, start, pointer);
        return;
    }
    const std::size_t which = at_end() ? std::string_view::npos : names.find(peek());
    if (which != std::string_view::npos) {
        take();
        out += values[which];
        return;
    }
    problems_.add(start, pointer,
                  "escape \\" + (at_end() ? std::string() : std::string(1, peek() < ' ' ? '?' : peek())),
                  R"(one of \" \\ \/ \b \f \n \r \t \uXXXX)");
    if (!at_end() && peek() != '\n' && byte_of(peek()) < 0x80) take();
}

bool JsonScanner::read_hex4(std::uint32_t& unit) {
    unit = 0;
    for (int i = 0; i < 4; ++i) {
        const char c = peek();
        std::uint32_t digit = 0;
        if (is_digit(c)) {
            digit = static_cast<std::uint32_t>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = static_cast<std::uint32_t>(c - 'a' + 10);
        } else if (c >= 'A' && c <= 'F') {
            digit = static_cast<std::uint32_t>(c - 'A' + 10);
        } else {
            return false;
        }
        take();
        unit = unit * 16 + digit;
    }
    return true;
}

void JsonScanner::read_unicode_escape(std::string& out, Place start, const std::string& pointer) {
    std::uint32_t unit = 0;
    if (!read_hex4(unit)) {
        problems_.add(start, pointer, "an incomplete \\u escape", "four hexadecimal digits after \\u");
        return;
    }
    if (unit < 0xD800 || unit > 0xDFFF) {
        append_utf8(out, unit);
        return;
    }
    std::uint32_t low = 0;
    if (unit < 0xDC00 && peek() == '\\' && peek(1) == 'u') {
        take();
        take();
        if (read_hex4(low) && low >= 0xDC00 && low <= 0xDFFF) {
            append_utf8(out, 0x10000 + ((unit - 0xD800) << 10U) + (low - 0xDC00));
            return;
        }
    }
    problems_.add(start, pointer, "unpaired surrogate \\u" + hex(unit, 4), "a pair \\uD800-\\uDBFF \\uDC00-\\uDFFF");
}

bool JsonScanner::read_scalar(nlohmann::json& out, const std::string& pointer) {
    const Place start = place_;
    const std::string here = shown_here();
    const nlohmann::json unusable(nlohmann::json::value_t::discarded);
    const std::string_view text = word();
    for (std::size_t i = 0; i < text.size(); ++i) take();
    if (text == "null" || text == "true" || text == "false") {
        if (text != "null") out = text == "true";
        return true;
    }
    const NumberShape shape = number_shape(text);
    if (shape != NumberShape::none) {
        if (!to_number(text, shape, out)) {
            problems_.add(start, pointer, here, "a number that fits a double");
            out = unusable;
        }
        return true;
    }
    if (!text.empty() &&
        (is_digit(text.front()) || text.front() == '-' || text.front() == '+' || text.front() == '.')) {
        problems_.add(start, pointer, here, "a number as JSON writes it: 10, -3, 0.5, 1e6");
        out = unusable;
        return true;
    }
    const std::array<std::string, 3> literals = {"true", "false", "null"};
    out = unusable;
    problems_.add(start, pointer, here, "a value", nearest(text, literals));
    return !text.empty();
}

std::string_view JsonScanner::word() const noexcept {
    std::size_t length = 0;
    while (is_word(peek(length))) ++length;
    return text_.substr(at_, length);
}

std::string JsonScanner::shown_here() const {
    if (at_end()) return "the end of the text";
    const std::string_view text = word();
    static constexpr std::size_t max_shown_word = 48;
    if (text.size() > max_shown_word) return std::string(text.substr(0, max_shown_word)) + "...";
    if (!text.empty()) return std::string(text);
    const std::size_t length = sequence_length();
    const unsigned first = byte_of(peek());
    if (length == 0 || first < 0x20 || first == 0x7F) return "byte 0x" + hex(first, 2);
    return '\'' + std::string(text_.substr(at_, length)) + '\'';
}

} // namespace nexus::config_detail
