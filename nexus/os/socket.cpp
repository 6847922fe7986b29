#include "nexus/os/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <netinet/tcp.h>

namespace nexus::os {
namespace {

Result<void> checked(int result, const char* operation) noexcept {
    if (result == 0) [[likely]]
        return {};
    return Error::from_errno(errno, operation);
}

Result<std::size_t> counted(ssize_t result, const char* operation) noexcept {
    if (result >= 0) [[likely]]
        return static_cast<std::size_t>(result);
    return Error::from_errno(errno, operation);
}

template <class Value>
Result<void> set_option(int fd, int level, int option, const Value& value, const char* operation) noexcept {
    return checked(calls().setsockopt(fd, level, option, &value, sizeof value), operation);
}

Result<void> set_flag(int fd, int level, int option, bool on, const char* operation) noexcept {
    return set_option(fd, level, option, int{on}, operation);
}

template <class Value>
Result<Value> get_option(int fd, int level, int option, const char* operation) noexcept {
    Value value{};
    socklen_t size = sizeof value;
    if (calls().getsockopt(fd, level, option, &value, &size) != 0) return Error::from_errno(errno, operation);
    return value;
}

Result<bool> get_flag(int fd, int level, int option, const char* operation) noexcept {
    const Result<int> value = get_option<int>(fd, level, option, operation);
    if (!value) return value.error();
    return *value != 0;
}

Result<SocketAddress> address_of(int fd, int (*ask)(int, sockaddr*, socklen_t*), const char* operation) noexcept {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    // SAFETY: sockaddr_storage is made to be passed as sockaddr.
    auto* generic = reinterpret_cast<sockaddr*>(&storage);
    if (ask(fd, generic, &size) != 0) return Error::from_errno(errno, operation);
    return SocketAddress::from_sockaddr(generic, size);
}

struct TtlOption {
    int level;
    int name;
};
Result<TtlOption> ttl_option(int fd, const char* operation) noexcept {
    const Result<int> family = get_option<int>(fd, SOL_SOCKET, SO_DOMAIN, operation);
    if (!family) return family.error();
    if (*family == AF_INET6) return TtlOption{IPPROTO_IPV6, IPV6_UNICAST_HOPS};
    return TtlOption{IPPROTO_IP, IP_TTL};
}

msghdr message_of(std::span<const iovec> parts) noexcept {
    msghdr message{};
    // SAFETY: the kernel only reads the array of parts; the interface merely lacks the const.
    message.msg_iov = const_cast<iovec*>(parts.data());
    message.msg_iovlen = std::min(parts.size(), std::size_t{IOV_MAX});
    return message;
}

} // namespace

Result<Fd> open_tcp(int family) noexcept {
    Fd fd{calls().socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd) return Error::from_errno(errno, "socket");
    return fd;
}

Result<void> bind(int fd, const SocketAddress& address) noexcept {
    return checked(calls().bind(fd, address.data(), address.size()), "bind");
}

Result<void> listen(int fd, int backlog) noexcept { return checked(calls().listen(fd, backlog), "listen"); }

Result<void> connect(int fd, const SocketAddress& address) noexcept {
    if (calls().connect(fd, address.data(), address.size()) == 0) return {};
    return Error::from_errno(errno == EINTR ? EINPROGRESS : errno, "connect");
}

Result<Accepted> accept(int fd) noexcept {
    sockaddr_storage storage{};
    socklen_t size = 0;
    // SAFETY: sockaddr_storage is made to be passed as sockaddr.
    auto* generic = reinterpret_cast<sockaddr*>(&storage);
    Fd accepted{retry_interrupted([&] {
        size = sizeof storage;
        return calls().accept4(fd, generic, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    })};
    if (!accepted) return Error::from_errno(errno, "accept");
    const Result<SocketAddress> peer = SocketAddress::from_sockaddr(generic, size);
    if (!peer) return peer.error();
    return Accepted{std::move(accepted), *peer};
}

Result<std::size_t> read(int fd, std::span<std::byte> buffer) noexcept {
    return counted(retry_interrupted([&] { return calls().read(fd, buffer.data(), buffer.size()); }), "read");
}

Result<std::size_t> write(int fd, std::span<const std::byte> buffer) noexcept {
    return counted(retry_interrupted([&] { return calls().write(fd, buffer.data(), buffer.size()); }), "write");
}

Result<std::size_t> receive(int fd, std::span<std::byte> buffer, int flags) noexcept {
    return counted(retry_interrupted([&] { return calls().recv(fd, buffer.data(), buffer.size(), flags); }), "read");
}

Result<std::size_t> send(int fd, std::span<const std::byte> buffer, int flags) noexcept {
    return counted(
        retry_interrupted([&] { return calls().send(fd, buffer.data(), buffer.size(), flags | MSG_NOSIGNAL); }),
        "write");
}

Result<std::size_t> receive_vectored(int fd, std::span<const iovec> parts) noexcept {
    msghdr message = message_of(parts);
    return counted(retry_interrupted([&] { return calls().recvmsg(fd, &message, 0); }), "read");
}

Result<std::size_t> send_vectored(int fd, std::span<const iovec> parts) noexcept {
    const msghdr message = message_of(parts);
    return counted(retry_interrupted([&] { return calls().sendmsg(fd, &message, MSG_NOSIGNAL); }), "write");
}

Result<void> shutdown(int fd, ShutdownSide side) noexcept {
    return checked(calls().shutdown(fd, static_cast<int>(side)), "shutdown");
}

Result<SocketAddress> local_address(int fd) noexcept { return address_of(fd, calls().getsockname, "getsockname"); }

Result<SocketAddress> peer_address(int fd) noexcept { return address_of(fd, calls().getpeername, "getpeername"); }

Result<void> take_error(int fd, const char* operation) noexcept {
    const Result<int> pending = get_option<int>(fd, SOL_SOCKET, SO_ERROR, operation);
    if (!pending) return pending.error();
    if (*pending != 0) return Error::from_errno(*pending, operation);
    return {};
}

Result<void> set_reuse_address(int fd, bool on) noexcept {
    return set_flag(fd, SOL_SOCKET, SO_REUSEADDR, on, "set reuse_address");
}
Result<bool> reuse_address(int fd) noexcept { return get_flag(fd, SOL_SOCKET, SO_REUSEADDR, "get reuse_address"); }

Result<void> set_reuse_port(int fd, bool on) noexcept {
    return set_flag(fd, SOL_SOCKET, SO_REUSEPORT, on, "set reuse_port");
}
Result<bool> reuse_port(int fd) noexcept { return get_flag(fd, SOL_SOCKET, SO_REUSEPORT, "get reuse_port"); }

Result<void> set_no_delay(int fd, bool on) noexcept {
    return set_flag(fd, IPPROTO_TCP, TCP_NODELAY, on, "set no_delay");
}
Result<bool> no_delay(int fd) noexcept { return get_flag(fd, IPPROTO_TCP, TCP_NODELAY, "get no_delay"); }

Result<void> set_keepalive(int fd, bool on) noexcept {
    return set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, on, "set keepalive");
}
Result<bool> keepalive(int fd) noexcept { return get_flag(fd, SOL_SOCKET, SO_KEEPALIVE, "get keepalive"); }

Result<void> set_linger(int fd, std::optional<std::chrono::seconds> time) noexcept {
    ::linger wanted{};
    if (time) {
        wanted.l_onoff = 1;
        wanted.l_linger = static_cast<int>(std::clamp<std::chrono::seconds::rep>(time->count(), 0, INT_MAX));
    }
    return set_option(fd, SOL_SOCKET, SO_LINGER, wanted, "set linger");
}
Result<std::optional<std::chrono::seconds>> linger(int fd) noexcept {
    const auto value = get_option<struct ::linger>(fd, SOL_SOCKET, SO_LINGER, "get linger");
    if (!value) return value.error();
    if (value->l_onoff == 0) return std::optional<std::chrono::seconds>{};
    return std::optional{std::chrono::seconds{value->l_linger}};
}

Result<void> set_send_buffer(int fd, int bytes) noexcept {
    return set_option(fd, SOL_SOCKET, SO_SNDBUF, bytes, "set send_buffer");
}
Result<int> send_buffer(int fd) noexcept { return get_option<int>(fd, SOL_SOCKET, SO_SNDBUF, "get send_buffer"); }

Result<void> set_receive_buffer(int fd, int bytes) noexcept {
    return set_option(fd, SOL_SOCKET, SO_RCVBUF, bytes, "set receive_buffer");
}
Result<int> receive_buffer(int fd) noexcept { return get_option<int>(fd, SOL_SOCKET, SO_RCVBUF, "get receive_buffer"); }

Result<void> set_ttl(int fd, int hops) noexcept {
    const auto option = ttl_option(fd, "set ttl");
    if (!option) return option.error();
    return set_option(fd, option->level, option->name, hops, "set ttl");
}
Result<int> ttl(int fd) noexcept {
    const auto option = ttl_option(fd, "get ttl");
    if (!option) return option.error();
    return get_option<int>(fd, option->level, option->name, "get ttl");
}

} // namespace nexus::os
