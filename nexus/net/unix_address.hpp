// UnixAddress and PeerCredentials under their public names. "/run/app.sock" is a path, "@app" an abstract name.
#pragma once

#include "nexus/os/unix_address.hpp"
#include "nexus/os/unix_socket.hpp"

namespace nexus {

using os::PeerCredentials;
using os::UnixAddress;

} // namespace nexus
