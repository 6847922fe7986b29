// The server: FIX sessions on TCP, each connection two fibers, in front of the gateway.
// What it needs lies in the World; add_resources() puts it there from the configuration.
#pragma once
#include "gateway.hpp"
#include "settings.hpp"
#include <functional>
#include <list>
#include <nexus/log/log.hpp>
#include <nexus/nexus.hpp>
#include <string>

namespace exchange {
/// A connection, on the stack of the fiber that reads it.
struct Link {
    Link(nexus::TcpStream connected, std::string from) : stream(std::move(connected)), peer(std::move(from)) {}
    nexus::TcpStream stream;
    std::string peer;
    nexus::Notify output;  ///< the session has bytes to send, or wants to end
    nexus::Notify written; ///< it had, and they are gone
    Session* session = nullptr;
    bool over = false;
    std::optional<nexus::TimePoint> ending; ///< when the session first wanted to disconnect
};

/// All connections, for the clock and for the end.
struct Links {
    std::list<Link*> open;
    std::uint64_t accepted = 0;
};

/// The gateway and all that it touches, injected as one parameter.
struct Desk {
    nexus::ConstRes<Instruments> instruments;
    nexus::ConstRes<RiskLimits> limits;
    nexus::ResMut<Books> books;
    nexus::ResMut<Orders> orders;
    nexus::ResMut<Journal> journal;
    nexus::ResMut<Market> market;
    nexus::Res<WallClock> clock;
    /// Returns a subscription that begins with the message: it needs a fiber that runs follow().
    std::shared_ptr<Subscription> act(Session& from, const fix::Message& message) {
        const Time now = clock->now();
        auto all_books = books.borrow();
        auto all_orders = orders.borrow();
        auto lines = journal.borrow();
        auto data = market.borrow();
        return Gateway{*instruments, *limits, *all_books, *all_orders, *lines, *data}.on_message(from, message, now);
    }
};
} // namespace exchange

template <>
struct nexus::inject<exchange::Desk>
    : nexus::inject_members<exchange::Desk, nexus::ConstRes<exchange::Instruments>,
                            nexus::ConstRes<exchange::RiskLimits>, nexus::ResMut<exchange::Books>,
                            nexus::ResMut<exchange::Orders>, nexus::ResMut<exchange::Journal>,
                            nexus::ResMut<exchange::Market>, nexus::Res<exchange::WallClock>> {};

namespace exchange {
/// Registers Venue, Instruments, RiskLimits, Sessions, Books, Orders, Journal, Market, Links and WallClock. Throws
/// ConfigError and std::system_error (the journal's file).
void add_resources(nexus::WorldBuilder& builder, const nexus::Config& config, const nexus::Log& log);

/// The fiber of a subscription, which sends what the market does until the subscription is over. `written` tells that
/// the session's bytes have gone out: a slow reader gets no more to read, and what it misses becomes a snapshot.
void follow(std::shared_ptr<Subscription> subscription, nexus::Notify& written, Desk desk);

/// Serves until the shutdown signal: stops accepting, logs everybody out, waits for them for the grace time.
/// `listening` is told the address. Throws std::system_error when it cannot listen.
void serve(nexus::ConstRes<Venue> venue, nexus::ResMut<Sessions> sessions, nexus::ResMut<Links> links,
           nexus::Res<WallClock> clock, nexus::ResMut<nexus::Log> log, nexus::ShutdownSignal shutdown,
           const std::function<void(const nexus::SocketAddress&)>& listening);
} // namespace exchange
