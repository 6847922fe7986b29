// nexus::mpsc::channel: a bounded queue from any thread to one fiber (CH-1 to CH-9, CH-MP-1 to CH-MP-8).
//
// Cross-thread: Senders may be used, copied and destroyed on any thread; the Receiver belongs to one thread at a time
// and may be moved to another while nobody waits on it. Made anywhere, also outside a runtime (unlike CH-1), and may
// outlive every runtime. try_ forms never suspend and work on threads without a runtime; the waiting forms are for
// fibers, of any runtime. Nothing allocates but channel(). Values arrive exactly once, those of one sender in order. A
// send() that waits is served in turn, and try_send() says full while one waits: nobody is overtaken (H-23). The end is
// told by dropping the other side: without senders the receiver gets what is buffered, then errc::closed; without
// receiver every send fails with errc::closed, and what was on its way is destroyed at once. Cost: sending and
// receiving take no lock unless a sender has to wait for room.
#pragma once

#include "nexus/exec/scope.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/mpsc_state.hpp"
#include "nexus/sync/detail/receiver_iterator.hpp"

#include <concepts>
#include <iterator>
#include <memory>
#include <utility>

namespace nexus::mpsc {

template <class T>
class Sender;
template <class T>
class Receiver;
template <class T>
struct Channel;

/// Makes a channel with room for `capacity` values, rounded up to a power of two. Throws UsageError for 0 (CH-2).
template <class T>
[[nodiscard]] Channel<T> channel(std::size_t capacity);

/// The sending end; any thread. An empty one (default-made or moved from) may only be assigned to and destroyed.
template <class T>
class Sender {
public:
    Sender() noexcept = default;
    Sender(const Sender& other) noexcept : state_(other.state_) {
        if (state_ != nullptr) state_->add_sender();
    }
    Sender(Sender&& other) noexcept = default;
    Sender& operator=(Sender other) noexcept {
        state_.swap(other.state_);
        return *this;
    }
    ~Sender() {
        if (state_ != nullptr) state_->drop_sender();
    }

    /// Suspends until there is room; throws UsageError on a thread without a runtime. Fails with errc::closed, or with
    /// timed_out or cancelled (rule 5); then `value` has not been moved from.
    [[nodiscard]] Result<void> send(T&& value) const {
        Executor& executor = Executor::of_current_fiber("send");
        if (auto end = detail::enter_wait(executor, "send"); end != detail::WaitEnd::ready) [[unlikely]] {
            return detail::channel_error(end, "send");
        }
        if (state_->closed()) [[unlikely]]
            return detail::channel_error(errc::closed, "send");
        if (state_->try_push(value)) return {};
        return send_later(executor, value);
    }
    [[nodiscard]] Result<void> send(const T& value) const requires std::copy_constructible<T> { return send(T(value)); }
    /// The same with a limit: fails with errc::timed_out when it has passed.
    [[nodiscard]] Result<void> send_for(Duration limit, T&& value) const {
        return timeout(limit, [&] { return send(std::move(value)); });
    }
    [[nodiscard]] Result<void> send_until(TimePoint deadline, T&& value) const {
        return timeout_at(deadline, [&] { return send(std::move(value)); });
    }

    /// Any thread; never suspends. Fails with errc::closed or errc::full; then `value` has not been moved from.
    [[nodiscard]] Result<void> try_send(T&& value) const {
        if (state_->closed()) [[unlikely]]
            return detail::channel_error(errc::closed, "try_send");
        if (!state_->try_push(value)) [[unlikely]]
            return detail::channel_error(errc::full, "try_send");
        return {};
    }
    [[nodiscard]] Result<void> try_send(const T& value) const requires std::copy_constructible<T> {
        return try_send(T(value));
    }

