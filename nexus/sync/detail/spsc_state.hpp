// The shared state of a channel with one sender and one receiver, each on a thread of its own.
//
// Values go through a ring; there is no lock. Each side has a slot in which it waits for the other and a flag that it
// is gone. Invariants: `sender_gone_` is set after the last push, `receiver_gone_` before what is buffered is
// destroyed; `sending_` belongs to the sender's thread, `receiving_` to the receiver's. A side that looks in vain arms
// its slot and looks once more (H-22); one that sees the other gone looks once more as well (H-35).
#pragma once

#include "nexus/sync/detail/asymmetric_slot.hpp"
#include "nexus/sync/detail/spsc_ring.hpp"
#include "nexus/sync/detail/task_reference.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace nexus::detail {

[[noreturn]] void throw_second_receiver(const char* operation);
[[noreturn]] void throw_second_sender(const char* operation);

/// What came of a look at the channel by a fiber that wants to go on.
enum class Look : std::uint8_t {
    done,  ///< there is something, or the other side is gone
    park,  ///< nothing; the slot is armed, so the fiber may suspend
    again, ///< nothing; the fiber has to look again and must not wait for a wake
};

template <class T, class Parking = TaskReference>
class BasicSpscState {
    using Backend = typename Parking::Backend;

public:
    using Slot = BasicAsymmetricSlot<Backend, Parking>;
    using Pointer = typename Parking::Pointer;

    /// See BasicAsymmetricSlot for `may_be_quiet`. Throws UsageError for capacity 0.
    BasicSpscState(std::size_t capacity, bool may_be_quiet)
        : ring_(capacity), receiver_(may_be_quiet), sender_(may_be_quiet) {}

    // --- the sender's side ---

    [[nodiscard]] bool receiver_gone() const noexcept {
        return receiver_gone_.load_acquire();
    } // partner: drop_receiver()
    /// Moves from `value` only when there is room; true then.
    [[nodiscard]] bool try_push(T& value) noexcept {
        if (!ring_.try_push(value)) [[unlikely]] {
            note_full();
            return false;
        }
        receiver_.wake_after_publish();
        return true;
    }
    [[nodiscard]] bool writable() noexcept { return receiver_gone() || ring_.has_room(); }
    /// True when the receiver is gone, or `value` has been sent, or this end has been given up: `sent` says which.
    [[nodiscard]] bool try_send(T& value, bool& sent) noexcept {
        if (receiver_gone() || sender_gone()) return true;
        sent = try_push(value);
        return sent;
    }
    /// Arms, then try_send(): room that came before the slot was armed woke nobody (H-22).
    [[nodiscard]] Look send_after_arming(T& value, bool& sent, Pointer me) noexcept {
        return arm_then(sender_, me, [&] { return try_send(value, sent); });
    }
    /// The same for who only wants to know of room.
    [[nodiscard]] Look writable_after_arming(Pointer me) noexcept {
        return arm_then(sender_, me, [this] { return writable(); });
    }
    [[nodiscard]] bool sending() const noexcept { return sending_; }
    /// Throws UsageError when another fiber waits for room.
    void begin_sending(const char* operation) {
        if (sending_) throw_second_sender(operation);
        sending_ = true;
    }
    void end_sending() noexcept {
        sending_ = false;
        sender_.disarm();
    }
    /// No value comes after this.
    void drop_sender() noexcept {
        sender_gone_.store_release(true); // partner: sender_gone(): who sees it sees all that was pushed
        receiver_.wake_after_publish();
        sender_.recall(); // a fiber of this thread may be in send(): it ends with errc::closed
    }
    /// How many values were sent since the last call: how busy the stream is.
    [[nodiscard]] std::uint64_t sent_since_wait() noexcept {
        return ring_.pushed() - std::exchange(sent_at_last_wait_, ring_.pushed());
    }

    // --- the receiver's side ---

