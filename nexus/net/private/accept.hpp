// Accepting connections with patience: what concerns one connection is passed over, what passes with time is waited
// out. Once for TCP and Unix sockets.
#pragma once

#include "nexus/net/private/pause.hpp"

#include <cerrno>

namespace nexus::detail {

/// What accept() reports of a connection that is gone already, or of the network: the next one may be well.
[[nodiscard]] inline bool concerns_one_connection(const Error& error) noexcept {
    if (error.code().category() != std::generic_category()) return false;
    switch (error.code().value()) {
    case ECONNABORTED:
    case EPROTO:
    case EPERM: // a firewall's word
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH: return true;
    default: return false;
    }
}

/// Of connections that wait already an edge-triggered listener hears nothing more: trying again is up to us.
[[nodiscard]] inline bool passes_with_time(const Error& error) noexcept {
    if (error.code().category() != std::generic_category()) return false;
    const int value = error.code().value();
    return value == EMFILE || value == ENFILE || value == ENOBUFS || value == ENOMEM;
}

/// Suspends until there is a connection.
template <class Address>
[[nodiscard]] Result<os::AcceptedFrom<Address>> accept_patiently(SocketRecord& listening) {
    const SocketPin pin(listening);
    Patience patience(std::chrono::milliseconds(1), std::chrono::milliseconds(100));
    for (;;) {
        // Each round is a wait of its own, so that a storm of broken connections lets others run and can be stopped.
        auto accepted = listening.attempt(Direction::in, "accept", [](int fd) { return os::accept<Address>(fd); });
        if (accepted) return accepted;
        if (concerns_one_connection(accepted.error())) continue;
        if (!passes_with_time(accepted.error())) return accepted.error();
        auto paused = pause(listening, Direction::in, patience.next(), "accept",
                            "accept: out of descriptors or memory");
        if (!paused) return paused.error();
    }
}

/// Does not suspend.
template <class Address>
[[nodiscard]] Result<os::AcceptedFrom<Address>> try_accept(SocketRecord& listening) {
    for (;;) {
        auto accepted = listening.attempt_once(Direction::in, "accept", [](int fd) { return os::accept<Address>(fd); });
        if (accepted || !concerns_one_connection(accepted.error())) return accepted;
    }
}

} // namespace nexus::detail
