// A waker slot for when one thread at a time changes the queue and does so far more often than anybody waits.
//
// The protocol of BasicWakerSlot, with a publisher that can become *quiet*: after many changes at which nobody waited
// it leaves out its fence, and from then on a waiter makes the fence for both (exec/process_fence.hpp). At the first
// wake the publisher pays for its own fence again, so the dear way to wait is taken at most once in `calm_limit`
// changes.
//
//   publisher, not quiet             publisher, quiet          waiter
//   1 change the queue               1 change the queue        1 put the reference into the word
//   2 fence                          2 (compiler only)         2 fence
//   3 look at the word               3 look at the word        3 if the publisher is quiet: fence on all threads
//                                                              4 look at the queue
//
// It becomes quiet before the fence of one of its changes. So a waiter that does not see it as quiet made its own fence
// before that one, and every quiet change comes after a point from which the word can be seen.
#pragma once

#include "nexus/base/atomic.hpp"

#include <cstdint>

namespace nexus::detail {

/// `Reference` has, besides what BasicWakerSlot asks for, a static `bool fence_all_threads()`, and `calm_limit`: the
/// changes without a waiter after which the publisher becomes quiet.
template <class Backend, class Reference>
class BasicAsymmetricSlot {
public:
    using Pointer = typename Reference::Pointer;

    /// With `may_be_quiet` the process fence has to be enabled.
    explicit BasicAsymmetricSlot(bool may_be_quiet) noexcept : may_be_quiet_(may_be_quiet) {}
    BasicAsymmetricSlot(const BasicAsymmetricSlot&) = delete;
    BasicAsymmetricSlot& operator=(const BasicAsymmetricSlot&) = delete;
    ~BasicAsymmetricSlot() { disarm(); }

    /// Waiter only. Takes over the reference. Look at the queue afterwards. False when the other side could not be
    /// fenced off: then look at the queue again and again instead of suspending; the publisher will notice.
    [[nodiscard]] bool arm(Pointer waiter) noexcept {
        release(word_.exchange_acq_rel(waiter));
        Backend::fence_seq_cst();                // partner: the fence in wake_after_publish()
        if (!quiet_.load_acquire()) return true; // partner: wake_after_publish()
        return Reference::fence_all_threads();
    }
    /// Waiter only. Afterwards nobody holds the reference (H-17, A-20); a wake may have been sent before.
    void disarm() noexcept {
        // SAFETY: relaxed; null stays null unless the waiter itself arms.
        if (word_.load_relaxed() != nullptr) release(word_.exchange_acq_rel(nullptr));
    }
    /// The waiter's thread. Wakes who waits there.
    void recall() noexcept {
        const Pointer waiter = word_.exchange_acq_rel(nullptr);
        if (waiter == nullptr) return;
        Reference::wake(waiter);
        Reference::release(waiter);
    }
    /// Publisher only, after it has changed the queue. Wakes who waits, if anybody does.
    void wake_after_publish() noexcept {
        // SAFETY: relaxed; only the publisher writes it.
        if (quiet_.load_relaxed()) {
            Backend::fence_compiler(); // the waiter's fence is for both
        } else {
            if (++calm_ == Reference::calm_limit && may_be_quiet_) quiet_.store_release(true); // partner: arm()
            Backend::fence_seq_cst(); // partner: the fence in arm()
        }
        // SAFETY: relaxed; a guess that the fences make good enough, settled by the exchange.
        if (word_.load_relaxed() == nullptr) [[likely]]
            return;
        wake();
    }
    /// Publisher only: whether its changes are free of fences at the moment.
    [[nodiscard]] bool quiet() const noexcept {
        return quiet_.load_relaxed(); // SAFETY: relaxed; only the publisher writes it
    }

private:
    [[gnu::noinline]] void wake() noexcept {
        calm_ = 0;
        const Pointer waiter = word_.exchange_acq_rel(nullptr);
        quiet_.store_release(false); // partner: arm()
        if (waiter == nullptr) return;
        Reference::wake(waiter);
        Reference::release(waiter);
    }
    static void release(Pointer waiter) noexcept {
        if (waiter != nullptr) Reference::release(waiter);
    }

    // Partners: arm() and disarm() on the waiter's thread, wake_after_publish() on the publisher's.
    typename Backend::template Atomic<Pointer> word_{nullptr};
    typename Backend::template Atomic<bool> quiet_{false};
    std::uint32_t calm_ = 0;
    const bool may_be_quiet_;
};

} // namespace nexus::detail
