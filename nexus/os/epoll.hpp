// Epoll: an epoll instance. Invariant: owns its descriptor, CLOEXEC; knows nothing of who registers what.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/os/fd.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/epoll.h>

namespace nexus::os {

class Epoll {
public:
    /// No instance; every operation fails with EBADF.
    Epoll() noexcept = default;
    /// Fails with EMFILE, ENFILE or ENOMEM.
    [[nodiscard]] static Result<Epoll> create() noexcept;

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// `events`: EPOLLIN, EPOLLET and so on; `token` comes back in epoll_event::data.u64. Fails as epoll_ctl does:
    /// EEXIST when `fd` is registered, EPERM when it cannot be waited for (regular files), ENOSPC at the user's limit.
    [[nodiscard]] Result<void> add(int fd, std::uint32_t events, std::uint64_t token) noexcept;
    /// Replaces what add() said. ENOENT when `fd` is not registered.
    [[nodiscard]] Result<void> modify(int fd, std::uint32_t events, std::uint64_t token) noexcept;
    [[nodiscard]] Result<void> remove(int fd) noexcept;

    /// Blocks the thread until there are events, at most `timeout_ms` (-1: for ever; 0: not at all). Returns how many
    /// of `events` were filled. An interruption by a signal counts as no events, because whoever waits has to look
    /// around then. `events` must not be empty.
    [[nodiscard]] Result<std::size_t> wait(std::span<epoll_event> events, int timeout_ms) noexcept;

private:
    explicit Epoll(Fd fd) noexcept : fd_(std::move(fd)) {}
    Result<void> control(int operation, int fd, std::uint32_t events, std::uint64_t token, const char* name) noexcept;

    Fd fd_;
};

} // namespace nexus::os
