// What the configuration file says, as plain structs with their JSON form; shared by the venue and its bots.
#pragma once
#include "instrument.hpp"
#include "market_data.hpp"
#include "session.hpp"
#include <cmath>
#include <nexus/config/config.hpp>
#include <nexus/runtime/time.hpp>
#include <stdexcept>

namespace exchange {
struct Venue {
    std::string listen = "127.0.0.1:9878";
    std::string comp_id = "NEXUS";
    std::vector<std::string> peers; ///< CompIDs that may log on
    std::string journal;            ///< file to append to; empty keeps only the hash
    int logon_timeout_ms = 10'000;
    int send_buffer_bytes = 0;    ///< that the kernel keeps for a slow reader; 0: as many as it likes, often megabytes
    int write_timeout_ms = 5'000; ///< a reader that takes nothing for so long is disconnected
    int grace_ms = 2'000;         ///< for Logouts when the server stops
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Venue, listen, comp_id, peers, journal, logon_timeout_ms,
                                                send_buffer_bytes, write_timeout_ms, grace_ms)
template <std::int64_t most>
void to_json(nlohmann::json& json, const Count<most>& count) {
    json = count.value;
}
template <std::int64_t most>
void from_json(const nlohmann::json& json, Count<most>& count) {
    json.get_to(count.value);
    if (count < 1 || count > most) throw std::invalid_argument("has to be from 1 to " + std::to_string(most));
}
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(RiskLimits, max_quantity, price_band_bp, max_notional, max_open_orders)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(MarketLimits, kept_events, max_subscriptions, max_unread_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(SessionConfig, comp_id, min_heartbeat_s, max_heartbeat_s,
                                                max_unsent_bytes, stored_messages)

inline void to_json(nlohmann::json& json, const Instrument& instrument) {
    const double tick = static_cast<double>(instrument.tick.units) / static_cast<double>(fix::Decimal::one);
    json = {{"symbol", instrument.symbol}, {"tick", tick}, {"reference", instrument.reference}};
}
inline void from_json(const nlohmann::json& json, Instrument& instrument) {
    json.at("symbol").get_to(instrument.symbol);
    json.at("reference").get_to(instrument.reference);
    instrument.tick.units = std::llround(json.at("tick").get<double>() * static_cast<double>(fix::Decimal::one));
    if (instrument.tick.units <= 0) throw std::invalid_argument("tick must be positive");
}
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Instruments, all)

/// Wall time for a program on the loop: starts with the system's and keeps the loop's pace, so it never runs backwards.
struct WallClock {
    Time started = std::chrono::system_clock::now();
    nexus::TimePoint at = nexus::Clock::now();
    [[nodiscard]] Time now() const { return started + (nexus::event_time() - at); }
};
} // namespace exchange
