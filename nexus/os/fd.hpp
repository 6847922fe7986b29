// Fd: sole owner of a file descriptor. Invariant: it holds -1 or a descriptor that nobody else closes.
#pragma once

#include "nexus/os/calls.hpp"

#include <cerrno>
#include <utility>

namespace nexus::os {

class Fd {
public:
    /// Owns nothing.
    constexpr Fd() noexcept = default;
    /// Takes over `fd`; -1 is nothing.
    constexpr explicit Fd(int fd) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) reset(other.release());
        return *this;
    }
    ~Fd() { reset(); }

    [[nodiscard]] constexpr int get() const noexcept { return fd_; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return fd_ >= 0; }

    /// Gives up ownership without closing.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    /// Closes what is held, through the table of the calling thread, and takes over `fd`. What close() reports is
    /// ignored: Linux has released the descriptor in any case, and a second close could hit somebody else's. errno
    /// stays.
    void reset(int fd = -1) noexcept {
        const int old = std::exchange(fd_, fd);
        if (old < 0) return;
        const int saved_errno = errno;
        (void)calls().close(old);
        errno = saved_errno;
    }

private:
    int fd_ = -1;
};

} // namespace nexus::os
