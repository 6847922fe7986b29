// What a client has bought and sold, from the ExecutionReports that reached it. The same sums over the server's journal
// must be equal.
#pragma once
#include "instrument.hpp"
#include <map>

namespace exchange {
struct Position {
    Quantity shares = 0;    ///< bought less sold
    std::int64_t money = 0; ///< received less paid, in ticks times quantity
    bool operator==(const Position&) const = default;
};

struct Ledger {
    std::map<std::string, Position, std::less<>> positions; ///< by symbol
    /// Books an ExecutionReport, if it reports a fill; false when it cannot be read.
    bool book_report(const fix::Message& report, const Instruments& instruments) {
        fix::FieldReader in{report};
        if (in.character(fix::tag::exec_type) != 'F') return !in.error();
        const auto index = instruments.find(in.text(fix::tag::symbol));
        const bool bought = Side{in.character(fix::tag::side)} == Side::buy;
        const Quantity quantity = in.integer(fix::tag::last_qty);
        const fix::Decimal price = in.decimal(fix::tag::last_px);
        const auto ticks = index ? instruments.all[*index].to_ticks(price) : std::nullopt;
        if (in.error() || !ticks) return false;
        Position& position = positions[instruments.all[*index].symbol];
        position.shares += bought ? quantity : -quantity;
        position.money += *ticks * (bought ? -quantity : quantity);
        return true;
    }
};
} // namespace exchange
