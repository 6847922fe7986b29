// A whole exchange without sockets: a server's sessions and gateway, and clients that reach them over byte wires which
// the test carries by hand. Time moves only when a test moves it.
#pragma once

#include "fix_tools.hpp"
#include "gateway.hpp"
#include "ledger.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace exchange::test {

/// One direction of a connection. Bytes travel in pieces of any size.
struct Wire {
    fix::Framer framer;
    std::string_view text; ///< of the message at hand

    template <class OnMessage>
    void carry(std::string_view bytes, OnMessage&& on_message) {
        while (!bytes.empty()) {
            const auto space = framer.space();
            const std::size_t size = std::min(bytes.size(), space.size());
            std::copy_n(bytes.begin(), size, space.begin());
            framer.filled(size);
            bytes.remove_prefix(size);
            for (auto frame = framer.next(); frame.kind != fix::Frame::Kind::none; frame = framer.next())
                if (frame.kind == fix::Frame::Kind::message) on_message(fix::Message{text = frame.text});
        }
    }
};

struct Client {
    explicit Client(SessionConfig config, const std::string& server, Session& there)
        : session{std::move(config), server, Session::Role::initiator}, at_server{&there} {}

    Session session;
    Session* at_server;
    std::unique_ptr<Wire> up, down; ///< while connected
    Ledger ledger;
    std::vector<std::string> received; ///< application messages, with bars
    int next_id = 1;
    std::map<int, std::string> terms; ///< symbol and side of what random_action() has ordered, by ClOrdID
    int unreadable = 0;
};

class Venue {
public:
    explicit Venue(std::size_t clients) {
        for (std::size_t i = 1; i <= clients; ++i) {
            SessionConfig config;
            config.comp_id = "BOT" + std::to_string(i);
            Session& there = sessions.add(config.comp_id);
            bots.push_back(std::make_unique<Client>(config, "NEXUS", there));
        }
    }

    void connect(Client& bot) {
        bot.up = std::make_unique<Wire>();
        bot.down = std::make_unique<Wire>();
        bot.at_server->connected(now);
        bot.session.connected(now);
    }

    void connect_all() {
        for (const auto& bot : bots) connect(*bot);
        settle();
    }

    /// Cuts the connection; what was on its way is lost.
    void drop(Client& bot) {
        std::erase_if(subscriptions, [&](const auto& each) { return each->owner == bot.at_server; });
        bot.session.connection_lost();
        bot.at_server->connection_lost();
        bot.up.reset();
        bot.down.reset();
    }

    /// Carries bytes, and feeds subscriptions, until nothing moves any more.
    void settle() {
        for (bool moved = true; moved;) {
            moved = feed();
            for (const auto& bot : bots) moved = step(*bot) || moved;
        }
    }

    /// Sends to each subscription what the market has for it.
    bool feed() {
        bool any = false;
        std::erase_if(subscriptions, [](const auto& each) { return each->over.is_cancelled(); });
        for (const auto& each : subscriptions) {
            auto next = each->events.try_recv();
            if (!next) continue;
            market.refresh(*each, *next, instruments, books, now);
            any = true;
        }
        return any;
    }

    /// Carries what one client and the server have for each other.
    bool step(Client& bot) {
        if (!bot.up) return false;
        std::string bytes;
        bool moved = bot.session.take_output(bytes);
        bot.up->carry(bytes, [&](const fix::Message& message) {
            if (bot.at_server->on_message(message, now) == Session::Event::application) act(*bot.at_server, message);
        });
        bytes.clear();
        moved = bot.at_server->take_output(bytes) || moved;
        bot.down->carry(bytes, [&](const fix::Message& message) {
            if (bot.session.on_message(message, now) != Session::Event::application) return;
            if (message.type() == "8" && !bot.ledger.book_report(message, instruments)) ++bot.unreadable;
            const bool is_data = message.type() == "W" || message.type() == "X";
            if (keep_messages) bot.received.push_back(is_data ? "|" + with_bars(bot.down->text) : text_of(message));
        });
        return moved;
    }

