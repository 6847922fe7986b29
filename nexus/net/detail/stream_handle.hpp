// StreamHandle: what TcpStream and UnixStream have in common: their record, their addresses, and taking them apart.
//
// Stream derives from it; Address is what its ends are called. Move-only; owner thread only; nothing here suspends.
#pragma once

#include "nexus/net/stream_halves.hpp"

#include <utility>

namespace nexus::detail {

template <class Stream, class Address>
class StreamHandle : public SocketIdentity<Stream>, public ReadOperations<Stream>, public WriteOperations<Stream> {
public:
    using ReadHalf = BasicReadHalf<Stream, Address>;
    using WriteHalf = BasicWriteHalf<Stream, Address>;
    using OwnedReadHalf = BasicOwnedReadHalf<Stream, Address>;
    using OwnedWriteHalf = BasicOwnedWriteHalf<Stream, Address>;

    /// Gives up the descriptor, which stays open and non-blocking. Fibers that wait fail with errc::closed.
    [[nodiscard]] os::Fd into_fd() && { return record("into_fd").release(); }

    [[nodiscard]] Result<Address> local_address() const { return os::local_address<Address>(this->fd()); }
    [[nodiscard]] Result<Address> peer_address() const { return os::peer_address<Address>(this->fd()); }

    /// How far the connection has gone towards its end.
    [[nodiscard]] Result<ConnectionState> state() const { return record("state").state(); }
    /// Takes the error that is pending on the socket, if any, and fails with it. Reads that come after an error do not
    /// report an end of stream in its place.
    [[nodiscard]] Result<void> take_error() { return record("take_error").take_error(); }

    /// Ends one direction: shutdown_read() or shutdown_write().
    [[nodiscard]] Result<void> shutdown(Direction direction) { return record("shutdown").shutdown(direction); }
    /// Closes the connection, as the destructor does; fibers that wait fail with errc::closed. Idempotent.
    void close() { record("close").close(); }

    struct Halves {
        ReadHalf read;
        WriteHalf write;
    };
    /// Borrowed halves; this stream stays usable.
    [[nodiscard]] Halves split() {
        SocketRecord& mine = record("split");
        return {ReadHalf(SocketPin(mine)), WriteHalf(SocketPin(mine))};
    }

    struct OwnedHalves {
        OwnedReadHalf read;
        OwnedWriteHalf write;
    };
    [[nodiscard]] OwnedHalves into_split() && {
        SocketRecord& mine = record("into_split");
        return {OwnedReadHalf(SocketOwner(mine)), OwnedWriteHalf(std::move(owner_))};
    }
    /// The stream again. Throws ReuniteError when the halves are not of one stream; both stay with the caller then.
    [[nodiscard]] static Stream reunite(OwnedReadHalf&& read, OwnedWriteHalf&& write) {
        if (&read.record("reunite") != &write.record("reunite")) throw ReuniteError();
        Stream whole(std::move(write.ref_));
        const SocketOwner given_back = std::move(read.ref_);
        return whole;
    }

protected:
    explicit StreamHandle(SocketOwner owner) noexcept : owner_(std::move(owner)) {}
    [[nodiscard]] SocketRecord& record(const char* operation) const { return require_record(owner_.get(), operation); }

private:
    friend struct RecordAccess;

    SocketOwner owner_;
};

} // namespace nexus::detail
