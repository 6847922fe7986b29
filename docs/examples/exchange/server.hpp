// The server: FIX sessions on TCP, each connection two fibers, in front of the gateway.
//
// What it needs lies in the World; add_resources() puts it there from the configuration.
#pragma once

#include "gateway.hpp"
#include "settings.hpp"

#include <nexus/log/log.hpp>
#include <nexus/nexus.hpp>

#include <functional>
#include <list>
#include <string>

namespace exchange {

/// A connection, on the stack of the fiber that reads it.
struct Link {
    Link(nexus::TcpStream connected, std::string from) : stream(std::move(connected)), peer(std::move(from)) {}
    nexus::TcpStream stream;
    std::string peer;
    nexus::Notify output; ///< the session has bytes to send, or wants to end
    Session* session = nullptr;
    bool over = false;
    std::optional<nexus::TimePoint> ending; ///< when the session first wanted to disconnect
};

/// All connections, for the clock and for the end.
struct Links {
    std::list<Link*> open;
    std::uint64_t accepted = 0;
};

/// The wall clock of the venue: starts with the system's and then keeps the loop's pace, so it never runs backwards.
struct WallClock {
    Time started = std::chrono::system_clock::now();
    nexus::TimePoint at = nexus::Clock::now();
    [[nodiscard]] Time now() const { return started + (nexus::event_time() - at); }
};

/// Registers Venue, Instruments, RiskLimits, Sessions, Books, Orders, Journal, Links and WallClock. Throws ConfigError
/// and std::system_error (the journal's file).
void add_resources(nexus::WorldBuilder& builder, const nexus::Config& config, const nexus::Log& log);

/// Serves until the shutdown signal: stops accepting, logs everybody out, waits for them for the grace time.
/// `listening` is told the address. Throws std::system_error when it cannot listen.
void serve(nexus::ConstRes<Venue> venue, nexus::ResMut<Sessions> sessions, nexus::ResMut<Links> links,
           nexus::Res<WallClock> clock, nexus::ResMut<nexus::Log> log, nexus::ShutdownSignal shutdown,
           const std::function<void(const nexus::SocketAddress&)>& listening);

} // namespace exchange
