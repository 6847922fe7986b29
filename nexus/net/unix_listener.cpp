#include "nexus/net/unix_listener.hpp"

#include "nexus/net/private/accept.hpp"
#include "nexus/net/private/adopt.hpp"
#include "nexus/net/private/bind_unix.hpp"

namespace nexus {

Result<UnixListener> UnixListener::bind(std::string_view address, const UnixListenOptions& options) {
    const auto parsed = UnixAddress::parse(address);
    if (!parsed) return Error(parsed.error().code(), "bind", address);
    return bind(*parsed, options);
}

Result<UnixListener> UnixListener::bind(const UnixAddress& address, const UnixListenOptions& options) {
    const auto failure = [&](const Error& error) {
        return Error(error.code(), error.operation(), address.to_string());
    };
    auto bound = detail::bind_unix(SOCK_STREAM, address, options);
    if (!bound) return failure(bound.error());
    if (auto listening = os::listen(bound->fd.get(), options.backlog); !listening) return failure(listening.error());
    return UnixListener(std::move(bound->fd), std::move(bound->file));
}

Result<UnixListener> UnixListener::from_fd(os::Fd&& fd) {
    if (auto adopted = detail::adopt_unix_listener(fd.get()); !adopted) return adopted.error();
    return UnixListener(std::move(fd), os::SocketFile{});
}

Result<UnixListener::Accepted> UnixListener::accept() {
    auto accepted = detail::accept_patiently<UnixAddress>(record("accept"));
    if (!accepted) return accepted.error();
    return Accepted{UnixStream(std::move(accepted->fd)), accepted->peer};
}

Result<UnixListener::Accepted> UnixListener::try_accept() {
    auto accepted = detail::try_accept<UnixAddress>(record("try_accept"));
    if (!accepted) return accepted.error();
    return Accepted{UnixStream(std::move(accepted->fd)), accepted->peer};
}

} // namespace nexus
