// exchange_bots --connect HOST:PORT [--seconds N] [--bots N] [--rate N] [--config FILE] [--ledgers FILE]
//
// A load of orders, open loop: each bot is a FIX session of its own that sends at a fixed rate, whatever the venue
// does, and counts the latency of an order from the moment at which it should have been sent to its first
// ExecutionReport.
#include "ledger.hpp"
#include "session.hpp"
#include "settings.hpp"

#include <nexus/base/histogram.hpp>
#include <nexus/nexus.hpp>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <random>
#include <unordered_map>

using namespace std::chrono_literals;

namespace exchange {

/// Wall time in step with the loop's.
struct WallClock {
    Time started = std::chrono::system_clock::now();
    nexus::TimePoint at = nexus::Clock::now();
    [[nodiscard]] Time now() const { return started + (nexus::event_time() - at); }
};

/// What the command line says.
struct Load {
    std::string connect;
    std::string ledgers;
    std::int64_t seconds = 0; ///< 0: until SIGINT
    std::int64_t bots = 4;
    std::int64_t rate = 500; ///< orders a second of each bot
};

/// What all bots have seen.
struct Tape {
    std::uint64_t orders = 0, fills = 0, cancels = 0, rejects = 0, errors = 0;
    nexus::base::Histogram latency; ///< of the present second
    nexus::base::Histogram total;
    std::map<std::string, Ledger> ledgers;
};

struct Bot {
    Bot(nexus::TcpStream connected, std::string name)
        : stream(std::move(connected)), session(config_for(name), "NEXUS", Session::Role::initiator),
          name(std::move(name)) {}
    static SessionConfig config_for(const std::string& name) {
        SessionConfig config;
        config.comp_id = name;
        return config;
    }
    nexus::TcpStream stream;
    Session session;
    std::string name, bytes;
    Ledger ledger;
    std::unordered_map<std::string, nexus::TimePoint> sent; ///< by ClOrdID, until the first report
    std::vector<std::string> resting;
};

namespace {

bool flush(Bot& bot) {
    for (bot.bytes.clear(); bot.session.take_output(bot.bytes); bot.bytes.clear()) {
        if (!bot.stream.write_all(bot.bytes)) return false;
    }
    return true;
}

/// The reading fiber of a bot.
void listen(Bot& bot, nexus::ConstRes<Instruments> instruments, nexus::ResMut<Tape> tape, nexus::Res<WallClock> clock) {
    fix::Framer framer{1 << 16};
    for (;;) {
        const auto got = bot.stream.read(std::as_writable_bytes(framer.space()));
        if (!got || *got == 0) return bot.session.connection_lost();
        framer.filled(*got);
        for (fix::Frame frame = framer.next(); frame.kind != fix::Frame::Kind::none; frame = framer.next()) {
            const fix::Message message(frame.text);
            if (bot.session.on_message(message, clock->now()) != Session::Event::application) continue;
            const char type = message.find(fix::tag::exec_type).value_or("?")[0];
            if (message.type() != "8" || !bot.ledger.book_report(message, *instruments)) ++tape->errors;
            tape->fills += type == 'F' ? 1U : 0U;
            tape->cancels += type == '4' ? 1U : 0U;
            tape->rejects += type == '8' ? 1U : 0U;
            const auto first = bot.sent.find(std::string(message.find(fix::tag::cl_ord_id).value_or("")));
            if (first == bot.sent.end()) continue;
            tape->latency.record((nexus::now() - first->second).count());
            bot.sent.erase(first);
        }
        if (!flush(bot)) return;
    }
}

/// An order around the reference price, or the cancel of one that may still rest.
void order(Bot& bot, const Instruments& instruments, std::mt19937_64& random, std::uint64_t number, Time now) {
    const std::string id = bot.name + "-" + std::to_string(number);
    const bool cancel = !bot.resting.empty() && random() % 10 == 0;
    const Instrument& instrument = instruments.all[random() % instruments.all.size()];
    fix::Fields& fields = bot.session.compose();
    fields.add(fix::tag::cl_ord_id, id);
    if (cancel) fields.add(fix::tag::orig_cl_ord_id, bot.resting.back());
    fields.add(fix::tag::symbol, instrument.symbol).add(fix::tag::side, random() % 2 == 0 ? '1' : '2');
    fields.add(fix::tag::transact_time, now);
    if (!cancel) {
        const bool market = random() % 20 == 0;
        fields.add(fix::tag::order_qty, 1 + random() % 100).add(fix::tag::ord_type, market ? '1' : '2');
        const Ticks price = instrument.reference + static_cast<Ticks>(random() % 21) - 10;
        if (!market) fields.add(fix::tag::price, instrument.to_decimal(price));
        fields.add(fix::tag::time_in_force, random() % 5 == 0 ? '3' : '0');
    }
    bot.session.send(cancel ? "F" : "D", now);
    if (cancel) bot.resting.pop_back();
}

void trade(const Load& load, std::string name, nexus::ConstRes<Instruments> instruments, nexus::ResMut<Tape> tape,
           nexus::Res<WallClock> clock, nexus::ShutdownSignal stop) {
    Bot bot(nexus::TcpStream::connect(load.connect).value(), std::move(name));
    (void)bot.stream.set_nodelay(true);
    nexus::TaskGroup reader;
    reader.spawn(listen, std::ref(bot));
    bot.session.connected(clock->now(), 30, true);
    bool open = flush(bot);
    while (open && !bot.session.is_logged_on() && bot.session.is_connected()) nexus::sleep(1ms);
    nexus::until(stop, [&] {
        std::mt19937_64 random(std::hash<std::string>{}(bot.name));
        nexus::Interval beat = nexus::interval(nexus::Duration(1s) / load.rate); // bursts make up for missed ticks
        for (std::uint64_t number = 0; bot.session.is_logged_on(); ++number) {
            const nexus::TimePoint intended = beat.next_tick();
            beat.tick();
            bot.sent.emplace(bot.name + "-" + std::to_string(number), intended);
            order(bot, *instruments, random, number, clock->now());
            ++tape->orders;
            if (!flush(bot)) return;
        }
    });
    for (int i = 0; i < 200 && !bot.sent.empty() && bot.session.is_connected(); ++i) nexus::sleep(10ms);
    if (bot.session.is_logged_on()) bot.session.logout("done", clock->now());
    (void)flush(bot);
    (void)nexus::timeout(2s, [&] { reader.join_all(); });
    tape->ledgers[bot.name] = bot.ledger;
}

void print(const char* when, std::uint64_t orders, std::uint64_t fills, const nexus::base::Histogram& latency) {
    const auto us = [&](double quantile) { return static_cast<double>(latency.quantile(quantile)) / 1e3; };
    std::printf("%s %llu orders, %llu fills, latency p50 %.0f us, p99 %.0f us, p99.9 %.0f us\n", when,
                static_cast<unsigned long long>(orders), static_cast<unsigned long long>(fills), us(0.5), us(0.99),
                us(0.999));
    std::fflush(stdout);
}

int run(const Load& load, const std::vector<std::string>& names, nexus::ResMut<Tape> tape, nexus::ShutdownSignal stop) {
    nexus::TaskGroup bots;
    for (const std::string& name : names) bots.spawn(trade, std::cref(load), name);
    nexus::until(stop, [&] {
        std::uint64_t orders = 0, fills = 0;
        for (std::int64_t second = 1; load.seconds == 0 || second <= load.seconds; ++second) {
            nexus::sleep(1s);
            auto seen = tape.borrow();
            print(("second " + std::to_string(second) + ":").c_str(), seen->orders - orders, seen->fills - fills,
                  seen->latency);
            orders = seen->orders, fills = seen->fills;
            seen->total.merge(seen->latency);
            seen->latency.reset();
        }
    });
    nexus::Runtime::current()->shutdown_handle().trigger();
    bots.join_all();
    auto seen = tape.borrow();
    seen->total.merge(seen->latency);
    print("total:", seen->orders, seen->fills, seen->total);
    std::ofstream ledgers(load.ledgers.empty() ? "/dev/null" : load.ledgers);
    for (const auto& [name, ledger] : seen->ledgers) {
        for (const auto& [symbol, position] : ledger.positions) {
            ledgers << name << ' ' << symbol << ' ' << position.shares << ' ' << position.money << '\n';
        }
    }
    return seen->fills > 0 && seen->errors == 0 ? 0 : 1;
}

} // namespace
} // namespace exchange

