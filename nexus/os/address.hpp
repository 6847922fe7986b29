// SocketAddress: an IPv4 or IPv6 address with its port, in the form that the kernel takes.
//
// Invariant: the family is AF_INET or AF_INET6, and bytes that the family does not use are zero.
#pragma once

#include "nexus/base/error.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>

namespace nexus::os {

class SocketAddress {
public:
    /// 0.0.0.0:0.
    SocketAddress() noexcept : storage_{} { storage_.v4.sin_family = AF_INET; }
    /// `bytes` as they are written: ipv4({127, 0, 0, 1}, 80).
    [[nodiscard]] static SocketAddress ipv4(std::array<std::uint8_t, 4> bytes, std::uint16_t port) noexcept;
    /// `bytes` in network order. `scope_id` is the index of an interface, 0 for none.
    [[nodiscard]] static SocketAddress ipv6(std::array<std::uint8_t, 16> bytes, std::uint16_t port,
                                            std::uint32_t scope_id = 0) noexcept;

    /// "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "[fe80::1%2]:80". Strict: address, port (0 to 65535, at most
    /// five digits) and brackets must be there, nothing else may be, and names of hosts are not looked up. Fails with
    /// errc::invalid_address, the text as its subject.
    [[nodiscard]] static Result<SocketAddress> parse(std::string_view text) noexcept;
    /// Fails with errc::invalid_address for another family or too small a `size`.
    [[nodiscard]] static Result<SocketAddress> from_sockaddr(const sockaddr* address, socklen_t size) noexcept;

    /// AF_INET or AF_INET6.
    [[nodiscard]] int family() const noexcept { return storage_.v4.sin_family; }
    [[nodiscard]] std::uint16_t port() const noexcept;
    [[nodiscard]] SocketAddress with_port(std::uint16_t port) const noexcept;
    /// Interface index of an IPv6 address; 0 for none and for IPv4.
    [[nodiscard]] std::uint32_t scope_id() const noexcept;

    /// What parse() accepts; a scope is printed as its number. Allocates where the text exceeds the string's own room.
    [[nodiscard]] std::string to_string() const;

    /// For system calls.
    [[nodiscard]] const sockaddr* data() const noexcept;
    [[nodiscard]] socklen_t size() const noexcept;

    /// By family (IPv4 first), address, port, scope. The flow label of IPv6 takes no part.
    friend std::strong_ordering operator<=>(const SocketAddress& a, const SocketAddress& b) noexcept;
    friend bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept { return (a <=> b) == 0; }

    [[nodiscard]] std::size_t hash() const noexcept;

private:
    /// Address bytes in network order, the unused ones zero.
    [[nodiscard]] std::array<std::uint8_t, 16> bytes() const noexcept;

    // Both begin with family and port, which may therefore be read through either.
    union Storage {
        sockaddr_in6 v6;
        sockaddr_in v4;
    };
    Storage storage_;
};

static_assert(sizeof(SocketAddress) <= 32);

} // namespace nexus::os

template <>
struct std::hash<nexus::os::SocketAddress> {
    std::size_t operator()(const nexus::os::SocketAddress& address) const noexcept { return address.hash(); }
};
