// nexus::watch::channel: the latest value of something, and word of its changes, to any number of fibers.
//
// For settings, connection states, the top of a book: what matters is the newest value, not every one. Defaults: one
// thread (docs/decisions/0032 says how values cross threads); made anywhere, also outside a runtime, and may outlive
// it; each waiter is woken on its own executor. There is always a value. Sending replaces it, never waits and never
// fails. A receiver that waits is told once, however many changes there were meanwhile; it never misses the last one,
// not even when the senders are gone. Only channel() and subscribe() allocate.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/receiver_iterator.hpp"
#include "nexus/sync/detail/watch_state.hpp"

#include <concepts>
#include <iterator>
#include <type_traits>
#include <utility>

namespace nexus::watch {

template <class T>
class Sender;
template <class T>
class Receiver;
template <class T>
struct Channel;

/// Makes a channel that holds `initial`, which counts as seen by its receiver.
template <class T>
[[nodiscard]] Channel<T> channel(T initial);

/// The end that changes the value; copies change the same one. An empty one (default-made or moved from) may only be
/// assigned to and destroyed.
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

    /// Replaces the value and tells every receiver, also when the two are equal. Does not suspend. Works without
    /// receivers: those to come find the value.
    void send(T value) const { state_->replace(std::move(value)); }
    /// Changes the value in place by `change(T&)` and tells every receiver; if it returns a bool, only when that is
    /// true. `change` must not suspend. When it throws, nobody is told, and the value is as it left it.
    template <std::invocable<T&> F>
    void modify(F&& change) const {
        state_->modify(std::forward<F>(change));
    }
    /// The latest value; to be looked at before this fiber suspends.
    [[nodiscard]] const T& latest() const noexcept { return state_->value(); }
    /// A receiver that has seen the latest value. Allocates.
    [[nodiscard]] Receiver<T> subscribe() const { return Receiver<T>(*state_, state_->version()); }

    /// Nobody looks at the moment: there is no receiver.
    [[nodiscard]] bool is_closed() const noexcept { return state_->receivers() == 0; }
    [[nodiscard]] std::size_t receivers() const noexcept { return state_->receivers(); }

private:
    friend Channel<T> channel<T>(T initial);
    explicit Sender(detail::WatchState<T>& state) noexcept : state_(&state) { state.add_sender(); }

    detail::WatchState<T>* state_ = nullptr;
};

