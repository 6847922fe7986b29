// Order entry: what FIX application messages do to the books, and what is reported back.
// Invariants: every NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest and OrderStatusRequest gets exactly
// one answer that accepts or refuses it; each fill is journalled before it is reported, and reported to both sides,
// also to one that is offline (its session keeps the report until it is asked for). An order survives its owner's
// connection. Owners may trade with themselves. What an owner has open is always the sum over its live orders.
#pragma once
#include "instrument.hpp"
#include "journal.hpp"
#include "market_data.hpp"
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
    fix::Decimal price;                ///< 0 of market orders
    std::string cl_ord_id;             ///< of the order, or of the request that last replaced or cancelled it
    std::vector<std::string> past_ids; ///< those before it, oldest first
    Status status = Status::open;
    Quantity filled = 0;
    std::int64_t value = 0; ///< of the fills, ticks times quantity
    [[nodiscard]] bool is_live() const { return status == Status::open || status == Status::partly_filled; }
    [[nodiscard]] Quantity leaves() const { return is_live() ? order.quantity - filled : 0; }
    [[nodiscard]] Exposure exposure() const { return {is_live() ? 1 : 0, {leaves() * price.units}}; }
};

/// All orders by id and by ClOrdID. Finished ones are kept while there are no more than `retained` orders, so that
/// ClOrdIDs stay unique and late cancels are told so.
class Orders {
public:
    explicit Orders(std::size_t retained = 1'000'000) : retained_{retained} {}
    struct Totals {
        std::uint64_t accepted = 0, refused = 0, replaced = 0, cancelled = 0, fills = 0;
    };
    Totals totals;
    std::uint64_t last_exec_id = 0;
    /// The reference lives until the next add().
    OrderState& add(OrderState state);
    /// Gives an order the next ClOrdID of its chain. The last `longest_chain` of them name it.
    void rename(OrderState& state, std::string_view cl_ord_id);
    [[nodiscard]] OrderState& at(OrderId id) { return all_.at(id - first_id_); }
    [[nodiscard]] std::size_t size() const { return all_.size(); }
    [[nodiscard]] OrderState* find(const Session& owner, std::string_view cl_ord_id);

    /// Every change of an order goes through here, so that what its owner has open follows.
    template <class Change>
    void update(OrderState& state, Change&& change) {
        Exposure& open = exposures_[state.owner];
        open.remove(state.exposure());
        change();
        open.add(state.exposure());
    }
    [[nodiscard]] const Exposure& exposure(const Session& owner) { return exposures_[&owner]; }
    static constexpr std::size_t longest_chain = 100;

private:
    const std::string& key(const Session& owner, std::string_view cl_ord_id) {
        return key_.assign(owner.peer()).append(1, fix::soh).append(cl_ord_id);
    }
    std::size_t retained_;
    OrderId first_id_ = 1;
    std::deque<OrderState> all_;
    std::unordered_map<std::string, OrderId> ids_;
    std::unordered_map<const Session*, Exposure> exposures_;
    std::string key_;
};

/// What a report says beyond the state of its order.
struct ReportDetails {
    const Fill* fill = nullptr;
    std::string_view original = {}, status_request = {}; // OrigClOrdID (41) and OrdStatusReqID (790)
};

/// A view of everything that an order touches, made for one message or for many.
struct Gateway {
    const Instruments& instruments;
    const RiskLimits& limits;
    Books& books;
    Orders& orders;
    Journal& journal;
    Market& market;
    static constexpr std::size_t longest_cl_ord_id = 64;
    /// Acts on a message that its session handed over as Event::application. Sends reports through the owners'
    /// sessions. Returns the market data subscription that begins with it, if any; see Market::request().
    std::shared_ptr<Subscription> on_message(Session& from, const fix::Message& message, Time now);

private:
    /// What a replace or cancel request says about the order that it means.
    struct Request {
        std::string_view cl_ord_id, original;
        OrderState* state;
        std::optional<Refusal> refusal; // CxlRejReason (102)
    };
    void new_order(Session& from, const fix::Message& message, Time now);
    void replace(Session& from, const fix::Message& message, Time now);
    void cancel(Session& from, const fix::Message& message, Time now);
    void tell_status(Session& from, const fix::Message& message, Time now);
    Request read_request(Session& from, fix::FieldReader& in);
    std::optional<Refusal> complete(OrderState& state, fix::FieldReader& in, const OrderState* replaced) const;
    void match(OrderState& state, Time now, std::optional<Ticks> replaced);
    void report(const OrderState& state, char exec_type, Time now, const ReportDetails& details = {});
    void report_refusal(Session& from, const fix::Message& message, char exec_type, const Refusal& why, Time now);
    void refuse_request(Session& from, const Request& request, char response_to, Time now);
};
} // namespace exchange