    void act(Session& from, const fix::Message& message) {
        if (auto subscription = gateway.on_message(from, message, now)) subscriptions.push_back(subscription);
    }

    /// Has a client send an application message with these fields, written with bars.
    void send(Client& bot, std::string_view type, std::string_view fields) const {
        fix::Fields& out = bot.session.compose();
        while (!fields.empty()) {
            const std::size_t equals = fields.find('='), end = fields.find('|');
            out.add(std::stoi(std::string{fields.substr(0, equals)}), fields.substr(equals + 1, end - equals - 1));
            fields.remove_prefix(end + 1);
        }
        out.add(60, now);
        bot.session.send(type, now);
    }

    static std::string text_of(const fix::Message& message) {
        std::string text = "|";
        for (const int tag : {35, 6,  11, 14, 17,  31,  32,  34,  37,  38,  39,  40,  41,  43,  44,  45,
                              54, 55, 58, 59, 102, 103, 150, 151, 262, 281, 371, 372, 373, 380, 434, 790})
            if (const auto value = message.find(tag)) text += std::to_string(tag) + "=" + std::string{*value} + "|";
        return text;
    }

    Time now = std::chrono::sys_days{std::chrono::year{2026} / 1 / 2} + std::chrono::hours{9};
    bool keep_messages = true;
    Instruments instruments{
        {{"ACME", fix::Decimal{fix::Decimal::one / 100}, 10'000}, {"BOLT", fix::Decimal{fix::Decimal::one / 20}, 400}}};
    RiskLimits limits{1'000, 1'000};
    Books books{instruments};
    Orders orders;
    Sessions sessions{SessionConfig{}};
    Journal journal = Journal::in_memory();
    Market market{MarketLimits{.kept_events = 64, .max_subscriptions = 3}};
    Gateway gateway{instruments, limits, books, orders, journal, market};
    std::vector<std::shared_ptr<Subscription>> subscriptions;
    std::vector<std::unique_ptr<Client>> bots;
};

/// A random order, or a replace, cancel or question about one of the bot's own orders.
inline void random_action(Venue& venue, Client& bot, std::mt19937& random) {
    const std::string id = std::to_string(bot.next_id++);
    const bool acme = random() % 2 == 0;
    const std::string instrument = acme ? "55=ACME|" : "55=BOLT|", side = random() % 2 == 0 ? "54=1|" : "54=2|";
    const std::string price = acme ? std::to_string(95 + random() % 11) + "." + std::to_string(random() % 10)
                                   : std::to_string(18 + random() % 5) + ".05";
    const std::string quantity = "38=" + std::to_string(1 + random() % 60) + "|";
    const auto kind = random() % 20;
    if (kind < 5 && !bot.terms.empty()) { // of a recent order, mostly, and mostly with the right terms
        const auto recent = std::min<std::size_t>(bot.terms.size(), random() % 4 == 0 ? bot.terms.size() : 12);
        const auto& [original, terms] = *std::prev(bot.terms.end(), static_cast<std::ptrdiff_t>(1 + random() % recent));
        const std::string name = random() % 10 == 0 ? instrument + side : terms;
        if (kind == 4) return venue.send(bot, "H", "11=" + std::to_string(original) + "|" + name);
        const std::string request = "11=" + id + "|41=" + std::to_string(original) + "|" + name;
        if (kind < 2) return venue.send(bot, "F", request);
        const std::string new_price = name.find("ACME") != name.npos
                                          ? "100." + std::to_string(random() % 100)
                                          : "20." + std::to_string(random() % 20 * 5 + 100).substr(1);
        bot.terms[bot.next_id - 1] = terms;
        return venue.send(bot, "G", request + quantity + "40=2|44=" + (random() % 2 == 0 ? price : new_price) + "|");
    }
    bot.terms[bot.next_id - 1] = instrument + side;
    std::string order = "11=" + id + "|" + instrument + side + quantity;
    order += random() % 8 == 0 ? "40=1|" : "40=2|44=" + price + "|";
    if (const auto dice = random() % 8; dice < 2) order += dice == 0 ? "59=3|" : "59=4|";
    venue.send(bot, "D", order);
}

} // namespace exchange::test
