// The shared state of a byte channel with one sender and one receiver, each on a thread of its own.
//
// Invariants: there is no lock; `sender_gone_` is set after the last commit; `claiming_` (one claim at a time) and
// `waiting_` (one fiber waits for room) belong to the sender's thread, except that others may read the first. The
// receiver's half is byte_receiving.hpp.
#pragma once

#include "nexus/sync/byte_stats.hpp"
#include "nexus/sync/detail/asymmetric_slot.hpp"
#include "nexus/sync/detail/byte_receiving.hpp"
#include "nexus/sync/detail/record_memory.hpp"
#include "nexus/sync/detail/spsc_byte_ring.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace nexus::detail {

[[noreturn]] void throw_second_write_claim(const char* operation);
[[noreturn]] void throw_second_byte_sender(const char* operation);

template <class Parking, class Memory>
class BasicSpscByteState;
template <class Parking, class Memory>
using SpscByteReceiving =
    ByteReceiving<BasicSpscByteState<Parking, Memory>, BasicSpscByteRing<typename Parking::Backend, Memory>, Parking,
                  BasicAsymmetricSlot<typename Parking::Backend, Parking>>;

template <class Parking, class Memory>
class BasicSpscByteState : public SpscByteReceiving<Parking, Memory> {
    using Base = SpscByteReceiving<Parking, Memory>;
    using Backend = typename Parking::Backend;
    using Slot = BasicAsymmetricSlot<Backend, Parking>;
    friend Base;

public:
    using typename Base::Pointer;
    using typename Base::Record;
    static constexpr bool many_senders = false;

    /// `capacity` is a power of two. See BasicAsymmetricSlot for `may_be_quiet`.
    BasicSpscByteState(std::size_t capacity, bool may_be_quiet) : Base(capacity, may_be_quiet), sender_(may_be_quiet) {}

    // --- sender ---

    void add_sender() noexcept {}
    /// Throws UsageError when a claim is open or another fiber waits for room.
    void check_sender(const char* operation) const {
        if (claiming()) [[unlikely]]
            throw_second_write_claim(operation);
        if (waiting_) [[unlikely]]
            throw_second_byte_sender(operation);
    }
    /// False when there is no room. The claim is open until end_claim().
    [[nodiscard]] bool try_claim(std::size_t size, Record& claim) noexcept {
        if (!this->ring().try_claim(size, claim)) return false;
        claiming_.store_relaxed(true); // SAFETY: relaxed; others read it as a figure only
        return true;
    }
    /// True when the claim was made, or when the end has come: then it is empty.
    [[nodiscard]] bool try_claim_or_end(std::size_t size, Record& claim) noexcept {
        return this->receiver_gone() || ended() || try_claim(size, claim);
    }
    /// Room that came before the slot was armed woke nobody (H-22).
    [[nodiscard]] Look claim_after_arming(std::size_t size, Record& claim, Pointer me) noexcept {
        return arm_then_look(sender_, me, [&] { return try_claim_or_end(size, claim); });
    }
    /// select(): whether try_claim_or_end() would say true.
    [[nodiscard]] bool writable(std::size_t size) noexcept {
        return this->receiver_gone() || ended() || size > largest_payload(this->capacity()) ||
               this->ring().has_room(record_extent(size));
    }
    [[nodiscard]] Look writable_after_arming(std::size_t size, Pointer me) noexcept {
        return arm_then_look(sender_, me, [this, size] { return writable(size); });
    }
    /// Makes the first `size` bytes a record; 0 gives the claim up, and nothing of it was ever visible (H-36).
    void end_claim(const Record& claim, std::size_t size) noexcept {
        if (size != 0) {
            this->ring().commit(claim, size);
            ++committed_;
            this->wake_receiver();
        }
        claiming_.store_relaxed(false); // SAFETY: relaxed; others read it as a figure only
        if (kept_for_claim_ != nullptr) [[unlikely]] {
            const std::shared_ptr<BasicSpscByteState> last = std::move(kept_for_claim_);
            drop_sender();
        }
    }
    [[nodiscard]] bool claiming() const noexcept {
        return claiming_.load_relaxed(); // SAFETY: relaxed; the sender's own, for others a figure
    }
    /// One fiber waits for room. Throws UsageError as check_sender() does.
    void begin_waiting(const char* operation) {
        check_sender(operation);
        waiting_ = true;
    }
    void end_waiting() noexcept {
        waiting_ = false;
        sender_.disarm();
    }
    [[nodiscard]] bool waiting() const noexcept { return waiting_; }
    /// No record comes after this.
    void drop_sender() noexcept {
        sender_gone_.store_release(true); // partner: ended(): who sees it sees all that was committed
        this->wake_receiver();
        Base::recall(sender_); // a fiber of this thread may be in claim(): it ends with errc::closed
    }
    [[nodiscard]] Patience sender_patience() noexcept { return {committed_, committed_at_last_park_}; }
    /// Until the open claim ends; the sender is gone only then.
    void keep_for_claim(std::shared_ptr<BasicSpscByteState> self) noexcept { kept_for_claim_ = std::move(self); }

    // --- receiver ---

    [[nodiscard]] ByteStats stats() const noexcept {
        return {.bytes = this->used(),
                .high_water = this->high_water(),
                .records = this->ring().count(),
                .pending_claims = claiming() ? 1U : 0U,
                .held_up = 0};
    }

private:
    // For the receiver's half.
    [[nodiscard]] bool ended() const noexcept { return sender_gone_.load_acquire(); } // partner: drop_sender()
    [[nodiscard]] static bool drained() noexcept { return true; } // the look before saw all that was committed
    void room_made() noexcept { sender_.wake_after_publish(); }
    void tell_senders() noexcept { sender_.wake_after_publish(); }

    // Read by the receiver when it has found nothing.
    typename Backend::template Atomic<bool> sender_gone_{false}; // partners: drop_sender(), ended()
    Slot sender_; // armed by the sender, the receiver counts in it after each record
    // The sender's own.
    alignas(64) typename Backend::template Atomic<bool> claiming_{false}; // partner: stats()
    bool waiting_ = false;
    std::uint64_t committed_ = 0; ///< records
    std::uint64_t committed_at_last_park_ = 0;
    std::shared_ptr<BasicSpscByteState> kept_for_claim_; ///< once the Sender is gone
};

} // namespace nexus::detail
