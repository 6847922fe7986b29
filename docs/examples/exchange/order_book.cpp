// Matching by price, then by time; see order_book.hpp.
#include "order_book.hpp"
#include <algorithm>

namespace exchange {
OrderBook::OrderBook()
    : pool_{std::make_unique<std::pmr::unsynchronized_pool_resource>()}, bids_{pool_.get()}, asks_{pool_.get()},
      by_id_{pool_.get()} {}

/// Whether the whole order would be filled at once.
bool OrderBook::can_fill(const NewOrder& order) const {
    Quantity missing = order.quantity;
    for (const auto& [key, level] : levels(other_side(order.side))) {
        if (missing <= 0 || !order.accepts(price_of(other_side(order.side), key))) break;
        missing -= level.total;
    }
    return missing <= 0;
}

Quantity OrderBook::submit(const NewOrder& order, const OnFill& on_fill) {
    const Side other = other_side(order.side);
    Levels& against = levels(other);
    Quantity left = order.quantity;
    if (order.time_in_force == TimeInForce::fok && !can_fill(order)) return left;
    while (left > 0 && !against.empty()) {
        const auto best_level = against.begin();
        auto& [key, level] = *best_level;
        const Ticks price = price_of(other, key);
        if (!order.accepts(price)) break;
        Resting& maker = level.queue.front();
        const Quantity quantity = std::min(left, maker.left);
        left -= quantity;
        maker.left -= quantity;
        level.total -= quantity;
        const Fill fill{order.id, maker.id, price, quantity};
        if (maker.left == 0) {
            by_id_.erase(maker.id);
            level.queue.pop_front();
            if (level.queue.empty()) against.erase(best_level);
        }
        on_fill(fill);
    }
    if (left > 0 && order.may_rest()) {
        const auto level = levels(order.side).try_emplace(key_of(order.side, order.price)).first;
        auto& [queue, total] = level->second;
        by_id_.emplace(order.id, Place{order.side, level, queue.insert(queue.end(), {order.id, left})});
        total += left;
    }
    return left;
}

Quantity OrderBook::replace(const NewOrder& order, const OnFill& on_fill) {
    const auto found = by_id_.find(order.id);
    if (found == by_id_.end()) return 0;
    const auto& [side, level, resting] = found->second;
    if (price_of(side, level->first) == order.price && order.quantity <= resting->left) {
        level->second.total -= resting->left - order.quantity;
        return resting->left = order.quantity;
    }
    cancel(order.id);
    return submit(order, on_fill);
}

Quantity OrderBook::cancel(OrderId id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return 0;
    const auto [side, level, order] = found->second;
    const Quantity left = order->left;
    level->second.total -= left;
    level->second.queue.erase(order);
    if (level->second.queue.empty()) levels(side).erase(level);
    by_id_.erase(found);
    return left;
}

Quantity OrderBook::quantity_at(Side side, Ticks price) const {
    const auto found = levels(side).find(key_of(side, price));
    return found == levels(side).end() ? 0 : found->second.total;
}

std::optional<Ticks> OrderBook::best(Side side) const {
    if (levels(side).empty()) return std::nullopt;
    return price_of(side, levels(side).begin()->first);
}
} // namespace exchange
