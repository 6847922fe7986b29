// Snapshots, refreshes and refusals; see market_data.hpp.
#include "market_data.hpp"
namespace exchange {
namespace {
namespace tag = fix::tag;

constexpr auto snapshot_type = "W", refresh_type = "X", request_reject = "Y";
constexpr std::size_t longest_id = 64;
constexpr std::size_t entries_at_once = 20; // small clients read a refresh, too; our own stops at Message::max_fields

EntryType type_of(Side side) { return side == Side::buy ? EntryType::bid : EntryType::offer; }

void refuse(Session& from, std::string_view id, const Refusal& refusal, Time now) {
    fix::Fields& out = from.compose().add(tag::md_req_id, id);
    if (refusal.reason >= 0) out.add(tag::md_req_rej_reason, refusal.reason);
    out.add(tag::text, refusal.text);
    from.send_unkept(request_reject, now);
}

void send_refresh(const Subscription& to, std::span<const MarketEvent> events, const Instruments& instruments,
                  Time now) {
    fix::Fields& out = to.owner->compose().add(tag::md_req_id, to.id).add(tag::no_md_entries, events.size());
    for (const MarketEvent& event : events) {
        const Instrument& instrument = instruments.all[event.instrument];
        out.add(tag::md_update_action, static_cast<char>(event.action));
        out.add(tag::md_entry_type, static_cast<char>(event.type)).add(tag::symbol, instrument.symbol);
        out.add(tag::md_entry_px, instrument.to_decimal(event.price));
        if (event.action != UpdateAction::deleted) out.add(tag::md_entry_size, event.quantity);
    }
    to.owner->send_unkept(refresh_type, now);
}
} // namespace

bool Subscription::wants(const MarketEvent& event) const {
    return types.find(static_cast<char>(event.type)) != types.npos &&
           std::ranges::find(instruments, event.instrument) != instruments.end();
}

void Market::publish_level(std::size_t instrument, const OrderBook& book, Side side, Ticks price, Quantity added) {
    const Quantity quantity = book.quantity_at(side, price);
    const auto action = quantity == 0       ? UpdateAction::deleted
                        : quantity == added ? UpdateAction::added
                                            : UpdateAction::changed;
    publish({instrument, type_of(side), action, price, quantity});
}

void Market::publish_trade(std::size_t instrument, const Fill& fill) {
    last_trades_[instrument] = {instrument, EntryType::trade, UpdateAction::added, fill.price, fill.quantity};
    publish(last_trades_[instrument]);
}

std::shared_ptr<Subscription> Market::request(Session& from, const fix::Message& message,
                                              const Instruments& instruments, const Books& books, Time now) {
    fix::FieldReader in{message};
    auto asked = std::make_shared<Subscription>();
    asked->owner = &from;
    asked->id = in.text(tag::md_req_id);
    const char kind = in.character(tag::subscription_request_type);
    if (kind == '2' && !in.error()) return unsubscribe(from, asked->id, now), nullptr;
    const auto refusal = fill_in(*asked, in, instruments);
    if (in.error()) return from.reject(message, *in.error(), now), nullptr;
    if (refusal) return refuse(from, asked->id, *refusal, now), nullptr;
    send_snapshots(*asked, 0, instruments, books, now);
    if (kind == '0') return nullptr;
    asked->events = stream_.subscribe(); // of all that the snapshot does not have
    subscriptions_[&from].push_back(asked);
    return asked;
}

/// Reads a request. A fault of the fields goes to `in`, all others are returned.
std::optional<Refusal> Market::fill_in(Subscription& asked, fix::FieldReader& in, const Instruments& instruments) {
    const char kind = in.character(tag::subscription_request_type);
    const std::int64_t depth = in.integer(tag::market_depth);
    const char update = kind == '1' ? in.character(tag::md_update_type) : '1';
    const bool aggregated = !in.has(tag::aggregated_book) || in.flag(tag::aggregated_book);
    const auto types = in.group(tag::no_md_entry_types, tag::md_entry_type);
    const auto symbols = in.group(tag::no_related_sym, tag::symbol);
    if (in.error()) return std::nullopt;
    Mine& others = subscriptions_[asked.owner];
    std::erase_if(others, [](const auto& other) { return other.expired(); });
    if (asked.id.size() > longest_id) return Refusal{-1, "MDReqID is too long"};
    if (std::ranges::any_of(others, [&](const auto& other) { return other.lock()->id == asked.id; }))
        return Refusal{1, "duplicate MDReqID"};
    if (kind != '0' && kind != '1') return Refusal{4, "unsupported SubscriptionRequestType"};
    if (kind == '1' && static_cast<std::int64_t>(others.size()) >= limits_.max_subscriptions)
        return Refusal{2, "too many subscriptions"};
    if (depth != 0) return Refusal{5, "MarketDepth has to be 0, the whole book"};
    if (update != '1') return Refusal{6, "MDUpdateType has to be 1, incremental"};
    if (!aggregated) return Refusal{7, "only aggregated books"};
    for (const std::string_view type : types) {
        if (type != "0" && type != "1" && type != "2") return Refusal{8, "unsupported MDEntryType"};
        asked.types += type;
    }
    for (const std::string_view symbol : symbols) {
        const auto instrument = instruments.find(symbol);
        if (!instrument) return Refusal{0, "unknown symbol"};
        if (std::ranges::find(asked.instruments, *instrument) == asked.instruments.end())
            asked.instruments.push_back(*instrument);
    }
    return std::nullopt;
}

void Market::unsubscribe(Session& from, std::string_view id, Time now) {
    Mine& mine = subscriptions_[&from];
    const auto found = std::ranges::find_if(mine, [&](const auto& each) {
        const auto subscription = each.lock();
        return subscription && subscription->id == id;
    });
    if (found == mine.end()) return refuse(from, id, {-1, "no such subscription"}, now);
    found->lock()->over.cancel();
    mine.erase(found);
}

void Market::send_snapshots(const Subscription& to, std::uint64_t missed, const Instruments& instruments,
                            const Books& books, Time now) const {
    std::vector<MarketEvent> entries;
    for (const std::size_t index : to.instruments) {
        entries.clear();
        const auto add = [&](const MarketEvent& entry) { to.wants(entry) ? entries.push_back(entry) : void(); };
        for (const Side side : {Side::buy, Side::sell})
            books.all[index].each_level(side, [&](Ticks price, Quantity quantity) {
                add({index, type_of(side), UpdateAction::added, price, quantity});
            });
        if (const auto last = last_trades_.find(index); last != last_trades_.end()) add(last->second);
        const Instrument& instrument = instruments.all[index];
        fix::Fields& out = to.owner->compose().add(tag::md_req_id, to.id).add(tag::symbol, instrument.symbol);
        if (missed > 0) out.add(tag::appl_queue_depth, missed).add(tag::appl_queue_resolution, '1'); // queue flushed
        out.add(tag::no_md_entries, entries.size());
        for (const MarketEvent& entry : entries)
            out.add(tag::md_entry_type, static_cast<char>(entry.type))
                .add(tag::md_entry_px, instrument.to_decimal(entry.price))
                .add(tag::md_entry_size, entry.quantity);
        to.owner->send_unkept(snapshot_type, now);
    }
}

void Market::refresh(Subscription& to, nexus::broadcast::Received<MarketEvent> next, const Instruments& instruments,
                     const Books& books, Time now) {
    std::vector<MarketEvent> events;
    std::uint64_t missed = 0;
    do {
        missed += next.missed;
        if (to.wants(next.value)) events.push_back(next.value);
        auto another = to.events.try_recv();
        if (!another) break;
        next = *another;
    } while (true);
    if (to.over.is_cancelled()) return;
    if (missed > 0) return send_snapshots(to, missed, instruments, books, now);
    for (std::span<const MarketEvent> rest(events); !rest.empty();) {
        const auto now_sent = rest.first(std::min(rest.size(), entries_at_once));
        send_refresh(to, now_sent, instruments, now);
        rest = rest.subspan(now_sent.size());
    }
}
} // namespace exchange
