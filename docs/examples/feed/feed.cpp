// feed: takes in quotes that come as datagrams, many in one system call, with the kernel's time of arrival; keeps the
// last price of each symbol in the World; tells it to whoever asks over a Unix socket.
//
//     feed                 plays the exchange and a client too, prints what it saw, and ends
//     feed ADDRESS PATH    receives at ADDRESS ("0.0.0.0:9000") and answers at PATH, until SIGINT
#include <nexus/nexus.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <unistd.h>

using Symbol = std::array<char, 8>;

struct Quote { // as it is on the wire
    Symbol symbol;
    std::int64_t price;
};

struct Prices {
    std::map<Symbol, std::int64_t> last;
    std::uint64_t quotes = 0;
    std::chrono::nanoseconds longest{0}; // from the kernel's hands to ours
};

void take_in(nexus::UdpSocket& feed, nexus::ResMut<Prices> prices) {
    nexus::RecvBatch batch(64, sizeof(Quote));
    while (feed.recv_batch(batch)) {
        const auto now = std::chrono::system_clock::now();
        auto book = prices.borrow(); // nothing suspends until the end of the block
        for (const auto& datagram : batch) {
            if (datagram.full_size != sizeof(Quote)) continue; // not one of ours
            Quote quote;
            std::memcpy(&quote, datagram.bytes.data(), sizeof quote);
            book->last[quote.symbol] = quote.price;
            book->longest = std::max<std::chrono::nanoseconds>(book->longest, now - *datagram.time);
            ++book->quotes;
        }
    }
}

void answer(nexus::UnixStream client, nexus::Res<Prices> prices) {
    Symbol symbol;
    while (client.read_exact(std::as_writable_bytes(std::span(symbol)))) {
        const std::int64_t price = prices.with([&](const Prices& all) {
            const auto found = all.last.find(symbol);
            return found == all.last.end() ? 0 : found->second;
        });
        if (!client.write_all(std::as_bytes(std::span(&price, 1)))) return;
    }
}

void serve(nexus::UdpSocket feed, nexus::UnixListener listener, nexus::ShutdownSignal stop) {
    nexus::TaskGroup group; // leaving it waits for the fibers
    group.spawn(take_in, std::ref(feed));
    nexus::until(stop, [&] {
        while (auto accepted = listener.accept()) {
            if (accepted->stream.peer_credentials().value().uid != ::getuid()) continue; // for our own eyes
            group.spawn(answer, std::move(accepted->stream));
        }
    });
    group.abort_all();
}

// The other side of the demonstration: a thousand quotes, then a question.
std::int64_t play(nexus::SocketAddress feed, nexus::UnixAddress questions, nexus::Res<Prices> prices) {
    const std::array<Symbol, 2> symbols{Symbol{"ACME"}, Symbol{"INIT"}};
    nexus::UdpSocket exchange = nexus::UdpSocket::bind("127.0.0.1:0").value();
    exchange.connect(feed).value();
    std::array<Quote, 20> quotes;
    nexus::SendBatch batch(quotes.size());
    for (std::int64_t price = 0; price < 1000;) {
        batch.clear();
        for (Quote& quote : quotes) {
            quote = {symbols[static_cast<std::size_t>(price % 2)], price};
            (void)batch.push(std::as_bytes(std::span(&quote, 1)));
            ++price;
        }
        exchange.send_batch(batch).value();
        while (prices->quotes < static_cast<std::uint64_t>(price)) nexus::sleep(std::chrono::microseconds(50));
    }
    nexus::UnixStream client = nexus::UnixStream::connect(questions).value();
    client.write_all(std::as_bytes(std::span(symbols[1]))).value();
    std::int64_t price = 0;
    client.read_exact(std::as_writable_bytes(std::span(&price, 1))).value();
    return price;
}

int main(int argc, char** argv) {
    const bool demonstration = argc < 3;
    nexus::WorldBuilder builder;
    builder.add<Prices>();
    nexus::World world = builder.build();
    nexus::RuntimeOptions options;
    options.signal_handlers = !demonstration;
    nexus::Runtime runtime{world, options};

    nexus::UdpSocket feed = nexus::UdpSocket::bind(demonstration ? "127.0.0.1:0" : argv[1]).value();
    feed.set_receive_timestamps(true).value();
    nexus::UnixListenOptions at_path;
    at_path.unlink_on_close = at_path.replace_stale = true;
    const std::string path = demonstration ? "@feed-" + std::to_string(::getpid()) : argv[2];
    nexus::UnixListener listener = nexus::UnixListener::bind(path, at_path).value();

    const auto address = feed.local_address().value();
    const auto questions = listener.local_address().value();
    auto serving = runtime.spawn(serve, std::move(feed), std::move(listener));
    if (demonstration) {
        const std::int64_t price = runtime.block_on(play, address, questions);
        std::printf("%llu quotes, INIT at %lld\n", static_cast<unsigned long long>(world.res<Prices>()->quotes),
                    static_cast<long long>(price));
        runtime.shutdown_handle().trigger();
    }
    runtime.block_on([&serving] { serving.join(); });
}
