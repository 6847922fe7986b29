// The one atomic word of a task: flags and reference count together (EX-4 to EX-8).
//
// Everything that decides who frees a task is read from the previous value of a single read-modify-write (EX-6, A-1).
//
//   COMPLETED     the body has ended (or was destroyed unstarted); it will never run again
//   QUEUED        the task is in exactly one queue, ready or cross-thread; set by one fetch_or everywhere (H-4),
//   cleared
//                 only when the task is taken out to run (H-5, H-6)
//   HAS_JOIN      a JoinHandle exists
//   ABORTED       abort was asked for
//   OUTPUT_TAKEN  the joiner has the output
//   SLAB          where the header came from; fixed at spawn
//   the rest      reference count: one of the executor (until completion), one a JoinHandle, one a Waker
//
// TERMINAL is COMPLETED with no reference, not QUEUED, no HAS_JOIN. Exactly one operation returns it, and whoever gets
// it hands the task to deferred free (own thread) or to the cross-wake queue (other threads) (CW-20, CW-21).
//
// `Sharing::owner_only` is for a task that no other thread can know yet: the same transitions without a locked
// instruction. A task becomes `shared` on its own thread, before its first Waker exists, and stays so.
#pragma once

#include "nexus/base/atomic.hpp"

#include <cassert>
#include <cstdint>

namespace nexus {

enum class Sharing : bool { owner_only, shared };

/// What the operation that dropped a reference has to do next (EX-8).
enum class FreeAction : std::uint8_t { retain, free_heap, free_slab };

template <class Backend>
class BasicStateWord {
public:
    using Word = std::uint64_t;
    static constexpr Word completed_bit = 1;
    static constexpr Word queued_bit = 2;
    static constexpr Word has_join_bit = 4;
    static constexpr Word aborted_bit = 8;
    static constexpr Word output_taken_bit = 16;
    static constexpr Word slab_bit = 32;
    static constexpr Word one_reference = 64;

    BasicStateWord(unsigned references, Word flags) noexcept : word_(references * one_reference | flags) {}

    [[nodiscard]] Word load() const noexcept { return word_.load_acquire(); } // partner: every acq_rel below
    [[nodiscard]] bool completed() const noexcept { return (load() & completed_bit) != 0; }
    [[nodiscard]] bool aborted() const noexcept { return (load() & aborted_bit) != 0; }
    [[nodiscard]] bool queued() const noexcept { return (load() & queued_bit) != 0; }
    [[nodiscard]] bool has_join() const noexcept { return (load() & has_join_bit) != 0; }
    [[nodiscard]] std::uint64_t references() const noexcept { return load() / one_reference; }

    /// True for the one caller that set QUEUED and so has to put the task into a queue. What that caller wrote before
    /// is visible to the task when it runs.
    bool try_set_queued(Sharing sharing) noexcept { return (fetch_or(queued_bit, sharing) & queued_bit) == 0; }
    /// When the task is taken out to run.
    void clear_queued(Sharing sharing) noexcept { fetch_and(~queued_bit, sharing); }
    /// When a completed task is taken out of a queue (H-2). Clears QUEUED and says whether that made it TERMINAL.
    [[nodiscard]] FreeAction clear_queued_completed(Sharing sharing) noexcept {
        return action(fetch_and(~queued_bit, sharing) & ~queued_bit);
    }

    void add_reference(Sharing sharing) noexcept {
        if (sharing == Sharing::owner_only) {
            plain(plain() + one_reference);
        } else {
            word_.fetch_add_relaxed(one_reference); // SAFETY: relaxed; the caller already holds a reference
        }
    }
    [[nodiscard]] FreeAction drop_reference(Sharing sharing) noexcept {
        const Word before = fetch_sub(one_reference, sharing);
        assert(before / one_reference > 0);
        return action(before - one_reference);
    }
    /// Sets COMPLETED and drops the executor's reference in one step (EX-7).
    [[nodiscard]] FreeAction complete_and_drop(Sharing sharing) noexcept {
        const Word before = fetch_sub(one_reference - completed_bit, sharing);
        assert((before & completed_bit) == 0 && before / one_reference > 0);
        return action(before - (one_reference - completed_bit));
    }
    /// Drops the JoinHandle: its flag and its reference in one step.
    [[nodiscard]] FreeAction drop_join(Sharing sharing) noexcept {
        const Word before = fetch_sub(one_reference + has_join_bit, sharing);
        assert((before & has_join_bit) != 0 && before / one_reference > 0);
        return action(before - (one_reference + has_join_bit));
    }
    /// False when the task had already completed.
    bool set_aborted(Sharing sharing) noexcept { return (fetch_or(aborted_bit, sharing) & completed_bit) == 0; }
    void set_output_taken(Sharing sharing) noexcept { fetch_or(output_taken_bit, sharing); }

    [[nodiscard]] static FreeAction action(Word word) noexcept {
        constexpr Word inert = aborted_bit | output_taken_bit | slab_bit;
        if ((word & ~inert) != completed_bit) return FreeAction::retain;
        return (word & slab_bit) != 0 ? FreeAction::free_slab : FreeAction::free_heap;
    }

private:
    // SAFETY: relaxed load and store; owner_only means that this thread alone knows the task.
    [[nodiscard]] Word plain() const noexcept { return word_.load_relaxed(); }
    void plain(Word word) noexcept { word_.store_relaxed(word); }

    Word fetch_or(Word bits, Sharing sharing) noexcept {
        if (sharing == Sharing::shared) return word_.fetch_or_acq_rel(bits);
        const Word before = plain();
        plain(before | bits);
        return before;
    }
    Word fetch_and(Word bits, Sharing sharing) noexcept {
        if (sharing == Sharing::shared) return word_.fetch_and_acq_rel(bits);
        const Word before = plain();
        plain(before & bits);
        return before;
    }
    Word fetch_sub(Word amount, Sharing sharing) noexcept {
        if (sharing == Sharing::shared) return word_.fetch_sub_acq_rel(amount);
        const Word before = plain();
        plain(before - amount);
        return before;
    }

    // Partners: the task's owner and every holder of a Waker or of a queue slot, through the operations above.
    typename Backend::template Atomic<Word> word_;
};

using StateWord = BasicStateWord<base::StdAtomics>;

} // namespace nexus
