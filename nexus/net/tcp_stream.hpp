// TcpStream: a TCP connection (section 6.3 of the contract). Move-only; owner thread only.
//
// It registers with the runtime at its first wait, so it may be made before the runtime, be kept in the World, and
// outlive the runtime. Reading, writing and their rules are in stream_io.hpp, options in socket_options.hpp. Using a
// stream that was moved from is a UsageError; on a closed one everything fails (errc::closed; EBADF for options).
#pragma once

#include "nexus/net/address.hpp"
#include "nexus/net/socket_options.hpp"
#include "nexus/net/stream_io.hpp"
#include "nexus/net/tcp_halves.hpp"

#include <string_view>

namespace nexus {

class TcpStream : public SocketIdentity<TcpStream>,
                  public ReadOperations<TcpStream>,
                  public WriteOperations<TcpStream>,
                  public SocketOptions<TcpStream> {
public:
    /// Suspends until the connection stands, or fails with what the network said (std::errc::connection_refused, ...)
    /// and the address as subject; unlike the seed's, which reports at the first use. `address` as SocketAddress::parse
    /// takes it, else errc::invalid_address. A wait that is ended gives the attempt up.
    [[nodiscard]] static Result<TcpStream> connect(std::string_view address);
    [[nodiscard]] static Result<TcpStream> connect(const SocketAddress& address);

    /// Takes over a connected stream socket and makes it non-blocking and CLOEXEC. Sockets of other kinds than TCP
    /// work. Fails, and leaves `fd` with the caller, when it is no stream socket. Does not suspend.
    [[nodiscard]] static Result<TcpStream> from_fd(os::Fd&& fd);
    /// Gives up the descriptor, which stays open and non-blocking. Fibers that wait fail with errc::closed.
    [[nodiscard]] os::Fd into_fd() && { return record("into_fd").release(); }

    [[nodiscard]] Result<SocketAddress> peer_address() const { return os::peer_address(fd()); }

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
        detail::SocketRecord& mine = record("split");
        return {ReadHalf(detail::SocketPin(mine)), WriteHalf(detail::SocketPin(mine))};
    }

    struct OwnedHalves {
        OwnedReadHalf read;
        OwnedWriteHalf write;
    };
    [[nodiscard]] OwnedHalves into_split() && {
        detail::SocketRecord& mine = record("into_split");
        return {OwnedReadHalf(detail::SocketOwner(mine)), OwnedWriteHalf(std::move(owner_))};
    }
    /// The stream again. Throws UsageError when the halves are not of one stream; both stay with the caller then
    /// (unlike the seed's, which loses them).
    [[nodiscard]] static TcpStream reunite(OwnedReadHalf&& read, OwnedWriteHalf&& write);

private:
    friend class SocketIdentity<TcpStream>;
    friend class ReadOperations<TcpStream>;
    friend class WriteOperations<TcpStream>;
    friend class TcpListener;
    friend class TcpSocket;

    explicit TcpStream(detail::SocketOwner owner) noexcept : owner_(std::move(owner)) {}
    explicit TcpStream(os::Fd fd)
        : owner_(detail::SocketOwner::make(std::move(fd), detail::ShortCounts::mean_drained)) {}
    [[nodiscard]] detail::SocketRecord& record(const char* operation) const {
        return detail::require_record(owner_.get(), operation);
    }
    /// Connects `fd`, an unconnected TCP socket.
    [[nodiscard]] static Result<TcpStream> connect_socket(os::Fd fd, const SocketAddress& address);

    detail::SocketOwner owner_;
};

} // namespace nexus
