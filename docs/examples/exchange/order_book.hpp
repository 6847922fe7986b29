// One instrument's order book and its matching: best price first, at one price the oldest order first.
// Invariants: no level is empty and each knows its total; the best bid is below the best ask between calls; every
// resting order has quantity left and is found by its id. The book is deterministic: it reads no clock, and its results
// depend on nothing but the calls made. Nodes come from a pool, so that a book that has reached its size allocates
// nothing.
#pragma once
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <unordered_map>

namespace exchange {
using Ticks = std::int64_t;    ///< a price, in the instrument's smallest steps
using Quantity = std::int64_t; ///< always positive where an order has something left
using OrderId = std::uint64_t;

// The values are those of the FIX fields.
enum class Side : char { buy = '1', sell = '2' };
enum class OrderType : char { market = '1', limit = '2' };
enum class TimeInForce : char { day = '0', ioc = '3', fok = '4' };

struct NewOrder {
    OrderId id = 0;
    Side side = Side::buy;
    OrderType type = OrderType::limit;
    TimeInForce time_in_force = TimeInForce::day;
    Ticks price = 0; ///< of limit orders only
    Quantity quantity = 0;
    [[nodiscard]] bool may_rest() const { return type == OrderType::limit && time_in_force == TimeInForce::day; }
    /// Whether the order takes this price of the other side.
    [[nodiscard]] bool accepts(Ticks offered) const {
        return type == OrderType::market || (side == Side::buy ? offered <= price : offered >= price);
    }
};
inline Side other_side(Side side) { return side == Side::buy ? Side::sell : Side::buy; }

/// `taker` came in and met `maker`, which rested; the price is the maker's.
struct Fill {
    OrderId taker = 0;
    OrderId maker = 0;
    Ticks price = 0;
    Quantity quantity = 0;
    auto operator<=>(const Fill&) const = default;
};

class OrderBook {
public:
    using OnFill = std::function<void(const Fill&)>;
    OrderBook();
    OrderBook(OrderBook&&) noexcept = default;
    /// Matches the order and reports each fill in order. What is left of a day limit order rests; what is left of any
    /// other is dropped; a fill-or-kill order that cannot be filled whole does nothing. Returns the quantity left.
    /// `on_fill` must not change the book.
    Quantity submit(const NewOrder& order, const OnFill& on_fill);
    /// Gives a resting order another price and quantity left. It keeps its place in the queue if only the quantity goes
    /// down; otherwise it is taken out and submitted. Returns the quantity left; an order that does not rest is
    /// ignored.
    Quantity replace(const NewOrder& order, const OnFill& on_fill);
    /// Takes a resting order out, in O(log levels); returns what was left of it, 0 when it does not rest here.
    Quantity cancel(OrderId id);
    [[nodiscard]] std::optional<Ticks> best(Side side) const;
    [[nodiscard]] Quantity quantity_at(Side side, Ticks price) const; ///< 0: there is no such level
    /// Calls `use` with the price and quantity of each level, best first.
    template <class Use>
    void each_level(Side side, Use&& use) const {
        for (const auto& [key, level] : levels(side)) use(price_of(side, key), level.total);
    }
    [[nodiscard]] std::size_t resting() const { return by_id_.size(); }

private:
    struct Resting {
        OrderId id;
        Quantity left;
    };
    struct Level {
        using allocator_type = std::pmr::polymorphic_allocator<>;
        explicit Level(const allocator_type& pool) : queue(pool) {}
        std::pmr::list<Resting> queue; // oldest first
        Quantity total = 0;
    };
    using Levels = std::pmr::map<Ticks, Level>; // keyed so that the best price comes first on both sides
    struct Place {
        Side side;
        Levels::iterator level;
        std::pmr::list<Resting>::iterator order;
    };
    /// Bids are keyed by their negated price: one order of keys serves both sides.
    static Ticks key_of(Side side, Ticks price) { return side == Side::buy ? -price : price; }
    static Ticks price_of(Side side, Ticks key) { return key_of(side, key); }
    Levels& levels(Side side) { return side == Side::buy ? bids_ : asks_; }
    const Levels& levels(Side side) const { return side == Side::buy ? bids_ : asks_; }
    bool can_fill(const NewOrder& order) const;
    std::unique_ptr<std::pmr::memory_resource> pool_; // at a fixed address, so that the book can be moved
    Levels bids_, asks_;
    std::pmr::unordered_map<OrderId, Place> by_id_;
};
} // namespace exchange
