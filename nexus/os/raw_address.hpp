// RawAddress: room in which the kernel writes the address of a socket, of any family.
#pragma once

#include <sys/socket.h>

namespace nexus::os {

struct RawAddress {
    /// Uninitialised on purpose: the kernel writes `size` bytes of it, and nothing else is read.
    sockaddr_storage storage;
    socklen_t size = sizeof(sockaddr_storage);

    [[nodiscard]] sockaddr* data() noexcept {
        // SAFETY: sockaddr_storage is made to be passed as sockaddr.
        return reinterpret_cast<sockaddr*>(&storage);
    }
    [[nodiscard]] const sockaddr* data() const noexcept {
        // SAFETY: sockaddr_storage is made to be passed as sockaddr.
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

} // namespace nexus::os
