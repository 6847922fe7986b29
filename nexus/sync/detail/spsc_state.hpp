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

/// One side's wait. A side that has moved many values since it last parked is in a stream and likely to see another one
/// at once, so it looks again for a microsecond or two before it parks, turn by turn: a wake costs both sides far more.
/// Any side gives way once to fibers that are ready, because the other side may be one of them.
class Patience {
public:
    /// None: parks at once.
    Patience() noexcept = default;
    /// `moved` values so far, `at_last_park` of them when this side parked last.
    Patience(std::uint64_t moved, std::uint64_t& at_last_park) noexcept
        : moved_(moved), at_last_park_(&at_last_park), turns_(moved - at_last_park >= stream ? turns_in_stream : 1),
          streams_(turns_ > 1) {}
    /// True when the fiber should take a turn, false when it should park.
    [[nodiscard]] bool lasts(bool others_are_ready) noexcept {
        if (turns_ != 0 && (streams_ || others_are_ready)) {
            --turns_;
            return true;
        }
        if (at_last_park_ != nullptr) *at_last_park_ = moved_;
        return false;
    }

private:
    static constexpr std::uint64_t stream = 16;
    static constexpr unsigned turns_in_stream = 64;

    std::uint64_t moved_ = 0;
    std::uint64_t* at_last_park_ = nullptr;
    unsigned turns_ = 0;
    bool streams_ = false;
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
    [[nodiscard]] std::uint64_t pushed() const noexcept { return ring_.pushed(); }
    [[nodiscard]] Patience sender_patience() noexcept { return {ring_.pushed(), sent_at_last_park_}; }

    // --- the receiver's side ---

    [[nodiscard]] bool sender_gone() const noexcept { return sender_gone_.load_acquire(); } // partner: drop_sender()
    /// The oldest value, null when there is none.
    [[nodiscard]] T* front() noexcept { return ring_.front(); }
    /// Lets go of the oldest value, which has been moved from; its room is for the sender.
    void drop_front() noexcept {
        ring_.drop_front();
        sender_.wake_after_publish();
    }
    /// Looks for a value, and once more when the sender is gone: it may have sent and left in between (H-35). True when
    /// there is one, or when `end` has come, or this end has been given up.
    [[nodiscard]] bool receivable(bool& end) noexcept {
        if (front() != nullptr) return true;
        if (!sender_gone() && !receiver_gone()) return false;
        end = front() == nullptr;
        return true;
    }
    /// Arms, then looks: what came before the slot was armed woke nobody (H-22).
    [[nodiscard]] Look receivable_after_arming(bool& end, Pointer me) noexcept {
        return arm_then(receiver_, me, [&] { return receivable(end); });
    }
    /// select(): the same, whichever it is.
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
        ring_.clear();
    }
    [[nodiscard]] Patience receiver_patience() noexcept { return {ring_.popped(), received_at_last_park_}; }

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
    alignas(64) std::uint64_t sent_at_last_park_ = 0;
    bool sending_ = false;
    alignas(64) std::uint64_t received_at_last_park_ = 0;
    bool receiving_ = false;
};

} // namespace nexus::detail
