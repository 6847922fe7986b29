// The shared state of a byte channel whose senders are on any thread.
//
// Records go through a lock-free ring; a lock is taken only where senders wait for room. Invariants: `senders_` counts
// the Senders and the claim() calls that wait; `waiting_` (under the lock) holds the latter, oldest first, and
// `waiters_` their number. Room is for the oldest: while one waits nobody else claims, and it claims for itself when it
// runs, so that no claim is ever held by a fiber that does not run. Whoever makes room, or leaves the list, wakes the
// oldest that has room (H-23). The receiver's half is byte_receiving.hpp.
#pragma once

#include "nexus/base/intrusive_list.hpp"
#include "nexus/sync/byte_stats.hpp"
#include "nexus/sync/detail/byte_receiving.hpp"
#include "nexus/sync/detail/mpsc_byte_ring.hpp"
#include "nexus/sync/detail/record_memory.hpp"
#include "nexus/sync/detail/waker_slot.hpp"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace nexus::detail {

template <class Parking, class Memory>
class BasicMpscByteState;
template <class Parking, class Memory>
using MpscByteReceiving =
    ByteReceiving<BasicMpscByteState<Parking, Memory>, BasicMpscByteRing<typename Parking::Backend, Memory>, Parking,
                  BasicWakerSlot<typename Parking::Backend, Parking>>;

template <class Parking, class Memory>
class BasicMpscByteState : public MpscByteReceiving<Parking, Memory> {
    using Base = MpscByteReceiving<Parking, Memory>;
    using Backend = typename Parking::Backend;
    friend Base;

public:
    using typename Base::Record;
    using Handle = typename Parking::Handle;
    static constexpr bool many_senders = true;

    /// A parked claim(), on its fiber's stack. The lock guards all of it.
    struct Waiter : base::ListNode {
        Waiter(Handle who, std::size_t bytes) noexcept : handle(std::move(who)), size(bytes) {}
        Handle handle;
        std::size_t size;
        bool refused = false; ///< the receiver is gone; not linked any more
    };

    /// A power of two.
    explicit BasicMpscByteState(std::size_t capacity) : Base(capacity) {}

    // --- senders ---

    // SAFETY: relaxed; whoever copies a Sender has one.
    void add_sender() noexcept { senders_.fetch_add_relaxed(1); }
    void drop_sender() noexcept {
        // partner: the acquire in ended(): who sees zero sees all that was claimed
        if (senders_.fetch_sub_acq_rel(1) == 1) this->wake_receiver();
    }
    void check_sender(const char* /*operation*/) const noexcept {}
    /// Any thread. Refused while others wait for room: they come first.
    [[nodiscard]] bool try_claim(std::size_t size, Record& claim) noexcept {
        if (!waiters_.any() && this->ring().try_claim(size, claim)) [[likely]]
            return true;
        this->ring().note_full();
        return false;
    }
    /// Makes the first `size` bytes a record; 0 gives the claim up. Both may be what the receiver waits for, because
    /// records behind this one may be complete (H-37), and senders may wait for the space of this one (H-36).
    void end_claim(const Record& claim, std::size_t size) noexcept {
        this->ring().commit(claim, size);
        this->wake_receiver();
    }
    [[nodiscard]] bool waiting() const noexcept { return waiters_.any(); }

    void link(Waiter& waiter) {
        std::lock_guard lock(mutex_);
        waiting_.push_back(waiter);
        waiters_.add();
    }
    /// The waiter's own look: true when its wait is over, with a claim or refused.
    [[nodiscard]] bool settle(Waiter& waiter, Record& claim) noexcept {
        {
            std::lock_guard lock(mutex_);
            if (waiter.refused) return true;
            if (this->receiver_gone()) {
                waiter.refused = true;
            } else if (waiting_.front() != &waiter || !this->ring().try_claim(waiter.size, claim)) {
                return false;
            }
            remove(waiter);
        }
        wake_oldest();
        return true;
    }
    /// The waiter gives up, if it is still waiting. It held no room, but the next one may fit where it did not (H-23).
    void withdraw(Waiter& waiter) noexcept {
        {
            std::lock_guard lock(mutex_);
            if (!waiter.linked()) return;
            remove(waiter);
        }
        wake_oldest();
    }

    // --- receiver ---

    [[nodiscard]] ByteStats stats() const noexcept {
        const auto census = this->ring().census();
        return {.bytes = this->used(),
                .high_water = this->high_water(),
                .records = census.records,
                .pending_claims = census.pending,
                .held_up = census.held_up};
    }

private:
    // For the receiver's half.
    [[nodiscard]] bool ended() const noexcept { return senders_.load_acquire() == 0; } // partner: drop_sender()
    [[nodiscard]] bool drained() noexcept { return this->ring().drained(); }
    void room_made() noexcept {
        if (waiters_.any_after_change()) [[unlikely]]
            wake_oldest();
    }
    void tell_senders() noexcept {
        for (;;) {
            Handle handle;
            {
                std::lock_guard lock(mutex_);
                Waiter* oldest = waiting_.front();
                if (oldest == nullptr) return;
                remove(*oldest);
                oldest->refused = true;
                handle = std::move(oldest->handle);
            }
            handle.wake();
        }
    }
    /// Wakes the oldest that waits, if it has room now.
    void wake_oldest() noexcept {
        Handle handle;
        {
            std::lock_guard lock(mutex_);
            const Waiter* oldest = waiting_.front();
            if (oldest == nullptr || !this->ring().has_room(record_extent(oldest->size))) return;
            handle = oldest->handle;
        }
        handle.wake(); // outside the lock: it may make a system call
    }
    void remove(Waiter& waiter) noexcept {
        waiter.unlink();
        waiters_.remove();
    }

    // Read by the receiver when it has found nothing, and by senders before each claim.
    typename Backend::template Atomic<std::uint32_t> senders_{0}; // partners: drop_sender(), ended()
    BasicWaiterCount<Backend> waiters_;
    alignas(64) typename Parking::Mutex mutex_;
    base::IntrusiveList<Waiter> waiting_;
};

} // namespace nexus::detail
