// One instrument's order book and its matching: best price first, at one price the oldest order first.
// Invariants: no level is empty; the best bid is below the best ask between calls; every resting order has quantity
// left and is found by its id. The book is deterministic: it reads no clock, and its results depend on nothing but the
// calls made. Nodes come from a pool, so that a book that has reached its size allocates nothing.
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
enum class TimeInForce : char { day = '0', ioc = '3' };

struct NewOrder {
    OrderId id = 0;
    Side side = Side::buy;
    OrderType type = OrderType::limit;
    TimeInForce time_in_force = TimeInForce::day;
    Ticks price = 0; ///< of limit orders only
    Quantity quantity = 0;
};

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
    /// other is dropped. Returns the quantity left. `on_fill` must not call the book.
    Quantity submit(const NewOrder& order, const OnFill& on_fill);
    /// Takes a resting order out, in O(log levels); returns what was left of it, 0 when it does not rest here.
    Quantity cancel(OrderId id);
    [[nodiscard]] std::optional<Ticks> best(Side side) const;
    [[nodiscard]] std::size_t resting() const { return by_id_.size(); }

private:
    struct Resting {
        OrderId id;
        Quantity left;
    };
    using Level = std::pmr::list<Resting>;
    using Levels = std::pmr::map<Ticks, Level>; // keyed so that the best price comes first on both sides
    struct Place {
        Side side;
        Ticks key;
        Level::iterator order;
    };
    /// Bids are keyed by their negated price: one order of keys serves both sides.
    static Ticks key_of(Side side, Ticks price) { return side == Side::buy ? -price : price; }
    Levels& levels(Side side) { return side == Side::buy ? bids_ : asks_; }
    std::unique_ptr<std::pmr::memory_resource> pool_; // at a fixed address, so that the book can be moved
    Levels bids_, asks_;
    std::pmr::unordered_map<OrderId, Place> by_id_;
};
} // namespace exchange
