#include "nexus/os/epoll.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

namespace nexus::os {

Result<Epoll> Epoll::create() noexcept {
    Fd fd{calls().epoll_create1(EPOLL_CLOEXEC)};
    if (!fd) return Error::from_errno(errno, "epoll_create1");
    return Epoll{std::move(fd)};
}

Result<void> Epoll::control(int operation, int fd, std::uint32_t events, std::uint64_t token,
                            const char* name) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    if (calls().epoll_ctl(fd_.get(), operation, fd, &event) != 0) return Error::from_errno(errno, name);
    return {};
}

Result<void> Epoll::add(int fd, std::uint32_t events, std::uint64_t token) noexcept {
    return control(EPOLL_CTL_ADD, fd, events, token, "epoll add");
}

Result<void> Epoll::modify(int fd, std::uint32_t events, std::uint64_t token) noexcept {
    return control(EPOLL_CTL_MOD, fd, events, token, "epoll modify");
}

Result<void> Epoll::remove(int fd) noexcept { return control(EPOLL_CTL_DEL, fd, 0, 0, "epoll remove"); }

Result<std::size_t> Epoll::wait(std::span<epoll_event> events, int timeout_ms) noexcept {
    constexpr std::size_t most = std::numeric_limits<int>::max() / sizeof(epoll_event); // the kernel's own limit
    const int capacity = static_cast<int>(std::min(events.size(), most));
    const int count = calls().epoll_wait(fd_.get(), events.data(), capacity, timeout_ms);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EINTR) return std::size_t{0};
    return Error::from_errno(errno, "epoll_wait");
}

} // namespace nexus::os
