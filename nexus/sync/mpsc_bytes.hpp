// nexus::mpsc_bytes::channel: a ring of byte records from any thread to one fiber, written and read in place.
//
// Cross-thread: Senders may be used, copied and destroyed on any thread; the Receiver belongs to one thread at a time
// and may be moved to another while nobody waits on it and no record is lent out. Made anywhere and may outlive every
// runtime. Nothing allocates but channel(). The end is told by dropping the other side: without senders the receiver
// gets what is claimed, once it is committed, then errc::closed; without receiver every claim fails with errc::closed.
// A claim() that waits is served in turn: while one waits nobody else claims (H-23). No lock unless a sender has to
// wait.
//
// **An open claim holds up everybody.** Records are received in the order in which they were claimed, so nothing that
// was claimed later is received before an open claim ends (CH-BY-5). Therefore a fiber must not wait while it has one:
// it gets a UsageError, in every build. On threads without fibers, claim late and commit soon: what blocks there (a
// lock, a page fault, being descheduled) stops the receiver and, once the ring is full, every sender. A claim that is
// leaked stops the channel for good. ByteReceiver::stats() shows it: pending_claims, held_up.
// A claim must end on the fiber or thread that made it, and before the last end of its channel is gone.
#pragma once

#include "nexus/sync/byte_ends.hpp"

#include <cstddef>
#include <memory>

namespace nexus::mpsc_bytes {

using Sender = ByteSender<detail::MpscByteState>;
using Receiver = ByteReceiver<detail::MpscByteState>;
using WriteClaim = ByteWriteClaim<detail::MpscByteState>;
using ReadClaim = ByteReadClaim<detail::MpscByteState>;

/// Both ends: auto [tx, rx] = mpsc_bytes::channel(65536).
struct Channel {
    Sender sender;
    Receiver receiver;
};

/// Makes a ring of `capacity` bytes, rounded up to a power of two; it takes nearly twice that in memory. A record of n
/// bytes takes 8 + n, rounded up to 8; up to capacity - 8 bytes fit. Throws UsageError below 16 and above 2 GiB (CH-2).
[[nodiscard]] inline Channel channel(std::size_t capacity) {
    // A claim that outlives every end is a mistake. Its bytes are left to it: the leak will be noticed, and nothing is
    // written into memory that has become somebody else's.
    const std::shared_ptr<detail::MpscByteState> state(
        new detail::MpscByteState(detail::checked_byte_capacity(capacity)), [](detail::MpscByteState* last) {
            if (last->stats().pending_claims == 0) delete last;
        });
    return {Sender(state), Receiver(state)};
}

} // namespace nexus::mpsc_bytes
