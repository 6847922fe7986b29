// A new Unix socket at an address, with its file where it has one to remove. Once for listeners and datagrams.
#pragma once

#include "nexus/net/unix_listener.hpp"

namespace nexus::detail {

struct BoundUnix {
    os::Fd fd;
    os::SocketFile file;
};

[[nodiscard]] inline Result<BoundUnix> bind_unix(int type, const UnixAddress& address, const UnixBindOptions& options) {
    auto fd = os::open_socket(AF_UNIX, type);
    if (!fd) return fd.error();
    auto bound = os::bind_unix(fd->get(), type, address, options.replace_stale, options.mode);
    if (!bound) return bound.error();
    BoundUnix result{std::move(*fd), {}};
    if (!options.unlink_on_close) return result;
    auto file = os::SocketFile::at(address);
    if (!file) return file.error();
    result.file = std::move(*file);
    return result;
}

} // namespace nexus::detail
