// FIX 4.4 tag=value encoding.
#include "fix_message.hpp"
#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace exchange::fix {
namespace {
constexpr std::string_view message_start = "8=FIX.";
constexpr std::size_t longest_header = 40; // "8=FIX.4.4|9=123456|" and room for leading zeros
constexpr std::size_t trailer_size = 7;    // "10=123|"

bool is_digit(char c) { return c >= '0' && c <= '9'; }
unsigned checksum(std::string_view text) {
    unsigned sum = 0;
    for (const char c : text) sum += static_cast<unsigned char>(c);
    return sum % 256;
}

struct Header {
    Frame::Kind kind = Frame::Kind::none; // message: both sizes are known
    std::size_t body_begin = 0, body_size = 0;
    const char* why = "";
};
Header read_header(std::string_view in, std::size_t limit) {
    const auto garbled = [](const char* why) { return Header{Frame::Kind::garbled, 0, 0, why}; };
    const Header too_long{Frame::Kind::too_long, 0, 0, "message exceeds the limit"};
    const std::size_t known = std::min(in.size(), message_start.size());
    if (in.substr(0, known) != message_start.substr(0, known)) return garbled("BeginString is not first");
    const Header cut_off = in.size() < longest_header ? Header{} : garbled("BodyLength does not end");
    std::size_t at = in.find(soh);
    if (at == std::string_view::npos) return cut_off;
    for (const char expected : {soh, '9', '='}) {
        if (at == in.size()) return cut_off;
        if (in[at++] != expected) return garbled("BodyLength is not second");
    }
    std::size_t body_size = 0;
    for (const std::size_t digits = at;; ++at) {
        if (at == in.size()) return cut_off;
        if (in[at] == soh && at > digits) break;
        if (!is_digit(in[at])) return garbled("BodyLength is not a number");
        body_size = body_size * 10 + static_cast<std::size_t>(in[at] - '0');
        if (body_size > limit) return too_long;
    }
    if (at + 1 + body_size + trailer_size > limit) return too_long;
    return {Frame::Kind::message, at + 1, body_size, ""};
}

std::optional<int> parse_digits(std::string_view text) {
    int value = 0;
    if (text.empty() || text.size() > 9) return std::nullopt;
    for (const char c : text) {
        if (!is_digit(c)) return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

void append_number(std::string& out, std::integral auto value) {
    std::array<char, 20> digits;
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_digits(std::string& out, std::integral auto value, std::size_t digits) {
    out.append(digits, '0');
    for (std::size_t at = out.size(); digits-- > 0; value /= 10) out[--at] = static_cast<char>('0' + value % 10);
}
} // namespace

std::span<char> Framer::space() {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    return std::span{buffer_}.subspan(end_);
}

Frame Framer::skip(std::string_view in, const char* why) {
    std::size_t size = in.find(message_start, 1);
    if (size == std::string_view::npos) {
        std::size_t keep = std::min(in.size() - 1, message_start.size() - 1);
        while (!in.ends_with(message_start.substr(0, keep))) --keep;
        size = in.size() - keep;
    }
    begin_ += size;
    return {Frame::Kind::garbled, in.substr(0, size), why};
}

Frame Framer::next() {
    const std::string_view in{buffer_.data() + begin_, end_ - begin_};
    if (in.empty()) return {};
    const Header header = read_header(in, buffer_.size());
    if (header.kind == Frame::Kind::garbled) return skip(in, header.why);
    if (header.kind != Frame::Kind::message) return {header.kind, {}, header.why};
    const std::size_t body_end = header.body_begin + header.body_size;
    if (in.size() < body_end + trailer_size) return {};
    const std::string_view trailer = in.substr(body_end, trailer_size);
    if (in[body_end - 1] != soh || !trailer.starts_with("10=") || trailer.back() != soh)
        return skip(in, "BodyLength is wrong");
    const auto sum = parse_digits(trailer.substr(3, 3));
    if (!sum || static_cast<unsigned>(*sum) != checksum(in.substr(0, body_end))) return skip(in, "CheckSum is wrong");
    if (!in.substr(header.body_begin).starts_with("35=")) return skip(in, "MsgType is not third");
    begin_ += body_end + trailer_size;
    return {Frame::Kind::message, in.substr(0, body_end + trailer_size), ""};
}

Message::Message(std::string_view text) {
    const auto fault = [this](int tag, int why, const char* what) {
        if (!error_) error_ = FieldError{tag, why, what};
    };
    for (std::size_t at = 0; at < text.size();) {
        const std::string_view field = text.substr(at, text.find(soh, at) - at);
        at += field.size() + 1;
        const std::size_t equals = std::min(field.find('='), field.size());
        const auto number = parse_digits(field.substr(0, equals));
        if (!number || equals == field.size() || field[0] == '0') {
            fault(0, reason::invalid_tag, "tag is not a positive number");
        } else if (count_ == max_fields) {
            fault(*number, reason::other, "too many fields");
        } else {
            const std::string_view value = field.substr(equals + 1);
            if (value.empty()) fault(*number, reason::tag_without_value, "tag without a value");
            fields_[count_++] = {*number, value};
        }
    }
}

std::optional<std::string_view> Message::find(int tag) const {
    for (const Field& field : std::span{fields_}.first(count_))
        if (field.tag == tag) return field.value;
    return std::nullopt;
}

std::vector<std::string_view> Message::all(int tag) const {
    std::vector<std::string_view> values;
    for (const Field& field : std::span{fields_}.first(count_))
        if (field.tag == tag) values.push_back(field.value);
    return values;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const std::size_t point = std::min(text.find('.'), text.size());
    std::string_view decimals = text.substr(std::min(point + 1, text.size()));
    while (decimals.size() > 8 && decimals.back() == '0') decimals.remove_suffix(1);
    if (decimals.size() > 8 || point + decimals.size() == 0) return std::nullopt;
    std::int64_t units = 0;
    const auto shift_in = [&](char c) {
        return is_digit(c) && !__builtin_mul_overflow(units, 10, &units) &&
               !__builtin_add_overflow(units, c - '0', &units);
    };
    if (!std::ranges::all_of(text.substr(0, point), shift_in)) return std::nullopt;
    for (std::size_t i = 0; i < 8; ++i)
        if (!shift_in(i < decimals.size() ? decimals[i] : '0')) return std::nullopt;
    return Decimal{negative ? -units : units};
}

std::optional<Time> parse_time(std::string_view text) {
    namespace chrono = std::chrono;
    if (text.size() < 17 || text[8] != '-' || text[11] != ':' || text[14] != ':') return std::nullopt;
    const auto part = [&](std::size_t at, std::size_t size) {
        return parse_digits(text.substr(at, size)).value_or(-1);
    };
    const int year = part(0, 4), hour = part(9, 2), minute = part(12, 2), second = part(15, 2);
    const chrono::year_month_day date{chrono::year{year}, chrono::month(static_cast<unsigned>(part(4, 2))),
                                      chrono::day(static_cast<unsigned>(part(6, 2)))};
    if (year < 1970 || year > 2200 || !date.ok()) return std::nullopt; // what Time can hold
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return std::nullopt;
    std::int64_t nanoseconds = 0;
    if (text.size() > 17) {
        const auto fraction = parse_digits(text.substr(18));
        if (text[17] != '.' || !fraction || text.size() % 3 != 0) return std::nullopt;
        nanoseconds = *fraction;
        for (std::size_t size = text.size(); size < 27; ++size) nanoseconds *= 10;
    }
    return Time{chrono::sys_days{date}} + chrono::hours{hour} + chrono::minutes{minute} + chrono::seconds{second} +
           chrono::nanoseconds{nanoseconds};
}

template <class T>
T FieldReader::checked(int tag, std::optional<T> value) {
    if (!value && !error_) error_ = FieldError{tag, reason::bad_format, "incorrect data format"};
    return value.value_or(T{});
}

std::string_view FieldReader::text(int tag) {
    const auto value = message_->find(tag);
    if (!value && !error_) error_ = FieldError{tag, reason::required_tag_missing, "required tag missing"};
    if (message_->repeats(tag) && !error_) error_ = FieldError{tag, reason::tag_repeated, "tag appears more than once"};
    return value.value_or("");
}

char FieldReader::character(int tag) {
    const std::string_view value = text(tag);
    return checked<char>(tag, value.size() == 1 ? std::optional{value[0]} : std::nullopt);
}

std::int64_t FieldReader::integer(int tag) { return checked(tag, parse_integer(text(tag))); }
Decimal FieldReader::decimal(int tag) { return checked(tag, parse_decimal(text(tag))); }
Time FieldReader::time(int tag) { return checked(tag, parse_time(text(tag))); }
bool FieldReader::flag(int tag) {
    if (!has(tag)) return false;
    const char value = character(tag);
    return checked<bool>(tag, value == 'Y' || value == 'N' ? std::optional{value == 'Y'} : std::nullopt);
}

std::vector<std::string_view> FieldReader::group(int count_tag, int tag) {
    std::vector<std::string_view> values = message_->all(tag);
    const std::int64_t count = integer(count_tag);
    if (!error_ && (count < 1 || std::cmp_not_equal(count, values.size())))
        error_ = FieldError{count_tag, reason::wrong_group_count, "incorrect NumInGroup count"};
    return values;
}

std::string& Fields::begin(int tag) {
    append_number(text_, tag);
    return text_ += '=';
}

Fields& Fields::end() {
    text_ += soh;
    return *this;
}

Fields& Fields::add(int tag, std::string_view value) {
    begin(tag).append(value);
    return end();
}

Fields& Fields::add_integer(int tag, std::int64_t value) {
    append_number(begin(tag), value);
    return end();
}

Fields& Fields::add(int tag, Decimal value) {
    const auto units = static_cast<std::uint64_t>(value.units);
    const std::uint64_t size = value.units < 0 ? 0 - units : units;
    begin(tag).append(value.units < 0 ? "-" : "");
    append_number(text_, size / Decimal::one);
    if (size % Decimal::one != 0) {
        append_digits(text_ += '.', size % Decimal::one, 8);
        text_.erase(text_.find_last_not_of('0') + 1);
    }
    return end();
}

Fields& Fields::add(int tag, Time value) {
    namespace chrono = std::chrono;
    const auto days = chrono::floor<chrono::days>(value);
    const chrono::year_month_day date{days};
    const chrono::hh_mm_ss clock{chrono::floor<chrono::milliseconds>(value - days)};
    append_digits(begin(tag), static_cast<int>(date.year()), 4);
    append_digits(text_, static_cast<unsigned>(date.month()), 2);
    append_digits(text_, static_cast<unsigned>(date.day()), 2);
    append_digits(text_ += '-', clock.hours().count(), 2);
    append_digits(text_ += ':', clock.minutes().count(), 2);
    append_digits(text_ += ':', clock.seconds().count(), 2);
    append_digits(text_ += '.', clock.subseconds().count(), 3);
    return end();
}

void append_message(std::string& out, std::string_view head, std::string_view body) {
    const std::size_t begin = out.size();
    append_number(out.append("8=").append(begin_string).append(1, soh).append("9="), head.size() + body.size());
    out.append(1, soh).append(head).append(body);
    const unsigned sum = checksum(std::string_view{out}.substr(begin));
    append_digits(out.append("10="), sum, 3);
    out += soh;
}
} // namespace exchange::fix
