#include "nexus/exec/cancel_state.hpp"

namespace nexus::detail {

template class BasicCancelState<CancelBackend>;

} // namespace nexus::detail
