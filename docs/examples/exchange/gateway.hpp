// Order entry: what FIX application messages do to the books, and what is reported back.
// Invariants: every NewOrderSingle and OrderCancelRequest gets exactly one answer that accepts or refuses it; each fill
// is journalled before it is reported, and reported to both sides, also to one that is offline (its session keeps the
// report until it is asked for). An order survives its owner's connection. Owners may trade with themselves.
#pragma once
#include "instrument.hpp"
#include "journal.hpp"
#include "session.hpp"
#include <deque>
#include <unordered_map>

namespace exchange {
enum class Status : char { open = '0', partly_filled = '1', filled = '2', cancelled = '4' }; // OrdStatus (39)

/// An accepted order and what became of it.
struct OrderState {
    NewOrder order;
    Session* owner = nullptr;
    std::size_t instrument = 0;
    std::string cl_ord_id;
    std::string cancel_id; ///< ClOrdID of the request that cancelled it
    Status status = Status::open;
    Quantity filled = 0;
    std::int64_t value = 0; ///< of the fills, ticks times quantity
    [[nodiscard]] bool is_live() const { return status == Status::open || status == Status::partly_filled; }
    [[nodiscard]] Quantity leaves() const { return is_live() ? order.quantity - filled : 0; }
};

/// All orders by id and by ClOrdID. Finished ones are kept while there are no more than `retained` orders, so that
/// ClOrdIDs stay unique and late cancels are told so.
class Orders {
public:
    explicit Orders(std::size_t retained = 1'000'000) : retained_{retained} {}
    struct Totals {
        std::uint64_t accepted = 0, refused = 0, cancelled = 0, fills = 0;
    };
    Totals totals;
    std::uint64_t last_exec_id = 0;
    /// The reference lives until the next add().
    OrderState& add(OrderState state);
    void add_cancel_id(OrderState& state, std::string_view cl_ord_id) {
        ids_.emplace(key(*state.owner, state.cancel_id = cl_ord_id), state.order.id);
    }
    [[nodiscard]] OrderState& at(OrderId id) { return all_.at(id - first_id_); }
    [[nodiscard]] std::size_t size() const { return all_.size(); }
    [[nodiscard]] OrderState* find(const Session& owner, std::string_view cl_ord_id);

private:
    const std::string& key(const Session& owner, std::string_view cl_ord_id) {
        return key_.assign(owner.peer()).append(1, fix::soh).append(cl_ord_id);
    }
    std::size_t retained_;
    OrderId first_id_ = 1;
    std::deque<OrderState> all_;
    std::unordered_map<std::string, OrderId> ids_;
    std::string key_;
};

/// A view of everything that an order touches, made for one message or for many.
struct Gateway {
    const Instruments& instruments;
    const RiskLimits& limits;
    Books& books;
    Orders& orders;
    Journal& journal;
    static constexpr std::size_t longest_cl_ord_id = 64;
    /// Acts on a message that its session handed over as Event::application. Sends reports through the owners'
    /// sessions.
    void on_message(Session& from, const fix::Message& message, Time now);

private:
    void new_order(Session& from, const fix::Message& message, Time now);
    void cancel(Session& from, const fix::Message& message, Time now);
    std::optional<Refusal> complete(OrderState& state, fix::FieldReader& in) const;
    void match(OrderState& state, Time now);
    void report(const OrderState& state, char exec_type, Time now, const Fill* fill = nullptr);
    void report_refusal(Session& from, const fix::Message& message, const Refusal& refusal, Time now);
};
} // namespace exchange
