#include "nexus/os/socket_file.hpp"

#include "nexus/os/calls.hpp"
#include "nexus/os/socket.hpp"

#include <cerrno>
#include <utility>

namespace nexus::os {
namespace {

/// Whether the file is a socket that nobody holds: only then connecting is refused.
bool is_stale(const UnixAddress& address, int type) noexcept {
    struct stat facts {};
    if (!address.is_path() || calls().lstat(address.name().data(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) {
        return false;
    }
    const Result<Fd> probe = open_socket(AF_UNIX, type);
    if (!probe) return false;
    const Result<void> connected = connect(probe->get(), address);
    return !connected && connected.error() == std::errc::connection_refused;
}

} // namespace

Result<SocketFile> SocketFile::at(const UnixAddress& address) noexcept {
    SocketFile result;
    if (!address.is_path()) return result;
    struct stat facts {};
    if (calls().lstat(address.name().data(), &facts) != 0) return Error::from_errno(errno, "lstat", address.name());
    result.file_ = File{address, facts.st_dev, facts.st_ino};
    return result;
}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
    if (this == &other) return *this;
    remove();
    file_ = std::exchange(other.file_, std::nullopt);
    return *this;
}

void SocketFile::remove() noexcept {
    if (!file_) return;
    const int saved_errno = errno;
    struct stat facts {};
    const char* path = file_->address.name().data();
    if (calls().lstat(path, &facts) == 0 && facts.st_dev == file_->device && facts.st_ino == file_->inode) {
        (void)calls().unlink(path);
    }
    file_.reset();
    errno = saved_errno;
}

Result<void> bind_unix(int fd, int type, const UnixAddress& address, bool replace_stale,
                       std::optional<mode_t> mode) noexcept {
    // A socket's own mode becomes that of its file, so the file is never there with other permissions.
    if (mode && calls().fchmod(fd, *mode) != 0) return Error::from_errno(errno, "fchmod");
    Result<void> bound = bind(fd, address);
    if (bound || !replace_stale || bound.error() != std::errc::address_in_use || !is_stale(address, type)) return bound;
    if (calls().unlink(address.name().data()) != 0 && errno != ENOENT) return bound;
    return bind(fd, address);
}

} // namespace nexus::os
