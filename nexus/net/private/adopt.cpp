#include "nexus/net/private/adopt.hpp"

#include <cerrno>
#include <fcntl.h>

namespace nexus::detail {
namespace {

Result<int> option(int fd, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    if (os::calls().getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0) return value;
    return Error::from_errno(errno, "from_fd");
}

/// Adds `flag` to the flags that `get` reads and `set` writes.
Result<void> add_flag(int fd, int get, int set, int flag) {
    const int flags = os::calls().fcntl(fd, get, 0);
    if (flags == -1) return Error::from_errno(errno, "from_fd");
    if ((flags & flag) == 0 && os::calls().fcntl(fd, set, flags | flag) == -1) {
        return Error::from_errno(errno, "from_fd");
    }
    return {};
}

Result<void> prepare(int fd) {
    if (auto added = add_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK); !added) return added;
    return add_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC);
}

} // namespace

Result<ShortCounts> adopt_stream(int fd) {
    const Result<int> type = option(fd, SO_TYPE);
    if (!type) return type.error();
    if (*type != SOCK_STREAM) return Error::from_errno(EPROTOTYPE, "from_fd");
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    // SAFETY: sockaddr_storage is made to be passed as sockaddr.
    if (os::calls().getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) {
        return Error::from_errno(errno, "from_fd");
    }
    const Result<int> protocol = option(fd, SO_PROTOCOL);
    if (!protocol) return protocol.error();
    if (auto prepared = prepare(fd); !prepared) return prepared.error();
    return *protocol == IPPROTO_TCP ? ShortCounts::mean_drained : ShortCounts::mean_nothing;
}

Result<void> adopt_listener(int fd) {
    const Result<int> listening = option(fd, SO_ACCEPTCONN);
    if (!listening) return listening.error();
    if (*listening == 0) return Error::from_errno(EINVAL, "from_fd");
    const Result<int> family = option(fd, SO_DOMAIN);
    if (!family) return family.error();
    if (*family != AF_INET && *family != AF_INET6) return Error::from_errno(EAFNOSUPPORT, "from_fd");
    return prepare(fd);
}

} // namespace nexus::detail
