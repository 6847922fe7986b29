// The reactor: one epoll instance that turns kernel readiness into ready fibers (IO-1 to IO-8).
//
// An IoSource is one file descriptor, registered once and edge-triggered, with one waiter for each direction (H-18).
// Protocol of a wait: try the system call; on EAGAIN clear the direction's flag and wait for it; the first wait
// registers, and registering reports readiness that is there already, so no edge is missed. A source registers
// lazily because it may be made before the runtime and outlive it.
// Invariants: an epoll token is (generation, slot); events of an older generation are dropped; a waiter slot is
// filled only while a fiber is parked on it (H-34); a source is linked in `sources_` exactly while registered.
//
// Owner thread only.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/base/intrusive_list.hpp"
#include "nexus/exec/wait.hpp"
#include "nexus/os/epoll.hpp"

#include <cstdint>
#include <vector>

namespace nexus {

class Reactor;

/// What a wait for I/O waits for.
enum class Direction : std::uint8_t { in, out };

/// When the kernel is asked to tell of room for writing. It tells TCP sockets only after they had none; but UDP and
/// Unix sockets, pipes and eventfds after each message that somebody took, which would wake the loop for nothing.
enum class OutEvents : std::uint8_t {
    always,   ///< from registering on
    on_demand ///< from a wait for it on, until an event comes that nobody waits for
};

class IoSource : public base::ListNode {
public:
    /// `fd` is non-blocking and outlives the source's registration (until forget() or destruction).
    explicit IoSource(int fd, OutEvents out_events = OutEvents::always) noexcept : fd_(fd), out_events_(out_events) {}
    IoSource(const IoSource&) = delete;
    IoSource& operator=(const IoSource&) = delete;
    /// Not while a fiber waits, which looks at it once more: forget() it first and let that fiber run.
    ~IoSource() { forget(); }

    [[nodiscard]] int fd() const noexcept { return fd_; }

    /// True until a system call said EAGAIN; try first, wait after.
    [[nodiscard]] bool ready(Direction direction) const noexcept { return side(direction).ready; }
    /// ready(), made sure of: asks the kernel when the flag is set, because the flag is optimistic, and when no event
    /// would set it. For select().
    [[nodiscard]] bool probe(Direction direction) noexcept;
    /// Call after EAGAIN, before wait().
    void clear_ready(Direction direction) noexcept { side(direction).ready = false; }
    /// Suspends until the direction is ready. Fails with timed_out or cancelled (rule 5), with closed after forget(),
    /// with stopped when the reactor ends meanwhile, or with the error of registering. Throws UsageError when another
    /// fiber waits for the same direction.
    [[nodiscard]] Result<void> wait(Direction direction, const char* operation);

    /// The peer has shut down its sending side (EPOLLRDHUP), or the connection is gone (EPOLLHUP), as last reported.
    [[nodiscard]] bool peer_closed() const noexcept { return peer_closed_; }
    [[nodiscard]] bool hung_up() const noexcept { return hung_up_; }
    /// The kernel reported an error condition; the next system call on the descriptor has it.
    [[nodiscard]] bool failed() const noexcept { return failed_; }

    /// Urgent data was seen: a short read does not mean that nothing is left any more.
    [[nodiscard]] bool urgent() const noexcept { return urgent_; }

    /// Deregisters; fibers parked on the source wake and fail with errc::closed. Before the descriptor is closed.
    void forget() noexcept;

    /// Registers with `reactor`, unless it is registered there. errc::closed after forget(), or the error of
    /// registering. UsageError when another reactor has it. Waits do it by themselves.
    [[nodiscard]] Result<void> attach(Reactor& reactor, const char* operation);
    /// Deregisters, but may be registered again; fibers that wait fail with errc::stopped. UsageError when another
    /// reactor has it.
    void detach_from(const Reactor& reactor, const char* operation);

    /// For select(): registers (if need be) and makes `waiter` the one to wake; null takes it back.
    [[nodiscard]] Result<void> enlist(Direction direction, detail::Task& waiter, const char* operation);
    void delist(Direction direction, const detail::Task& waiter) noexcept;

private:
    friend class Reactor;
    void detach() noexcept;
    struct Side {
        detail::Task* waiter = nullptr;
        bool ready = true;
    };
    /// Whether an event would set the direction's flag.
    [[nodiscard]] bool watched(Direction direction) const noexcept {
        return reactor_ != nullptr && (direction == Direction::in || out_watched_);
    }
    [[nodiscard]] Side& side(Direction direction) noexcept { return direction == Direction::in ? in_ : out_; }
    [[nodiscard]] const Side& side(Direction direction) const noexcept {
        return direction == Direction::in ? in_ : out_;
    }

    int fd_;
    std::uint32_t slot_ = 0;
    Reactor* reactor_ = nullptr;
    Side in_;
    Side out_;
    bool peer_closed_ = false;
    bool hung_up_ = false;
    bool failed_ = false;
    bool forgotten_ = false;
    bool urgent_ = false;
    bool out_watched_ = false;
    OutEvents out_events_;
};

class Reactor {
public:
    /// Throws std::system_error when epoll cannot be had. `event_capacity`: events taken at once.
    Reactor(Executor& executor, std::size_t event_capacity);
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;
    /// Forgets every source.
    ~Reactor();

    /// Adds a descriptor whose events only have to end a sleep (timerfd, eventfd); `drain` is called on each event.
    [[nodiscard]] Result<void> add_wakeup(int fd, void (*drain)(void* context) noexcept, void* context);

    /// Waits for events, at most `timeout_ms` (-1: for ever, 0: only looks), and makes waiters ready. Returns how many
    /// events there were. Throws std::system_error when epoll fails for good.
    std::size_t poll(int timeout_ms);
    [[nodiscard]] int fd() const noexcept { return epoll_.fd(); }
    [[nodiscard]] std::size_t source_count() const noexcept { return live_; }
    /// No other reactor of this process has or had it.
    [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }

private:
    friend class IoSource;
    struct Slot {
        std::uint32_t generation = 0;
        IoSource* source = nullptr;
    };
    struct Wakeup {
        void (*drain)(void* context) noexcept;
        void* context;
    };

    [[nodiscard]] Result<void> add(IoSource& source, const char* operation);
    void remove(IoSource& source, bool deregister) noexcept;
    [[nodiscard]] Result<void> watch_out(IoSource& source, bool on, const char* operation) noexcept;
    void dispatch(const epoll_event& event) noexcept;

    const std::uint64_t serial_;
    Executor& executor_;
    os::Epoll epoll_;
    std::vector<epoll_event> events_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_slots_;
    std::vector<Wakeup> wakeups_;
    base::IntrusiveList<IoSource> sources_;
    std::size_t live_ = 0;
};

} // namespace nexus
