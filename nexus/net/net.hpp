// Everything of the module net: addresses, TCP listeners, streams and their halves.
#pragma once

#include "nexus/net/address.hpp"
#include "nexus/net/socket_options.hpp"
#include "nexus/net/stream_io.hpp"
#include "nexus/net/tcp_halves.hpp"
#include "nexus/net/tcp_listener.hpp"
#include "nexus/net/tcp_socket.hpp"
#include "nexus/net/tcp_stream.hpp"
