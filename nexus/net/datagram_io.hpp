// The operations of datagram sockets, once for UDP and Unix.
//
// Derived provides `detail::SocketRecord& record(const char* operation) const` to detail::RecordAccess. Owner thread
// only. How waits end is as for streams (stream_io.hpp): scopes, closing, interruptions, fairness. What differs:
//   * a datagram is sent whole or not at all, and taken whole: what does not fit into the buffer is gone, and reported;
//   * a size of 0 is an empty datagram, not an end;
//   * any number of fibers may send: those that have to wait take turns in the order in which they came; one fiber at a
//     time may wait to receive, a second one is a UsageError;
//   * errors of datagrams sent before (std::errc::connection_refused) come out of whatever is called next. The socket
//     goes on after them.
#pragma once

#include "nexus/net/socket_identity.hpp"
#include "nexus/os/datagram.hpp"
#include "nexus/os/socket_options.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace nexus {

using os::ReceiveTime;

/// A datagram that was received, except its bytes.
template <class Address>
struct BasicDatagram {
    std::size_t size;                ///< bytes in the buffer
    std::size_t full_size;           ///< what the sender sent; more than `size` when the buffer was too small
    Address from;                    ///< unnamed for Unix sockets that are not bound
    std::optional<ReceiveTime> time; ///< when it arrived in this host; after set_receive_timestamps(true)
    std::uint32_t dropped = 0;       ///< how many the socket has dropped for want of room; after set_drop_reports(true)

    [[nodiscard]] bool truncated() const noexcept { return full_size > size; }
};

namespace detail {

/// What receiving one datagram fills in, as the system call says it.
struct RawDatagram {
    std::size_t full_size;
    os::RawAddress from;
    os::DatagramFacts facts;
};

enum class Waits : bool { no, yes };
/// `flags` as of recv(2). The buffer's size when the datagram is longer and stays (MSG_PEEK), else message_size.
[[nodiscard]] Result<std::size_t> receive(SocketRecord& record, std::span<std::byte> buffer, int flags, Waits waits,
                                          const char* operation);
[[nodiscard]] Result<void> receive_from(SocketRecord& record, std::span<std::byte> buffer, int flags,
                                        RawDatagram& datagram, Waits waits, const char* operation);
/// To where the socket is connected when `to` is null.
[[nodiscard]] Result<std::size_t> send_datagram(SocketRecord& record, std::span<const std::byte> bytes,
                                                const sockaddr* to, socklen_t to_size, Waits waits,
                                                const char* operation);

/// In turn with those who send.
[[nodiscard]] Result<void> wait_writable(SocketRecord& record);

} // namespace detail

template <class Derived, class Address>
class DatagramOperations {
public:
    using Datagram = BasicDatagram<Address>;

    /// Suspends until there is a datagram. Its size; std::errc::message_size when the buffer was too small: the
    /// beginning is in the buffer, the rest is gone (the seed's cut it off silently). Of a connected socket only what
    /// its peer sent.
    [[nodiscard]] Result<std::size_t> recv(std::span<std::byte> buffer) {
        return detail::receive(self_record("recv"), buffer, 0, detail::Waits::yes, "recv");
    }
    /// The same with its sender and what else is known; one that was cut off says so.
    [[nodiscard]] Result<Datagram> recv_from(std::span<std::byte> buffer) {
        return from_raw(buffer, 0, detail::Waits::yes, "recv_from");
    }
    /// Like recv() and recv_from(), but the datagram stays. A buffer that is too small is no error here.
    [[nodiscard]] Result<std::size_t> peek(std::span<std::byte> buffer) {
        return detail::receive(self_record("peek"), buffer, MSG_PEEK, detail::Waits::yes, "peek");
    }
    [[nodiscard]] Result<Datagram> peek_from(std::span<std::byte> buffer) {
        return from_raw(buffer, MSG_PEEK, detail::Waits::yes, "peek_from");
    }
    /// Suspends until try_recv() has something to report: a datagram or an error.
    [[nodiscard]] Result<void> readable() { return self_record("readable").wait_ready(Direction::in, "readable"); }

