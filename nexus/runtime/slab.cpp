#include "nexus/runtime/slab.hpp"

#include "nexus/base/usage_error.hpp"

namespace nexus {

Runtime& SlabClaim::usable_runtime() const {
    if (!slot_.valid()) throw UsageError("SlabClaim::spawn(): the claim was used already; claim another slot");
    if (slot_.executor() == nullptr) {
        throw UsageError("SlabClaim::spawn(): the runtime that it was claimed from is gone");
    }
    return *runtime_;
}

SlabClaim Runtime::claim_slab() {
    detail::SlabSlot slot = executor_.claim_slot("claim_slab");
    return {*this, std::move(slot), executor_.slab_stats().slot_bytes};
}

std::optional<SlabClaim> Runtime::try_claim_slab() {
    detail::SlabSlot slot = executor_.try_claim_slot("try_claim_slab");
    if (!slot.valid()) return std::nullopt;
    return SlabClaim(*this, std::move(slot), executor_.slab_stats().slot_bytes);
}

SlabClaim claim_slab() { return Runtime::require("claim_slab").claim_slab(); }

std::optional<SlabClaim> try_claim_slab() { return Runtime::require("try_claim_slab").try_claim_slab(); }

} // namespace nexus
