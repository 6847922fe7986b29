// Durations and sizes as text with a unit, exactly.
#include "nexus/config/private/units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <numeric>
#include <span>

namespace nexus::config_detail {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// Smallest first.
constexpr std::array<Unit, 6> duration_units = {{{"ns", 1},
                                                 {"us", 1'000},
                                                 {"ms", 1'000'000},
                                                 {"s", 1'000'000'000},
                                                 {"min", 60'000'000'000},
                                                 {"h", 3'600'000'000'000}}};
constexpr std::array<Unit, 4> size_units = {
    {{"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}}};

// Both end up in signed 64 bits somewhere (std::chrono::nanoseconds, off_t).
constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

std::optional<std::uint64_t> scaled(std::uint64_t number, std::uint64_t factor) {
    if (number > most / factor) return std::nullopt;
    return number * factor;
}

// The part after the point in units of `factor`, when that is a whole number.
std::optional<std::uint64_t> fraction(std::string_view digits, std::uint64_t factor) {
    while (digits.ends_with('0')) digits.remove_suffix(1);
    if (digits.size() > std::numeric_limits<std::uint64_t>::digits10) return std::nullopt; // finer than any unit
    std::uint64_t number = 0;
    std::uint64_t scale = 1;
    for (const char digit : digits) {
        number = number * 10 + static_cast<std::uint64_t>(digit - '0');
        scale *= 10;
    }
    // number * factor / scale, reduced first so that nothing overflows: the result is less than factor.
    const std::uint64_t common = std::gcd(factor, scale);
    if (number % (scale / common) != 0) return std::nullopt;
    return number / (scale / common) * (factor / common);
}

std::size_t count_digits(std::string_view text) {
    const std::size_t end = text.find_first_not_of("0123456789");
    return end == std::string_view::npos ? text.size() : end;
}

std::optional<std::uint64_t> parse(std::string_view text, std::span<const Unit> units) {
    const std::size_t whole_digits = count_digits(text);
    std::uint64_t whole = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + whole_digits, whole);
    if (whole_digits == 0 || error != std::errc{}) return std::nullopt;
    text.remove_prefix(whole_digits);
    std::string_view decimals;
    if (text.substr(0, 1) == ".") {
        text.remove_prefix(1);
        decimals = text.substr(0, count_digits(text));
        if (decimals.empty()) return std::nullopt;
        text.remove_prefix(decimals.size());
    }
    for (const Unit& unit : units) {
        if (text != unit.name) continue;
        const auto high = scaled(whole, unit.factor);
        const auto low = fraction(decimals, unit.factor);
        if (!high || !low || *low > most - *high) return std::nullopt;
        return *high + *low;
    }
    return std::nullopt;
}

std::string format(std::uint64_t value, std::span<const Unit> units, std::string_view zero_unit) {
    if (value == 0) return '0' + std::string(zero_unit);
    std::size_t best = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
        if (value % units[i].factor == 0) best = i;
    }
    return std::to_string(value / units[best].factor) + std::string(units[best].name);
}

} // namespace

std::optional<std::uint64_t> parse_duration(std::string_view text) { return parse(text, duration_units); }
std::string format_duration(std::uint64_t nanoseconds) { return format(nanoseconds, duration_units, "s"); }

std::optional<std::uint64_t> parse_size(std::string_view text) { return parse(text, size_units); }
std::string format_size(std::uint64_t bytes) { return format(bytes, size_units, "B"); }

} // namespace nexus::config_detail
