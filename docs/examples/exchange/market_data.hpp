// Market data: the stream of what changes in the books, and the requests (35=V) of those who want to see it.
// A subscription begins with a snapshot of each book and goes on with the changes in the order in which they happened,
// so that its reader always has the book as it was a moment ago. The stream is a broadcast channel, which waits for
// nobody: a reader who is too far behind misses changes, is told how many, and gets fresh snapshots to go on from.
#pragma once
#include "instrument.hpp"
#include "session.hpp"
#include <map>
#include <nexus/sync/broadcast.hpp>
#include <nexus/sync/cancellation_token.hpp>

namespace exchange {
// The values are those of the FIX fields.
enum class EntryType : char { bid = '0', offer = '1', trade = '2' };
enum class UpdateAction : char { added = '0', changed = '1', deleted = '2' };

/// A level that changed, with its quantity now; or a trade.
struct MarketEvent {
    std::size_t instrument = 0;
    EntryType type = EntryType::trade;
    UpdateAction action = UpdateAction::added;
    Ticks price = 0;
    Quantity quantity = 0;
};

struct MarketLimits {
    Count<1 << 20> kept_events = 4'096;         ///< for the readers that are behind
    Count<1'000> max_subscriptions = 16;        ///< of a session
    Count<1 << 30> max_unread_bytes = 64 << 10; ///< a session that has more gets no market data for the time being
};

/// What a session asked for, and how far it has read.
struct Subscription {
    Session* owner = nullptr;
    std::string id;    ///< MDReqID
    std::string types; ///< MDEntryTypes
    std::vector<std::size_t> instruments;
    nexus::broadcast::Receiver<MarketEvent> events;
    nexus::CancellationToken over; ///< by an unsubscription
    [[nodiscard]] bool wants(const MarketEvent& event) const;
};

class Market {
public:
    explicit Market(const MarketLimits& limits = {})
        : limits_(limits),
          stream_(nexus::broadcast::channel<MarketEvent>(static_cast<std::size_t>(limits.kept_events)).sender) {}
    /// Tells that a level is what the book has now, of which `added` have come just now.
    void publish_level(std::size_t instrument, const OrderBook& book, Side side, Ticks price, Quantity added);
    void publish_trade(std::size_t instrument, const Fill& fill);
    /// Answers a MarketDataRequest. A subscription that begins with it lives as long as the caller keeps it, who has to
    /// feed it with refresh().
    [[nodiscard]] std::shared_ptr<Subscription> request(Session& from, const fix::Message& message,
                                                        const Instruments& instruments, const Books& books, Time now);
    /// Sends what a subscription has received last and what waits behind it.
    void refresh(Subscription& to, nexus::broadcast::Received<MarketEvent> next, const Instruments& instruments,
                 const Books& books, Time now);
    [[nodiscard]] const MarketLimits& limits() const { return limits_; }

private:
    using Mine = std::vector<std::weak_ptr<Subscription>>;
    std::optional<Refusal> fill_in(Subscription& asked, fix::FieldReader& in, const Instruments& instruments);
    void unsubscribe(Session& from, std::string_view id, Time now);
    void send_snapshots(const Subscription& to, std::uint64_t missed, const Instruments& instruments,
                        const Books& books, Time now) const;
    void publish(const MarketEvent& event) {
        if (stream_.receivers() > 0) (void)stream_.send(event); // it fails for want of receivers only
    }
    MarketLimits limits_;
    nexus::broadcast::Sender<MarketEvent> stream_;
    std::map<const Session*, Mine> subscriptions_;
    std::map<std::size_t, MarketEvent> last_trades_; // by instrument
};
} // namespace exchange
