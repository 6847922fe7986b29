// A whole exchange without sockets: a server's sessions and gateway, and clients that reach them over byte wires which
// the test carries by hand. Time moves only when a test moves it.
#pragma once

#include "fix_tools.hpp"
#include "gateway.hpp"
#include "ledger.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace exchange::test {

/// One direction of a connection. Bytes travel in pieces of any size.
struct Wire {
    fix::Framer framer;

    template <class OnMessage>
    void carry(std::string_view bytes, OnMessage&& on_message) {
        while (!bytes.empty()) {
            const auto space = framer.space();
            const std::size_t size = std::min(bytes.size(), space.size());
            std::copy_n(bytes.begin(), size, space.begin());
            framer.filled(size);
            bytes.remove_prefix(size);
            for (auto frame = framer.next(); frame.kind != fix::Frame::Kind::none; frame = framer.next())
                if (frame.kind == fix::Frame::Kind::message) on_message(fix::Message{frame.text});
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
        bot.session.connection_lost();
        bot.at_server->connection_lost();
        bot.up.reset();
        bot.down.reset();
    }

    /// Carries bytes until nothing moves any more.
    void settle() {
        for (bool moved = true; moved;) {
            moved = false;
            for (const auto& bot : bots) moved = step(*bot) || moved;
        }
    }

    /// Carries what one client and the server have for each other.
    bool step(Client& bot) {
        if (!bot.up) return false;
        std::string bytes;
        bool moved = bot.session.take_output(bytes);
        bot.up->carry(bytes, [&](const fix::Message& message) {
            if (bot.at_server->on_message(message, now) == Session::Event::application)
                gateway.on_message(*bot.at_server, message, now);
        });
        bytes.clear();
        moved = bot.at_server->take_output(bytes) || moved;
        bot.down->carry(bytes, [&](const fix::Message& message) {
            if (bot.session.on_message(message, now) != Session::Event::application) return;
            if (message.type() == "8" && !bot.ledger.book_report(message, instruments)) ++bot.unreadable;
            if (keep_messages) bot.received.push_back(text_of(message));
        });
        return moved;
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
        for (const int tag : {35, 6,  11, 14, 17, 31,  32,  34,  37,  38,  39,  40,  41,  43, 44,
                              45, 54, 55, 58, 59, 102, 103, 150, 151, 371, 372, 373, 380, 434})
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
    Gateway gateway{instruments, limits, books, orders, journal};
    std::vector<std::unique_ptr<Client>> bots;
};

/// A random order or cancel of one of the bot's own orders.
inline void random_action(Venue& venue, Client& bot, std::mt19937& random) {
    const std::string id = std::to_string(bot.next_id++);
    const bool acme = random() % 2 == 0;
    if (random() % 5 == 0) {
        const std::string victim = std::to_string(1 + random() % static_cast<unsigned>(bot.next_id));
        return venue.send(bot, "F",
                          "11=" + id + "|41=" + victim + "|55=" + (acme ? "ACME" : "BOLT") +
                              "|54=" + (random() % 2 == 0 ? "1" : "2") + "|");
    }
    std::string order = "11=" + id + "|55=" + (acme ? "ACME" : "BOLT") + "|54=" + (random() % 2 == 0 ? "1" : "2") +
                        "|38=" + std::to_string(1 + random() % 60) + "|";
    if (random() % 8 == 0)
        order += "40=1|";
    else if (acme)
        order += "40=2|44=" + std::to_string(95 + random() % 11) + "." + std::to_string(random() % 10) + "|";
    else
        order += "40=2|44=" + std::to_string(18 + random() % 5) + ".05|";
    if (random() % 4 == 0) order += "59=3|";
    venue.send(bot, "D", order);
}

} // namespace exchange::test
