// What can be traded: symbol, tick and reference price, and the books of it all.
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

} // namespace exchange
