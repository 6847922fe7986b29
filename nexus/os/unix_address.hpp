// UnixAddress: where a Unix socket is: a path, a name that exists only in the kernel (abstract), or nowhere (unnamed).
//
// Invariants: the family is AF_UNIX; what is behind the name is zero, so that a path ends in a zero. Those that are
// made here have at most 107 bytes; one that the kernel reports may have 108, all its room, and is as good as others.
#pragma once

#include "nexus/base/error.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

namespace nexus::os {

class UnixAddress {
public:
    /// Bytes that a path or an abstract name can have.
    static constexpr std::size_t max_name = sizeof(sockaddr_un::sun_path) - 1;

    /// Unnamed: what a socket has that was never bound.
    UnixAddress() noexcept : room_{}, size_(header) { room_.address.sun_family = AF_UNIX; }
    /// In the file system. Fails with std::errc::invalid_argument when it is empty or contains a zero byte, with
    /// std::errc::filename_too_long beyond `max_name`; the text is the subject.
    [[nodiscard]] static Result<UnixAddress> path(std::string_view path) noexcept;
    /// In the kernel's own list, gone with the last socket that has it; any bytes, no marker. Fails as path() does, but
    /// takes zero bytes.
    [[nodiscard]] static Result<UnixAddress> abstract(std::string_view name) noexcept;
    /// "/run/app.sock" and other paths; "@name" for an abstract name (a path that begins with @: "./@name").
    [[nodiscard]] static Result<UnixAddress> parse(std::string_view text) noexcept;
    /// Fails with std::errc::invalid_argument for another family. No bytes at all mean unnamed.
    [[nodiscard]] static Result<UnixAddress> from_sockaddr(const sockaddr* address, socklen_t size) noexcept;

    [[nodiscard]] bool unnamed() const noexcept { return size_ == header; }
    [[nodiscard]] bool is_abstract() const noexcept { return !unnamed() && room_.address.sun_path[0] == '\0'; }
    [[nodiscard]] bool is_path() const noexcept { return !unnamed() && room_.address.sun_path[0] != '\0'; }
    /// The path, ending in a zero, or the abstract name without marker, which need not; empty when unnamed.
    [[nodiscard]] std::string_view name() const noexcept;

    /// What parse() accepts; "(unnamed)" for an unnamed one. Bytes of an abstract name that cannot be printed come out
    /// as \x01. Allocates where the text exceeds the string's own room.
    [[nodiscard]] std::string to_string() const;

    /// For system calls.
    [[nodiscard]] const sockaddr* data() const noexcept;
    [[nodiscard]] socklen_t size() const noexcept { return size_; }

    /// Same kind, same bytes; not whether two paths lead to the same file.
    friend bool operator==(const UnixAddress& a, const UnixAddress& b) noexcept {
        return a.size_ == b.size_ && a.is_path() == b.is_path() && a.name() == b.name();
    }
    [[nodiscard]] std::size_t hash() const noexcept;

private:
    static constexpr socklen_t header = offsetof(sockaddr_un, sun_path);

    struct Room {
        sockaddr_un address;
        char end; ///< the zero behind a path that fills the kernel's room
    };

    Room room_;
    socklen_t size_; ///< as the kernel counts: with the zero that ends a path, if there is room for it
};

} // namespace nexus::os

template <>
struct std::hash<nexus::os::UnixAddress> {
    std::size_t operator()(const nexus::os::UnixAddress& address) const noexcept { return address.hash(); }
};
