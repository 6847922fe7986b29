// The park protocol: no wake is lost between a loop that goes to sleep and a thread that pushes (CW-13, H-7).
//
//   loop                                   pusher
//   1 set PARKED                           1 push
//   2 fence                                2 fence
//   3 look at the queue once more          3 read the gate: PARKED -> take the bit, whoever took it pokes the eventfd
//   4 sleep only if it was empty                            CLOSED -> the loop is gone: see cross_wake.hpp
//
// Both sides publish first and look second, with a sequentially consistent fence between, so at least one of them sees
// the other. Taking the PARKED bit makes a storm of pushes poke once. CLOSED is set once, by teardown, in the same way.
#pragma once

#include "nexus/base/atomic.hpp"

#include <cstdint>

namespace nexus {

template <class Backend>
class BasicParkGate {
public:
    /// What a pusher has to do after its push.
    enum class Duty : std::uint8_t { none, poke, drain_closed };

    /// Loop only. After this, look for work once more and call leave() if there is any, or after the sleep.
    void enter() noexcept {
        word_.fetch_or_acq_rel(parked_bit);
        Backend::fence_seq_cst(); // partner: the fence in after_push()
    }
    void leave() noexcept { word_.fetch_and_acq_rel(~parked_bit); }

    /// Any thread, after its push.
    [[nodiscard]] Duty after_push() noexcept {
        Backend::fence_seq_cst(); // partner: the fences in enter() and close()
        const std::uint32_t seen = word_.load_acquire();
        if ((seen & closed_bit) != 0) return Duty::drain_closed;
        if ((seen & parked_bit) == 0) return Duty::none;
        return (word_.fetch_and_acq_rel(~parked_bit) & parked_bit) != 0 ? Duty::poke : Duty::none;
    }

    /// Teardown. Pushes seen by nobody so far are drained by the caller, later ones by their pushers.
    void close() noexcept {
        word_.fetch_or_acq_rel(closed_bit);
        Backend::fence_seq_cst(); // partner: the fence in after_push()
    }
    [[nodiscard]] bool closed() const noexcept { return (word_.load_acquire() & closed_bit) != 0; }

private:
    static constexpr std::uint32_t parked_bit = 1;
    static constexpr std::uint32_t closed_bit = 2;
    // Partners: enter/leave/close on the loop's thread, after_push on any other.
    typename Backend::template Atomic<std::uint32_t> word_{0};
};

using ParkGate = BasicParkGate<base::StdAtomics>;

} // namespace nexus