    /// The receiver is gone: every send fails.
    [[nodiscard]] bool is_closed() const noexcept { return state_->closed(); }
    /// Any thread. Values that wait to be received; room in all; and the most that waited: exact when a sender found
    /// the channel full, else as seen at every sixteenth receive.
    [[nodiscard]] std::size_t depth() const noexcept { return state_->depth(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return state_->high_water(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return state_->capacity(); }

private:
    using State = detail::MpscState<T>;
    friend Channel<T> channel<T>(std::size_t capacity);
    explicit Sender(std::shared_ptr<State> state) noexcept : state_(std::move(state)) { state_->add_sender(); }

    [[nodiscard]] Result<void> send_later(Executor& executor, T& value) const {
        struct Node : State::SendWaiter {
            Node(std::shared_ptr<State> in, T& offered)
                : State::SendWaiter(offered, Waker::of_current()), state(std::move(in)) {
                state->link(*this);
            }
            ~Node() {
                if (!left) (void)state->withdraw(*this);
            }
            std::shared_ptr<State> state; ///< whatever happens to this Sender meanwhile
            bool left = false;            ///< nobody else knows the node any more
        } node(state_, value);
        const detail::WaitEnd end = detail::park_until(executor, "send", true, [&node] {
            if (!node.left) node.left = node.state->settle(node);
            return node.left;
        });
        // Served while the wait was ended: the value is on its way, and that is what counts.
        if (!node.left && node.state->withdraw(node)) node.left = true;
        if (node.served) return {};
        return detail::channel_error(node.left ? errc::closed : detail::to_errc(end), "send");
    }

    std::shared_ptr<State> state_;
};

/// The receiving end. One fiber receives at a time: recv() while another fiber is in recv() or select() throws
/// UsageError. An empty one (default-made or moved from) may only be assigned to and destroyed.
template <class T>
class Receiver {
public:
    Receiver() noexcept = default;
    Receiver(Receiver&& other) noexcept = default;
    Receiver& operator=(Receiver other) noexcept {
        state_.swap(other.state_);
        return *this;
    }
    ~Receiver() {
        if (state_ != nullptr) state_->drop_receiver();
    }

    /// Suspends until there is a value. Fails with errc::closed after the last value of the last sender, or when
    /// another fiber destroys or replaces this Receiver meanwhile, or with timed_out or cancelled (rule 5); a failed
    /// call has taken nothing.
    [[nodiscard]] Result<T> recv() {
        Executor& executor = Executor::of_current_fiber("recv");
        if (auto end = detail::enter_wait(executor, "recv"); end != detail::WaitEnd::ready) [[unlikely]] {
            return detail::channel_error(end, "recv");
        }
        if (state_->receiving()) [[unlikely]]
            detail::throw_second_receiver("recv");
        std::optional<T> value;
        if (state_->pop(value)) return std::move(*value);
        return recv_later(executor, value);
    }
    [[nodiscard]] Result<T> recv_for(Duration limit) {
        return timeout(limit, [this] { return recv(); });
    }
    [[nodiscard]] Result<T> recv_until(TimePoint deadline) {
        return timeout_at(deadline, [this] { return recv(); });
    }
    /// Never suspends. Fails with errc::empty or errc::closed.
    [[nodiscard]] Result<T> try_recv() {
        std::optional<T> value;
        bool ended = false;
        (void)state_->try_receive(value, ended);
        if (value) return std::move(*value);
        return detail::channel_error(ended ? errc::closed : errc::empty, "try_recv");
    }

    /// for (T value : receiver): until every sender is gone or the scope ends. Each step is a recv().
    [[nodiscard]] auto begin() { return detail::ReceiverIterator<Receiver, T>(*this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// As in Sender.
    [[nodiscard]] std::size_t depth() const noexcept { return state_->depth(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return state_->high_water(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return state_->capacity(); }

    /// For select().
    [[nodiscard]] const std::shared_ptr<detail::MpscState<T>>& state() const noexcept { return state_; }

private:
    using State = detail::MpscState<T>;
    friend Channel<T> channel<T>(std::size_t capacity);
    explicit Receiver(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

    [[nodiscard]] Result<T> recv_later(Executor& executor, std::optional<T>& value) {
        struct Receiving {
            explicit Receiving(std::shared_ptr<State> in) : state(std::move(in)) { state->begin_receiving("recv"); }
            Receiving(const Receiving&) = delete;
            Receiving& operator=(const Receiving&) = delete;
            ~Receiving() { state->end_receiving(); }
            std::shared_ptr<State> state; ///< whatever happens to this Receiver meanwhile
        } receiving(state_);
        State& state = *receiving.state;
        bool ended = false;
        const detail::WaitEnd end = detail::park_until(executor, "recv", true, [&] {
            return value || ended || state.try_receive(value, ended) ||
                   state.receive_after_arming(value, ended, detail::TaskReference::of_current(executor));
        });
        if (value) return std::move(*value);
        return detail::channel_error(end == detail::WaitEnd::ready ? errc::closed : detail::to_errc(end), "recv");
    }

    std::shared_ptr<State> state_;
};

/// Both ends: auto [tx, rx] = mpsc::channel<int>(1024).
template <class T>
struct Channel {
    Sender<T> sender;
    Receiver<T> receiver;
};

template <class T>
Channel<T> channel(std::size_t capacity) {
    auto state = std::make_shared<detail::MpscState<T>>(capacity);
    return {Sender<T>(state), Receiver<T>(state)};
}

} // namespace nexus::mpsc