/// An end that is told of changes. Each has its own mind of what it has seen. One fiber waits at it at a time: waiting
/// while another fiber is in changed(), recv() or select() on it throws UsageError. An empty one (default-made or moved
/// from) may only be assigned to and destroyed.
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
    /// Another receiver that has seen what this one has. Allocates.
    [[nodiscard]] Receiver clone() const { return Receiver(subscriber_->state(), subscriber_->seen()); }

    /// Suspends until the value has changed since this receiver last saw it, and counts it as seen. Fails with
    /// errc::closed when every sender is gone and the last change has been seen, or with timed_out or cancelled
    /// (rule 5); then nothing counts as seen.
    [[nodiscard]] Result<void> changed() {
        return wait("changed", [](Subscriber& subscriber) {
            subscriber.mark_seen();
            return Result<void>();
        });
    }
    [[nodiscard]] Result<void> changed_for(Duration limit) {
        return timeout(limit, [this] { return changed(); });
    }
    [[nodiscard]] Result<void> changed_until(TimePoint deadline) {
        return timeout_at(deadline, [this] { return changed(); });
    }
    /// Never suspends. Fails with errc::empty, when nothing has changed, or errc::closed.
    [[nodiscard]] Result<void> try_changed() {
        if (!subscriber_->has_change()) return nothing("try_changed");
        subscriber_->mark_seen();
        return {};
    }

    /// changed(), and a copy of the value. If the copy throws, it counts as not seen.
    [[nodiscard]] Result<T> recv() requires std::copy_constructible<T> {
        return wait("recv", [](Subscriber& subscriber) { return copy(subscriber); });
    }
    [[nodiscard]] Result<T> recv_for(Duration limit) requires std::copy_constructible<T> {
        return timeout(limit, [this] { return recv(); });
    }
    [[nodiscard]] Result<T> recv_until(TimePoint deadline) requires std::copy_constructible<T> {
        return timeout_at(deadline, [this] { return recv(); });
    }
    /// Never suspends. Fails with errc::empty, when nothing has changed, or errc::closed.
    [[nodiscard]] Result<T> try_recv() requires std::copy_constructible<T> {
        if (!subscriber_->has_change()) return nothing("try_recv");
        return copy(*subscriber_);
    }
    /// for (T value : receiver): each change seen, until every sender is gone or the scope ends. Each step is a recv().
    [[nodiscard]] auto begin() requires std::copy_constructible<T> {
        return detail::ReceiverIterator<Receiver, T>(*this);
    }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// The latest value, whether seen or not; to be looked at before this fiber suspends. Does not count as seeing.
    [[nodiscard]] const T& latest() const noexcept { return subscriber_->state().value(); }
    /// There is a change that this receiver has not seen.
    [[nodiscard]] bool has_changed() const noexcept { return subscriber_->has_change(); }
    /// Every sender is gone.
    [[nodiscard]] bool is_closed() const noexcept { return subscriber_->state().ended(); }

    /// Values that wait to be seen (0 or 1), the most there ever were, and room in all (1).
    [[nodiscard]] std::size_t depth() const noexcept { return has_changed() ? 1 : 0; }
    [[nodiscard]] std::size_t high_water() const noexcept { return subscriber_->received() || has_changed() ? 1 : 0; }
    [[nodiscard]] std::size_t capacity() const noexcept { return 1; }
    /// Values that came and went before this receiver saw them.
    [[nodiscard]] std::uint64_t skipped() const noexcept { return subscriber_->skipped(); }

    /// For select().
    [[nodiscard]] detail::WatchSubscriber<T>* subscriber() const noexcept { return subscriber_; }

private:
    using Subscriber = detail::WatchSubscriber<T>;
    friend class Sender<T>;
    friend Channel<T> channel<T>(T initial);
    Receiver(detail::WatchState<T>& state, std::uint64_t seen) : subscriber_(new Subscriber(state, seen)) {}

    [[nodiscard]] static Result<T> copy(Subscriber& subscriber) {
        Result<T> value(subscriber.state().value());
        subscriber.mark_seen();
        return value;
    }
    [[nodiscard]] Error nothing(const char* operation) const noexcept {
        return detail::channel_error(is_closed() ? errc::closed : errc::empty, operation);
    }
    template <class Take>
    [[nodiscard]] auto wait(const char* operation, Take&& take) -> std::invoke_result_t<Take, Subscriber&> {
        Executor& executor = Executor::of_current_fiber(operation);
        if (auto end = detail::enter_wait(executor, operation); end != detail::WaitEnd::ready) [[unlikely]] {
            return detail::channel_error(end, operation);
        }
        Subscriber& subscriber = *subscriber_;
        subscriber.check_receiver(operation);
        const typename Subscriber::Pin pin(subscriber); // whatever happens to this Receiver meanwhile
        const detail::WaitEnd end = subscriber.has_change() ? detail::WaitEnd::ready
                                                            : detail::wait_readable(subscriber, executor, operation);
        if (end != detail::WaitEnd::ready) return detail::channel_error(end, operation);
        if (!subscriber.has_change()) return detail::channel_error(errc::closed, operation);
        return take(subscriber);
    }

    Subscriber* subscriber_ = nullptr;
};

/// Both ends: auto [tx, rx] = watch::channel(Settings{}).
template <class T>
struct Channel {
    Sender<T> sender;
    Receiver<T> receiver;
};

template <class T>
Channel<T> channel(T initial) {
    Sender<T> sender(*new detail::WatchState<T>(std::move(initial)));
    Receiver<T> receiver = sender.subscribe(); // if this throws, the sender takes the state with it
    return {std::move(sender), std::move(receiver)};
}

} // namespace nexus::watch
