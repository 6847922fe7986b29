// exchange_bots --connect HOST:PORT [--seconds N] [--bots N] [--rate N] [--config FILE] [--ledgers FILE]
// An open loop load: each bot is a FIX session that sends at a fixed rate, whatever the venue does, and counts the
// latency of an order from the moment at which it should have been sent to its first ExecutionReport. The first bot
// also subscribes to the trades of all instruments.
#include "ledger.hpp"
#include "session.hpp"
#include "settings.hpp"
#include <fstream>
#include <iostream>
#include <nexus/base/histogram.hpp>
#include <nexus/nexus.hpp>
#include <random>
#include <unordered_map>

using namespace std::chrono_literals;

namespace exchange {
/// What the command line says.
struct Load {
    std::string config, connect, ledgers, venue;
    std::int64_t seconds = 0;          ///< 0: until SIGINT
    std::int64_t bots = 4, rate = 500; ///< orders a second of each bot
};

/// What all bots have seen.
struct Tape {
    std::uint64_t orders = 0, fills = 0, errors = 0;
    std::uint64_t unanswered = 0;            ///< sent, and no report yet
    std::uint64_t trades = 0, snapshots = 0; ///< of the market data
    nexus::base::Histogram latency, total;   ///< of the present second; of those before it
    std::map<std::string, Ledger> ledgers;
};

/// What a cancel or replace has to say about an order.
struct Open {
    std::string symbol, side;
};

struct Bot {
    Bot(nexus::TcpStream connected, const std::string& own_name, const std::string& venue)
        : stream(std::move(connected)), session({.comp_id = own_name}, venue, Session::Role::initiator),
          name(own_name) {
        session.set_output_hook([this] { output.notify_one(); });
    }
    nexus::TcpStream stream;
    Session session;
    nexus::Notify output; ///< the session has bytes to send
    std::string name;
    Ledger ledger;
    std::unordered_map<std::string, nexus::TimePoint> sent; ///< by ClOrdID, until the first report
    std::map<std::string, Open> open;                       ///< by ClOrdID, those that nothing is asked about
};

namespace {
/// The writing fiber of a bot.
void transmit(Bot& bot) {
    for (std::string bytes;; bot.output.wait())
        for (bytes.clear(); bot.session.take_output(bytes); bytes.clear())
            if (!bot.stream.write_all(bytes)) return;
}

/// Books an ExecutionReport, an OrderCancelReject or market data.
void book(Bot& bot, const fix::Message& message, const Instruments& instruments, Tape& tape) {
    if (message.type() == "W") return void(++tape.snapshots);
    if (message.type() == "X") return void(tape.trades += message.all(fix::tag::md_entry_type).size());
    const auto value = [&](int tag) { return std::string(message.find(tag).value_or("")); };
    const std::string type = value(fix::tag::exec_type), id = value(fix::tag::cl_ord_id);
    const bool is_report = message.type() == "8" && bot.ledger.book_report(message, instruments);
    if (!is_report && message.type() != "9") ++tape.errors; // cancels may come too late
    if (type == "F") ++tape.fills;
    if (type == "0" || type == "5") bot.open[id] = {value(fix::tag::symbol), value(fix::tag::side)};
    if (message.find(fix::tag::leaves_qty) == "0") bot.open.erase(id);
    const auto first = bot.sent.find(id);
    if (first == bot.sent.end()) return;
    tape.latency.record((nexus::now() - first->second).count());
    bot.sent.erase(first);
    --tape.unanswered;
}

/// The reading fiber of a bot.
void listen(Bot& bot, nexus::ConstRes<Instruments> instruments, nexus::ResMut<Tape> tape, nexus::Res<WallClock> clock) {
    fix::Framer framer{1 << 16};
    for (;;) {
        const auto got = bot.stream.read(std::as_writable_bytes(framer.space()));
        if (!got || *got == 0) return bot.session.connection_lost();
        framer.filled(*got);
        for (fix::Frame frame = framer.next(); frame.kind != fix::Frame::Kind::none; frame = framer.next()) {
            if (frame.kind == fix::Frame::Kind::too_long) return bot.session.connection_lost();
            if (frame.kind == fix::Frame::Kind::garbled) bot.session.on_garbled(frame.why);
            if (frame.kind != fix::Frame::Kind::message) continue;
            const fix::Message message(frame.text);
            if (bot.session.on_message(message, clock->now()) != Session::Event::application) continue;
            auto seen = tape.borrow();
            book(bot, message, *instruments, *seen);
        }
    }
}

/// Asks for the trades of all instruments.
void subscribe(Session& session, const Instruments& instruments, Time now) {
    fix::Fields& fields = session.compose().add(fix::tag::md_req_id, "trades");
    fields.add(fix::tag::subscription_request_type, '1').add(fix::tag::market_depth, 0);
    fields.add(fix::tag::md_update_type, '1').add(fix::tag::no_md_entry_types, 1).add(fix::tag::md_entry_type, '2');
    fields.add(fix::tag::no_related_sym, instruments.all.size());
    for (const Instrument& instrument : instruments.all) fields.add(fix::tag::symbol, instrument.symbol);
    session.send("V", now);
}

/// An order around the reference price, or the end or another price of an open one; there are never many of them.
void order(Bot& bot, const Instruments& instruments, std::mt19937_64& random, const std::string& id, Time now) {
    constexpr std::size_t most_open = 50;
    const auto any_price = [&](const Instrument& instrument) {
        return instrument.to_decimal(instrument.reference + static_cast<Ticks>(random() % 21) - 10);
    };
    fix::Fields& fields = bot.session.compose().add(fix::tag::cl_ord_id, id).add(fix::tag::transact_time, now);
    const auto dice = random() % 20;
    if (!bot.open.empty() && (dice < 3 || bot.open.size() > most_open)) {
        const auto [original, terms] = *bot.open.begin();
        bot.open.erase(bot.open.begin());
        fields.add(fix::tag::orig_cl_ord_id, original).add(fix::tag::symbol, terms.symbol);
        fields.add(fix::tag::side, terms.side);
        if (dice != 0) return bot.session.send("F", now);
        fields.add(fix::tag::order_qty, 1 + random() % 100).add(fix::tag::ord_type, '2');
        fields.add(fix::tag::price, any_price(instruments.all[*instruments.find(terms.symbol)]));
        return bot.session.send("G", now);
    }
    const bool market = dice == 19;
    const Instrument& instrument = instruments.all[random() % instruments.all.size()];
    fields.add(fix::tag::symbol, instrument.symbol).add(fix::tag::side, random() % 2 == 0 ? '1' : '2');
    fields.add(fix::tag::order_qty, 1 + random() % 100).add(fix::tag::ord_type, market ? '1' : '2');
    if (!market) fields.add(fix::tag::price, any_price(instrument));
    fields.add(fix::tag::time_in_force, "0000000034"[random() % 10]);
    bot.session.send("D", now);
}

void trade(const Load& load, const std::string& name, bool subscribes, nexus::ConstRes<Instruments> instruments,
           nexus::ResMut<Tape> tape, nexus::Res<WallClock> clock, nexus::ShutdownSignal stop) {
    Bot bot(nexus::TcpStream::connect(load.connect).value(), name, load.venue);
    (void)bot.stream.set_nodelay(true);
    nexus::TaskGroup reader, writer;
    reader.spawn(listen, std::ref(bot));
    writer.spawn(transmit, std::ref(bot));
    bot.session.connected(clock->now(), 30, true);
    nexus::until(stop, [&] {
        while (!bot.session.is_logged_on() && bot.session.is_connected()) nexus::sleep(1ms);
        std::mt19937_64 random(std::hash<std::string>{}(bot.name));
        if (subscribes) subscribe(bot.session, *instruments, clock->now());
        nexus::Interval beat = nexus::interval(nexus::Duration(1s) / load.rate); // bursts make up for missed ticks
        for (std::uint64_t number = 0; bot.session.is_logged_on(); ++number) {
            const nexus::TimePoint intended = beat.next_tick();
            beat.tick();
            const std::string id = bot.name + "-" + std::to_string(number);
            bot.sent.emplace(id, intended);
            order(bot, *instruments, random, id, clock->now());
            ++tape->orders;
            ++tape->unanswered;
        }
    });
    const auto patience = nexus::now() + 2s; // for all bots: as long as one trades it may fill another's orders
    do nexus::sleep(10ms);
    while (tape->unanswered > 0 && bot.session.is_connected() && nexus::now() < patience);
    if (bot.session.is_logged_on()) bot.session.logout("done", clock->now());
    (void)nexus::timeout(2s, [&] { reader.join_all(); });
    reader.abort_all(), writer.abort_all();
    tape->ledgers[name] = bot.ledger;
}

void print(const std::string& when, std::uint64_t orders, std::uint64_t fills, const nexus::base::Histogram& latency) {
    const auto us = [&](double quantile) { return latency.quantile(quantile) / 1'000; };
    std::cout << when << ' ' << orders << " orders, " << fills << " fills, latency p50 " << us(0.5) << " us, p99 "
              << us(0.99) << " us, p99.9 " << us(0.999) << " us" << std::endl;
}

int run(const Load& load, const std::vector<std::string>& names, nexus::ResMut<Tape> tape, nexus::ShutdownSignal stop) {
    nexus::TaskGroup bots;
    for (const std::string& name : names) bots.spawn(trade, std::cref(load), name, name == names.front());
    nexus::until(stop, [&] {
        std::uint64_t orders = 0, fills = 0;
        for (std::int64_t second = 1; bots.size() > 0 && (load.seconds == 0 || second <= load.seconds); ++second) {
            nexus::sleep(1s);
            auto seen = tape.borrow();
            print("second " + std::to_string(second) + ":", seen->orders - orders, seen->fills - fills, seen->latency);
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
    std::cout << "market data: " << seen->trades << " trades, " << seen->snapshots << " snapshots\n";
    std::ofstream ledgers(load.ledgers.empty() ? "/dev/null" : load.ledgers);
    for (const auto& [name, ledger] : seen->ledgers)
        for (const auto& [symbol, position] : ledger.positions)
            ledgers << name << ' ' << symbol << ' ' << position.shares << ' ' << position.money << '\n';
    return seen->fills > 0 && seen->errors == 0 ? 0 : 1;
}
} // namespace
} // namespace exchange

int main(int argc, char** argv) try {
    exchange::Load load;
    const std::map<std::string_view, std::string*> texts{
        {"--config", &load.config}, {"--connect", &load.connect}, {"--ledgers", &load.ledgers}};
    const std::map<std::string_view, std::int64_t*> numbers{
        {"--seconds", &load.seconds}, {"--bots", &load.bots}, {"--rate", &load.rate}};
    for (int i = 1; i < argc; i += 2) {
        const std::string option = argv[i];
        if (i + 1 == argc) throw nexus::UsageError(option + " needs a value");
        const auto number = exchange::fix::parse_integer(argv[i + 1]);
        if (const auto text = texts.find(option); text != texts.end())
            *text->second = argv[i + 1];
        else if (!numbers.contains(option) || !number || *number < 1)
            throw nexus::UsageError(option + ": unknown, or not followed by a positive number");
        else
            *numbers.at(option) = *number;
    }
    const nexus::Config config = load.config.empty() ? nexus::Config{} : nexus::Config::load(load.config);
    exchange::Venue venue = config.resource<exchange::Venue>("venue").make();
    load.venue = venue.comp_id;
    std::vector<std::string>& names = venue.peers;
    std::erase_if(names, [](const std::string& name) { return !name.starts_with("BOT"); });
    names.resize(std::min(names.size(), static_cast<std::size_t>(load.bots)));
    nexus::WorldBuilder builder;
    builder.add<exchange::Tape>();
    builder.add<exchange::WallClock>();
    builder.add_const(config.resource<exchange::Instruments>("instruments").make());
    nexus::World world = builder.build();
    nexus::Runtime runtime{world, {.signal_handlers = true}};
    return runtime.block_on(exchange::run, std::cref(load), std::cref(names));
} catch (const std::exception& error) {
    std::cerr << "exchange_bots: " << error.what() << '\n';
    return 1;
}
