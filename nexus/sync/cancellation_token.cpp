#include "nexus/sync/cancellation_token.hpp"

#include "nexus/runtime/shutdown.hpp"

#include <ostream>

namespace nexus {

void CancellationToken::cancelled() const {
    const detail::CancelRef state = state_; // whatever happens to this handle meanwhile
    detail::wait_cancelled(*state, "CancellationToken::cancelled");
}

std::ostream& operator<<(std::ostream& out, const CancellationToken& token) {
    return out << (token.is_cancelled() ? "CancellationToken(cancelled)" : "CancellationToken(live)");
}

} // namespace nexus
