// A second matching engine, written for nothing but being obviously right: one flat list of resting orders, searched
// from end to end for each fill. It shares no code with the engine under test, not even the journal's parser, and says
// from the journal's accepted orders, replaces and cancels which fills there should have been.
#pragma once

#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace exchange::test {

struct ReferenceFill {
    unsigned long long taker, maker;
    long long price, quantity;
    bool operator==(const ReferenceFill&) const = default;
};

/// What an owner has of a symbol: shares and money that came in less those that went out.
struct ReferencePosition {
    long long shares = 0, money = 0;
    bool operator==(const ReferencePosition&) const = default;
};

class ReferenceMatcher {
public:
    /// Replays a journal's text. Its fills are only kept for comparison: they move nothing here.
    explicit ReferenceMatcher(const std::string& journal) {
        std::istringstream lines{journal};
        for (std::string line; std::getline(lines, line);) {
            std::istringstream in{line};
            char kind = 0;
            long long time = 0;
            in >> kind >> time;
            if (kind == 'O') {
                Order order;
                in >> order.id >> order.owner >> order.symbol >> order.side >> order.type >> order.tif >> order.price >>
                    order.left;
                accept(order);
            } else if (kind == 'R') {
                unsigned long long id = 0;
                long long price = 0, quantity = 0;
                in >> id >> price >> quantity;
                replace(id, price, quantity);
            } else if (kind == 'C') {
                unsigned long long id = 0;
                long long quantity = 0;
                in >> id >> quantity;
                cancel(id, quantity);
            } else if (kind == 'F') {
                ReferenceFill fill{};
                in >> fill.taker >> fill.maker >> fill.price >> fill.quantity;
                journalled.push_back(fill);
            } else {
                ++faults;
            }
            if (!in) ++faults;
        }
    }

    std::vector<ReferenceFill> fills;                                          ///< those that there should be
    std::vector<ReferenceFill> journalled;                                     ///< those that the journal has
    std::map<std::string, std::map<std::string, ReferencePosition>> positions; ///< by owner and symbol
    int faults = 0; ///< lines that cannot be read, replaces and cancels of what does not rest

private:
    struct Order {
        unsigned long long id = 0;
        std::string owner, symbol;
        char side = 0, type = 0, tif = 0;
        long long price = 0, left = 0;
    };

    static bool prices_meet(const Order& taker, const Order& maker) {
        if (taker.type == '1') return true;
        return taker.side == '1' ? maker.price <= taker.price : maker.price >= taker.price;
    }

    /// Is `a` to be filled before `b`? Both rest on the same side; equal prices leave the order of arrival.
    static bool is_better(const Order& a, const Order& b) {
        return a.side == '1' ? a.price > b.price : a.price < b.price;
    }

    void accept(Order taker) {
        if (taker.tif == '4') { // fill or kill
            long long offered = 0;
            for (const Order& maker : resting_)
                if (maker.symbol == taker.symbol && maker.side != taker.side && prices_meet(taker, maker))
                    offered += maker.left;
            if (offered < taker.left) return;
        }
        while (taker.left > 0) {
            std::size_t best = resting_.size();
            for (std::size_t i = 0; i < resting_.size(); ++i) {
                const Order& maker = resting_[i];
                if (maker.symbol != taker.symbol || maker.side == taker.side || !prices_meet(taker, maker)) continue;
                if (best == resting_.size() || is_better(maker, resting_[best])) best = i;
            }
            if (best == resting_.size()) break;
            Order& maker = resting_[best];
            const long long quantity = taker.left < maker.left ? taker.left : maker.left;
            fills.push_back({taker.id, maker.id, maker.price, quantity});
            for (const Order* order : {&taker, &maker}) {
                ReferencePosition& position = positions[order->owner][order->symbol];
                position.shares += order->side == '1' ? quantity : -quantity;
                position.money += order->side == '1' ? -quantity * maker.price : quantity * maker.price;
            }
            taker.left -= quantity;
            maker.left -= quantity;
            if (resting_[best].left == 0) resting_.erase(resting_.begin() + static_cast<std::ptrdiff_t>(best));
        }
        if (taker.left > 0 && taker.type == '2' && taker.tif == '0') resting_.push_back(taker);
    }

    /// Less at the same price stays where it is; everything else comes in again.
    void replace(unsigned long long id, long long price, long long quantity) {
        for (std::size_t i = 0; i < resting_.size(); ++i) {
            if (resting_[i].id != id) continue;
            Order changed = resting_[i];
            const bool keeps_place = changed.price == price && quantity <= changed.left;
            changed.price = price;
            changed.left = quantity;
            if (keeps_place) {
                resting_[i] = changed;
            } else {
                resting_.erase(resting_.begin() + static_cast<std::ptrdiff_t>(i));
                accept(changed);
            }
            return;
        }
        ++faults;
    }

    void cancel(unsigned long long id, long long quantity) {
        for (std::size_t i = 0; i < resting_.size(); ++i) {
            if (resting_[i].id != id || resting_[i].left != quantity) continue;
            resting_.erase(resting_.begin() + static_cast<std::ptrdiff_t>(i));
            return;
        }
        ++faults;
    }

    std::vector<Order> resting_; // oldest first
};

} // namespace exchange::test
