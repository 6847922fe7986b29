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

/// A limit from 1 to `most`, which the reader of the configuration checks.
template <std::int64_t most>
struct Count {
    std::int64_t value = 1;
    constexpr Count(std::int64_t initial = 1) : value(initial) {}
    constexpr operator std::int64_t() const { return value; }
};

/// The band around the reference price is counted in hundredths of a percent of it, both edges allowed. Notional is
/// money, of all that a session's open orders may still buy and sell; its most is what fix::Decimal has room for.
struct RiskLimits {
    Count<1'000'000'000> max_quantity = 10'000;
    Count<100'000> price_band_bp = 1'000;
    Count<90'000'000'000> max_notional = 1'000'000'000;
    Count<1'000'000> max_open_orders = 10'000; ///< of a session
    [[nodiscard]] Ticks band(const Instrument& instrument) const {
        return instrument.reference * price_band_bp / 10'000;
    }
};

/// What a session has open: orders, and what they cost if all of them are filled.
struct Exposure {
    std::int64_t orders = 0;
    fix::Decimal notional;
    void add(const Exposure& more) { orders += more.orders, notional.units += more.notional.units; }
    void remove(const Exposure& less) { orders -= less.orders, notional.units -= less.notional.units; }
    bool operator==(const Exposure&) const = default;
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
        const Ticks width = limits.band(instrument);
        if (order.price <= 0) return Refusal{99, "price is not positive"};
        if (order.price < instrument.reference - width || order.price > instrument.reference + width)
            return Refusal{99, "price outside the band around the reference price"};
    }
    return std::nullopt;
}

/// Whether a session that has `others` open may add `left` of this order, which has passed check_risk(). A market order
/// counts at the dearest price of the band, since no order rests beyond it.
inline std::optional<Refusal> check_exposure(const RiskLimits& limits, const Instrument& instrument,
                                             const NewOrder& order, Quantity left, const Exposure& others) {
    const Ticks price = order.type == OrderType::limit ? order.price : instrument.reference + limits.band(instrument);
    std::int64_t notional = 0;
    if (__builtin_mul_overflow(price, instrument.tick.units, &notional) ||
        __builtin_mul_overflow(notional, left, &notional) ||
        __builtin_add_overflow(notional, others.notional.units, &notional) ||
        notional > limits.max_notional * fix::Decimal::one)
        return Refusal{3, "notional of the open orders above the limit"};
    if (order.may_rest() && others.orders >= limits.max_open_orders) return Refusal{3, "too many open orders"};
    return std::nullopt;
}
} // namespace exchange
