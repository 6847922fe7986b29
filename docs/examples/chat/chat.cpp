// chat: a whole server. What somebody types goes to all others. docs/server.md explains it part by part.
//
//     chat [config.json]
#include <nexus/config/config.hpp>
#include <nexus/log/log.hpp>
#include <nexus/nexus.hpp>

#include <cstdio>
#include <map>
#include <span>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

struct ChatOptions {
    std::string listen = "127.0.0.1:7000";
    int idle_limit_ms = 300'000; // a client that sends no line for so long is sent away
    int grace_ms = 2'000;        // for the clients to leave when the server stops
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ChatOptions, listen, idle_limit_ms, grace_ms)

// Who is here: for each client the sending end of the channel that its writer empties.
struct Room {
    std::map<int, nexus::local::Sender<std::string>> members;
    int sessions = 0;

    // Never waits. Whoever is 64 lines behind is dropped: its channel has no sender then, and its writer ends.
    void say(int from, const std::string& line) {
        std::erase_if(members, [&](const auto& m) { return m.first != from && !m.second.try_send(line); });
    }
};

// A place in the room, given back however the session ends.
class Place {
public:
    Place(nexus::ResMut<Room> room, int id, nexus::local::Sender<std::string> out) : room_(room), id_(id) {
        auto now = room_.borrow();
        now->members.emplace(id, std::move(out));
        ++now->sessions;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        auto now = room_.borrow();
        now->members.erase(id_);
        --now->sessions;
    }

private:
    nexus::ResMut<Room> room_;
    int id_;
};

// The writing fiber of a session: until the room has dropped the sender, or the client takes nothing for 5 s.
void transmit(nexus::TcpStream& stream, nexus::local::Receiver<std::string>& lines) {
    for (const std::string& line : lines) {
        if (!nexus::timeout(5s, [&] { return stream.write_all(line); })) return stream.close();
    }
    (void)stream.shutdown_write();
}

// A line with its end. Fails with timed_out after `limit`, with end_of_stream when the client has gone.
nexus::Result<std::string> read_line(nexus::TcpStream& stream, std::string& pending, nexus::Duration limit) {
    return nexus::timeout(limit, [&]() -> nexus::Result<std::string> {
        std::size_t end = 0;
        while ((end = pending.find('\n')) == std::string::npos) {
            if (pending.size() > 4096) throw std::length_error("a line of more than 4 KiB");
            char buffer[512];
            const auto got = stream.read(std::as_writable_bytes(std::span(buffer)));
            if (!got) return got.error();
            if (*got == 0) return nexus::Error(nexus::errc::end_of_stream, "read line");
            pending.append(buffer, *got);
        }
        std::string line = pending.substr(0, end + 1);
        pending.erase(0, end + 1);
        return line;
    });
}

// The reading fiber of a session.
void converse(nexus::TcpStream stream, int id, nexus::ConstRes<ChatOptions> options, nexus::ResMut<Room> room,
              nexus::ResMut<nexus::Log> log) {
    auto channel = nexus::local::channel<std::string>(64);
    const Place place(room, id, std::move(channel.sender));
    nexus::TaskGroup writer;
    writer.spawn({.name = "writer"}, transmit, std::ref(stream), std::ref(channel.receiver));
    std::string pending;
    const auto limit = std::chrono::milliseconds(options->idle_limit_ms);
    auto line = read_line(stream, pending, limit);
    for (; line; line = read_line(stream, pending, limit)) room->say(id, std::to_string(id) + ": " + *line);
    log->info("client {} is gone: {}", id, line.error());
    room->members.erase(id);
    writer.join_all();
}

void serve(nexus::ConstRes<ChatOptions> options, nexus::ResMut<Room> room, nexus::ResMut<nexus::Log> log,
           nexus::ShutdownSignal shutdown) {
    auto listener = nexus::TcpListener::bind(options->listen).value();
    log->info("listening on {}", listener.local_address().value().to_string());
    const auto ended = nexus::until(shutdown, [&]() -> nexus::Result<void> {
        for (int id = 1;; ++id) {
            auto accepted = listener.accept();
            if (!accepted) return accepted.error();
            nexus::spawn({.name = "session"}, converse, std::move(accepted->stream), id).detach();
        }
    });
    log->info("stopping: {}", ended.error());
    listener.close();
    room->say(0, "* the server stops\n");
    room->members.clear(); // the writers send what is left, then the end of the stream
    const auto patience = nexus::now() + std::chrono::milliseconds(options->grace_ms);
    while (room->sessions > 0 && nexus::now() < patience) nexus::sleep(10ms);
}

int main(int argc, char** argv) try {
    const nexus::Config config = argc > 1 ? nexus::Config::load(argv[1]) : nexus::Config{};
    nexus::Log log = nexus::Log::open(config.log()).value();
    nexus::WorldBuilder builder;
    builder.add_const(config.resource<ChatOptions>("chat"));
    builder.add<Room>();
    builder.add(log);
    config.check();
    nexus::World world = builder.build();
    nexus::RuntimeOptions options = config.runtime();
    options.signal_handlers = true;
    nexus::Runtime runtime{world, options};
    runtime.set_on_unhandled([&log](std::exception_ptr failure, const char* fiber) {
        try {
            std::rethrow_exception(std::move(failure));
        } catch (const std::exception& error) {
            log.error("fiber \"{}\" failed: {}", fiber, error.what());
        }
    });
    runtime.block_on(serve);
    if (const auto late = runtime.shutdown_quiesce(0s)) log.warn("still there:\n{}", late->message());
} catch (const std::exception& error) {
    std::fprintf(stderr, "chat: %s\n", error.what());
    return 1;
}
