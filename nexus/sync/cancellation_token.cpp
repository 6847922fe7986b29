#include "nexus/sync/cancellation_token.hpp"

#include "nexus/runtime/shutdown.hpp"

namespace nexus {

void CancellationToken::cancelled() const {
    const std::shared_ptr<detail::CancelState> state = state_; // whatever happens to this handle meanwhile
    detail::wait_cancelled(*state, "CancellationToken::cancelled");
}

} // namespace nexus
