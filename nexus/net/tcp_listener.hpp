// TcpListener: takes in TCP connections (section 6.4 of the contract). Move-only; owner thread only. Like a stream it
// may be made before the runtime, outlive it, and be closed while a fiber waits. Options that are set on it (ttl,
// buffer sizes, nodelay, keepalive) are inherited by the connections that it accepts afterwards.
#pragma once

#include "nexus/net/tcp_stream.hpp"

#include <optional>
#include <string_view>

namespace nexus {

struct ListenOptions {
    /// Connections that may wait to be accepted; the kernel cuts it down to net.core.somaxconn.
    int backlog = 4096;
    /// SO_REUSEADDR: a port whose former connections are in TIME_WAIT can be had.
    bool reuse_address = true;
    /// SO_REUSEPORT: several listeners share the port, and the kernel deals connections out among them.
    bool reuse_port = false;
    /// IPV6_V6ONLY: whether "[::]:80" leaves IPv4 to others; empty: as the system has it. Not for IPv4 addresses.
    std::optional<bool> only_v6 = {};
};

class TcpListener : public SocketIdentity<TcpListener>, public TcpOptions<TcpListener> {
public:
    /// Listens at `address` ("127.0.0.1:7000", "[::]:0"; port 0: any free one). Fails with what the system said
    /// (std::errc::address_in_use, permission_denied, ...) and the address as subject. Does not suspend; also outside
    /// fibers.
    [[nodiscard]] static Result<TcpListener> bind(std::string_view address, const ListenOptions& options = {});
    [[nodiscard]] static Result<TcpListener> bind(const SocketAddress& address, const ListenOptions& options = {});

    /// Takes over a listening stream socket and makes it non-blocking and CLOEXEC. Fails, and leaves `fd` with the
    /// caller, when it is none (std::errc::invalid_argument). Does not suspend.
    [[nodiscard]] static Result<TcpListener> from_fd(os::Fd&& fd);
    /// Gives up the descriptor. A fiber that waits fails with errc::closed.
    [[nodiscard]] os::Fd into_fd() && { return record("into_fd").release(); }

    struct Accepted {
        TcpStream stream;
        SocketAddress peer;
    };
    /// Suspends until there is a connection. Connections that broke before they were accepted are passed over. When
    /// descriptors or memory have run out (EMFILE, ENFILE, ENOBUFS, ENOMEM) it waits 1 ms, twice as long each time up
    /// to 100 ms, and tries again, since no new event would come (unlike the seed's, which fails). Other failures are
    /// returned: timed_out and cancelled by a scope, closed, and what means that the socket is unusable. One fiber at a
    /// time, else UsageError.
    [[nodiscard]] Result<Accepted> accept();
    /// Does not suspend, also outside fibers. std::errc::resource_unavailable_try_again when there is no connection;
    /// lack of descriptors or memory is returned as it is.
    [[nodiscard]] Result<Accepted> try_accept();

    [[nodiscard]] Result<SocketAddress> local_address() const { return os::local_address(fd()); }

    /// Stops listening; a fiber that waits fails with errc::closed. Idempotent.
    void close() { record("close").close(); }

private:
    friend struct detail::RecordAccess;
    friend class TcpSocket;

    explicit TcpListener(os::Fd fd)
        : owner_(detail::SocketOwner::make(std::move(fd), detail::ShortCounts::mean_nothing)) {}
    [[nodiscard]] detail::SocketRecord& record(const char* operation) const {
        return detail::require_record(owner_.get(), operation);
    }

    detail::SocketOwner owner_;
};

} // namespace nexus
