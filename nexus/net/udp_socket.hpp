// UdpSocket: datagrams over IPv4 and IPv6, unicast and multicast (section 6.6 of the contract). Move-only; owner thread
// only.
//
// It registers with the runtime at its first wait, so it may be made before the runtime, be kept in the World, and
// outlive the runtime. Receiving and sending one datagram, and the rules of both, are in datagram_io.hpp; many at once
// here. Using a socket that was moved from is a UsageError; on a closed one everything fails (errc::closed; EBADF for
// options).
#pragma once

#include "nexus/net/address.hpp"
#include "nexus/net/datagram_io.hpp"
#include "nexus/net/socket_options.hpp"
#include "nexus/net/udp_batch.hpp"
#include "nexus/os/multicast.hpp"

#include <optional>
#include <string_view>

namespace nexus {

using os::interface_index;

struct UdpOptions {
    /// SO_REUSEADDR: several sockets may have the port, and each gets what is sent to a group that it joined.
    bool reuse_address = false;
    /// SO_REUSEPORT: several sockets share the port, and the kernel deals datagrams out among them.
    bool reuse_port = false;
    /// IPV6_V6ONLY: whether "[::]:80" leaves IPv4 to others; empty: as the system has it. Not for IPv4 addresses.
    std::optional<bool> only_v6 = {};
};

class UdpSocket : public SocketIdentity<UdpSocket>,
                  public DatagramOperations<UdpSocket, SocketAddress>,
                  public IpOptions<UdpSocket> {
public:
    /// At `address` ("0.0.0.0:7000", "[::]:0"; port 0: any free one). Fails with what the system said
    /// (std::errc::address_in_use, permission_denied, ...) and the address as subject. Does not suspend; also outside
    /// fibers.
    [[nodiscard]] static Result<UdpSocket> bind(std::string_view address, const UdpOptions& options = {});
    [[nodiscard]] static Result<UdpSocket> bind(const SocketAddress& address, const UdpOptions& options = {});
    /// Not bound: sending chooses an address.
    [[nodiscard]] static Result<UdpSocket> v4() { return open(AF_INET); }
    [[nodiscard]] static Result<UdpSocket> v6() { return open(AF_INET6); }

    /// Takes over a UDP socket and makes it non-blocking and CLOEXEC. Fails, and leaves `fd` with the caller, when it
    /// is none (std::errc::wrong_protocol_type). Does not suspend.
    [[nodiscard]] static Result<UdpSocket> from_fd(os::Fd&& fd);
    /// Gives up the descriptor, which stays open and non-blocking. Fibers that wait fail with errc::closed.
    [[nodiscard]] os::Fd into_fd() && { return record("into_fd").release(); }

    using DatagramOperations::connect;
    [[nodiscard]] Result<void> connect(std::string_view address);
    /// Undoes connect(): send() fails again, and everybody's datagrams come in. A socket that was not bound before
    /// loses its address, and has to send before it gets one again.
    [[nodiscard]] Result<void> disconnect();

    // --- many at once ---

    /// Suspends until there is a datagram, then takes as many as are there and as `batch` has room for, in one system
    /// call. How many: at least 1. On failure `batch` is empty.
    [[nodiscard]] Result<std::size_t> recv_batch(RecvBatch& batch);
    /// Does not suspend, also outside fibers.
    [[nodiscard]] Result<std::size_t> try_recv_batch(RecvBatch& batch);
    /// Suspends until the kernel has taken all of `batch` from batch.sent() on, in order. After a failure batch.sent()
    /// is the index of the first that was not sent: batch.skip() passes over it, another call tries it again. What the
    /// network says of those before (std::errc::connection_refused) is no reason to skip one.
    [[nodiscard]] Result<void> send_batch(SendBatch& batch);
    /// Does not suspend, also outside fibers. How many went.
    [[nodiscard]] Result<std::size_t> try_send_batch(SendBatch& batch);

    // --- options, besides those of IpOptions; none suspends ---

    /// Without it sending to a broadcast address fails with std::errc::permission_denied.
    [[nodiscard]] Result<void> set_broadcast(bool on) { return os::set_broadcast(fd(), on); }
    [[nodiscard]] Result<bool> broadcast() const { return os::broadcast(fd()); }
    /// SO_RXQ_OVFL: datagrams carry how many the socket has dropped.
    [[nodiscard]] Result<void> set_drop_reports(bool on) { return os::set_drop_reports(fd(), on); }
    [[nodiscard]] Result<bool> drop_reports() const { return os::drop_reports(fd()); }

    /// Membership in a group, whose port is ignored, on the interface with that index (interface_index("eth0")), 0: the
    /// one that routes lead to. The group is the subject of errors. Memberships end with the socket.
    [[nodiscard]] Result<void> join_multicast(const SocketAddress& group, unsigned interface_index = 0) {
        return os::join_multicast(fd(), group, interface_index);
    }
    [[nodiscard]] Result<void> leave_multicast(const SocketAddress& group, unsigned interface_index = 0) {
        return os::leave_multicast(fd(), group, interface_index);
    }
    /// IPv4: on the interface that has the address `local`.
    [[nodiscard]] Result<void> join_multicast(const SocketAddress& group, const SocketAddress& local) {
        return os::join_multicast(fd(), group, local);
    }
    [[nodiscard]] Result<void> leave_multicast(const SocketAddress& group, const SocketAddress& local) {
        return os::leave_multicast(fd(), group, local);
    }
    /// Source-specific membership: only what `source` sends to the group. Several sources add up.
    [[nodiscard]] Result<void> join_source(const SocketAddress& group, const SocketAddress& source,
                                           unsigned interface_index = 0) {
        return os::join_source(fd(), group, source, interface_index);
    }
    [[nodiscard]] Result<void> leave_source(const SocketAddress& group, const SocketAddress& source,
                                            unsigned interface_index = 0) {
        return os::leave_source(fd(), group, source, interface_index);
    }
    /// Whether sockets of this host get what this one sends to groups; they do at first.
    [[nodiscard]] Result<void> set_multicast_loop(bool on) { return os::set_multicast_loop(fd(), on); }
    [[nodiscard]] Result<bool> multicast_loop() const { return os::multicast_loop(fd()); }
    /// Hops of what is sent to groups: 0 (this host only) to 255; 1 at first.
    [[nodiscard]] Result<void> set_multicast_ttl(int hops) { return os::set_multicast_ttl(fd(), hops); }
    [[nodiscard]] Result<int> multicast_ttl() const { return os::multicast_ttl(fd()); }
    /// The interface to send to groups from.
    [[nodiscard]] Result<void> set_multicast_interface(unsigned interface_index) {
        return os::set_multicast_interface(fd(), interface_index);
    }
    /// False: only what is sent to groups that this socket joined; Linux delivers those of other sockets too.
    [[nodiscard]] Result<void> set_multicast_all(bool on) { return os::set_multicast_all(fd(), on); }
    [[nodiscard]] Result<bool> multicast_all() const { return os::multicast_all(fd()); }

private:
    friend struct detail::RecordAccess;

    explicit UdpSocket(os::Fd fd)
        : owner_(detail::SocketOwner::make(std::move(fd), detail::ShortCounts::mean_nothing)) {}
    [[nodiscard]] static Result<UdpSocket> open(int family);
    [[nodiscard]] detail::SocketRecord& record(const char* operation) const {
        return detail::require_record(owner_.get(), operation);
    }

    detail::SocketOwner owner_;
};

} // namespace nexus
