// nexus::spsc::channel: a bounded queue from one thread to one fiber, for streams (CH-1 to CH-9, CH-SP-1 to CH-SP-3).
//
// Cross-thread: the Sender and the Receiver may be on two threads or on one. Each is used by one thread at a time and
// may be moved to another while nobody waits on it. Made anywhere, also outside a runtime (unlike CH-1), and may
// outlive every runtime. try_ forms never suspend and work on threads without a runtime; the waiting forms are for
// fibers, of any runtime. Nothing allocates but channel(). Values arrive exactly once and in order. The end is told by
// dropping the other side: without sender the receiver gets what is buffered, then errc::closed; without receiver every
// send fails with errc::closed. No locks. In a stream neither side pays for a fence (docs/decisions/0030): a side that
// waits after a thousand values without a wait pays for both, once.
#pragma once

#include "nexus/exec/process_fence.hpp"
#include "nexus/exec/scope.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/receiver_iterator.hpp"
#include "nexus/sync/detail/spsc_wait.hpp"

#include <concepts>
#include <iterator>
#include <memory>
#include <utility>

namespace nexus::spsc {

template <class T>
class Sender;
template <class T>
class Receiver;
template <class T>
struct Channel;

/// Makes a channel with room for `capacity` values, rounded up to a power of two. Throws UsageError for 0 (CH-2).
template <class T>
[[nodiscard]] Channel<T> channel(std::size_t capacity);

/// The sending end. One fiber sends at a time: send() while another fiber waits in send() throws UsageError, and
/// try_send() says full then (CH-SP-3). An empty one (moved from) may only be assigned to and destroyed.
template <class T>
class Sender {
public:
    Sender() noexcept = default;
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
    [[nodiscard]] Result<void> send(T&& value) {
        Executor& executor = Executor::of_current_fiber("send");
        if (auto end = detail::enter_wait(executor, "send"); end != detail::WaitEnd::ready) [[unlikely]] {
            return detail::channel_error(end, "send");
        }
        State& state = *state_;
        if (state.sending()) [[unlikely]]
            detail::throw_second_sender("send");
        if (state.receiver_gone()) [[unlikely]]
            return detail::channel_error(errc::closed, "send");
        if (state.try_push(value)) return {};
        return send_later(executor, value);
    }
    [[nodiscard]] Result<void> send(const T& value) requires std::copy_constructible<T> { return send(T(value)); }
    /// The same with a limit: fails with errc::timed_out when it has passed.
    [[nodiscard]] Result<void> send_for(Duration limit, T&& value) {
        return timeout(limit, [&] { return send(std::move(value)); });
    }
    [[nodiscard]] Result<void> send_until(TimePoint deadline, T&& value) {
        return timeout_at(deadline, [&] { return send(std::move(value)); });
    }

    /// Never suspends. Fails with errc::closed or errc::full; then `value` has not been moved from. A thread without a
    /// runtime that tries again and again is made to pause in between, up to some hundreds of nanoseconds.
    [[nodiscard]] Result<void> try_send(T&& value) {
        State& state = *state_;
        if (state.receiver_gone()) [[unlikely]]
            return detail::channel_error(errc::closed, "try_send");
        if (state.sending() || !state.try_push(value)) [[unlikely]]
            return full();
        return {};
    }
    [[nodiscard]] Result<void> try_send(const T& value) requires std::copy_constructible<T> {
        return try_send(T(value));
    }

