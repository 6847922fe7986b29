// Reading, writing and ending connections; see server.hpp.
#include "server.hpp"

using namespace std::chrono_literals;

namespace exchange {
namespace {
/// The writing fiber of a connection.
void transmit(Link& link, nexus::ConstRes<Venue> venue) {
    const std::chrono::milliseconds patience(venue->write_timeout_ms);
    std::string bytes;
    do {
        link.output.wait();
        if (link.session == nullptr) continue;
        for (bytes.clear(); link.session->take_output(bytes); bytes.clear()) {
            for (auto rest = std::as_bytes(std::span(bytes));
                 !rest.empty();) { // slow is not silent: time for each part
                const auto taken = nexus::timeout(patience, [&] { return link.stream.write(rest); });
                if (!taken) {
                    link.session->disconnect("cannot write: " + taken.error().message());
                    return link.stream.close();
                }
                rest = rest.subspan(*taken);
            }
        }
        link.written.notify_all();
        if (link.session->wants_disconnect()) {
            (void)link.stream.shutdown_write(); // the peer reads what there is, then the end; keep_time() sees to it
            return;
        }
    } while (!link.over); // looked at last: what was said before is written, even if this fiber starts only now
}

/// Gives a message to its session, or finds the session for the first one. False: the connection has to end.
bool take_in(Link& link, const fix::Message& message, Sessions& sessions, Desk& desk, nexus::TaskGroup& feeds,
             nexus::Log& log) {
    if (link.session == nullptr) {
        const Sessions::Admission admission = sessions.admit(message);
        if (admission.session == nullptr) {
            log.warn("{}: disconnected: {}", link.peer, admission.refusal);
            return false;
        }
        link.session = admission.session;
        link.session->set_output_hook([&link] { link.output.notify_one(); });
        link.session->connected(desk.clock->now());
    }
    if (link.session->on_message(message, desk.clock->now()) == Session::Event::application) {
        if (auto subscription = desk.act(*link.session, message))
            feeds.spawn({.name = "market data"}, follow, std::move(subscription), std::ref(link.written));
    }
    return true;
}

/// The reading fiber of a connection; its frame holds the connection.
void converse(nexus::TcpStream stream, const std::string& peer, nexus::ConstRes<Venue> venue,
              nexus::ResMut<Sessions> sessions, nexus::ResMut<Links> links, Desk desk, nexus::ResMut<nexus::Log> log) {
    Link link{std::move(stream), peer};
    struct Registered {
        Registered(nexus::ResMut<Links> all, Link& one) : links(all), link(one) { links->open.push_front(&one); }
        ~Registered() {
            links->open.remove(&link);
            if (link.session == nullptr) return;
            link.session->set_output_hook({});
            link.session->connection_lost();
        }
        nexus::ResMut<Links> links;
        Link& link;
    } registered{links, link};
    nexus::TaskGroup writer, feeds;
    writer.spawn(transmit, std::ref(link));
    fix::Framer framer;
    const auto patience = nexus::now() + std::chrono::milliseconds(venue->logon_timeout_ms);
    const auto read_some = [&] { return link.stream.read(std::as_writable_bytes(framer.space())); };
    bool going_on = true;
    while (going_on) {
        auto got = link.session == nullptr ? nexus::timeout_at(patience, read_some) : read_some();
        if (!got || *got == 0) {
            if (link.session == nullptr && !got) log->warn("{}: disconnected: no Logon: {}", peer, got.error());
            break;
        }
        framer.filled(*got);
        for (fix::Frame frame = framer.next(); frame.kind != fix::Frame::Kind::none && going_on;
             frame = framer.next()) {
            if (frame.kind == fix::Frame::Kind::too_long) {
                log->warn("{}: disconnected: message too long", peer);
                if (link.session != nullptr) link.session->disconnect("message too long");
                going_on = false;
            } else if (frame.kind == fix::Frame::Kind::garbled) {
                if (link.session != nullptr) link.session->on_garbled(frame.why);
            } else {
                auto who = sessions.borrow();
                auto line = log.borrow();
                going_on = take_in(link, fix::Message(frame.text), *who, desk, feeds, *line);
            }
        }
        going_on = going_on && !(link.session != nullptr && link.session->wants_disconnect() && !link.ending);
    }
    feeds.abort_all();
    // What the session still wants to say goes out first; then the writer ends.
    link.over = true;
    link.output.notify_one();
    if (!nexus::timeout(1s, [&writer] { writer.join_all(); })) link.stream.close();
    if (link.session == nullptr) return;
    const std::string& reason = link.session->reason();
    log->info("{}: {} is gone: {}", peer, link.session->peer(), reason.empty() ? "connection lost" : reason);
}

/// Heartbeats, time limits, and connections whose peers do not close them.
void keep_time(nexus::ResMut<Sessions> sessions, nexus::ResMut<Links> links, nexus::Res<WallClock> clock) {
    for (nexus::Interval tick = nexus::interval(100ms);;) {
        tick.tick();
        for (const auto& session : sessions->all()) session->on_tick(clock->now());
        auto all = links.borrow();
        for (Link* link : all->open) {
            if (link->session == nullptr || !link->session->wants_disconnect()) continue;
            if (!link->ending) link->ending = nexus::event_time();
            if (nexus::event_time() - *link->ending > 1s) link->stream.close();
        }
    }
}
} // namespace

void follow(std::shared_ptr<Subscription> subscription, nexus::Notify& written, Desk desk) {
    const std::int64_t most = desk.market->limits().max_unread_bytes;
    nexus::until(subscription->over, [&] {
        for (;;) {
            while (std::cmp_greater(subscription->owner->unsent_bytes(), most)) written.wait();
            auto next = subscription->events.recv();
            if (!next) return;
            auto market = desk.market.borrow();
            auto all_books = desk.books.borrow();
            market->refresh(*subscription, *next, *desk.instruments, *all_books, desk.clock->now());
        }
    });
}

void add_resources(nexus::WorldBuilder& builder, const nexus::Config& config, const nexus::Log& log) {
    const auto venue = config.resource<Venue>("venue").make();
    const auto instruments = config.resource<Instruments>("instruments").make();
    auto session_config = config.resource<SessionConfig>("sessions").make();
    session_config.comp_id = venue.comp_id;
    if (session_config.stored_messages == 0) throw std::invalid_argument("sessions.stored_messages must be at least 1");
    Sessions sessions(session_config);
    for (const std::string& peer : venue.peers) {
        sessions.add(peer).set_log(
            [line = log, peer](std::string_view text) mutable { line.info("{}: {}", peer, text); });
    }
    builder.add_const(venue);
    builder.add_const(instruments);
    builder.add_const(config.resource<RiskLimits>("limits").make());
    builder.add(std::move(sessions));
    builder.add(Books(instruments));
    builder.add<Orders>();
    builder.add(venue.journal.empty() ? Journal() : Journal::open(venue.journal).value());
    builder.add(Market(config.resource<MarketLimits>("market_data").make()));
    builder.add<Links>();
    builder.add<WallClock>();
    builder.add(log);
}

void serve(nexus::ConstRes<Venue> venue, nexus::ResMut<Sessions> sessions, nexus::ResMut<Links> links,
           nexus::Res<WallClock> clock, nexus::ResMut<nexus::Log> log, nexus::ShutdownSignal shutdown,
           const std::function<void(const nexus::SocketAddress&)>& listening) {
    auto listener = nexus::TcpListener::bind(venue->listen).value();
    listening(listener.local_address().value());
    nexus::JoinHandle<void> timekeeper = nexus::spawn({.name = "timekeeper"}, keep_time);
    nexus::until(shutdown, [&] {
        while (auto accepted = listener.accept()) {
            (void)accepted->stream.set_nodelay(true);
            if (const int most = venue->send_buffer_bytes; most > 0) (void)accepted->stream.set_send_buffer_size(most);
            ++links->accepted;
            nexus::spawn({.name = "connection"}, converse, std::move(accepted->stream), accepted->peer.to_string())
                .detach();
        }
    });
    listener.close();
    log->info("stopping: logging {} connections out", links->open.size());
    for (const auto& session : sessions->all()) {
        if (session->is_logged_on()) session->logout("the exchange stops", clock->now());
    }
    const auto patience = nexus::now() + std::chrono::milliseconds(venue->grace_ms);
    while (!links->open.empty() && nexus::now() < patience) nexus::sleep(10ms);
    timekeeper.abort();
}
} // namespace exchange
