// UnixDatagram: datagrams between processes of one host. Nothing is lost and nothing overtakes: a full receiver makes
// senders wait. Move-only; owner thread only.
//
// Sending, receiving and their rules are in datagram_io.hpp. A socket that wants answers has to have an address:
// bind() with UnixAddress{} lets the kernel choose an abstract name.
#pragma once

#include "nexus/net/datagram_io.hpp"
#include "nexus/net/socket_options.hpp"
#include "nexus/net/unix_listener.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace nexus {

class UnixDatagram : public SocketIdentity<UnixDatagram>,
                     public DatagramOperations<UnixDatagram, UnixAddress>,
                     public SocketOptions<UnixDatagram> {
public:
    /// At "/run/app.sock" or "@abstract"; a default UnixAddress: an abstract name of the kernel's choice. Fails as
    /// UnixListener::bind() does. Does not suspend; also outside fibers.
    [[nodiscard]] static Result<UnixDatagram> bind(std::string_view address, const UnixBindOptions& options = {});
    [[nodiscard]] static Result<UnixDatagram> bind(const UnixAddress& address, const UnixBindOptions& options = {});
    /// Without an address: it can send, and nobody can answer.
    [[nodiscard]] static Result<UnixDatagram> unbound();
    struct Pair;
    /// Two that are connected with each other.
    [[nodiscard]] static Result<Pair> pair();

    /// Takes over a Unix datagram socket and makes it non-blocking and CLOEXEC. Fails, and leaves `fd` with the caller,
    /// when it is none. Does not suspend.
    [[nodiscard]] static Result<UnixDatagram> from_fd(os::Fd&& fd);
    /// Gives up the descriptor, and its file stays. Fibers that wait fail with errc::closed.
    [[nodiscard]] os::Fd into_fd() && {
        file_.release();
        return record("into_fd").release();
    }

    UnixDatagram(UnixDatagram&&) noexcept = default;
    UnixDatagram& operator=(UnixDatagram&& other) noexcept {
        file_ = std::move(other.file_); // first, while the socket that is replaced still has its file
        owner_ = std::move(other.owner_);
        return *this;
    }

    using DatagramOperations::connect;
    [[nodiscard]] Result<void> connect(std::string_view address);

    /// Of a pair: who made it. Does not suspend.
    [[nodiscard]] Result<PeerCredentials> peer_credentials() const { return os::peer_credentials(fd()); }

    /// Like send() and send_to(), and copies of `descriptors` (at most 253) go along.
    [[nodiscard]] Result<std::size_t> send_with_descriptors(std::span<const std::byte> bytes,
                                                            std::span<const int> descriptors);
    [[nodiscard]] Result<std::size_t> send_with_descriptors(std::span<const std::byte> bytes,
                                                            std::span<const int> descriptors, const UnixAddress& to);
    struct Received {
        std::size_t size;                ///< bytes in the buffer
        std::size_t full_size;           ///< what the sender sent; more than `size` when the buffer was too small
        UnixAddress from;                ///< unnamed when the sender is not bound
        std::size_t descriptors;         ///< how many came, in the first entries
        bool descriptors_lost;           ///< more came than there was room for, in `descriptors` or in the process
        std::optional<ReceiveTime> time; ///< when it arrived; after set_receive_timestamps(true)

        [[nodiscard]] bool truncated() const noexcept { return full_size > size; }
    };
    /// Like recv_from(), and takes the descriptors that came along; they are CLOEXEC. Any other way of receiving drops
    /// them.
    [[nodiscard]] Result<Received> recv_with_descriptors(std::span<std::byte> buffer, std::span<os::Fd> descriptors);

    /// Closes the socket, as the destructor does; fibers that wait fail with errc::closed. Idempotent.
    void close() {
        file_.remove();
        record("close").close();
    }

private:
    friend struct detail::RecordAccess;

    UnixDatagram(os::Fd fd, os::SocketFile file)
        : owner_(detail::SocketOwner::make(std::move(fd), detail::ShortCounts::mean_nothing)), file_(std::move(file)) {}
    [[nodiscard]] detail::SocketRecord& record(const char* operation) const {
        return detail::require_record(owner_.get(), operation);
    }
    [[nodiscard]] Result<std::size_t> send_descriptors(std::span<const std::byte> bytes,
                                                       std::span<const int> descriptors, const sockaddr* to,
                                                       socklen_t to_size);

    detail::SocketOwner owner_;
    os::SocketFile file_; // after the owner: removed before the socket is closed
};

struct UnixDatagram::Pair {
    UnixDatagram first;
    UnixDatagram second;
};

} // namespace nexus