    /// The receiver is gone: every send fails.
    [[nodiscard]] bool is_closed() const noexcept { return state_->receiver_gone(); }
    /// Any thread. Values that wait to be received; room in all; and the most that waited: exact when the sender found
    /// the channel full, else as the receiver saw it whenever it had used up what it knew of.
    [[nodiscard]] std::size_t depth() const noexcept { return state_->depth(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return state_->high_water(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return state_->capacity(); }

    /// For select().
    [[nodiscard]] const std::shared_ptr<detail::SpscState<T>>& state() const noexcept { return state_; }

private:
    using State = detail::SpscState<T>;
    friend Channel<T> channel<T>(std::size_t capacity);
    explicit Sender(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

    [[gnu::noinline]] Error full() noexcept {
        if (!Executor::in_fiber()) try_again_.found_full(state_->pushed());
        return detail::channel_error(errc::full, "try_send");
    }
    [[nodiscard]] Result<void> send_later(Executor& executor, T& value) {
        detail::SpscSending<T> sending(state_, "send");
        State& state = sending.state();
        bool over = false;
        bool sent = false;
        const detail::WaitEnd end = detail::park_until(executor, "send", true, [&] {
            over = over || state.try_send(value, sent) ||
                   detail::take_turn_or_arm(executor, sending.patience(),
                                            [&](detail::Task* me) { return state.send_after_arming(value, sent, me); });
            return over;
        });
        if (sent) return {};
        return detail::channel_error(end == detail::WaitEnd::ready ? errc::closed : detail::to_errc(end), "send");
    }

    std::shared_ptr<State> state_;
    detail::TryAgainLater try_again_;
};

/// The receiving end. One fiber receives at a time: recv() while another fiber is in recv() or select() throws
/// UsageError. An empty one (moved from) may only be assigned to and destroyed.
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

    /// Suspends until there is a value. Fails with errc::closed after the last value of the sender, or with timed_out
    /// or cancelled (rule 5); a failed call has taken nothing.
    [[nodiscard]] Result<T> recv() {
        Executor& executor = Executor::of_current_fiber("recv");
        if (auto end = detail::enter_wait(executor, "recv"); end != detail::WaitEnd::ready) [[unlikely]] {
            return detail::channel_error(end, "recv");
        }
        if (state_->receiving()) [[unlikely]]
            detail::throw_second_receiver("recv");
        if (T* oldest = state_->front(); oldest != nullptr) [[likely]]
            return take(*state_, *oldest);
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
        bool ended = false;
        if (state_->receivable(ended) && !ended) return take(*state_, *state_->front());
        return detail::channel_error(ended ? errc::closed : errc::empty, "try_recv");
    }

    /// for (T value : receiver): until the sender is gone or the scope ends. Each step is a recv().
    [[nodiscard]] auto begin() { return detail::ReceiverIterator<Receiver, T>(*this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// As in Sender.
    [[nodiscard]] std::size_t depth() const noexcept { return state_->depth(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return state_->high_water(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return state_->capacity(); }

    /// For select().
    [[nodiscard]] const std::shared_ptr<detail::SpscState<T>>& state() const noexcept { return state_; }

private:
    using State = detail::SpscState<T>;
    friend Channel<T> channel<T>(std::size_t capacity);
    explicit Receiver(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

    [[nodiscard]] static Result<T> take(State& state, T& oldest) noexcept {
        Result<T> taken(std::move(oldest));
        state.drop_front();
        return taken;
    }
    [[nodiscard]] Result<T> recv_later(Executor& executor) {
        detail::SpscReceiving<T> receiving(state_, "recv");
        State& state = receiving.state();
        bool ended = false;
        const detail::WaitEnd end = detail::park_until(executor, "recv", true, [&] {
            return state.receivable(ended) ||
                   detail::take_turn_or_arm(executor, receiving.patience(),
                                            [&](detail::Task* me) { return state.receivable_after_arming(ended, me); });
        });
        if (end != detail::WaitEnd::ready) return detail::channel_error(end, "recv");
        if (ended) return detail::channel_error(errc::closed, "recv");
        return take(state, *state.front());
    }

    std::shared_ptr<State> state_;
};

/// Both ends: auto [tx, rx] = spsc::channel<int>(1024).
template <class T>
struct Channel {
    Sender<T> sender;
    Receiver<T> receiver;
};

template <class T>
Channel<T> channel(std::size_t capacity) {
    auto state = std::make_shared<detail::SpscState<T>>(capacity, detail::enable_process_fence());
    return {Sender<T>(state), Receiver<T>(state)};
}

} // namespace nexus::spsc
