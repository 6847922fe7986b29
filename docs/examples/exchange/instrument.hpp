// What can be traded: symbol, tick and reference price, the books of it all, and the checks that an order must pass
// before it reaches a book, which are pure functions of the order and the limits.
#pragma once
#include "fix_message.hpp"
#include "order_book.hpp"
#include <algorithm>

namespace exchange {
/// `tick` is positive; `reference` is in ticks.
struct Instrument {
    std::string symbol;
    fix::Decimal tick{fix::Decimal::one / 100};
    Ticks reference = 10'000;
    /// Nothing for a price between two ticks.
    [[nodiscard]] std::optional<Ticks> to_ticks(fix::Decimal price) const {
        if (price.units % tick.units != 0) return std::nullopt;
        return price.units / tick.units;
    }
    [[nodiscard]] fix::Decimal to_decimal(Ticks price) const { return {price * tick.units}; }
    /// The average price, rounded down, of a quantity whose fills add up to `value` (ticks times quantity).
    [[nodiscard]] fix::Decimal average(std::int64_t value, Quantity quantity) const {
        if (quantity == 0) return {};
        return {value / quantity * tick.units + value % quantity * tick.units / quantity};
    }
};

struct Instruments {
    std::vector<Instrument> all;
    /// The instrument's index in `all`; few instruments are expected, so this searches one by one.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view symbol) const {
        const auto found = std::ranges::find(all, symbol, &Instrument::symbol);
        if (found == all.end()) return std::nullopt;
        return static_cast<std::size_t>(found - all.begin());
    }
};

/// One book for each instrument, at the same index.
struct Books {
    explicit Books(const Instruments& instruments) : all(instruments.all.size()) {}
    std::vector<OrderBook> all;
};

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
