// What is in a byte channel, in figures.
#pragma once

#include <cstddef>

namespace nexus {

/// As the receiver sees it (ByteReceiver::stats()). A sender that holds up the others shows as a pending claim with
/// records held up behind it.
struct ByteStats {
    std::size_t bytes = 0;          ///< in use: records with their 8 bytes of header; mpsc: also claims
    std::size_t high_water = 0;     ///< the most there were
    std::size_t records = 0;        ///< committed and not given back yet
    std::size_t pending_claims = 0; ///< claimed, neither committed nor given up
    std::size_t held_up = 0;        ///< mpsc: records that cannot be read before an older claim ends
};

} // namespace nexus
