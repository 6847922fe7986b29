// The exchange without sockets and two clients, for tests of what the gateway answers: `bot` and `other`.
#pragma once

#include "venue.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace exchange::test {

class GatewayTest : public testing::Test {
protected:
    GatewayTest() { venue.connect_all(); }

    /// Sends, settles, and returns what each side has received by then.
    void act(Client& client, std::string_view type, const std::string& fields) {
        venue.send(client, type, fields);
        venue.settle();
    }

    static std::vector<std::string> take(Client& client) {
        std::vector<std::string> messages;
        messages.swap(client.received);
        return messages;
    }

    static std::string only(Client& client) {
        const auto messages = take(client);
        EXPECT_EQ(messages.size(), 1u);
        return messages.empty() ? "" : messages.front();
    }

    static void expect(const std::string& message, std::vector<std::pair<int, std::string>> fields) {
        for (const auto& [tag, value] : fields) EXPECT_EQ(value_of(message, tag), value) << tag << " in " << message;
    }

    /// A new order with this field changed (or, with an empty value, left out).
    static std::string order_with(int tag, const std::string& value) {
        std::string out;
        for (const auto& [field, usual] : std::vector<std::pair<int, std::string>>{
                 {11, "a"}, {55, "ACME"}, {54, "1"}, {38, "10"}, {40, "2"}, {44, "100.00"}, {59, "0"}}) {
            const std::string& text = field == tag ? value : usual;
            if (!text.empty()) out += std::to_string(field) + "=" + text + "|";
        }
        return out;
    }

    void expect_order_refused(const std::string& fields, const char* reason, const std::string& text) {
        const auto records = venue.journal.lines();
        act(bot, "D", fields);
        const std::string report = only(bot);
        expect(report,
               {{35, "8"}, {150, "8"}, {39, "8"}, {103, reason}, {58, text}, {37, "NONE"}, {151, "0"}, {14, "0"}});
        EXPECT_EQ(value_of(report, 11), value_of("|" + fields, 11));
        EXPECT_EQ(venue.journal.lines(), records) << "a refused order is not journalled";
    }

    /// A session-level Reject reaches the session, not the application.
    void expect_rejected(std::string_view type, const std::string& fields, int tag, int reason) {
        std::string bytes;
        venue.send(bot, type, fields);
        (void)bot.session.take_output(bytes);
        bot.up->carry(bytes, [&](const fix::Message& message) {
            ASSERT_EQ(bot.at_server->on_message(message, venue.now), Session::Event::application);
            venue.gateway.on_message(*bot.at_server, message, venue.now);
        });
        bytes.clear();
        (void)bot.at_server->take_output(bytes);
        const auto sent = split(bytes);
        ASSERT_EQ(sent.size(), 1u);
        expect(sent[0],
               {{35, "3"}, {371, std::to_string(tag)}, {373, std::to_string(reason)}, {372, std::string{type}}});
        bot.down->carry(bytes, [&](const fix::Message& message) { (void)bot.session.on_message(message, venue.now); });
    }

    Venue venue{2};
    Client& bot = *venue.bots[0];
    Client& other = *venue.bots[1];
};

} // namespace exchange::test
