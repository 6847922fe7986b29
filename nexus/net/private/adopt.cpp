#include "nexus/net/private/adopt.hpp"

#include "nexus/os/socket_options.hpp"

#include <cerrno>
#include <fcntl.h>

namespace nexus::detail {
namespace {

constexpr const char* operation = "from_fd";

Result<int> option(int fd, int name) { return os::get_option<int>(fd, SOL_SOCKET, name, operation); }

/// Adds `flag` to the flags that `get` reads and `set` writes.
Result<void> add_flag(int fd, int get, int set, int flag) {
    const int flags = os::calls().fcntl(fd, get, 0);
    if (flags == -1) return Error::from_errno(errno, operation);
    if ((flags & flag) == 0 && os::calls().fcntl(fd, set, flags | flag) == -1) {
        return Error::from_errno(errno, operation);
    }
    return {};
}

Result<void> expect_type(int fd, int type) {
    const Result<int> found = option(fd, SO_TYPE);
    if (!found) return found.error();
    if (*found != type) return Error::from_errno(EPROTOTYPE, operation);
    return {};
}

Result<void> expect_unix(int fd, int type) {
    if (auto as_expected = expect_type(fd, type); !as_expected) return as_expected;
    const Result<int> family = option(fd, SO_DOMAIN);
    if (!family) return family.error();
    if (*family != AF_UNIX) return Error::from_errno(EPROTOTYPE, operation);
    return {};
}

Result<void> expect_protocol(int fd, int protocol) {
    const Result<int> found = option(fd, SO_PROTOCOL);
    if (!found) return found.error();
    if (*found != protocol) return Error::from_errno(EPROTOTYPE, operation);
    return {};
}

Result<void> expect_connected(int fd) {
    os::RawAddress peer;
    if (auto asked = os::peer_address(fd, peer); !asked) return Error(asked.error().code(), operation);
    return {};
}

Result<void> expect_listening(int fd) {
    const Result<int> listening = option(fd, SO_ACCEPTCONN);
    if (!listening) return listening.error();
    if (*listening == 0) return Error::from_errno(EINVAL, operation);
    return {};
}

} // namespace

Result<void> make_non_blocking(int fd) {
    if (auto added = add_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK); !added) return added;
    return add_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC);
}

Result<ShortCounts> adopt_stream(int fd) {
    if (auto as_expected = expect_type(fd, SOCK_STREAM); !as_expected) return as_expected.error();
    if (auto connected = expect_connected(fd); !connected) return connected.error();
    const Result<int> protocol = option(fd, SO_PROTOCOL);
    if (!protocol) return protocol.error();
    if (auto prepared = make_non_blocking(fd); !prepared) return prepared.error();
    return *protocol == IPPROTO_TCP ? ShortCounts::mean_drained : ShortCounts::mean_nothing;
}

Result<void> adopt_listener(int fd) {
    if (auto listening = expect_listening(fd); !listening) return listening;
    const Result<int> family = option(fd, SO_DOMAIN);
    if (!family) return family.error();
    if (*family != AF_INET && *family != AF_INET6) return Error::from_errno(EAFNOSUPPORT, operation);
    return make_non_blocking(fd);
}

Result<void> adopt_udp(int fd) {
    if (auto as_expected = expect_type(fd, SOCK_DGRAM); !as_expected) return as_expected;
    if (auto as_expected = expect_protocol(fd, IPPROTO_UDP); !as_expected) return as_expected;
    return make_non_blocking(fd);
}

Result<void> adopt_unix_stream(int fd) {
    if (auto as_expected = expect_unix(fd, SOCK_STREAM); !as_expected) return as_expected;
    if (auto connected = expect_connected(fd); !connected) return connected;
    return make_non_blocking(fd);
}

Result<void> adopt_unix_listener(int fd) {
    if (auto as_expected = expect_unix(fd, SOCK_STREAM); !as_expected) return as_expected;
    if (auto listening = expect_listening(fd); !listening) return listening;
    return make_non_blocking(fd);
}

Result<void> adopt_unix_datagram(int fd) {
    if (auto as_expected = expect_unix(fd, SOCK_DGRAM); !as_expected) return as_expected;
    return make_non_blocking(fd);
}

} // namespace nexus::detail
