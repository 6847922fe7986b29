// The checks that an order must pass before it reaches a book. Pure functions of the order and the limits.
#pragma once

#include "instrument.hpp"

namespace exchange {

/// The band around the reference price is counted in hundredths of a percent of it, both edges allowed.
struct RiskLimits {
    Quantity max_quantity = 10'000;
    std::int64_t price_band_bp = 1'000;
};

/// OrdRejReason (103) and Text (58); `text` is a literal.
struct Refusal {
    int reason;
    const char* text;
};

inline std::optional<Refusal> check_risk(const RiskLimits& limits, const Instrument& instrument,
                                         const NewOrder& order) {
    if (order.quantity <= 0) return Refusal{13, "quantity is not positive"};
    if (order.quantity > limits.max_quantity) return Refusal{3, "quantity above the limit"};
    if (order.type == OrderType::limit) {
        const Ticks width = instrument.reference * limits.price_band_bp / 10'000;
        if (order.price <= 0) return Refusal{99, "price is not positive"};
        if (order.price < instrument.reference - width || order.price > instrument.reference + width)
            return Refusal{99, "price outside the band around the reference price"};
    }
    return std::nullopt;
}

} // namespace exchange
