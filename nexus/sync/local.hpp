// nexus::local::channel: a bounded queue between fibers of one thread (CH-1 to CH-9, CH-LOC-1 to CH-LOC-9).
//
// Defaults: one thread; made anywhere, also before or outside a runtime (unlike CH-1), and may outlive it; each waiter
// is woken on its own executor. try_ forms never suspend and work outside fibers. Nothing allocates but channel().
// Values arrive exactly once, in the order in which they were accepted. A send() that waits is served in turn: when
// room appears its value is moved in for it, so later ones cannot overtake it. The end is told by dropping the other
// side: without senders the receiver gets what is buffered, then errc::closed; without receiver every send fails with
// errc::closed, and what is buffered is destroyed.
#pragma once

#include "nexus/exec/scope.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/local_state.hpp"
#include "nexus/sync/detail/receiver_iterator.hpp"

#include <concepts>
#include <iterator>
#include <utility>

namespace nexus::local {

template <class T>
class Sender;
template <class T>
class Receiver;
template <class T>
struct Channel;

/// Makes a channel with room for `capacity` values, rounded up to a power of two. Throws UsageError for 0 (CH-2).
template <class T>
[[nodiscard]] Channel<T> channel(std::size_t capacity);

/// The sending end; copies send into the same channel. An empty one (default-made or moved from) may only be assigned
/// to and destroyed.
template <class T>
class Sender {
public:
    Sender() noexcept = default;
    Sender(const Sender& other) noexcept : state_(other.state_) {
        if (state_ != nullptr) state_->add_sender();
    }
    Sender(Sender&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    Sender& operator=(Sender other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~Sender() {
        if (state_ != nullptr) state_->drop_sender();
    }

    /// Suspends until there is room. Fails with errc::closed, or with timed_out or cancelled (rule 5); then `value` has
    /// not been moved from.
    [[nodiscard]] Result<void> send(T&& value) const {
        Executor& executor = Executor::of_current_fiber("send");
        if (auto end = detail::enter_wait(executor, "send"); end != detail::WaitEnd::ready) [[unlikely]] {
            return detail::channel_error(end, "send");
        }
        State& state = *state_;
        if (state.receiver_gone()) [[unlikely]]
            return detail::channel_error(errc::closed, "send");
        if (!state.has_room() || state.someone_waits_for_room()) return send_later(executor, value);
        state.push(std::move(value));
        return {};
    }
    [[nodiscard]] Result<void> send(const T& value) const requires std::copy_constructible<T> { return send(T(value)); }
    /// The same with a limit: fails with errc::timed_out when it has passed.
    [[nodiscard]] Result<void> send_for(Duration limit, T&& value) const {
        return timeout(limit, [&] { return send(std::move(value)); });
    }
    [[nodiscard]] Result<void> send_until(TimePoint deadline, T&& value) const {
        return timeout_at(deadline, [&] { return send(std::move(value)); });
    }

    /// Never suspends. Fails with errc::closed or errc::full; then `value` has not been moved from.
    [[nodiscard]] Result<void> try_send(T&& value) const {
        State& state = *state_;
        if (state.receiver_gone()) [[unlikely]]
            return detail::channel_error(errc::closed, "try_send");
        if (!state.has_room()) [[unlikely]]
            return detail::channel_error(errc::full, "try_send");
        state.push(std::move(value));
        return {};
    }
    [[nodiscard]] Result<void> try_send(const T& value) const requires std::copy_constructible<T> {
        return try_send(T(value));
    }

    /// The receiver is gone: every send fails.
    [[nodiscard]] bool is_closed() const noexcept { return state_->receiver_gone(); }
    /// Values that wait to be received, the most there ever were, and room in all.
    [[nodiscard]] std::size_t depth() const noexcept { return state_->depth(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return state_->high_water(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return state_->capacity(); }

    /// For select().
    [[nodiscard]] detail::LocalState<T>* state() const noexcept { return state_; }

private:
    using State = detail::LocalState<T>;
    friend Channel<T> channel<T>(std::size_t capacity);
    explicit Sender(State& state) noexcept : state_(&state) { state.add_sender(); }

    [[nodiscard]] Result<void> send_later(Executor& executor, T& value) const {
        struct Node : State::RoomWaiter {
            Node(State& in, Executor& on, T& offered) noexcept : State::RoomWaiter(on, &offered), pin(in), state(in) {
                state.link(*this);
            }
            ~Node() { state.leave(*this, false); }
            typename State::Pin pin;
            State& state;
        } node(*state_, executor, value);
        const detail::WaitEnd end = detail::park_until(executor, "send", true, [&node] {
            if (node.state.receiver_gone()) return true;
            node.state.serve(); // takes what a leaver left for us
            return node.served;
        });
        if (node.served) return {};
        return detail::channel_error(end == detail::WaitEnd::ready ? errc::closed : detail::to_errc(end), "send");
    }

    State* state_ = nullptr;
};

/// The receiving end. One fiber receives at a time: recv() while another fiber is in recv() or select() throws
/// UsageError. An empty one (default-made or moved from) may only be assigned to and destroyed.
template <class T>
class Receiver {
public:
    Receiver() noexcept = default;
    Receiver(Receiver&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    Receiver& operator=(Receiver other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~Receiver() {
        if (state_ != nullptr) state_->drop_receiver();
    }

    /// Suspends until there is a value. Fails with errc::closed after the last value of the last sender, or with
    /// timed_out or cancelled (rule 5); a failed call has taken nothing.
    [[nodiscard]] Result<T> recv() {
        Executor& executor = Executor::of_current_fiber("recv");
        if (auto end = detail::enter_wait(executor, "recv"); end != detail::WaitEnd::ready) [[unlikely]] {
            return detail::channel_error(end, "recv");
        }
        State& state = *state_;
        state.check_receiver("recv");
        if (state.has_value()) return state.take();
        return recv_later(executor);
    }
    [[nodiscard]] Result<T> recv_for(Duration limit) {
        return timeout(limit, [this] { return recv(); });
    }
    [[nodiscard]] Result<T> recv_until(TimePoint deadline) {
        return timeout_at(deadline, [this] { return recv(); });
    }
    /// Never suspends. Fails with errc::empty or errc::closed.
    [[nodiscard]] Result<T> try_recv() {
        State& state = *state_;
        if (state.has_value()) return state.take();
        return detail::channel_error(state.ended() ? errc::closed : errc::empty, "try_recv");
    }

    /// for (T value : receiver): until every sender is gone or the scope ends. Each step is a recv().
    [[nodiscard]] auto begin() { return detail::ReceiverIterator<Receiver, T>(*this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// As in Sender.
    [[nodiscard]] std::size_t depth() const noexcept { return state_->depth(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return state_->high_water(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return state_->capacity(); }

    /// For select().
    [[nodiscard]] detail::LocalState<T>* state() const noexcept { return state_; }

private:
    using State = detail::LocalState<T>;
    friend Channel<T> channel<T>(std::size_t capacity);
    explicit Receiver(State& state) noexcept : state_(&state) { state.add_receiver(); }

    [[nodiscard]] Result<T> recv_later(Executor& executor) {
        struct Node : detail::LocalWaiter {
            Node(State& in, Executor& on) noexcept : detail::LocalWaiter(on), pin(in), state(in) {
                state.set_receiver(this);
            }
            ~Node() { state.set_receiver(nullptr); }
            typename State::Pin pin;
            State& state;
        } node(*state_, executor);
        State& state = node.state;
        const detail::WaitEnd end = detail::park_until(
            executor, "recv", true, [&state] { return state.has_value() || state.ended() || state.receiver_gone(); });
        if (end != detail::WaitEnd::ready) return detail::channel_error(end, "recv");
        if (!state.has_value()) return detail::channel_error(errc::closed, "recv");
        state.set_receiver(nullptr); // what take() lets in must not wake this fiber
        return state.take();
    }

    State* state_ = nullptr;
};

/// Both ends: auto [tx, rx] = local::channel<int>(16).
template <class T>
struct Channel {
    Sender<T> sender;
    Receiver<T> receiver;
};

template <class T>
Channel<T> channel(std::size_t capacity) {
    auto* state = new detail::LocalState<T>(capacity);
    return {Sender<T>(*state), Receiver<T>(*state)};
}

} // namespace nexus::local
