// The exchange's logic on fibers but without sockets: bots and sessions in one runtime, connected by channels, on the
// manual clock. Which ready fiber runs next is drawn from a seed, so each seed is another market, and always the same.
// A reader of the market data, which now and then sleeps for too long, has the right books in the end all the same.
#include "fix_tools.hpp"
#include "ledger.hpp"
#include "market_view.hpp"
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
    nexus::Notify bot_output, venue_output, bot_written, venue_written;
    Session bot;
    std::string name;
    Ledger ledger;
    int unreadable = 0;
};

/// Sends what a session has to say, until the channel's other end is dropped.
void transmit(Session& session, nexus::Notify& output, nexus::Notify& written, nexus::local::Sender<std::string> to) {
    for (;;) {
        output.wait();
        for (std::string bytes; session.take_output(bytes); bytes.clear()) {
            if (!to.send(std::move(bytes))) return;
        }
        written.notify_all();
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
                on_message(fix::Message(frame.text), frame.text);
        }
    }
}

void serve_line(Line& line, nexus::ResMut<Sessions> sessions, Desk desk) {
    Session& session = *sessions->find(line.name);
    session.set_output_hook([&line] { line.venue_output.notify_one(); });
    session.connected(desk.clock->now());
    nexus::spawn(transmit, std::ref(session), std::ref(line.venue_output), std::ref(line.venue_written),
                 std::move(line.down.sender))
        .detach();
    nexus::TaskGroup feeds;
    receive(line.up.receiver, [&](const fix::Message& message, std::string_view) {
        if (session.on_message(message, desk.clock->now()) != Session::Event::application) return;
        if (auto subscription = desk.act(session, message))
            feeds.spawn(follow, std::move(subscription), std::ref(line.venue_written));
    });
    feeds.abort_all();
    session.set_output_hook({});
}

void listen(Line& line, nexus::ConstRes<Instruments> instruments, nexus::Res<WallClock> clock) {
    receive(line.down.receiver, [&](const fix::Message& message, std::string_view) {
        if (line.bot.on_message(message, clock->now()) != Session::Event::application) return;
        if (message.type() == "8" && !line.ledger.book_report(message, *instruments)) ++line.unreadable;
    });
}

/// The same orders for every seed; what differs is how those of the bots interleave.
void trade(Line& line, nexus::ConstRes<Instruments> instruments, nexus::Res<WallClock> clock) {
    line.bot.set_output_hook([&line] { line.bot_output.notify_one(); });
    line.bot.connected(clock->now());
    nexus::spawn(transmit, std::ref(line.bot), std::ref(line.bot_output), std::ref(line.bot_written),
                 std::move(line.up.sender))
        .detach();
    nexus::JoinHandle<void> reader = nexus::spawn(listen, std::ref(line));
    std::seed_seq name(line.name.begin(), line.name.end());
    std::mt19937 random(name);
    nexus::Interval beat = nexus::interval(1ms);
    for (int i = 0; i < orders_each; ++i) {
        beat.tick();
        const Instrument& instrument = instruments->all[random() % instruments->all.size()];
        const char side = random() % 2 == 0 ? '1' : '2';
        const auto request = [&](std::string_view type, const std::string& id, int original) {
            const Ticks price = instrument.reference + static_cast<Ticks>(random() % 11) - 5;
            fix::Fields& out = line.bot.compose().add(11, id).add(55, instrument.symbol).add(54, side);
            if (type != "D") out.add(41, original);
            out.add(38, 1 + random() % 50).add(40, '2').add(44, instrument.to_decimal(price));
            if (type == "D") out.add(59, "00000034"[random() % 8]);
            out.add(60, clock->now());
            line.bot.send(type, clock->now());
        };
        request("D", std::to_string(i), 0);
        if (random() % 3 == 0) request("G", "r" + std::to_string(i), i);
        if (random() % 10 == 0) request("F", "c" + std::to_string(i), i);
        if (random() % 10 == 0) request("H", std::to_string(i), i);
    }
    nexus::sleep(3s); // everybody has everything
    reader.abort();
}

/// Subscribes to everything, and from time to time reads nothing for a while.
void watch(Line& line, MarketView& view, nexus::Res<WallClock> clock) {
    line.bot.set_output_hook([&line] { line.bot_output.notify_one(); });
    line.bot.connected(clock->now());
    nexus::spawn(transmit, std::ref(line.bot), std::ref(line.bot_output), std::ref(line.bot_written),
                 std::move(line.up.sender))
        .detach();
    int messages = 0;
    (void)nexus::timeout(5s, [&] {
        receive(line.down.receiver, [&](const fix::Message& message, std::string_view text) {
            const auto event = line.bot.on_message(message, clock->now());
            if (event == Session::Event::logged_on) {
                fix::Fields& out = line.bot.compose().add(262, "all").add(263, '1').add(264, 0).add(265, '1');
                out.add(267, 3).add(269, '0').add(269, '1').add(269, '2').add(146, 2).add(55, "ACME").add(55, "BOLT");
                line.bot.send("V", clock->now());
            }
            if (event == Session::Event::application) view.take(with_bars(text));
            if (++messages % 300 == 0) nexus::sleep(200ms);
        });
    });
}

/// Whether the reader's levels are those of the books.
void expect_books_shown(const MarketView& view, const Instruments& instruments, const Books& books) {
    EXPECT_EQ(view.faults, 0);
    for (std::size_t i = 0; i < instruments.all.size(); ++i) {
        const Instrument& instrument = instruments.all[i];
        const auto price = [&](Ticks ticks) {
            fix::Fields field;
            const std::string_view text = field.add(1, instrument.to_decimal(ticks)).text();
            return std::string(text.substr(2, text.size() - 3));
        };
        EXPECT_TRUE(view.shows(instrument.symbol, books.all[i], price)) << instrument.symbol;
    }
}

struct Outcome {
    std::uint64_t hash = 0, accepted = 0, replaced = 0, lines = 0;
    std::size_t trades = 0;
    long long missed = 0;
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
    Line watcher("WATCHER");
    MarketView view;
    sessions.add(watcher.name);
    nexus::testing::ManualClock clock;
    nexus::testing::SeededChoice choice(seed);
    nexus::WorldBuilder builder;
    builder.add_const(instruments);
    builder.add_const(RiskLimits{});
    builder.add(Books(instruments));
    builder.add<Orders>();
    builder.add(Market({.kept_events = 128, .max_subscriptions = 1, .max_unread_bytes = 4096}));
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
            nexus::spawn(serve_line, std::ref(watcher)).detach();
            traders.spawn(watch, std::ref(watcher), std::ref(view));
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
    const Orders::Totals totals = world.res<Orders>()->totals;
    expect_books_shown(view, instruments, *world.res<Books>().borrow());
    EXPECT_GT(view.missed, 0);
    EXPECT_GT(view.trades.size(), 1'000U);
    EXPECT_LT(view.trades.size(), totals.fills);
    return {journal->hash(), totals.accepted, totals.replaced, journal->lines(), view.trades.size(), view.missed};
}

TEST(Fibers, ten_thousand_orders_of_one_seed_give_the_same_journal_twice) {
    const Outcome first = run(1);
    EXPECT_EQ(first.accepted, 10'000U);
    EXPECT_GT(first.replaced, 1'000U);
    EXPECT_EQ(run(1), first);
    EXPECT_NE(run(2).hash, first.hash);
}

} // namespace
} // namespace exchange::test
