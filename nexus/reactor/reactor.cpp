#include "nexus/reactor/reactor.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/os/calls.hpp"

#include <poll.h>
#include <string>
#include <sys/epoll.h>
#include <utility>

namespace nexus {
namespace {

/// Tokens with this generation are wakeups, their low half the index.
constexpr std::uint32_t wakeup_generation = 0xFFFF'FFFF;

constexpr std::uint32_t in_events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;

[[noreturn]] void throw_in_use(const char* operation) {
    throw UsageError(std::string(operation) + ": the descriptor is in use by another runtime; a socket belongs to "
                                              "the runtime whose fiber first waited on it");
}

constexpr std::uint64_t token(std::uint32_t generation, std::uint32_t slot) noexcept {
    return (std::uint64_t{generation} << 32) | slot;
}

} // namespace

// --- IoSource ---

Result<void> IoSource::attach(Reactor& reactor, const char* operation) {
    if (forgotten_) return Error(errc::closed, operation);
    if (reactor_ == &reactor) return {};
    if (reactor_ == nullptr) return reactor.add(*this, operation);
    throw_in_use(operation);
}

void IoSource::detach_from(const Reactor& reactor, const char* operation) {
    if (reactor_ != nullptr && reactor_ != &reactor) throw_in_use(operation);
    detach();
}

void IoSource::detach() noexcept {
    if (reactor_ != nullptr) reactor_->remove(*this, true);
}

Result<void> IoSource::enlist(Direction direction, detail::Task& waiter, const char* operation) {
    if (forgotten_) return Error(errc::closed, operation);
    Reactor* reactor = Executor::current()->reactor();
    if (reactor == nullptr) {
        throw UsageError(std::string(operation) + ": this executor has no reactor; run the fiber in a Runtime");
    }
    if (auto attached = attach(*reactor, operation); !attached) return attached;
    if (!watched(direction)) {
        if (auto watching = reactor->watch_out(*this, true, operation); !watching) return watching;
    }
    Side& waiting = side(direction);
    if (waiting.waiter != nullptr && waiting.waiter != &waiter) {
        throw UsageError(std::string(operation) + ": another fiber waits for the same direction of this descriptor; "
                                                  "one fiber may read while one other writes");
    }
    waiting.waiter = &waiter;
    return {};
}

void IoSource::delist(Direction direction, const detail::Task& waiter) noexcept {
    Side& waiting = side(direction);
    if (waiting.waiter == &waiter) waiting.waiter = nullptr;
}

Result<void> IoSource::wait(Direction direction, const char* operation) {
    Executor& executor = Executor::of_current_fiber(operation);
    detail::Task& me = executor.current_task();
    Side& mine = side(direction);
    if (mine.ready) return {};
    if (auto enlisted = enlist(direction, me, operation); !enlisted) return enlisted;
    struct Delist {
        IoSource& source;
        Direction direction;
        detail::Task& me;
        ~Delist() { source.delist(direction, me); }
    } delist{*this, direction, me};
    const detail::WaitEnd end = detail::wait_or_fail(executor, operation,
                                                     [&] { return mine.ready || mine.waiter != &me; });
    if (end != detail::WaitEnd::ready) return Error(detail::to_errc(end), operation);
    if (forgotten_) return Error(errc::closed, operation);
    if (!mine.ready) return Error(errc::stopped, operation);
    return {};
}

bool IoSource::probe(Direction direction) noexcept {
    // Where no event sets the flag again it says nothing.
    if (!side(direction).ready && watched(direction)) return false;
    pollfd wanted{.fd = fd_, .events = static_cast<short>(direction == Direction::in ? POLLIN : POLLOUT), .revents = 0};
    // A failing poll leaves the decision to the system call that follows.
    return side(direction).ready = os::retry_interrupted([&] { return os::calls().poll(&wanted, 1, 0); }) != 0;
}

void IoSource::forget() noexcept {
    forgotten_ = true;
    detach();
}

// --- Reactor ---

namespace {

std::uint64_t next_serial() noexcept {
    static constinit base::Atomic<std::uint64_t> last{0};
    // SAFETY: relaxed; only that no two are alike matters, so it has no partner.
    return last.fetch_add_relaxed(1) + 1;
}

} // namespace

Reactor::Reactor(Executor& executor, std::size_t event_capacity)
    : serial_(next_serial()), executor_(executor), epoll_(os::Epoll::create().value()), events_(event_capacity) {}

Reactor::~Reactor() {
    while (IoSource* source = sources_.front()) remove(*source, true);
}

Result<void> Reactor::add_wakeup(int fd, void (*drain)(void* context) noexcept, void* context) {
    const auto index = static_cast<std::uint32_t>(wakeups_.size());
    wakeups_.push_back({drain, context});
    return epoll_.add(fd, EPOLLIN, token(wakeup_generation, index));
}

Result<void> Reactor::add(IoSource& source, const char* operation) {
    if (free_slots_.empty()) {
        free_slots_.reserve(slots_.size() + 1);
        slots_.push_back({});
        free_slots_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    }
    const std::uint32_t slot = free_slots_.back();
    const bool out = source.out_events_ == OutEvents::always;
    const auto added = epoll_.add(source.fd(), in_events | (out ? EPOLLOUT : 0U), token(slots_[slot].generation, slot));
    if (!added) return Error(added.error().code(), operation);
    free_slots_.pop_back();
    free_slots_.reserve(slots_.size()); // remove() must not allocate
    slots_[slot].source = &source;
    source.slot_ = slot;
    source.reactor_ = this;
    source.out_watched_ = out;
    sources_.push_back(source);
    ++live_;
    return {};
}

void Reactor::remove(IoSource& source, bool deregister) noexcept {
    // A failing removal is harmless: the descriptor is about to be closed, and the generation outdates its events
    // (H-31).
    if (deregister) (void)epoll_.remove(source.fd());
    Slot& slot = slots_[source.slot_];
    slot.source = nullptr;
    if (++slot.generation == wakeup_generation) slot.generation = 0;
    free_slots_.push_back(source.slot_);
    source.reactor_ = nullptr;
    source.unlink();
    --live_;
    for (IoSource::Side* side : {&source.in_, &source.out_}) {
        // Its wait is over, even if the source is registered again before it runs.
        if (detail::Task* waiter = std::exchange(side->waiter, nullptr); waiter != nullptr) executor_.wake(*waiter);
    }
}

Result<void> Reactor::watch_out(IoSource& source, bool on, const char* operation) noexcept {
    const auto changed = epoll_.modify(source.fd(), in_events | (on ? EPOLLOUT : 0U),
                                       token(slots_[source.slot_].generation, source.slot_));
    if (!changed) return Error(changed.error().code(), operation);
    source.out_watched_ = on; // what is ready at this moment is reported again, so that no edge is missed
    return {};
}

std::size_t Reactor::poll(int timeout_ms) {
    const std::size_t count = epoll_.wait(events_, timeout_ms).value();
    for (std::size_t i = 0; i < count; ++i) dispatch(events_[i]);
    return count;
}

void Reactor::dispatch(const epoll_event& event) noexcept {
    const auto generation = static_cast<std::uint32_t>(event.data.u64 >> 32);
    const auto index = static_cast<std::uint32_t>(event.data.u64);
    if (generation == wakeup_generation) {
        wakeups_[index].drain(wakeups_[index].context);
        return;
    }
    const Slot& slot = slots_[index];
    if (slot.generation != generation || slot.source == nullptr) return;
    IoSource& source = *slot.source;
    const std::uint32_t seen = event.events;
    if ((seen & EPOLLRDHUP) != 0) source.peer_closed_ = true;
    if ((seen & EPOLLHUP) != 0) source.hung_up_ = true;
    if ((seen & EPOLLERR) != 0) source.failed_ = true;
    if ((seen & EPOLLPRI) != 0) source.urgent_ = true;
    if ((seen & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        source.in_.ready = true;
        if (source.in_.waiter != nullptr) executor_.wake(*source.in_.waiter);
    }
    if ((seen & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
        source.out_.ready = true;
        if (source.out_.waiter != nullptr) {
            executor_.wake(*source.out_.waiter);
        } else if (source.out_events_ == OutEvents::on_demand && source.out_watched_) {
            (void)watch_out(source, false, "epoll modify"); // going on to watch is no more than a cost
        }
    }
}

} // namespace nexus
