#include "nexus/os/address.hpp"

#include "nexus/os/calls.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <net/if.h>
#include <optional>

namespace nexus::os {
namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view digits) noexcept {
    Number value = 0;
    const char* end = digits.data() + digits.size();
    const auto [stopped, error] = std::from_chars(digits.data(), end, value);
    if (error != std::errc{} || stopped != end) return std::nullopt;
    return value;
}

std::optional<std::uint16_t> parse_port(std::string_view digits) noexcept {
    if (digits.size() > 5) return std::nullopt;
    return parse_number<std::uint16_t>(digits);
}

/// The C functions want an end mark. False when the text is too long to be meant, or contains such a mark.
template <std::size_t size>
bool copy_to_c(std::string_view text, std::array<char, size>& target) noexcept {
    if (text.size() >= size || text.find('\0') != std::string_view::npos) return false;
    *std::copy(text.begin(), text.end(), target.begin()) = '\0';
    return true;
}

std::optional<std::uint32_t> parse_scope(std::string_view scope) noexcept {
    if (const auto index = parse_number<std::uint32_t>(scope)) return index;
    std::array<char, IF_NAMESIZE> name;
    if (scope.empty() || !copy_to_c(scope, name)) return std::nullopt;
    const unsigned index = calls().if_nametoindex(name.data());
    if (index == 0) return std::nullopt;
    return index;
}

template <class Bytes>
std::optional<Bytes> parse_host(int family, std::string_view host) noexcept {
    std::array<char, INET6_ADDRSTRLEN> text;
    Bytes bytes;
    if (!copy_to_c(host, text) || ::inet_pton(family, text.data(), bytes.data()) != 1) return std::nullopt;
    return bytes;
}

std::optional<SocketAddress> parse_v4(std::string_view text) noexcept {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto port = parse_port(text.substr(colon + 1));
    const auto bytes = parse_host<std::array<std::uint8_t, 4>>(AF_INET, text.substr(0, colon));
    if (!port || !bytes) return std::nullopt;
    return SocketAddress::ipv4(*bytes, *port);
}

/// `text` begins after the opening bracket.
std::optional<SocketAddress> parse_v6(std::string_view text) noexcept {
    const std::size_t bracket = text.find("]:");
    if (bracket == std::string_view::npos) return std::nullopt;
    const auto port = parse_port(text.substr(bracket + 2));
    std::string_view host = text.substr(0, bracket);
    std::optional<std::uint32_t> scope = 0;
    if (const std::size_t percent = host.find('%'); percent != std::string_view::npos) {
        scope = parse_scope(host.substr(percent + 1));
        host = host.substr(0, percent);
    }
    const auto bytes = parse_host<std::array<std::uint8_t, 16>>(AF_INET6, host);
    if (!port || !scope || !bytes) return std::nullopt;
    return SocketAddress::ipv6(*bytes, *port, *scope);
}

} // namespace

SocketAddress SocketAddress::ipv4(std::array<std::uint8_t, 4> bytes, std::uint16_t port) noexcept {
    SocketAddress result;
    result.storage_.v4.sin_port = htons(port);
    std::memcpy(&result.storage_.v4.sin_addr, bytes.data(), bytes.size());
    return result;
}

SocketAddress SocketAddress::ipv6(std::array<std::uint8_t, 16> bytes, std::uint16_t port,
                                  std::uint32_t scope_id) noexcept {
    SocketAddress result;
    result.storage_.v6 = {};
    result.storage_.v6.sin6_family = AF_INET6;
    result.storage_.v6.sin6_port = htons(port);
    result.storage_.v6.sin6_scope_id = scope_id;
    std::memcpy(&result.storage_.v6.sin6_addr, bytes.data(), bytes.size());
    return result;
}

Result<SocketAddress> SocketAddress::parse(std::string_view text) noexcept {
    const auto parsed = text.starts_with('[') ? parse_v6(text.substr(1)) : parse_v4(text);
    if (!parsed) return Error(errc::invalid_address, "parse address", text);
    return *parsed;
}

Result<SocketAddress> SocketAddress::from_sockaddr(const sockaddr* address, socklen_t size) noexcept {
    SocketAddress result;
    if (size >= sizeof(sockaddr_in) && address->sa_family == AF_INET) {
        std::memcpy(&result.storage_.v4, address, sizeof(sockaddr_in));
        std::memset(result.storage_.v4.sin_zero, 0, sizeof result.storage_.v4.sin_zero);
        return result;
    }
    if (size >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6) {
        result.storage_.v6 = {};
        std::memcpy(&result.storage_.v6, address, sizeof(sockaddr_in6));
        return result;
    }
    return Error(errc::invalid_address, "socket address");
}

std::uint16_t SocketAddress::port() const noexcept { return ntohs(storage_.v4.sin_port); }

SocketAddress SocketAddress::with_port(std::uint16_t port) const noexcept {
    SocketAddress copy = *this;
    if (copy.family() == AF_INET) {
        copy.storage_.v4.sin_port = htons(port);
    } else {
        copy.storage_.v6.sin6_port = htons(port);
    }
    return copy;
}

std::uint32_t SocketAddress::scope_id() const noexcept { return family() == AF_INET6 ? storage_.v6.sin6_scope_id : 0; }

std::string SocketAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const auto raw = bytes();
    ::inet_ntop(family(), raw.data(), text.data(), text.size());
    // Appended piece by piece: g++ 12 warns of the insertions that operator+ makes of "[" and a temporary (-Wrestrict).
    std::string result(text.data());
    if (family() == AF_INET6) {
        result.insert(result.begin(), '[');
        if (scope_id() != 0) result.append("%").append(std::to_string(scope_id()));
        result += ']';
    }
    return result.append(":").append(std::to_string(port()));
}

const sockaddr* SocketAddress::data() const noexcept {
    // SAFETY: the system call interface takes every address as sockaddr and casts it back by its family.
    return reinterpret_cast<const sockaddr*>(&storage_);
}

socklen_t SocketAddress::size() const noexcept {
    return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

std::array<std::uint8_t, 16> SocketAddress::bytes() const noexcept {
    std::array<std::uint8_t, 16> result{};
    if (family() == AF_INET) {
        std::memcpy(result.data(), &storage_.v4.sin_addr, sizeof storage_.v4.sin_addr);
    } else {
        std::memcpy(result.data(), &storage_.v6.sin6_addr, sizeof storage_.v6.sin6_addr);
    }
    return result;
}

std::strong_ordering operator<=>(const SocketAddress& a, const SocketAddress& b) noexcept {
    if (const auto order = a.family() <=> b.family(); order != 0) return order;
    if (const auto order = a.bytes() <=> b.bytes(); order != 0) return order;
    if (const auto order = a.port() <=> b.port(); order != 0) return order;
    return a.scope_id() <=> b.scope_id();
}

std::size_t SocketAddress::hash() const noexcept {
    const auto raw = bytes();
    std::array<std::uint64_t, 2> words;
    std::memcpy(words.data(), raw.data(), sizeof words);
    const auto mix = [](std::uint64_t value) {
        value = (value ^ (value >> 32)) * 0x9E37'79B9'7F4A'7C15;
        return value ^ (value >> 29);
    };
    const std::uint64_t rest = (std::uint64_t{scope_id()} << 32) | (std::uint64_t{port()} << 8) |
                               static_cast<std::uint64_t>(family());
    return mix(mix(mix(words[0]) ^ words[1]) ^ rest);
}

} // namespace nexus::os
