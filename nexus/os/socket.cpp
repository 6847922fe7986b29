#include "nexus/os/socket.hpp"

#include "nexus/os/socket_options.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>

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

msghdr message_of(std::span<const iovec> parts) noexcept {
    msghdr message{};
    // SAFETY: the kernel only reads the array of parts; the interface merely lacks the const.
    message.msg_iov = const_cast<iovec*>(parts.data());
    message.msg_iovlen = std::min(parts.size(), std::size_t{IOV_MAX});
    return message;
}

} // namespace

Result<Fd> open_socket(int family, int type) noexcept {
    Fd fd{calls().socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd) return Error::from_errno(errno, "socket");
    return fd;
}

Result<void> bind_raw(int fd, const sockaddr* address, socklen_t size) noexcept {
    return checked(calls().bind(fd, address, size), "bind");
}

Result<void> listen(int fd, int backlog) noexcept { return checked(calls().listen(fd, backlog), "listen"); }

Result<void> connect_raw(int fd, const sockaddr* address, socklen_t size) noexcept {
    if (calls().connect(fd, address, size) == 0) return {};
    return Error::from_errno(errno == EINTR ? EINPROGRESS : errno, "connect");
}

Result<Fd> accept(int fd, RawAddress& peer) noexcept {
    Fd accepted{retry_interrupted([&] {
        peer.size = sizeof peer.storage;
        return calls().accept4(fd, peer.data(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    })};
    if (!accepted) return Error::from_errno(errno, "accept");
    return accepted;
}

Result<std::size_t> read(int fd, std::span<std::byte> buffer) noexcept {
    return counted(retry_interrupted([&] { return calls().read(fd, buffer.data(), buffer.size()); }), "read");
}

Result<std::size_t> write(int fd, std::span<const std::byte> buffer) noexcept {
    return counted(retry_interrupted([&] { return calls().write(fd, buffer.data(), buffer.size()); }), "write");
}

Result<std::size_t> write_without_signal(int fd, std::span<const std::byte> buffer) noexcept {
    sigset_t pipe;
    sigset_t before;
    sigset_t pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigemptyset(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, &before);
    // One that waits to be delivered already is somebody else's.
    if (sigismember(&before, SIGPIPE) != 0) (void)sigpending(&pending);
    const Result<std::size_t> written = write(fd, buffer);
    if (!written && written.error() == std::errc::broken_pipe && sigismember(&pending, SIGPIPE) == 0) {
        constexpr timespec at_once{};
        (void)retry_interrupted([&] { return sigtimedwait(&pipe, nullptr, &at_once); });
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return written;
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

Result<void> local_address(int fd, RawAddress& address) noexcept {
    return checked(calls().getsockname(fd, address.data(), &address.size), "getsockname");
}

Result<void> peer_address(int fd, RawAddress& address) noexcept {
    return checked(calls().getpeername(fd, address.data(), &address.size), "getpeername");
}

Result<void> take_error(int fd, const char* operation) noexcept {
    const Result<int> pending = get_option<int>(fd, SOL_SOCKET, SO_ERROR, operation);
    if (!pending) return pending.error();
    if (*pending != 0) return Error::from_errno(*pending, operation);
    return {};
}

Result<short> poll_now(int fd, short events, const char* operation) noexcept {
    pollfd wanted{.fd = fd, .events = events, .revents = 0};
    if (retry_interrupted([&] { return calls().poll(&wanted, 1, 0); }) < 0) return Error::from_errno(errno, operation);
    return wanted.revents;
}

} // namespace nexus::os
