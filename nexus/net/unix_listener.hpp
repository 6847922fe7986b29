// UnixListener: takes in Unix connections, at a path or an abstract name. Move-only; owner thread only. It may be made
// before the runtime, outlive it, and be closed while a fiber waits.
#pragma once

#include "nexus/net/unix_stream.hpp"
#include "nexus/os/socket_file.hpp"

#include <optional>
#include <string_view>

namespace nexus {

/// How a Unix socket takes its place in the file system. Nothing here matters for abstract names.
struct UnixBindOptions {
    /// The file goes when the socket is closed on purpose or destroyed, if it is still the same file. Otherwise it
    /// stays, and the next one to bind finds std::errc::address_in_use.
    bool unlink_on_close = false;
    /// A socket file that nobody holds any more, left over from a process that ended, is replaced. One that is in use
    /// is std::errc::address_in_use all the same; to find out it is connected to, so its listener sees a connection
    /// that ends at once. One that is bound and does not listen yet looks like one that is left over.
    bool replace_stale = false;
    /// Permissions of the file, less the process's umask; empty: what the umask leaves of 0777. Connecting and sending
    /// need the permission to write.
    std::optional<mode_t> mode = {};
};

struct UnixListenOptions : UnixBindOptions {
    /// Connections that may wait to be accepted; the kernel cuts it down to net.core.somaxconn.
    int backlog = 4096;
};

class UnixListener : public SocketIdentity<UnixListener>, public SocketOptions<UnixListener> {
public:
    /// Listens at "/run/app.sock" or "@abstract". Fails with what the system said (address_in_use,
    /// no_such_file_or_directory, permission_denied, ...) and the address as subject; std::errc::filename_too_long
    /// beyond 107 bytes. Does not suspend; also outside fibers.
    [[nodiscard]] static Result<UnixListener> bind(std::string_view address, const UnixListenOptions& options = {});
    [[nodiscard]] static Result<UnixListener> bind(const UnixAddress& address, const UnixListenOptions& options = {});

    /// Takes over a listening Unix stream socket, for instance one that a service manager made, and makes it
    /// non-blocking and CLOEXEC. Its file is not ours to remove. Fails, and leaves `fd` with the caller, when it is
    /// none. Does not suspend.
    [[nodiscard]] static Result<UnixListener> from_fd(os::Fd&& fd);
    /// Gives up the descriptor, and its file stays. A fiber that waits fails with errc::closed.
    [[nodiscard]] os::Fd into_fd() && {
        file_.release();
        return record("into_fd").release();
    }

    UnixListener(UnixListener&&) noexcept = default;
    UnixListener& operator=(UnixListener&& other) noexcept {
        file_ = std::move(other.file_); // first, while the socket that is replaced still has its file
        owner_ = std::move(other.owner_);
        return *this;
    }

    struct Accepted {
        UnixStream stream;
        UnixAddress peer; ///< most often unnamed
    };
    /// Suspends until there is a connection; deals with lack of descriptors and with broken connections as
    /// TcpListener::accept() does. One fiber at a time, else UsageError.
    [[nodiscard]] Result<Accepted> accept();
    /// Does not suspend, also outside fibers. std::errc::resource_unavailable_try_again when there is no connection.
    [[nodiscard]] Result<Accepted> try_accept();

    [[nodiscard]] Result<UnixAddress> local_address() const { return os::local_address<UnixAddress>(fd()); }

    /// Stops listening; a fiber that waits fails with errc::closed. Idempotent.
    void close() {
        file_.remove();
        record("close").close();
    }

private:
    friend struct detail::RecordAccess;

    UnixListener(os::Fd fd, os::SocketFile file)
        : owner_(detail::SocketOwner::make(std::move(fd), detail::ShortCounts::mean_nothing)), file_(std::move(file)) {}
    [[nodiscard]] detail::SocketRecord& record(const char* operation) const {
        return detail::require_record(owner_.get(), operation);
    }

    detail::SocketOwner owner_;
    os::SocketFile file_; // after the owner: removed before the socket is closed, so that nobody connects in between
};

} // namespace nexus