int main(int argc, char** argv) try {
    exchange::Load load;
    std::string config_file;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view option = argv[i], value = argv[i + 1];
        const auto number = [&](std::int64_t& into) {
            const auto parsed = exchange::fix::parse_integer(value);
            if (!parsed || *parsed < 1) throw nexus::UsageError(std::string(option) + " needs a positive number");
            into = *parsed;
        };
        if (option == "--connect")
            load.connect = value;
        else if (option == "--ledgers")
            load.ledgers = value;
        else if (option == "--config")
            config_file = value;
        else if (option == "--seconds")
            number(load.seconds);
        else if (option == "--bots")
            number(load.bots);
        else if (option == "--rate")
            number(load.rate);
        else
            throw nexus::UsageError("unknown option " + std::string(option));
    }
    const nexus::Config config = config_file.empty() ? nexus::Config{} : nexus::Config::load(config_file);
    std::vector<std::string> names = config.resource<exchange::Venue>("venue").make().peers;
    std::erase_if(names, [](const std::string& name) { return !name.starts_with("BOT"); });
    names.resize(std::min(names.size(), static_cast<std::size_t>(load.bots)));
    nexus::WorldBuilder builder;
    builder.add<exchange::Tape>();
    builder.add<exchange::WallClock>();
    builder.add_const(config.resource<exchange::Instruments>("instruments").make());
    nexus::World world = builder.build();
    nexus::RuntimeOptions options;
    options.signal_handlers = true;
    nexus::Runtime runtime{world, options};
    return runtime.block_on(exchange::run, std::cref(load), std::cref(names));
} catch (const std::exception& error) {
    std::fprintf(stderr, "exchange_bots: %s\n", error.what());
    return 1;
}
