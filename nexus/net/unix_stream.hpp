// UnixStream: a connection between processes of one host. Move-only; owner thread only.
//
// Like TcpStream it may be made before the runtime and outlive it; reading, writing and their rules are in
// stream_io.hpp, splitting in detail/stream_handle.hpp. Besides bytes it carries descriptors, and the kernel vouches
// for who the peer is.
#pragma once

#include "nexus/net/detail/stream_handle.hpp"
#include "nexus/net/socket_options.hpp"
#include "nexus/net/unix_address.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace nexus {

class UnixStream : public detail::StreamHandle<UnixStream, UnixAddress>, public SocketOptions<UnixStream> {
public:
    /// Connects to "/run/app.sock" or "@abstract". Fails with what the system said (no_such_file_or_directory,
    /// connection_refused, permission_denied, ...) and the address as subject; std::errc::filename_too_long beyond 107
    /// bytes. Suspends while the listener's backlog is full: of that no descriptor tells, so it tries again, after 50
    /// microseconds at first and 10 milliseconds at most.
    [[nodiscard]] static Result<UnixStream> connect(std::string_view address);
    [[nodiscard]] static Result<UnixStream> connect(const UnixAddress& address);

    struct Pair;
    /// Two that are connected with each other. Does not suspend; also outside fibers.
    [[nodiscard]] static Result<Pair> pair();

    /// Takes over a connected Unix stream socket and makes it non-blocking and CLOEXEC. Fails, and leaves `fd` with the
    /// caller, when it is none. Does not suspend.
    [[nodiscard]] static Result<UnixStream> from_fd(os::Fd&& fd);

    /// Who was at the other end when the connection was made. Of a pair: who made it. Does not suspend.
    [[nodiscard]] Result<PeerCredentials> peer_credentials() const { return os::peer_credentials(fd()); }

    /// Like write(), and copies of `descriptors` (at most 253) go along with the first byte. `bytes` must not be empty
    /// (std::errc::invalid_argument): the descriptors would not go. How many bytes the kernel took; the rest is for
    /// write_all().
    [[nodiscard]] Result<std::size_t> write_with_descriptors(std::span<const std::byte> bytes,
                                                             std::span<const int> descriptors);

    struct Received {
        std::size_t bytes;       ///< 0 at the end of the stream
        std::size_t descriptors; ///< how many came, in the first entries
        bool descriptors_lost;   ///< more came than there was room for, in `descriptors` or in the process
    };
    /// Like read(), and takes the descriptors that came with these bytes; they are CLOEXEC. A read ends before bytes
    /// that have other descriptors. Any other way of reading drops them. `buffer` must not be empty
    /// (std::errc::invalid_argument).
    [[nodiscard]] Result<Received> read_with_descriptors(std::span<std::byte> buffer, std::span<os::Fd> descriptors);

    // Both bases have it; this one knows of the halves.
    using StreamHandle::take_error;

private:
    friend class detail::StreamHandle<UnixStream, UnixAddress>;
    friend class UnixListener;

    explicit UnixStream(detail::SocketOwner owner) noexcept : StreamHandle(std::move(owner)) {}
    explicit UnixStream(os::Fd fd)
        : StreamHandle(detail::SocketOwner::make(std::move(fd), detail::ShortCounts::mean_nothing)) {}
};

struct UnixStream::Pair {
    UnixStream first;
    UnixStream second;
};

} // namespace nexus