    [[nodiscard]] bool sender_gone() const noexcept { return sender_gone_.load_acquire(); } // partner: drop_sender()
    /// Puts the oldest value into `value`, which is empty; false when there is none.
    [[nodiscard]] bool pop(std::optional<T>& value) noexcept {
        if (!ring_.try_pop([&value](T&& oldest) noexcept { value.emplace(std::move(oldest)); })) return false;
        sender_.wake_after_publish();
        return true;
    }
    /// pop(), and once more when the sender is gone: it may have sent and left in between (H-35). True when there is a
    /// value, now in `value`, or when `end` has come, or this end has been given up.
    [[nodiscard]] bool try_receive(std::optional<T>& value, bool& end) noexcept {
        if (pop(value)) return true;
        if (!sender_gone() && !receiver_gone()) return false;
        end = !pop(value);
        return true;
    }
    /// Arms, then try_receive(): what came before the slot was armed woke nobody (H-22).
    [[nodiscard]] Look receive_after_arming(std::optional<T>& value, bool& end, Pointer me) noexcept {
        return arm_then(receiver_, me, [&] { return try_receive(value, end); });
    }
    /// select(): the same without taking anything.
    [[nodiscard]] bool readable() noexcept { return ring_.has_value() || sender_gone() || receiver_gone(); }
    [[nodiscard]] Look readable_after_arming(Pointer me) noexcept {
        return arm_then(receiver_, me, [this] { return readable(); });
    }
    [[nodiscard]] bool receiving() const noexcept { return receiving_; }
    /// Throws UsageError when another fiber receives.
    void begin_receiving(const char* operation) {
        if (receiving_) throw_second_receiver(operation);
        receiving_ = true;
    }
    void end_receiving() noexcept {
        receiving_ = false;
        receiver_.disarm();
    }
    /// Every send fails from here on; what is buffered is destroyed.
    void drop_receiver() noexcept {
        receiver_gone_.store_release(true); // partner: receiver_gone()
        sender_.wake_after_publish();
        receiver_.recall(); // a fiber of this thread may be in recv(): it ends with errc::closed
        while (ring_.try_pop([](T&& /*unread*/) noexcept {})) {}
    }
    [[nodiscard]] std::uint64_t received_since_wait() noexcept {
        return ring_.popped() - std::exchange(received_at_last_wait_, ring_.popped());
    }

    // --- any thread: figures ---

    [[nodiscard]] std::size_t depth() const noexcept { return ring_.depth(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return ring_.capacity(); }
    [[nodiscard]] std::size_t high_water() const noexcept {
        // SAFETY: relaxed; figures for people.
        return found_full_.load_relaxed() ? ring_.capacity() : ring_.most_seen();
    }

private:
    template <class Try>
    [[nodiscard]] static Look arm_then(Slot& slot, Pointer me, Try&& look) noexcept {
        const bool armed = slot.arm(me);
        if (look()) return Look::done;
        return armed ? Look::park : Look::again;
    }
    void note_full() noexcept {
        // SAFETY: relaxed; only the sender writes it, a figure for people. A line that is read is not written again.
        if (!found_full_.load_relaxed()) found_full_.store_relaxed(true);
    }

    BasicSpscRing<T, Backend> ring_;
    // The receiver waits in the one, the sender in the other; on lines of their own, because the publisher counts
    // there.
    alignas(64) Slot receiver_;
    alignas(64) Slot sender_;
    // Written once or seldom, read at every send and receive.
    alignas(64) typename Backend::template Atomic<bool> sender_gone_{false}; // partners: drop_sender(), sender_gone()
    typename Backend::template Atomic<bool> receiver_gone_{false}; // partners: drop_receiver(), receiver_gone()
    typename Backend::template Atomic<bool> found_full_{false};    // partners: note_full(), high_water()
    // The sender's own, then the receiver's.
    alignas(64) std::uint64_t sent_at_last_wait_ = 0;
    bool sending_ = false;
    alignas(64) std::uint64_t received_at_last_wait_ = 0;
    bool receiving_ = false;
};

} // namespace nexus::detail
