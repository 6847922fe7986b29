// The two directions of a TCP stream as objects of their own, for two fibers at once (H-18).
//
// ReadHalf and WriteHalf are borrowed: the stream stays where it is and stays in charge; when it closes, they fail with
// errc::closed, and they may outlive it. OwnedReadHalf and OwnedWriteHalf share the connection: it closes when both are
// gone, so destroying the write half alone sends no end of stream; shutdown_write() does.
// All move-only, owner thread only. Destroying an owned half does not end a wait that somebody began through it.
#pragma once

#include "nexus/net/address.hpp"
#include "nexus/net/stream_io.hpp"

namespace nexus {

class TcpStream;

namespace detail {

/// Where a half keeps its record, and what both kinds of halves know.
template <class Derived, class Ref>
class TcpHalf : public SocketIdentity<Derived> {
public:
    [[nodiscard]] Result<SocketAddress> peer_address() const { return os::peer_address(this->fd()); }

protected:
    explicit TcpHalf(Ref ref) noexcept : ref_(std::move(ref)) {}
    [[nodiscard]] SocketRecord& record(const char* operation) const { return require_record(ref_.get(), operation); }

    Ref ref_;
};

} // namespace detail

class ReadHalf : public detail::TcpHalf<ReadHalf, detail::SocketPin>, public ReadOperations<ReadHalf> {
    friend class TcpStream;
    friend class ReadOperations<ReadHalf>;
    friend class SocketIdentity<ReadHalf>;
    using TcpHalf::TcpHalf;
};

class WriteHalf : public detail::TcpHalf<WriteHalf, detail::SocketPin>, public WriteOperations<WriteHalf> {
    friend class TcpStream;
    friend class WriteOperations<WriteHalf>;
    friend class SocketIdentity<WriteHalf>;
    using TcpHalf::TcpHalf;
};

class OwnedReadHalf : public detail::TcpHalf<OwnedReadHalf, detail::SocketOwner>, public ReadOperations<OwnedReadHalf> {
    friend class TcpStream;
    friend class ReadOperations<OwnedReadHalf>;
    friend class SocketIdentity<OwnedReadHalf>;
    using TcpHalf::TcpHalf;
};

class OwnedWriteHalf : public detail::TcpHalf<OwnedWriteHalf, detail::SocketOwner>,
                       public WriteOperations<OwnedWriteHalf> {
    friend class TcpStream;
    friend class WriteOperations<OwnedWriteHalf>;
    friend class SocketIdentity<OwnedWriteHalf>;
    using TcpHalf::TcpHalf;
};

} // namespace nexus
