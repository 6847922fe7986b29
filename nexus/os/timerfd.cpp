#include "nexus/os/timerfd.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <sys/timerfd.h>
#include <system_error>

namespace nexus::os {

Result<TimerFd> TimerFd::create() noexcept {
    Fd fd{calls().timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
    if (!fd) return Error::from_errno(errno, "timerfd_create");
    return TimerFd{std::move(fd)};
}

void TimerFd::arm_absolute(std::int64_t deadline_ns) {
    constexpr std::int64_t second = 1'000'000'000;
    itimerspec wanted{};
    if (deadline_ns != std::numeric_limits<std::int64_t>::max()) {
        // All zeros would disarm; 1 ns after boot is as much in the past.
        deadline_ns = std::max(deadline_ns, std::int64_t{1});
        wanted.it_value.tv_sec = deadline_ns / second;
        wanted.it_value.tv_nsec = deadline_ns % second;
    }
    if (calls().timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &wanted, nullptr) != 0) {
        throw std::system_error(errno, std::generic_category(), "timerfd_settime");
    }
}

std::uint64_t TimerFd::drain() noexcept {
    std::uint64_t count = 0;
    const ssize_t got = retry_interrupted([&] { return calls().read(fd_.get(), &count, sizeof count); });
    return got == sizeof count ? count : 0;
}

} // namespace nexus::os
