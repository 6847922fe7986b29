// What the configuration file says, as plain structs with their JSON form; shared by the venue and its bots.
#pragma once

#include "instrument.hpp"
#include "risk.hpp"
#include "session.hpp"

#include <nexus/config/config.hpp>

#include <string>
#include <vector>

namespace exchange {

struct Venue {
    std::string listen = "127.0.0.1:9878";
    std::string comp_id = "NEXUS";
    std::vector<std::string> peers; ///< CompIDs that may log on
    std::string journal;            ///< file to append to; empty keeps only the hash
    int logon_timeout_ms = 10'000;
    int write_timeout_ms = 5'000; ///< a reader that takes nothing for so long is disconnected
    int grace_ms = 2'000;         ///< for Logouts when the server stops
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Venue, listen, comp_id, peers, journal, logon_timeout_ms,
                                                write_timeout_ms, grace_ms)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(RiskLimits, max_quantity, price_band_bp)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(SessionConfig, comp_id, min_heartbeat_s, max_heartbeat_s,
                                                max_unsent_bytes, stored_messages)
void to_json(nlohmann::json& json, const Instrument& instrument);
void from_json(const nlohmann::json& json, Instrument& instrument);
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Instruments, all)

} // namespace exchange
