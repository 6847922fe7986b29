// readable(x) and writable(x): one direction of something, as a source for select().
//
// For sockets and whatever else has an `io_source()` that returns IoSource&, and writable() for senders whose room
// nobody else can take: local and spsc. These are views: x must outlive them.
#pragma once

#include "nexus/runtime/runtime.hpp"
#include "nexus/sync/local.hpp"
#include "nexus/sync/spsc.hpp"

#include <concepts>

namespace nexus {

/// One direction of a descriptor. Ready when the kernel says that a read or write will not block, or will fail.
struct Readiness {
    IoSource& source;
    Direction direction;
};

/// Room in a local channel. Ready when try_send() will succeed or report closed.
template <class T>
struct SendReadiness {
    const local::Sender<T>& sender;
};

/// Room in an spsc channel, likewise.
template <class T>
struct SpscSendReadiness {
    const spsc::Sender<T>& sender;
};

template <class X>
concept HasIoSource = requires(X& x) {
    { x.io_source() } -> std::same_as<IoSource&>;
};

template <HasIoSource X>
[[nodiscard]] Readiness readable(X& x) {
    return {x.io_source(), Direction::in};
}
template <HasIoSource X>
[[nodiscard]] Readiness writable(X& x) {
    return {x.io_source(), Direction::out};
}
[[nodiscard]] inline Readiness readable(IoSource& source) noexcept { return {source, Direction::in}; }
[[nodiscard]] inline Readiness writable(IoSource& source) noexcept { return {source, Direction::out}; }
template <class T>
[[nodiscard]] SendReadiness<T> writable(const local::Sender<T>& sender) noexcept {
    return {sender};
}
template <class T>
[[nodiscard]] SpscSendReadiness<T> writable(const spsc::Sender<T>& sender) noexcept {
    return {sender};
}

} // namespace nexus
