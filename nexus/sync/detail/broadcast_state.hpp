// The shared state of a broadcast channel: the newest messages, and where each receiver is. One thread.
//
// Positions only grow; message p lies in slot p modulo the capacity until message p + capacity takes its place or its
// last reader has it. Invariants: `unread` of a slot counts the receivers that have not taken its message, and it holds
// one exactly while that is not 0; these are the slots from `oldest_` to `tail_`, because a receiver that lacks a
// message lacks all later ones too. A receiver at position p has missed the messages from p to tail_ - capacity.
#pragma once

#include "nexus/base/usage_error.hpp"
#include "nexus/sync/detail/subscriber.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace nexus::broadcast {

/// A message, and how many this receiver lost right before it because it was too slow. Usually 0; never to be ignored
/// by who needs every message: auto [value, missed] = ...
template <class T>
struct Received {
    T value;
    std::uint64_t missed;
};

} // namespace nexus::broadcast

namespace nexus::detail {

template <class T>
class BroadcastState : public Counted<BroadcastState<T>> {
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_copy_constructible_v<T>,
                  "a broadcast gives each receiver a copy: T needs a copy constructor, and a move constructor that is "
                  "noexcept; send a std::shared_ptr<const T> instead");

public:
    explicit BroadcastState(std::size_t capacity)
        : mask_(checked(capacity) - 1), slots_(std::make_unique<Slot[]>(mask_ + 1)) {}

    void add_sender() noexcept {
        ++senders_;
        this->add_owner();
    }
    /// The last one lets the receivers see the end.
    void drop_sender() noexcept {
        if (--senders_ == 0) waiting_.wake_all();
        this->drop_owner();
    }
    [[nodiscard]] bool ended() const noexcept { return senders_ == 0; }
    void add_receiver() noexcept { ++receivers_; }
    /// A receiver that was at `position` reads no more.
    void drop_receiver(std::uint64_t position) noexcept {
        --receivers_;
        for (std::uint64_t at = first_held(position); at != tail_; ++at) --slot(at).unread;
        discard_read();
    }

    /// Moves from `value` only when there is a receiver; true then.
    [[nodiscard]] bool send(T& value) noexcept {
        if (receivers_ == 0) return false;
        Slot& place = slot(tail_);
        std::optional<T> overwritten; // destroyed last: its destructor may use the channel
        if (place.unread != 0) {
            lost_ += place.unread;
            overwritten.emplace(std::move(*place.value));
            ++oldest_;
        }
        place.value.emplace(std::move(value));
        place.unread = receivers_;
        ++tail_;
        high_water_ = std::max(high_water_, depth());
        waiting_.wake_all();
        return true;
    }
    /// For a receiver at `position`, which is not tail(): its next message; `position` moves behind it. When the copy
    /// throws nothing has changed.
    [[nodiscard]] broadcast::Received<T> take(std::uint64_t& position) {
        const std::uint64_t at = first_held(position);
        const std::uint64_t missed = at - position;
        Slot& place = slot(at);
        if (place.unread == 1) { // the last one that lacks it
            broadcast::Received<T> received{std::move(*place.value), missed};
            position = at + 1;
            --place.unread;
            discard_read();
            return received;
        }
        broadcast::Received<T> received{std::as_const(*place.value), missed};
        position = at + 1;
        --place.unread;
        return received;
    }

    [[nodiscard]] std::uint64_t tail() const noexcept { return tail_; }
    /// The first message from `position` on that is still held.
    [[nodiscard]] std::uint64_t first_held(std::uint64_t position) const noexcept {
        return tail_ - position > capacity() ? tail_ - capacity() : position;
    }
    [[nodiscard]] WaitingSubscribers& waiting() noexcept { return waiting_; }
    [[nodiscard]] std::size_t receivers() const noexcept { return receivers_; }
    [[nodiscard]] std::size_t depth() const noexcept { return static_cast<std::size_t>(tail_ - oldest_); }
    [[nodiscard]] std::size_t high_water() const noexcept { return high_water_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

private:
    struct Slot {
        std::optional<T> value;
        std::uint32_t unread = 0;
    };

    [[nodiscard]] Slot& slot(std::uint64_t position) noexcept { return slots_[position & mask_]; }
    /// Destroys the messages that nobody lacks any more.
    void discard_read() noexcept {
        while (oldest_ != tail_ && slot(oldest_).unread == 0) {
            [[maybe_unused]] const std::optional<T> read = std::exchange(slot(oldest_).value, std::nullopt);
            ++oldest_; // before its destructor runs, which may use the channel
        }
    }
    static std::size_t checked(std::size_t capacity) {
        constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 4 / sizeof(Slot);
        if (capacity == 0) throw UsageError("a channel of capacity 0 was asked for; it must have room for at least 1");
        if (capacity > most) throw UsageError("a channel was asked for that is larger than memory can be");
        return std::bit_ceil(capacity);
    }

    std::size_t mask_;
    std::unique_ptr<Slot[]> slots_;
    std::uint64_t tail_ = 0;
    std::uint64_t oldest_ = 0;
    WaitingSubscribers waiting_;
    std::uint32_t senders_ = 0;
    std::uint32_t receivers_ = 0;
    std::size_t high_water_ = 0;
    std::uint64_t lost_ = 0;
};

template <class T>
class BroadcastSubscriber : public SubscriberBase, public Counted<BroadcastSubscriber<T>> {
public:
    /// Receives what is sent from now on.
    explicit BroadcastSubscriber(BroadcastState<T>& state) noexcept : state_(state), position_(state.tail()) {
        state_.add_owner();
        state_.add_receiver();
        this->add_owner(); // the Receiver
    }
    BroadcastSubscriber(const BroadcastSubscriber&) = delete;
    BroadcastSubscriber& operator=(const BroadcastSubscriber&) = delete;
    ~BroadcastSubscriber() { state_.drop_owner(); }
    /// Its Receiver is destroyed.
    void drop_receiver() noexcept {
        give_up();
        state_.drop_receiver(std::exchange(position_, state_.tail()));
        this->drop_owner();
    }

    [[nodiscard]] BroadcastState<T>& state() const noexcept { return state_; }
    [[nodiscard]] WaitingSubscribers& waiting() const noexcept { return state_.waiting(); }
    [[nodiscard]] bool has_value() const noexcept { return position_ != state_.tail() && !gone(); }
    [[nodiscard]] bool readable() const noexcept { return has_value() || state_.ended() || gone(); }
    /// There is a value.
    [[nodiscard]] broadcast::Received<T> take() {
        broadcast::Received<T> received = state_.take(position_);
        missed_ += received.missed;
        return received;
    }
    [[nodiscard]] std::size_t depth() const noexcept {
        return static_cast<std::size_t>(state_.tail() - state_.first_held(position_));
    }
    /// Up to now, told or not.
    [[nodiscard]] std::uint64_t missed() const noexcept { return missed_ + state_.first_held(position_) - position_; }

private:
    BroadcastState<T>& state_;
    std::uint64_t position_;
    std::uint64_t missed_ = 0;
};

} // namespace nexus::detail
