// Matching by price, then by time; see order_book.hpp.
#include "order_book.hpp"
#include <algorithm>

namespace exchange {
OrderBook::OrderBook()
    : pool_{std::make_unique<std::pmr::unsynchronized_pool_resource>()}, bids_{pool_.get()}, asks_{pool_.get()},
      by_id_{pool_.get()} {}

Quantity OrderBook::submit(const NewOrder& order, const OnFill& on_fill) {
    const Side other = order.side == Side::buy ? Side::sell : Side::buy;
    Levels& against = levels(other);
    Quantity left = order.quantity;
    while (left > 0 && !against.empty()) {
        const auto best_level = against.begin();
        auto& [key, queue] = *best_level;
        const Ticks price = other == Side::buy ? -key : key;
        const bool too_dear = order.side == Side::buy ? price > order.price : price < order.price;
        if (order.type == OrderType::limit && too_dear) break;
        Resting& maker = queue.front();
        const Quantity quantity = std::min(left, maker.left);
        left -= quantity;
        maker.left -= quantity;
        const Fill fill{order.id, maker.id, price, quantity};
        if (maker.left == 0) {
            by_id_.erase(maker.id);
            queue.pop_front();
            if (queue.empty()) against.erase(best_level);
        }
        on_fill(fill);
    }
    if (left > 0 && order.type == OrderType::limit && order.time_in_force == TimeInForce::day) {
        const Ticks key = key_of(order.side, order.price);
        Level& queue = levels(order.side)[key];
        by_id_.emplace(order.id, Place{order.side, key, queue.insert(queue.end(), {order.id, left})});
    }
    return left;
}

Quantity OrderBook::cancel(OrderId id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return 0;
    const auto& [side, key, order] = found->second;
    const Quantity left = order->left;
    const auto level = levels(side).find(key);
    level->second.erase(order);
    if (level->second.empty()) levels(side).erase(level);
    by_id_.erase(found);
    return left;
}

std::optional<Ticks> OrderBook::best(Side side) const {
    const Levels& own = side == Side::buy ? bids_ : asks_;
    if (own.empty()) return std::nullopt;
    return side == Side::buy ? -own.begin()->first : own.begin()->first;
}
} // namespace exchange
