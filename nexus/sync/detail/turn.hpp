// A fiber that waits for its turn at a lock or a semaphore, in the order of arrival.
//
// What is free is handed over, not offered: whoever lets go gives it to the one who has waited longest and wakes that
// fiber, which owns it from then on. So nobody barges in, and a wake is never for nothing (docs/decisions/0035).
// Invariant: a waiter is linked in its owner's list, or `granted`, or neither, when it has been used up or given back.
#pragma once

#include "nexus/base/intrusive_list.hpp"
#include "nexus/sync/detail/park.hpp"

#include <cstddef>

namespace nexus::detail {

struct TurnWaiter : base::ListNode {
    explicit TurnWaiter(Executor& executor, std::size_t wanted = 1) noexcept : who(executor), amount(wanted) {}

    LocalWaiter who;
    std::size_t amount;
    bool granted = false; ///< it has what it waits for; not linked any more
};

} // namespace nexus::detail
