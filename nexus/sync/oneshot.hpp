// nexus::oneshot::channel: one value, once: the answer to a question, the end of a piece of work.
//
// Cross-thread: the Sender and the Receiver may be on two threads or on one; each is used by one thread at a time and
// may be moved to another while nobody waits on it. Made anywhere, also outside a runtime, and may outlive every
// runtime. Sending never waits and works on threads without a runtime. The end is told by dropping the other side: a
// receiver whose sender has gone without a value gets errc::closed, and so does a sender whose receiver has gone. Only
// channel() allocates.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/oneshot_state.hpp"
#include "nexus/sync/detail/park.hpp"

#include <concepts>
#include <memory>
#include <utility>

namespace nexus::oneshot {

template <class T>
class Sender;
template <class T>
class Receiver;
template <class T>
struct Channel;

template <class T>
[[nodiscard]] Channel<T> channel();

/// The sending end. An empty one (default-made or moved from) may only be assigned to and destroyed.
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

    /// Hands the value over. Never suspends. Fails with errc::closed when the receiver is gone; then `value` has not
    /// been moved from. Throws UsageError when a value has been sent already.
    [[nodiscard]] Result<void> send(T&& value) {
        if (state_->sent()) detail::throw_sent_twice();
        if (state_->send(value)) [[likely]]
            return {};
        return detail::channel_error(errc::closed, "send");
    }
    [[nodiscard]] Result<void> send(const T& value) requires std::copy_constructible<T> { return send(T(value)); }

    /// The receiver is gone: nobody wants the value any more.
    [[nodiscard]] bool is_closed() const noexcept { return state_->receiver_gone(); }
    /// Any thread. Values that wait to be received, the most there ever were, and room in all (1).
    [[nodiscard]] std::size_t depth() const noexcept { return state_->depth(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return state_->sent() ? 1 : 0; }
    [[nodiscard]] std::size_t capacity() const noexcept { return 1; }

private:
    friend Channel<T> channel<T>();
    explicit Sender(std::shared_ptr<detail::OneshotState<T>> state) noexcept : state_(std::move(state)) {}

    std::shared_ptr<detail::OneshotState<T>> state_;
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

    /// Suspends until the value comes. Fails with errc::closed when the sender has gone without one, or the value was
    /// received before, or with timed_out or cancelled (rule 5); a failed call has taken nothing.
    [[nodiscard]] Result<T> recv() {
        Executor& executor = Executor::of_current_fiber("recv");
        if (auto end = detail::enter_wait(executor, "recv"); end != detail::WaitEnd::ready) [[unlikely]] {
            return detail::channel_error(end, "recv");
        }
        struct Receiving {
            explicit Receiving(std::shared_ptr<State> in) : state(std::move(in)) { state->begin_receiving("recv"); }
            Receiving(const Receiving&) = delete;
            Receiving& operator=(const Receiving&) = delete;
            ~Receiving() { state->end_receiving(); }
            std::shared_ptr<State> state; ///< whatever happens to this Receiver meanwhile
        } receiving(state_);
        State& state = *receiving.state;
        std::optional<T> value;
        bool ended = false;
        const detail::WaitEnd end = detail::park_until(executor, "recv", true, [&] {
            return value || ended || state.try_receive(value, ended) ||
                   state.receive_after_arming(value, ended, detail::TaskReference::of_current(executor));
        });
        if (value) return std::move(*value);
        return detail::channel_error(end == detail::WaitEnd::ready ? errc::closed : detail::to_errc(end), "recv");
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

    /// As in Sender.
    [[nodiscard]] std::size_t depth() const noexcept { return state_->depth(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return state_->sent() ? 1 : 0; }
    [[nodiscard]] std::size_t capacity() const noexcept { return 1; }

    /// For select().
    [[nodiscard]] const std::shared_ptr<detail::OneshotState<T>>& state() const noexcept { return state_; }

private:
    using State = detail::OneshotState<T>;
    friend Channel<T> channel<T>();
    explicit Receiver(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

    std::shared_ptr<State> state_;
};

/// Both ends: auto [tx, rx] = oneshot::channel<Answer>().
template <class T>
struct Channel {
    Sender<T> sender;
    Receiver<T> receiver;
};

template <class T>
Channel<T> channel() {
    auto state = std::make_shared<detail::OneshotState<T>>();
    return {Sender<T>(state), Receiver<T>(state)};
}

} // namespace nexus::oneshot
