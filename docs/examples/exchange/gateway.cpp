// What orders and cancels do, and the reports about it.
#include "gateway.hpp"
namespace exchange {
namespace {
namespace tag = fix::tag;

constexpr char exec_new = '0', exec_cancelled = '4', exec_rejected = '8', exec_trade = 'F';
constexpr auto execution_report = "8", order_cancel_reject = "9", business_message_reject = "j";
} // namespace

OrderState& Orders::add(OrderState state) {
    for (; all_.size() >= retained_ && !all_.front().is_live(); all_.pop_front(), ++first_id_) {
        const OrderState& oldest = all_.front();
        ids_.erase(key(*oldest.owner, oldest.cl_ord_id));
        if (!oldest.cancel_id.empty()) ids_.erase(key(*oldest.owner, oldest.cancel_id));
    }
    state.order.id = first_id_ + all_.size();
    ids_.emplace(key(*state.owner, state.cl_ord_id), state.order.id);
    return all_.emplace_back(std::move(state));
}

OrderState* Orders::find(const Session& owner, std::string_view cl_ord_id) {
    const auto found = ids_.find(key(owner, cl_ord_id));
    return found == ids_.end() ? nullptr : &at(found->second);
}

void Gateway::on_message(Session& from, const fix::Message& message, Time now) {
    if (message.type() == "D") return new_order(from, message, now);
    if (message.type() == "F") return cancel(from, message, now);
    fix::Fields& out = from.compose().add(tag::ref_seq_num, message.find(tag::msg_seq_num).value_or(""));
    out.add(tag::ref_msg_type, message.type()).add(tag::business_reject_reason, 3);
    out.add(tag::text, "unsupported message type");
    from.send(business_message_reject, now);
}

void Gateway::new_order(Session& from, const fix::Message& message, Time now) {
    fix::FieldReader in{message};
    OrderState state;
    state.owner = &from;
    const auto refusal = complete(state, in);
    if (in.error()) return from.reject(message, *in.error(), now);
    if (refusal) return report_refusal(from, message, *refusal, now);
    OrderState& accepted = orders.add(std::move(state));
    ++orders.totals.accepted;
    journal.accepted(now, from.peer(), instruments.all[accepted.instrument].symbol, accepted.order);
    report(accepted, exec_new, now);
    match(accepted, now);
}

/// Reads the order into `state`. A fault of the fields goes to `in`, all others are returned.
std::optional<Refusal> Gateway::complete(OrderState& state, fix::FieldReader& in) const {
    NewOrder& order = state.order;
    const std::string_view cl_ord_id = in.text(tag::cl_ord_id);
    const auto instrument = instruments.find(in.text(tag::symbol));
    const fix::Decimal quantity = in.decimal(tag::order_qty);
    order.side = Side{in.character(tag::side)};
    order.type = OrderType{in.character(tag::ord_type)};
    order.time_in_force = in.has(tag::time_in_force) ? TimeInForce{in.character(tag::time_in_force)} : TimeInForce::day;
    const fix::Decimal price = order.type == OrderType::limit ? in.decimal(tag::price) : fix::Decimal{};
    (void)in.time(tag::transact_time);
    if (in.error()) return std::nullopt;
    if (!instrument) return Refusal{1, "unknown symbol"};
    if (order.side != Side::buy && order.side != Side::sell) return Refusal{11, "unsupported side"};
    if (order.type != OrderType::market && order.type != OrderType::limit) return Refusal{11, "unsupported order type"};
    if (order.time_in_force != TimeInForce::day && order.time_in_force != TimeInForce::ioc)
        return Refusal{11, "unsupported time in force"};
    if (cl_ord_id.size() > longest_cl_ord_id) return Refusal{99, "ClOrdID is too long"};
    if (orders.find(*state.owner, cl_ord_id) != nullptr) return Refusal{6, "duplicate ClOrdID"};
    if (quantity.units % fix::Decimal::one != 0) return Refusal{13, "quantity is not a whole number"};
    const auto ticks = instruments.all[*instrument].to_ticks(price);
    if (!ticks) return Refusal{99, "price is not a multiple of the tick"};
    state.cl_ord_id = cl_ord_id;
    state.instrument = *instrument;
    order.quantity = quantity.units / fix::Decimal::one;
    order.price = *ticks;
    return check_risk(limits, instruments.all[*instrument], order);
}

void Gateway::match(OrderState& taker, Time now) {
    const NewOrder& order = taker.order;
    const Quantity left = books.all[taker.instrument].submit(order, [&](const Fill& fill) {
        journal.filled(now, fill);
        ++orders.totals.fills;
        for (OrderState* side : {&taker, &orders.at(fill.maker)}) {
            side->filled += fill.quantity;
            side->value += fill.quantity * fill.price;
            side->status = side->filled == side->order.quantity ? Status::filled : Status::partly_filled;
            report(*side, exec_trade, now, &fill);
        }
    });
    const bool rests = order.type == OrderType::limit && order.time_in_force == TimeInForce::day;
    if (left == 0 || rests) return;
    taker.status = Status::cancelled;
    report(taker, exec_cancelled, now);
}

void Gateway::cancel(Session& from, const fix::Message& message, Time now) {
    fix::FieldReader in{message};
    const std::string_view cl_ord_id = in.text(tag::cl_ord_id);
    const std::string_view original = in.text(tag::orig_cl_ord_id);
    const std::string_view symbol = in.text(tag::symbol);
    const Side side{in.character(tag::side)};
    (void)in.time(tag::transact_time);
    if (in.error()) return from.reject(message, *in.error(), now);
    OrderState* state = orders.find(from, original);
    const auto refusal = [&]() -> std::optional<Refusal> {
        if (state == nullptr) return Refusal{1, "unknown order"};
        if (instruments.all[state->instrument].symbol != symbol) return Refusal{99, "the order has another symbol"};
        if (state->order.side != side) return Refusal{99, "the order has another side"};
        if (cl_ord_id.size() > longest_cl_ord_id) return Refusal{99, "ClOrdID is too long"};
        if (orders.find(from, cl_ord_id) != nullptr) return Refusal{6, "duplicate ClOrdID"};
        if (!state->is_live()) return Refusal{0, "too late to cancel"};
        return std::nullopt;
    }();
    if (refusal) {
        ++orders.totals.refused;
        fix::Fields& out = from.compose();
        out.add(tag::order_id, state != nullptr ? std::to_string(state->order.id) : "NONE");
        out.add(tag::cl_ord_id, cl_ord_id).add(tag::orig_cl_ord_id, original);
        out.add(tag::ord_status, state != nullptr ? static_cast<char>(state->status) : exec_rejected);
        out.add(tag::cxl_rej_response_to, '1').add(tag::cxl_rej_reason, refusal->reason).add(tag::text, refusal->text);
        return from.send(order_cancel_reject, now);
    }
    const Quantity left = books.all[state->instrument].cancel(state->order.id);
    ++orders.totals.cancelled;
    journal.cancelled(now, state->order.id, left);
    orders.add_cancel_id(*state, cl_ord_id);
    state->status = Status::cancelled;
    report(*state, exec_cancelled, now);
}

void Gateway::report(const OrderState& state, char exec_type, Time now, const Fill* fill) {
    const NewOrder& order = state.order;
    const Instrument& instrument = instruments.all[state.instrument];
    const bool on_request = !state.cancel_id.empty();
    fix::Fields& out = state.owner->compose();
    out.add(tag::order_id, order.id).add(tag::exec_id, ++orders.last_exec_id).add(tag::exec_type, exec_type);
    out.add(tag::ord_status, static_cast<char>(state.status));
    out.add(tag::cl_ord_id, on_request ? state.cancel_id : state.cl_ord_id);
    if (on_request) out.add(tag::orig_cl_ord_id, state.cl_ord_id);
    out.add(tag::symbol, instrument.symbol).add(tag::side, static_cast<char>(order.side));
    out.add(tag::order_qty, order.quantity).add(tag::ord_type, static_cast<char>(order.type));
    if (order.type == OrderType::limit) out.add(tag::price, instrument.to_decimal(order.price));
    out.add(tag::time_in_force, static_cast<char>(order.time_in_force));
    if (fill != nullptr) out.add(tag::last_qty, fill->quantity).add(tag::last_px, instrument.to_decimal(fill->price));
    out.add(tag::leaves_qty, state.leaves()).add(tag::cum_qty, state.filled);
    out.add(tag::avg_px, instrument.average(state.value, state.filled)).add(tag::transact_time, now);
    state.owner->send(execution_report, now);
}

void Gateway::report_refusal(Session& from, const fix::Message& message, const Refusal& refusal, Time now) {
    ++orders.totals.refused;
    fix::Fields& out = from.compose();
    out.add(tag::order_id, "NONE").add(tag::exec_id, ++orders.last_exec_id).add(tag::exec_type, exec_rejected);
    out.add(tag::ord_status, exec_rejected);
    for (const int asked : {tag::cl_ord_id, tag::symbol, tag::side, tag::order_qty, tag::ord_type, tag::price})
        if (const auto value = message.find(asked)) out.add(asked, *value);
    out.add(tag::leaves_qty, 0).add(tag::cum_qty, 0).add(tag::avg_px, 0).add(tag::transact_time, now);
    out.add(tag::ord_rej_reason, refusal.reason).add(tag::text, refusal.text);
    from.send(execution_report, now);
}
} // namespace exchange
