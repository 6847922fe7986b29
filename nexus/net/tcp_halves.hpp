// The halves of a TcpStream, under their own names. What they are: stream_halves.hpp.
#pragma once

#include "nexus/net/address.hpp"
#include "nexus/net/stream_halves.hpp"

namespace nexus {

class TcpStream;

using ReadHalf = BasicReadHalf<TcpStream, SocketAddress>;
using WriteHalf = BasicWriteHalf<TcpStream, SocketAddress>;
using OwnedReadHalf = BasicOwnedReadHalf<TcpStream, SocketAddress>;
using OwnedWriteHalf = BasicOwnedWriteHalf<TcpStream, SocketAddress>;

} // namespace nexus