    /// These do not suspend, also outside fibers: std::errc::resource_unavailable_try_again when there is nothing.
    [[nodiscard]] Result<std::size_t> try_recv(std::span<std::byte> buffer) {
        return detail::receive(self_record("try_recv"), buffer, 0, detail::Waits::no, "recv");
    }
    [[nodiscard]] Result<Datagram> try_recv_from(std::span<std::byte> buffer) {
        return from_raw(buffer, 0, detail::Waits::no, "recv_from");
    }
    [[nodiscard]] Result<std::size_t> try_peek(std::span<std::byte> buffer) {
        return detail::receive(self_record("try_peek"), buffer, MSG_PEEK, detail::Waits::no, "peek");
    }
    [[nodiscard]] Result<Datagram> try_peek_from(std::span<std::byte> buffer) {
        return from_raw(buffer, MSG_PEEK, detail::Waits::no, "peek_from");
    }
    [[nodiscard]] bool is_readable() { return self_record("is_readable").is_ready(Direction::in); }

    /// Suspends until the kernel has taken the datagram, to where the socket is connected. Its size. Fails with
    /// std::errc::message_size when it is too long for the protocol, std::errc::destination_address_required or
    /// not_connected when the socket is not connected.
    [[nodiscard]] Result<std::size_t> send(std::span<const std::byte> bytes) {
        return detail::send_datagram(self_record("send"), bytes, nullptr, 0, detail::Waits::yes, "send");
    }
    [[nodiscard]] Result<std::size_t> send_to(std::span<const std::byte> bytes, const Address& to) {
        return detail::send_datagram(self_record("send_to"), bytes, to.data(), to.size(), detail::Waits::yes,
                                     "send_to");
    }
    /// Suspends until the kernel has room for a datagram, and those who came first have sent theirs. A Unix socket says
    /// so too while a receiver's queue is full.
    [[nodiscard]] Result<void> writable() { return detail::wait_writable(self_record("writable")); }

    /// These do not suspend, also outside fibers: std::errc::resource_unavailable_try_again when there is no room, or
    /// other fibers wait for it.
    [[nodiscard]] Result<std::size_t> try_send(std::span<const std::byte> bytes) {
        return detail::send_datagram(self_record("try_send"), bytes, nullptr, 0, detail::Waits::no, "send");
    }
    [[nodiscard]] Result<std::size_t> try_send_to(std::span<const std::byte> bytes, const Address& to) {
        return detail::send_datagram(self_record("try_send_to"), bytes, to.data(), to.size(), detail::Waits::no,
                                     "send_to");
    }
    [[nodiscard]] bool is_writable() { return self_record("is_writable").is_ready(Direction::out); }

    /// Does not suspend: sets where send() goes to, and receives from there only. Again: from then on from elsewhere.
    [[nodiscard]] Result<void> connect(const Address& address) {
        const int fd = self_record("connect").fd();
        if (auto connected = os::connect(fd, address); !connected) {
            return Error(connected.error().code(), "connect", address.to_string());
        }
        return {};
    }
    [[nodiscard]] Result<Address> local_address() const {
        return os::local_address<Address>(self_record("local_address").fd());
    }
    /// Where the socket is connected to; std::errc::not_connected otherwise.
    [[nodiscard]] Result<Address> peer_address() const {
        return os::peer_address<Address>(self_record("peer_address").fd());
    }

    /// SO_TIMESTAMPNS: datagrams carry the time at which the kernel took them in. It begins to take it a moment later:
    /// those that arrive until then carry the time at which they are read.
    [[nodiscard]] Result<void> set_receive_timestamps(bool on) {
        return os::set_receive_timestamps(self_record("set_receive_timestamps").fd(), on);
    }
    [[nodiscard]] Result<bool> receive_timestamps() const {
        return os::receive_timestamps(self_record("receive_timestamps").fd());
    }

    /// Closes the socket, as the destructor does; fibers that wait fail with errc::closed. Idempotent.
    void close() { self_record("close").close(); }

protected:
    DatagramOperations() = default;
    DatagramOperations(const DatagramOperations&) = default;
    DatagramOperations& operator=(const DatagramOperations&) = default;
    ~DatagramOperations() = default;

private:
    [[nodiscard]] detail::SocketRecord& self_record(const char* operation) const {
        return detail::RecordAccess::of(static_cast<const Derived&>(*this), operation);
    }
    [[nodiscard]] Result<Datagram> from_raw(std::span<std::byte> buffer, int flags, detail::Waits waits,
                                            const char* operation) {
        detail::RawDatagram raw;
        auto received = detail::receive_from(self_record(operation), buffer, flags, raw, waits, operation);
        if (!received) return received.error();
        const Result<Address> from = Address::from_sockaddr(raw.from.data(), raw.from.size);
        if (!from) return from.error();
        return Datagram{.size = std::min(raw.full_size, buffer.size()),
                        .full_size = raw.full_size,
                        .from = *from,
                        .time = raw.facts.time,
                        .dropped = raw.facts.dropped};
    }
};

} // namespace nexus
