// A configuration with four mistakes at once: a misspelt option, a wrong type, a value out of range, a misspelt
// section.
#include "nexus/config/config.hpp"
#include "test/errors/programs/report.hpp"

constexpr const char* text = R"({
    // an exchange on one core
    "runtime": {
        "stak_size": "128 KiB",
        "tasks_per_cycle": 0,
        "signal_handlers": "yes"
    },
    "resorces": {}
})";

int main() {
    return report([] { (void)nexus::Config::parse(text, "exchange.json"); });
}
