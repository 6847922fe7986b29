// The exchange's logic on fibers but without sockets: bots and sessions in one runtime, connected by channels, on the
// manual clock. Which ready fiber runs next is drawn from a seed, so each seed is another market, and always the same.
#include "ledger.hpp"
#include "reference_matcher.hpp"
#include "server.hpp"

#include <nexus/testing/manual_clock.hpp>
#include <nexus/testing/seeded_choice.hpp>

#include <gtest/gtest.h>

#include <random>

namespace exchange::test {
namespace {

using namespace std::chrono_literals;
using Bytes = nexus::local::Channel<std::string>;

constexpr int bots = 10, orders_each = 1'000;

struct Line {
    explicit Line(const std::string& own) : bot({.comp_id = own}, "NEXUS", Session::Role::initiator), name(own) {}
    Bytes up = nexus::local::channel<std::string>(4), down = nexus::local::channel<std::string>(4);
    nexus::Notify bot_output, venue_output;
    Session bot;
    std::string name;
    Ledger ledger;
    int unreadable = 0;
};

/// Sends what a session has to say, until the channel's other end is dropped.
void transmit(Session& session, nexus::Notify& output, nexus::local::Sender<std::string> to) {
    for (;;) {
        output.wait();
        for (std::string bytes; session.take_output(bytes); bytes.clear()) {
            if (!to.send(std::move(bytes))) return;
        }
    }
}

/// Cuts what comes into messages, until the channel's other end is dropped.
template <class OnMessage>
void receive(nexus::local::Receiver<std::string>& from, OnMessage on_message) {
    fix::Framer framer{1 << 16};
    while (auto got = from.recv()) {
        std::string_view bytes = *got;
        while (!bytes.empty()) {
            const auto space = framer.space();
            const std::size_t size = std::min(bytes.size(), space.size());
            std::copy_n(bytes.begin(), size, space.begin());
            framer.filled(size);
            bytes.remove_prefix(size);
            for (auto frame = framer.next(); frame.kind != fix::Frame::Kind::none; frame = framer.next())
                on_message(fix::Message(frame.text));
        }
    }
}

void serve_line(Line& line, nexus::ResMut<Sessions> sessions, Desk desk) {
    Session& session = *sessions->find(line.name);
    session.set_output_hook([&line] { line.venue_output.notify_one(); });
    session.connected(desk.clock->now());
    nexus::spawn(transmit, std::ref(session), std::ref(line.venue_output), std::move(line.down.sender)).detach();
    receive(line.up.receiver, [&](const fix::Message& message) {
        if (session.on_message(message, desk.clock->now()) == Session::Event::application) desk.act(session, message);
    });
    session.set_output_hook({});
}

void listen(Line& line, nexus::ConstRes<Instruments> instruments, nexus::Res<WallClock> clock) {
    receive(line.down.receiver, [&](const fix::Message& message) {
        if (line.bot.on_message(message, clock->now()) != Session::Event::application) return;
        if (message.type() == "8" && !line.ledger.book_report(message, *instruments)) ++line.unreadable;
    });
}

/// The same orders for every seed; what differs is how those of the bots interleave.
void trade(Line& line, nexus::ConstRes<Instruments> instruments, nexus::Res<WallClock> clock) {
    line.bot.set_output_hook([&line] { line.bot_output.notify_one(); });
    line.bot.connected(clock->now());
    nexus::spawn(transmit, std::ref(line.bot), std::ref(line.bot_output), std::move(line.up.sender)).detach();
    nexus::JoinHandle<void> reader = nexus::spawn(listen, std::ref(line));
    std::seed_seq name(line.name.begin(), line.name.end());
    std::mt19937 random(name);
    nexus::Interval beat = nexus::interval(1ms);
    for (int i = 0; i < orders_each; ++i) {
        beat.tick();
        const Instrument& instrument = instruments->all[random() % instruments->all.size()];
        const Ticks price = instrument.reference + static_cast<Ticks>(random() % 11) - 5;
        fix::Fields& out = line.bot.compose();
        out.add(11, i).add(55, instrument.symbol).add(54, random() % 2 == 0 ? '1' : '2').add(38, 1 + random() % 50);
        out.add(40, '2').add(44, instrument.to_decimal(price)).add(59, random() % 4 == 0 ? '3' : '0');
        out.add(60, clock->now());
        line.bot.send("D", clock->now());
    }
    nexus::sleep(1s); // everybody has everything
    reader.abort();
}

struct Outcome {
    std::uint64_t hash = 0, accepted = 0, lines = 0;
    bool operator==(const Outcome&) const = default;
};

Outcome run(std::uint64_t seed) {
    const Instruments instruments{
        {{"ACME", fix::Decimal{fix::Decimal::one / 100}, 10'000}, {"BOLT", fix::Decimal{fix::Decimal::one / 20}, 400}}};
    Sessions sessions{SessionConfig{}};
    std::vector<std::unique_ptr<Line>> lines;
    for (int i = 0; i < bots; ++i) {
        lines.push_back(std::make_unique<Line>("BOT" + std::to_string(i)));
        sessions.add(lines.back()->name);
    }
    nexus::testing::ManualClock clock;
    nexus::testing::SeededChoice choice(seed);
    nexus::WorldBuilder builder;
    builder.add_const(instruments);
    builder.add_const(RiskLimits{});
    builder.add(Books(instruments));
    builder.add<Orders>();
    builder.add(std::move(sessions));
    builder.add(Journal::in_memory());
    builder.add(WallClock{std::chrono::sys_days{std::chrono::year{2026} / 1 / 2}, clock.now()});
    nexus::World world = builder.build();
    {
        nexus::Runtime runtime{world};
        clock.attach(runtime);
        choice.attach(runtime.executor());
        runtime.block_on([&] {
            nexus::TaskGroup traders;
            for (const auto& line : lines) nexus::spawn(serve_line, std::ref(*line)).detach();
            for (const auto& line : lines) traders.spawn(trade, std::ref(*line));
            traders.join_all();
        });
    }
    const auto journal = world.res<Journal>();
    const ReferenceMatcher reference(journal->text());
    EXPECT_EQ(reference.journalled, reference.fills);
    EXPECT_GT(reference.fills.size(), 1'000U);
    for (const auto& line : lines) {
        EXPECT_EQ(line->unreadable, 0);
        for (const auto& [symbol, position] : line->ledger.positions) {
            const ReferencePosition own{position.shares, position.money};
            EXPECT_EQ(own, reference.positions.at(line->name).at(symbol)) << line->name;
        }
    }
    return {journal->hash(), world.res<Orders>()->totals.accepted, journal->lines()};
}

TEST(Fibers, ten_thousand_orders_of_one_seed_give_the_same_journal_twice) {
    const Outcome first = run(1);
    EXPECT_EQ(first.accepted, 10'000U);
    EXPECT_EQ(run(1), first);
    EXPECT_NE(run(2).hash, first.hash);
}

} // namespace
} // namespace exchange::test
