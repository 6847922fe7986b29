// What every handle of this module has: the descriptor's number, and the reactor's view of it.
//
// Derived provides `detail::SocketRecord& record(const char* operation) const` to detail::RecordAccess. Nothing here
// suspends. Owner thread only.
#pragma once

#include "nexus/net/detail/socket_record.hpp"

namespace nexus {

template <class Derived>
class SocketIdentity {
public:
    /// -1 after close().
    [[nodiscard]] int fd() const { return self_record("fd").fd(); }
    /// Whether it has not been closed on our side.
    [[nodiscard]] bool is_open() const { return self_record("is_open").open(); }
    /// For select(), and for building other waits.
    [[nodiscard]] IoSource& io_source() { return self_record("io_source").source(); }

protected:
    SocketIdentity() = default;
    SocketIdentity(const SocketIdentity&) = default;
    SocketIdentity& operator=(const SocketIdentity&) = default;
    ~SocketIdentity() = default;

private:
    [[nodiscard]] detail::SocketRecord& self_record(const char* operation) const {
        return detail::RecordAccess::of(static_cast<const Derived&>(*this), operation);
    }
};

} // namespace nexus
