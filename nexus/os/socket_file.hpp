// SocketFile: the file that a Unix socket got when it was bound to a path, to be removed when the socket goes.
//
// Invariant: it removes only the very file that it saw at the beginning, so that a successor which has taken the path
// meanwhile keeps it. Move-only.
#pragma once

#include "nexus/os/unix_address.hpp"

#include <optional>
#include <sys/stat.h>

namespace nexus::os {

class SocketFile {
public:
    /// No file.
    SocketFile() noexcept = default;
    /// The file at `address` as it is now. No file when the address is no path. Fails as lstat() does.
    [[nodiscard]] static Result<SocketFile> at(const UnixAddress& address) noexcept;
    SocketFile(SocketFile&& other) noexcept : file_(std::exchange(other.file_, std::nullopt)) {}
    SocketFile& operator=(SocketFile&& other) noexcept;
    ~SocketFile() { remove(); }

    /// Removes it, if it is still the same; errors are ignored. errno stays. Idempotent.
    void remove() noexcept;
    /// Leaves it where it is.
    void release() noexcept { file_.reset(); }

private:
    struct File {
        UnixAddress address;
        dev_t device;
        ino_t inode;
    };
    std::optional<File> file_;
};

/// Binds a Unix socket of `type`. With `replace_stale` a socket file of which no socket is listening or bound any more
/// is removed first; one that is in use stays, and the call fails with EADDRINUSE. Two programs that do this at the
/// same moment may remove each other's. `mode`: permissions of the file, less what the process's umask takes away.
[[nodiscard]] Result<void> bind_unix(int fd, int type, const UnixAddress& address, bool replace_stale,
                                     std::optional<mode_t> mode) noexcept;

} // namespace nexus::os
