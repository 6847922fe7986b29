#include "settings.hpp"

#include <cmath>
#include <stdexcept>

namespace exchange {

void to_json(nlohmann::json& json, const Instrument& instrument) {
    const double tick = static_cast<double>(instrument.tick.units) / static_cast<double>(fix::Decimal::one);
    json = {{"symbol", instrument.symbol}, {"tick", tick}, {"reference", instrument.reference}};
}

void from_json(const nlohmann::json& json, Instrument& instrument) {
    json.at("symbol").get_to(instrument.symbol);
    json.at("reference").get_to(instrument.reference);
    instrument.tick.units = std::llround(json.at("tick").get<double>() * static_cast<double>(fix::Decimal::one));
    if (instrument.tick.units <= 0) throw std::invalid_argument("tick must be positive");
}

} // namespace exchange
