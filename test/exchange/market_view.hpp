// What a reader of market data knows: the books and trades as it builds them from snapshots and refreshes, written with
// bars. It reads the text itself and checks that each change fits what it had.
#pragma once

#include "order_book.hpp"

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace exchange::test {

class MarketView {
public:
    using Level = std::tuple<std::string, char, std::string>; ///< symbol, MDEntryType, price
    std::map<Level, long long> levels;                        ///< with their quantities
    std::vector<std::string> trades;                          ///< "ACME 10 at 100", of refreshes
    int snapshots = 0, refreshes = 0;
    long long missed = 0; ///< as the snapshots say
    int faults = 0;       ///< changes that cannot be

    /// Takes a W or X in.
    void take(std::string_view message) {
        const bool is_snapshot = message.find("|35=W|") != message.npos;
        is_snapshot ? ++snapshots : ++refreshes;
        std::string symbol, price;
        char action = '0', type = 0;
        long long expected = 0, seen = 0;
        for (std::size_t at = 0; at < message.size();) {
            const std::size_t end = std::min(message.find('|', at), message.size());
            const std::string_view field = message.substr(at, end - at);
            at = end + 1;
            const std::size_t equals = field.find('=');
            if (equals == field.npos) continue;
            const int tag = std::stoi(std::string{field.substr(0, equals)});
            const std::string value{field.substr(equals + 1)};
            if (tag == 55) symbol = value;
            if (tag == 55 && is_snapshot) forget(symbol);
            if (tag == 813) missed += std::stoll(value);
            if (tag == 268) expected = std::stoll(value);
            if (tag == 279) action = value[0];
            if (tag == 269) ++seen, type = value[0];
            if (tag == 270 && action == '2') change({symbol, type, price = value}, action, 0);
            if (tag == 270) price = value;
            if (tag == 271 && type != '2') change({symbol, type, price}, action, std::stoll(value));
            if (tag == 271 && type == '2' && !is_snapshot) trades.push_back(symbol + " " + value + " at " + price);
        }
        if (seen != expected) ++faults;
    }

    /// Whether these are the levels of the book.
    [[nodiscard]] bool shows(const std::string& symbol, const OrderBook& book, const auto& price_text) const {
        std::map<Level, long long> expected;
        for (const Side side : {Side::buy, Side::sell})
            book.each_level(side, [&](Ticks price, Quantity quantity) {
                expected[{symbol, side == Side::buy ? '0' : '1', price_text(price)}] = quantity;
            });
        std::map<Level, long long> mine;
        for (const auto& [level, quantity] : levels)
            if (std::get<0>(level) == symbol) mine[level] = quantity;
        return mine == expected;
    }

private:
    void forget(const std::string& symbol) {
        std::erase_if(levels, [&](const auto& each) { return std::get<0>(each.first) == symbol; });
    }

    void change(const Level& level, char action, long long quantity) {
        const bool known = levels.count(level) > 0;
        if (known == (action == '0')) ++faults;
        if (action == '2')
            levels.erase(level);
        else
            levels[level] = quantity;
    }
};

} // namespace exchange::test
