// nexus::broadcast::channel: every message to every receiver; who is too slow is told exactly what it missed.
//
// Defaults: one thread (docs/decisions/0032 says how messages cross threads); made anywhere, also outside a runtime,
// and may outlive it; each waiter is woken on its own executor. The channel keeps the newest `capacity` messages.
// Sending never waits: a receiver that is further behind than that loses the oldest, and its next message says how many
// those were. Messages arrive in order, each at most once. The end is told by dropping the senders: a receiver gets
// what it has not read, then errc::closed. Each receiver gets a copy, the last one the message itself; what everybody
// has read is destroyed. Only channel() and subscribe() allocate.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/broadcast_state.hpp"
#include "nexus/sync/detail/receiver_iterator.hpp"

#include <iterator>
#include <utility>

namespace nexus::broadcast {

template <class T>
class Sender;
template <class T>
class Receiver;
template <class T>
struct Channel;

/// Makes a channel that holds `capacity` messages, rounded up to a power of two. Throws UsageError for 0.
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

    /// Gives `value` to every receiver that there is now. Never suspends. Fails with errc::closed when there is none;
    /// then `value` has not been moved from, and subscribe() makes the next one succeed.
    [[nodiscard]] Result<void> send(T&& value) const {
        if (state_->send(value)) [[likely]]
            return {};
        return detail::channel_error(errc::closed, "send");
    }
    [[nodiscard]] Result<void> send(const T& value) const { return send(T(value)); }
    /// A receiver of what is sent from now on. Allocates.
    [[nodiscard]] Receiver<T> subscribe() const { return Receiver<T>(*state_); }

    /// There is no receiver at the moment.
    [[nodiscard]] bool is_closed() const noexcept { return state_->receivers() == 0; }
    [[nodiscard]] std::size_t receivers() const noexcept { return state_->receivers(); }
    /// Messages that some receiver has not read yet, the most there ever were, and how many are kept.
    [[nodiscard]] std::size_t depth() const noexcept { return state_->depth(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return state_->high_water(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return state_->capacity(); }
    /// Messages missed in all: one for each message and receiver that did not get it.
    [[nodiscard]] std::uint64_t missed() const noexcept { return state_->lost(); }

private:
    friend Channel<T> channel<T>(std::size_t capacity);
    explicit Sender(detail::BroadcastState<T>& state) noexcept : state_(&state) { state.add_sender(); }

    detail::BroadcastState<T>* state_ = nullptr;
};

/// A receiving end, at its own pace. One fiber receives at it at a time: recv() while another fiber is in recv() or
/// select() on it throws UsageError. An empty one (default-made or moved from) may only be assigned to and destroyed.
template <class T>
class Receiver {
public:
    Receiver() noexcept = default;
    Receiver(Receiver&& other) noexcept : subscriber_(std::exchange(other.subscriber_, nullptr)) {}
    Receiver& operator=(Receiver other) noexcept {
        std::swap(subscriber_, other.subscriber_);
        return *this;
    }
    ~Receiver() {
        if (subscriber_ != nullptr) subscriber_->drop_receiver();
    }
    /// Another receiver, of what is sent from now on. Allocates.
    [[nodiscard]] Receiver subscribe() const { return Receiver(subscriber_->state()); }

    /// Suspends until there is a message. Fails with errc::closed after the last message of the last sender, or with
    /// timed_out or cancelled (rule 5); a failed call has taken nothing. If copying T throws, nothing is taken either.
    [[nodiscard]] Result<Received<T>> recv() {
        Executor& executor = Executor::of_current_fiber("recv");
        if (auto end = detail::enter_wait(executor, "recv"); end != detail::WaitEnd::ready) [[unlikely]] {
            return detail::channel_error(end, "recv");
        }
        Subscriber& subscriber = *subscriber_;
        subscriber.check_receiver("recv");
        const typename Subscriber::Pin pin(subscriber); // whatever happens to this Receiver meanwhile
        if (!subscriber.has_value()) {
            const detail::WaitEnd end = detail::wait_readable(subscriber, executor, "recv");
            if (end != detail::WaitEnd::ready) return detail::channel_error(end, "recv");
            if (!subscriber.has_value()) return detail::channel_error(errc::closed, "recv");
        }
        return subscriber.take();
    }
    [[nodiscard]] Result<Received<T>> recv_for(Duration limit) {
        return timeout(limit, [this] { return recv(); });
    }
    [[nodiscard]] Result<Received<T>> recv_until(TimePoint deadline) {
        return timeout_at(deadline, [this] { return recv(); });
    }
    /// Never suspends. Fails with errc::empty or errc::closed.
    [[nodiscard]] Result<Received<T>> try_recv() {
        if (subscriber_->has_value()) return subscriber_->take();
        return detail::channel_error(subscriber_->state().ended() ? errc::closed : errc::empty, "try_recv");
    }

    /// for (auto [value, missed] : receiver): until every sender is gone or the scope ends. Each step is a recv().
    [[nodiscard]] auto begin() { return detail::ReceiverIterator<Receiver, Received<T>>(*this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// Messages that this receiver has not read and still can; how many are kept.
    [[nodiscard]] std::size_t depth() const noexcept { return subscriber_->depth(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return subscriber_->state().capacity(); }
    /// The most that some receiver had not read.
    [[nodiscard]] std::size_t high_water() const noexcept { return subscriber_->state().high_water(); }
    /// Messages that this receiver has missed up to now, those of which its next message will tell included.
    [[nodiscard]] std::uint64_t missed() const noexcept { return subscriber_->missed(); }

    /// For select().
    [[nodiscard]] detail::BroadcastSubscriber<T>* subscriber() const noexcept { return subscriber_; }

private:
    using Subscriber = detail::BroadcastSubscriber<T>;
    friend class Sender<T>;
    explicit Receiver(detail::BroadcastState<T>& state) : subscriber_(new Subscriber(state)) {}

    Subscriber* subscriber_ = nullptr;
};

/// Both ends, the receiver being the first of many: auto [tx, rx] = broadcast::channel<Trade>(1024).
template <class T>
struct Channel {
    Sender<T> sender;
    Receiver<T> receiver;
};

template <class T>
Channel<T> channel(std::size_t capacity) {
    Sender<T> sender(*new detail::BroadcastState<T>(capacity));
    Receiver<T> receiver = sender.subscribe(); // if this throws, the sender takes the state with it
    return {std::move(sender), std::move(receiver)};
}

} // namespace nexus::broadcast
