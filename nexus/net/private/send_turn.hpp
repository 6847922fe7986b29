// Sending datagrams from any number of fibers: they take turns where they have to wait.
//
// A stream has one writer; a datagram socket is often everybody's, so two fibers may find it full at the same time.
// Invariant: the first in SocketRecord::senders() is the only fiber that waits on the source for room. Having the turn
// is a place in a list, not a message, so whoever is cancelled passes it on by leaving (H-23).
#pragma once

#include "nexus/net/private/pause.hpp"

namespace nexus::detail {

class SendTurn {
public:
    SendTurn(Executor& executor, SocketRecord& record)
        : executor_(executor), record_(record), place_(executor.current_task()) {
        record_.senders().push_back(place_);
    }
    SendTurn(const SendTurn&) = delete;
    SendTurn& operator=(const SendTurn&) = delete;
    ~SendTurn() {
        place_.unlink();
        if (SendPlace* next = record_.senders().front()) executor_.wake(next->task);
    }
    [[nodiscard]] bool has_come() noexcept { return record_.senders().front() == &place_; }

private:
    Executor& executor_;
    SocketRecord& record_;
    SendPlace place_;
};

/// The part of send_in_turn() that suspends.
template <class Call>
auto send_when_possible(Executor& executor, SocketRecord& record, const char* operation, Call& call)
    -> decltype(call(0)) {
    SendTurn turn(executor, record);
    const WaitEnd end = wait_or_fail(executor, operation, [&] { return turn.has_come() || !record.open(); });
    if (end != WaitEnd::ready) return Error(to_errc(end), operation);
    Patience patience(std::chrono::microseconds(50), std::chrono::milliseconds(10));
    for (;;) {
        if (!record.open()) return Error(errc::closed, operation);
        if (record.source().probe(Direction::out)) {
            auto outcome = call(record.fd());
            if (outcome || !would_block(outcome.error())) return outcome;
            // This socket has room. It is the receiver's queue that is full (Unix sockets), of which epoll does not
            // tell.
            auto paused = pause(record, Direction::out, patience.next(), operation,
                                "send: the receiver's queue is full");
            if (!paused) return paused.error();
        } else if (auto waited = record.source().wait(Direction::out, operation); !waited) {
            return waited.error();
        }
    }
}

/// Makes `call(fd)` until it says something else than EAGAIN, in turn with other fibers. `call` returns a Result.
template <class Call>
auto send_in_turn(SocketRecord& record, const char* operation, Call&& call) -> decltype(call(0)) {
    Executor& executor = Executor::of_current_fiber(operation);
    SocketPin pin(record); // before anything that may suspend: whoever owns it may go meanwhile
    if (WaitEnd end = enter_wait(executor, operation); end != WaitEnd::ready) return Error(to_errc(end), operation);
    if (!record.open()) return Error(errc::closed, operation);
    if (record.senders().empty() && record.source().ready(Direction::out)) {
        auto outcome = call(record.fd());
        if (outcome || !would_block(outcome.error())) return outcome;
    }
    return send_when_possible(executor, record, operation, call);
}

/// Does not suspend. EAGAIN also when others wait: they were first.
template <class Call>
auto try_send(SocketRecord& record, const char* operation, Call&& call) -> decltype(call(0)) {
    if (!record.open()) return Error(errc::closed, operation);
    if (!record.senders().empty()) return Error::from_errno(EAGAIN, operation);
    auto outcome = call(record.fd());
    if (!outcome && would_block(outcome.error())) (void)record.source().probe(Direction::out);
    return outcome;
}

} // namespace nexus::detail
