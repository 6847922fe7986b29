#include "nexus/os/eventfd.hpp"

#include <cerrno>
#include <sys/eventfd.h>

namespace nexus::os {

Result<EventFd> EventFd::create() noexcept {
    Fd fd{calls().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!fd) return Error::from_errno(errno, "eventfd");
    return EventFd{std::move(fd)};
}

void EventFd::signal() const noexcept {
    const int saved_errno = errno;
    const std::uint64_t one = 1;
    (void)retry_interrupted([&] { return calls().write(fd_.get(), &one, sizeof one); });
    errno = saved_errno;
}

std::uint64_t EventFd::drain() noexcept {
    std::uint64_t count = 0;
    const ssize_t got = retry_interrupted([&] { return calls().read(fd_.get(), &count, sizeof count); });
    return got == sizeof count ? count : 0;
}

} // namespace nexus::os
