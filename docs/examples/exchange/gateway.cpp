// What orders and cancels do, and the reports about it.
#include "gateway.hpp"
namespace exchange {
namespace {
namespace tag = fix::tag;

constexpr char exec_new = '0', exec_cancelled = '4', exec_replaced = '5', exec_rejected = '8', exec_trade = 'F',
               exec_status = 'I';
constexpr auto execution_report = "8", order_cancel_reject = "9", business_message_reject = "j";
} // namespace

OrderState& Orders::add(OrderState state) {
    for (; all_.size() >= retained_ && !all_.front().is_live(); all_.pop_front(), ++first_id_) {
        const OrderState& oldest = all_.front();
        ids_.erase(key(*oldest.owner, oldest.cl_ord_id));
        for (const std::string& past : oldest.past_ids) ids_.erase(key(*oldest.owner, past));
    }
    state.order.id = first_id_ + all_.size();
    ids_.emplace(key(*state.owner, state.cl_ord_id), state.order.id);
    exposures_[state.owner].add(state.exposure());
    return all_.emplace_back(std::move(state));
}

void Orders::rename(OrderState& state, std::string_view cl_ord_id) {
    if (state.past_ids.size() + 1 == longest_chain) {
        ids_.erase(key(*state.owner, state.past_ids.front()));
        state.past_ids.erase(state.past_ids.begin());
    }
    state.past_ids.push_back(std::exchange(state.cl_ord_id, cl_ord_id));
    ids_.emplace(key(*state.owner, cl_ord_id), state.order.id);
}

OrderState* Orders::find(const Session& owner, std::string_view cl_ord_id) {
    const auto found = ids_.find(key(owner, cl_ord_id));
    return found == ids_.end() ? nullptr : &at(found->second);
}

std::shared_ptr<Subscription> Gateway::on_message(Session& from, const fix::Message& message, Time now) {
    switch (message.type().size() == 1 ? message.type()[0] : ' ') {
    case 'D': return new_order(from, message, now), nullptr;
    case 'F': return cancel(from, message, now), nullptr;
    case 'G': return replace(from, message, now), nullptr;
    case 'H': return tell_status(from, message, now), nullptr;
    case 'V': return market.request(from, message, instruments, books, now);
    default: break;
    }
    fix::Fields& out = from.compose().add(tag::ref_seq_num, message.find(tag::msg_seq_num).value_or(""));
    out.add(tag::ref_msg_type, message.type()).add(tag::business_reject_reason, 3);
    out.add(tag::text, "unsupported message type");
    from.send(business_message_reject, now);
    return nullptr;
}

void Gateway::new_order(Session& from, const fix::Message& message, Time now) {
    fix::FieldReader in{message};
    OrderState state;
    state.owner = &from;
    const auto refusal = complete(state, in, nullptr);
    if (in.error()) return from.reject(message, *in.error(), now);
    if (refusal) return ++orders.totals.refused, report_refusal(from, message, exec_rejected, *refusal, now);
    OrderState& accepted = orders.add(std::move(state));
    ++orders.totals.accepted;
    journal.accepted(now, from.peer(), instruments.all[accepted.instrument].symbol, accepted.order);
    report(accepted, exec_new, now);
    match(accepted, now, std::nullopt);
}

/// Reads the order into `state`, which may be one that is to take the place of another. A fault of the fields goes to
/// `in`, all others are returned.
std::optional<Refusal> Gateway::complete(OrderState& state, fix::FieldReader& in, const OrderState* replaced) const {
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
    if (order.time_in_force != TimeInForce::day && order.time_in_force != TimeInForce::ioc &&
        order.time_in_force != TimeInForce::fok)
        return Refusal{11, "unsupported time in force"};
    if (cl_ord_id.size() > longest_cl_ord_id) return Refusal{99, "ClOrdID is too long"};
    if (orders.find(*state.owner, cl_ord_id) != nullptr) return Refusal{6, "duplicate ClOrdID"};
    if (quantity.units % fix::Decimal::one != 0) return Refusal{13, "quantity is not a whole number"};
    const auto ticks = instruments.all[*instrument].to_ticks(price);
    if (!ticks) return Refusal{99, "price is not a multiple of the tick"};
    state.cl_ord_id = cl_ord_id;
    state.instrument = *instrument;
    state.price = price;
    order.quantity = quantity.units / fix::Decimal::one;
    order.price = *ticks;
    if (const auto refusal = check_risk(limits, instruments.all[*instrument], order)) return refusal;
    Exposure others = orders.exposure(*state.owner);
    if (replaced != nullptr) others.remove(replaced->exposure());
    return check_exposure(limits, instruments.all[*instrument], order, order.quantity - state.filled, others);
}

/// Matches a new order, or one that was replaced and had this price before.
void Gateway::match(OrderState& taker, Time now, std::optional<Ticks> replaced) {
    OrderBook& book = books.all[taker.instrument];
    NewOrder order = taker.order;
    order.quantity = taker.leaves();
    const auto on_fill = [&](const Fill& fill) {
        journal.filled(now, fill);
        ++orders.totals.fills;
        for (OrderState* side : {&taker, &orders.at(fill.maker)}) {
            orders.update(*side, [&] {
                side->filled += fill.quantity;
                side->value += fill.quantity * fill.price;
                side->status = side->filled == side->order.quantity ? Status::filled : Status::partly_filled;
            });
            report(*side, exec_trade, now, {.fill = &fill});
        }
        market.publish_trade(taker.instrument, fill);
        market.publish_level(taker.instrument, book, other_side(order.side), fill.price, 0);
    };
    const Quantity left = replaced ? book.replace(order, on_fill) : book.submit(order, on_fill);
    if (replaced) market.publish_level(taker.instrument, book, order.side, *replaced, 0);
    if (left == 0 || order.price == replaced) return;
    if (order.may_rest()) return market.publish_level(taker.instrument, book, order.side, order.price, left);
    orders.update(taker, [&] { taker.status = Status::cancelled; });
    report(taker, exec_cancelled, now);
}

/// Reads what replace and cancel requests have in common.
Gateway::Request Gateway::read_request(Session& from, fix::FieldReader& in) {
    Request request{in.text(tag::cl_ord_id), in.text(tag::orig_cl_ord_id), nullptr, std::nullopt};
    const std::string_view symbol = in.text(tag::symbol);
    const Side side{in.character(tag::side)};
    (void)in.time(tag::transact_time);
    const OrderState* state = request.state = orders.find(from, request.original);
    request.refusal = [&]() -> std::optional<Refusal> {
        if (state == nullptr) return Refusal{1, "unknown order"};
        if (instruments.all[state->instrument].symbol != symbol) return Refusal{99, "the order has another symbol"};
        if (state->order.side != side) return Refusal{99, "the order has another side"};
        if (request.cl_ord_id.size() > longest_cl_ord_id) return Refusal{99, "ClOrdID is too long"};
        if (orders.find(from, request.cl_ord_id) != nullptr) return Refusal{6, "duplicate ClOrdID"};
        if (!state->is_live()) return Refusal{0, "too late"};
        if (state->cl_ord_id != request.original) return Refusal{99, "OrigClOrdID is not the order's last ClOrdID"};
        return std::nullopt;
    }();
    return request;
}

void Gateway::refuse_request(Session& from, const Request& request, char response_to, Time now) {
    ++orders.totals.refused;
    const OrderState* state = request.state;
    fix::Fields& out = from.compose();
    out.add(tag::order_id, state != nullptr ? std::to_string(state->order.id) : "NONE");
    out.add(tag::cl_ord_id, request.cl_ord_id).add(tag::orig_cl_ord_id, request.original);
    out.add(tag::ord_status, state != nullptr ? static_cast<char>(state->status) : exec_rejected);
    out.add(tag::cxl_rej_response_to, response_to).add(tag::cxl_rej_reason, request.refusal->reason);
    out.add(tag::text, request.refusal->text);
    from.send(order_cancel_reject, now);
}

void Gateway::replace(Session& from, const fix::Message& message, Time now) {
    fix::FieldReader in{message};
    Request request = read_request(from, in);
    OrderState wanted;
    wanted.owner = &from;
    if (request.state != nullptr) wanted.filled = request.state->filled;
    const auto refusal = complete(wanted, in, request.state);
    if (in.error()) return from.reject(message, *in.error(), now);
    if (!request.refusal && refusal) // an OrdRejReason: 3 is a limit, which the other list calls the exchange's option
        request.refusal = Refusal{refusal->reason == 3 ? 2 : 99, refusal->text};
    if (!request.refusal && !wanted.order.may_rest())
        request.refusal = Refusal{99, "only price and quantity can change"};
    if (!request.refusal && wanted.order.quantity <= wanted.filled)
        request.refusal = Refusal{99, "as much as the new quantity is filled already"};
    if (request.refusal) return refuse_request(from, request, '2', now);
    OrderState& state = *request.state;
    const Ticks old_price = state.order.price;
    orders.update(state, [&] {
        state.price = wanted.price;
        state.order.price = wanted.order.price;
        state.order.quantity = wanted.order.quantity;
    });
    ++orders.totals.replaced;
    orders.rename(state, request.cl_ord_id);
    journal.replaced(now, state.order.id, state.order.price, state.leaves());
    report(state, exec_replaced, now, {.original = request.original});
    match(state, now, old_price);
}

void Gateway::cancel(Session& from, const fix::Message& message, Time now) {
    fix::FieldReader in{message};
    const Request request = read_request(from, in);
    if (in.error()) return from.reject(message, *in.error(), now);
    if (request.refusal) return refuse_request(from, request, '1', now);
    OrderState& state = *request.state;
    OrderBook& book = books.all[state.instrument];
    const Quantity left = book.cancel(state.order.id);
    ++orders.totals.cancelled;
    journal.cancelled(now, state.order.id, left);
    orders.update(state, [&] { state.status = Status::cancelled; });
    orders.rename(state, request.cl_ord_id);
    report(state, exec_cancelled, now, {.original = request.original});
    market.publish_level(state.instrument, book, state.order.side, state.order.price, 0);
}

void Gateway::tell_status(Session& from, const fix::Message& message, Time now) {
    fix::FieldReader in{message};
    const OrderState* state = orders.find(from, in.text(tag::cl_ord_id));
    const std::string_view symbol = in.text(tag::symbol);
    const Side side{in.character(tag::side)};
    const std::string_view id = in.has(tag::ord_status_req_id) ? in.text(tag::ord_status_req_id) : "";
    if (in.error()) return from.reject(message, *in.error(), now);
    if (state == nullptr || instruments.all[state->instrument].symbol != symbol || state->order.side != side)
        return report_refusal(from, message, exec_status, {5, "unknown order"}, now);
    report(*state, exec_status, now, {.status_request = id});
}

void Gateway::report(const OrderState& state, char exec_type, Time now, const ReportDetails& details) {
    const NewOrder& order = state.order;
    const Instrument& instrument = instruments.all[state.instrument];
    fix::Fields& out = state.owner->compose();
    out.add(tag::order_id, order.id).add(tag::exec_id, ++orders.last_exec_id).add(tag::exec_type, exec_type);
    out.add(tag::ord_status, static_cast<char>(state.status)).add(tag::cl_ord_id, state.cl_ord_id);
    if (!details.original.empty()) out.add(tag::orig_cl_ord_id, details.original);
    if (!details.status_request.empty()) out.add(tag::ord_status_req_id, details.status_request);
    out.add(tag::symbol, instrument.symbol).add(tag::side, static_cast<char>(order.side));
    out.add(tag::order_qty, order.quantity).add(tag::ord_type, static_cast<char>(order.type));
    if (order.type == OrderType::limit) out.add(tag::price, instrument.to_decimal(order.price));
    out.add(tag::time_in_force, static_cast<char>(order.time_in_force));
    if (const Fill* fill = details.fill)
        out.add(tag::last_qty, fill->quantity).add(tag::last_px, instrument.to_decimal(fill->price));
    out.add(tag::leaves_qty, state.leaves()).add(tag::cum_qty, state.filled);
    out.add(tag::avg_px, instrument.average(state.value, state.filled)).add(tag::transact_time, now);
    state.owner->send(execution_report, now);
}

void Gateway::report_refusal(Session& from, const fix::Message& message, char exec_type, const Refusal& why, Time now) {
    fix::Fields& out = from.compose();
    out.add(tag::order_id, "NONE").add(tag::exec_id, ++orders.last_exec_id).add(tag::exec_type, exec_type);
    out.add(tag::ord_status, exec_rejected);
    for (const int asked :
         {tag::cl_ord_id, tag::symbol, tag::side, tag::order_qty, tag::ord_type, tag::price, tag::ord_status_req_id})
        if (const auto value = message.find(asked)) out.add(asked, *value);
    out.add(tag::leaves_qty, 0).add(tag::cum_qty, 0).add(tag::avg_px, 0).add(tag::transact_time, now);
    out.add(tag::ord_rej_reason, why.reason).add(tag::text, why.text);
    from.send(execution_report, now);
}
} // namespace exchange
