// SocketAddress under its public name. Parsing is strict and looks nothing up: "127.0.0.1:80", "[::1]:80",
// "[fe80::1%eth0]:80"; what fails is errc::invalid_address with the text as its subject. Printing gives what parses.
#pragma once

#include "nexus/os/address.hpp"

namespace nexus {

using os::SocketAddress;

} // namespace nexus
