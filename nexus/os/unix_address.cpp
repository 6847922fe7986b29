#include "nexus/os/unix_address.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace nexus::os {
namespace {

Error too_long(std::string_view text) noexcept { return Error::from_errno(ENAMETOOLONG, "unix address", text); }
Error invalid(std::string_view text) noexcept { return Error::from_errno(EINVAL, "unix address", text); }

} // namespace

Result<UnixAddress> UnixAddress::path(std::string_view path) noexcept {
    if (path.empty() || path.find('\0') != std::string_view::npos) return invalid(path);
    if (path.size() > max_name) return too_long(path);
    UnixAddress result;
    std::copy(path.begin(), path.end(), result.room_.address.sun_path);
    result.size_ = header + static_cast<socklen_t>(path.size()) + 1;
    return result;
}

Result<UnixAddress> UnixAddress::abstract(std::string_view name) noexcept {
    if (name.empty()) return invalid(name);
    if (name.size() > max_name) return too_long(name);
    UnixAddress result;
    std::copy(name.begin(), name.end(), result.room_.address.sun_path + 1);
    result.size_ = header + 1 + static_cast<socklen_t>(name.size());
    return result;
}

Result<UnixAddress> UnixAddress::parse(std::string_view text) noexcept {
    const auto parsed = text.starts_with('@') ? abstract(text.substr(1)) : path(text);
    if (!parsed) return Error(parsed.error().code(), parsed.error().operation(), text);
    return parsed;
}

Result<UnixAddress> UnixAddress::from_sockaddr(const sockaddr* address, socklen_t size) noexcept {
    if (size == 0) return UnixAddress{};
    if (size < header || size > sizeof(sockaddr_un) + 1 || address->sa_family != AF_UNIX) return invalid({});
    UnixAddress result;
    std::memcpy(&result.room_, address, size);
    result.size_ = size;
    // The kernel counts the zero behind a path or not, depending on who bound it; and one behind all its room, which it
    // does not take back.
    if (result.is_path()) {
        const std::size_t length = ::strnlen(result.room_.address.sun_path, sizeof(sockaddr_un::sun_path));
        result.room_.end = '\0';
        result.size_ = static_cast<socklen_t>(std::min(header + length + 1, sizeof(sockaddr_un)));
    } else if (size > sizeof(sockaddr_un)) {
        return invalid({});
    }
    return result;
}

std::string_view UnixAddress::name() const noexcept {
    if (unnamed()) return {};
    const char* text = room_.address.sun_path;
    if (is_path()) return {text, ::strnlen(text, sizeof(sockaddr_un::sun_path))};
    return {text + 1, size_ - header - 1};
}

std::string UnixAddress::to_string() const {
    if (unnamed()) return "(unnamed)";
    if (is_path()) return std::string(name().starts_with('@') ? "./" : "").append(name());
    std::string text = "@";
    for (const char c : name()) {
        if (c >= ' ' && c <= '~') {
            text += c;
            continue;
        }
        constexpr std::string_view digits = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        text.append("\\x").append({digits[byte >> 4], digits[byte & 15]});
    }
    return text;
}

const sockaddr* UnixAddress::data() const noexcept {
    // SAFETY: the system call interface takes every address as sockaddr and casts it back by its family.
    return reinterpret_cast<const sockaddr*>(&room_.address);
}

std::size_t UnixAddress::hash() const noexcept {
    return std::hash<std::string_view>{}(name()) ^ (is_path() ? 0x9E37'79B9U : 0U);
}

} // namespace nexus::os
