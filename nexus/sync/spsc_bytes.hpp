// nexus::spsc_bytes::channel: a ring of byte records from one thread to one fiber, written and read in place.
//
// Cross-thread: the Sender and the Receiver may be on two threads or on one; each is used by one thread at a time and
// may be moved to another while nobody waits on it and no claim is open. Made anywhere and may outlive every runtime.
// Nothing allocates but channel(). The end is told by dropping the other side: without sender the receiver gets what is
// committed, then errc::closed; without receiver every claim fails with errc::closed. A claim that outlives its Sender
// counts as the sender, a record that is lent out stays readable when the Receiver goes. No locks,
// and in a stream no fences (as in spsc.hpp).
// There is one claim at a time: claiming while one is open throws UsageError. Nobody else stands behind it, so it may
// be held across waits; one that is given up was never in the ring.
#pragma once

#include "nexus/exec/process_fence.hpp"
#include "nexus/sync/byte_ends.hpp"

#include <cstddef>
#include <memory>

namespace nexus::spsc_bytes {

using Sender = ByteSender<detail::SpscByteState>;
using Receiver = ByteReceiver<detail::SpscByteState>;
using WriteClaim = ByteWriteClaim<detail::SpscByteState>;
using ReadClaim = ByteReadClaim<detail::SpscByteState>;

/// Both ends: auto [tx, rx] = spsc_bytes::channel(65536).
struct Channel {
    Sender sender;
    Receiver receiver;
};

/// Makes a ring of `capacity` bytes, rounded up to a power of two; it takes nearly twice that in memory. A record of n
/// bytes takes 8 + n, rounded up to 8; up to capacity - 8 bytes fit. Throws UsageError below 16 and above 2 GiB (CH-2).
[[nodiscard]] inline Channel channel(std::size_t capacity) {
    auto state = std::make_shared<detail::SpscByteState>(detail::checked_byte_capacity(capacity),
                                                         detail::enable_process_fence());
    return {Sender(state), Receiver(state)};
}

/// Room for a record, as a source for select(). Ready when try_claim(size) will succeed or fail with anything but full.
struct ClaimReadiness {
    const Sender& sender;
    std::size_t size;
};
[[nodiscard]] inline ClaimReadiness writable(const Sender& sender, std::size_t size) noexcept { return {sender, size}; }

} // namespace nexus::spsc_bytes

namespace nexus {
using spsc_bytes::writable;
} // namespace nexus
