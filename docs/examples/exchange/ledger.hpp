// What an owner has bought and sold. A client keeps one from the ExecutionReports that reach it; one made from the
// server's journal must be equal.
#pragma once

#include "instrument.hpp"

#include <map>
#include <string>
#include <string_view>

namespace exchange {

/// Values are ticks times quantity.
struct Position {
    Quantity bought = 0, sold = 0;
    std::int64_t paid = 0, received = 0;
    bool operator==(const Position&) const = default;
};

struct Ledger {
    std::map<std::string, Position, std::less<>> positions; ///< by symbol
    bool operator==(const Ledger&) const = default;

    void book(std::string_view symbol, Side side, Ticks price, Quantity quantity) {
        Position& position = positions.try_emplace(std::string{symbol}).first->second;
        (side == Side::buy ? position.bought : position.sold) += quantity;
        (side == Side::buy ? position.paid : position.received) += price * quantity;
    }

    /// Books an ExecutionReport, if it reports a fill; false when it cannot be read.
    bool book_report(const fix::Message& report, const Instruments& instruments) {
        fix::FieldReader in{report};
        if (in.character(fix::tag::exec_type) != 'F') return !in.error();
        const auto index = instruments.find(in.text(fix::tag::symbol));
        const Side side{in.character(fix::tag::side)};
        const Quantity quantity = in.integer(fix::tag::last_qty);
        const fix::Decimal price = in.decimal(fix::tag::last_px);
        if (in.error() || !index) return false;
        const auto ticks = instruments.all[*index].to_ticks(price);
        if (ticks) book(instruments.all[*index].symbol, side, *ticks, quantity);
        return ticks.has_value();
    }
};

} // namespace exchange
