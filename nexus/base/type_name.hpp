// type_name<T>() and value_name<V>(): how the compiler spells a type or a constant, as text for reports.
//
// The text lives in static storage and ends with a zero byte. It is the same in every shared library built by the same
// compiler; g++ and clang spell some types differently. Types without linkage (local, anonymous, lambdas) may share
// one spelling, so a name alone does not identify a type: see type_id.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace nexus::base {

namespace detail {

template <class T>
constexpr auto pretty_type() noexcept {
    return std::string_view{__PRETTY_FUNCTION__};
}
template <auto V>
constexpr auto pretty_value() noexcept {
    return std::string_view{__PRETTY_FUNCTION__};
}

// Both compilers end with "[... = NAME]"; what is before NAME does not depend on NAME. Measured, so that it does not
// matter how they spell the rest.
constexpr std::string_view cut(std::string_view pretty, std::string_view probe, std::string_view probe_name) noexcept {
    std::size_t before = probe.size() - probe_name.size();
    while (probe.substr(before, probe_name.size()) != probe_name) --before;
    const std::size_t after = probe.size() - before - probe_name.size();
    return pretty.substr(before, pretty.size() - before - after);
}

template <std::size_t N>
constexpr std::array<char, N + 1> terminated(std::string_view text) noexcept {
    std::array<char, N + 1> copy{};
    for (std::size_t i = 0; i < N; ++i) copy[i] = text[i];
    return copy;
}

template <class T>
inline constexpr std::string_view type_text = cut(pretty_type<T>(), pretty_type<int>(), "int");
template <class T>
inline constexpr auto type_storage = terminated<type_text<T>.size()>(type_text<T>);

constexpr std::string_view without_ampersand(std::string_view text) noexcept {
    return text.starts_with('&') ? text.substr(1) : text;
}
template <auto V>
inline constexpr std::string_view value_text = without_ampersand(cut(pretty_value<V>(), pretty_value<12345>(),
                                                                     "12345"));
template <auto V>
inline constexpr auto value_storage = terminated<value_text<V>.size()>(value_text<V>);

} // namespace detail

/// The name of T; data() ends with a zero byte and lives as long as the program (the shared library that asked).
template <class T>
[[nodiscard]] constexpr std::string_view type_name() noexcept {
    return {detail::type_storage<T>.data(), detail::type_text<T>.size()};
}

/// The name of the constant V: of a function or an enumerator its qualified name. Ends with a zero byte.
template <auto V>
[[nodiscard]] constexpr std::string_view value_name() noexcept {
    return {detail::value_storage<V>.data(), detail::value_text<V>.size()};
}

} // namespace nexus::base
