// The two directions of a stream as objects of their own, for two fibers at once (H-18).
//
// BasicReadHalf and BasicWriteHalf are borrowed: the stream stays where it is and stays in charge; when it closes, they
// fail with errc::closed, and they may outlive it. BasicOwnedReadHalf and BasicOwnedWriteHalf share the connection: it
// closes when both are gone, so destroying the write half alone sends no end of stream; shutdown_write() does. All
// move-only, owner thread only. Destroying an owned half does not end a wait that somebody began through it.
#pragma once

#include "nexus/base/usage_error.hpp"
#include "nexus/net/socket_identity.hpp"
#include "nexus/net/stream_io.hpp"

namespace nexus {

/// Thrown when halves of different streams are to be reunited. Both stay with the caller (unlike the seed's, which
/// loses them).
class ReuniteError : public UsageError {
public:
    ReuniteError();
};

namespace detail {

template <class Stream, class Address>
class StreamHandle;

/// Where a half keeps its record, and what all kinds of halves know. Ref is SocketPin or SocketOwner.
template <class Derived, class Stream, class Address, class Ref>
class StreamHalf : public SocketIdentity<Derived> {
public:
    [[nodiscard]] Result<Address> local_address() const { return os::local_address<Address>(this->fd()); }
    [[nodiscard]] Result<Address> peer_address() const { return os::peer_address<Address>(this->fd()); }
    /// How far the connection has gone towards its end. Does not suspend.
    [[nodiscard]] Result<ConnectionState> state() const { return record("state").state(); }

protected:
    explicit StreamHalf(Ref ref) noexcept : ref_(std::move(ref)) {}

private:
    friend struct RecordAccess;
    friend class StreamHandle<Stream, Address>;
    [[nodiscard]] SocketRecord& record(const char* operation) const { return require_record(ref_.get(), operation); }

    Ref ref_;
};

} // namespace detail

template <class Stream, class Address>
class BasicReadHalf : public detail::StreamHalf<BasicReadHalf<Stream, Address>, Stream, Address, detail::SocketPin>,
                      public ReadOperations<BasicReadHalf<Stream, Address>> {
    friend class detail::StreamHandle<Stream, Address>;
    using BasicReadHalf::StreamHalf::StreamHalf;
};

template <class Stream, class Address>
class BasicWriteHalf : public detail::StreamHalf<BasicWriteHalf<Stream, Address>, Stream, Address, detail::SocketPin>,
                       public WriteOperations<BasicWriteHalf<Stream, Address>> {
    friend class detail::StreamHandle<Stream, Address>;
    using BasicWriteHalf::StreamHalf::StreamHalf;
};

template <class Stream, class Address>
class BasicOwnedReadHalf
    : public detail::StreamHalf<BasicOwnedReadHalf<Stream, Address>, Stream, Address, detail::SocketOwner>,
      public ReadOperations<BasicOwnedReadHalf<Stream, Address>> {
    friend class detail::StreamHandle<Stream, Address>;
    using BasicOwnedReadHalf::StreamHalf::StreamHalf;
};

template <class Stream, class Address>
class BasicOwnedWriteHalf
    : public detail::StreamHalf<BasicOwnedWriteHalf<Stream, Address>, Stream, Address, detail::SocketOwner>,
      public WriteOperations<BasicOwnedWriteHalf<Stream, Address>> {
    friend class detail::StreamHandle<Stream, Address>;
    using BasicOwnedWriteHalf::StreamHalf::StreamHalf;
};

} // namespace nexus
