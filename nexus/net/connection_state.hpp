// ConnectionState: how far a connection has gone towards its end, as the kernel sees it at this moment.
//
// What tells a reader: 0 from read() is the end that the peer wrote; an error (std::errc::connection_reset, timed_out
// of the network, ...) is a connection that broke, whatever had arrived before. What tells a writer:
// std::errc::broken_pipe and connection_reset. Who does neither asks here.
#pragma once

namespace nexus {

struct ConnectionState {
    /// EPOLLRDHUP: the peer will send no more. What it sent before can still be read, and it may still be reading.
    bool peer_finished;
    /// EPOLLHUP: both directions are over.
    bool hung_up;
    /// EPOLLERR: the connection has failed, and the next operation says how; or one has said so already.
    bool failed;

    /// Nothing has ended.
    [[nodiscard]] bool open() const noexcept { return !peer_finished && !hung_up && !failed; }
    friend bool operator==(const ConnectionState&, const ConnectionState&) = default;
};

} // namespace nexus
