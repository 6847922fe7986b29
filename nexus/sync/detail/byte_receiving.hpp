// The receiver's half of the shared state of a byte channel.
//
// Derived has the other half and says: ended(), no sender is left; drained(), nothing is left either, asked after that;
// room_made() and tell_senders(), wake who waits for room because there is some, or never will be. Slot is where the
// receiver waits. Invariants:
// `receiving_` and `reading_` belong to the receiver's thread; while `reading_`, the oldest record is lent out and
// stays where it is; a side that looks in vain arms its slot and looks once more (H-22), and one that sees the other
// gone looks once more as well (H-35); space is given back first and told of second (H-22).
#pragma once

#include "nexus/sync/detail/spsc_state.hpp"
#include "nexus/sync/detail/task_reference.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace nexus::detail {

[[noreturn]] void throw_second_receiver(const char* operation);
[[noreturn]] void throw_second_read_claim(const char* operation);

/// For slots of both kinds. Arms, then looks: what came before the slot was armed woke nobody (H-22).
template <class Slot, class Try>
[[nodiscard]] Look arm_then_look(Slot& slot, typename Slot::Pointer me, Try&& look) noexcept {
    bool armed = true;
    if constexpr (std::is_void_v<decltype(slot.arm(me))>) {
        slot.arm(me);
    } else {
        armed = slot.arm(me);
    }
    if (look()) return Look::done;
    return armed ? Look::park : Look::again;
}

template <class Derived, class RingType, class Parking, class Slot>
class ByteReceiving {
public:
    using Ring = RingType;
    using Record = typename Ring::Record;
    using Pointer = typename Parking::Pointer;

    // --- receiver ---

    /// The oldest record, lent out with begin_reading(); false when there is none.
    [[nodiscard]] bool try_read(Record& record) noexcept {
        bool freed = false;
        const bool found = ring_.front(record, freed);
        if (freed) derived().room_made(); // also when that is all it found (H-36)
        return found;
    }
    /// True when there is a record, or when the end has come: `end` says which. The last sender may have committed and
    /// left since the first look (H-35).
    [[nodiscard]] bool try_read_or_end(Record& record, bool& end) noexcept {
        if (receiver_gone()) {
            end = true;
            return true;
        }
        if (try_read(record)) return true;
        if (!derived().ended()) return false;
        if (try_read(record)) return true;
        end = derived().drained();
        return end;
    }
    [[nodiscard]] Look read_after_arming(Record& record, bool& end, Pointer me) noexcept {
        return arm_then_look(receiver_, me, [&] { return try_read_or_end(record, end); });
    }
    /// select(): the same without lending anything out.
    [[nodiscard]] bool readable() noexcept {
        Record record;
        bool end = false;
        return try_read_or_end(record, end);
    }
    [[nodiscard]] Look readable_after_arming(Pointer me) noexcept {
        return arm_then_look(receiver_, me, [this] { return readable(); });
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
    /// Throws UsageError when a record is lent out or another fiber receives.
    void check_receiver(const char* operation) const {
        if (reading_) [[unlikely]]
            throw_second_read_claim(operation);
        if (receiving_) [[unlikely]]
            throw_second_receiver(operation);
    }
    void begin_reading() noexcept { reading_ = true; }
    /// Gives the record's space back, then tells who waits for it (H-22).
    void end_reading(const Record& record) noexcept {
        reading_ = false;
        ++given_back_;
        ring_.pop(record);
        derived().room_made();
        const std::shared_ptr<Derived> last = std::move(kept_for_reading_);
    }
    /// Every claim fails from here on. A record that is lent out stays readable.
    void drop_receiver() noexcept {
        receiver_gone_.store_release(true); // partner: receiver_gone()
        derived().tell_senders();
        recall(receiver_); // a fiber of this thread may be in recv(): it ends with errc::closed
    }
    [[nodiscard]] Patience receiver_patience() noexcept { return {given_back_, given_back_at_last_park_}; }
    [[nodiscard]] bool reading() const noexcept { return reading_; }
    /// Until the record that is lent out comes back.
    void keep_for_reading(std::shared_ptr<Derived> self) noexcept { kept_for_reading_ = std::move(self); }

    // --- any thread ---

    [[nodiscard]] bool receiver_gone() const noexcept {
        return receiver_gone_.load_acquire(); // partner: drop_receiver()
    }
    [[nodiscard]] std::size_t capacity() const noexcept { return ring_.capacity(); }
    [[nodiscard]] std::size_t used() const noexcept { return ring_.used(); }
    [[nodiscard]] std::size_t high_water() const noexcept { return ring_.high_water(); }

protected:
    template <class... SlotArguments>
    explicit ByteReceiving(std::size_t capacity, SlotArguments... arguments)
        : ring_(capacity), receiver_(arguments...) {}
    ~ByteReceiving() = default;

    [[nodiscard]] Ring& ring() noexcept { return ring_; }
    [[nodiscard]] const Ring& ring() const noexcept { return ring_; }
    /// After something was committed, given up or ended.
    void wake_receiver() noexcept { receiver_.wake_after_publish(); }
    /// On the waiter's thread: wakes who waits in a slot of either kind.
    static void recall(Slot& slot) noexcept {
        if constexpr (requires { slot.recall(); }) {
            slot.recall();
        } else {
            slot.wake_after_publish();
        }
    }

private:
    [[nodiscard]] Derived& derived() noexcept { return static_cast<Derived&>(*this); }

    Ring ring_;
    // On a line of their own: read at every commit, written rarely.
    alignas(64) Slot receiver_;
    typename Parking::Backend::template Atomic<bool> receiver_gone_{
        false}; // partners: drop_receiver(), receiver_gone()
    // The receiver's own.
    alignas(64) bool receiving_ = false;
    bool reading_ = false;
    std::uint64_t given_back_ = 0; ///< records
    std::uint64_t given_back_at_last_park_ = 0;
    std::shared_ptr<Derived> kept_for_reading_; ///< once the Receiver is gone
};

} // namespace nexus::detail
