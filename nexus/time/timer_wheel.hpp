// TimerWheel: deadlines in a hierarchical wheel. Told the time, never asks for it; allocates nothing, calls nothing.
//
// Time is an int64 in nanoseconds. Its sign bit is flipped so that it compares as an unsigned *key*: the low 16 bits
// lie within a tick (about 65 us), the other 48 are eight digits of six bits. Level L has a slot for each value of
// digit L.
//
// Invariants, which hold whenever no member function runs:
//  I1 A timer with deadline > elapsed stands at the level of the highest digit in which its deadline and `elapsed_`
//     differ, in the slot of the deadline's digit there (level 0 when only the low bits differ). A timer whose
//     deadline is not after `elapsed_` stands where a deadline of `elapsed_` would. So occupied slots never wrap
//     around: those of a level lie after the digit of `elapsed_`, and all of a level come before those of the level
//     above.
//  I2 Equal deadlines are in the same slot, in arming order. The slot is a function of deadline and `elapsed_` only
//     (I1); arming appends; and when `elapsed_` enters a slot all its timers move down in list order, to slots that no
//     timer of an equal deadline can have entered before them. Sorting is stable. Moving `elapsed_` forward to a time
//     before the start of a slot changes neither the highest differing digit nor the slot of the timers in it.
//  I3 A set bit of the occupancy map may stand for an empty slot (cancelling does not look for its slot); a clear bit
//     never stands for an occupied one. Stale bits are cleared when met, one for each arming at most.
//  I4 `min` of an occupied slot that starts after `elapsed_` is not after its earliest deadline and not before its
//     start; `earliest_` is not after the earliest deadline of all. Both are exact unless what they stood for was
//     cancelled.
//
// Thus a timer fires if and only if its deadline <= now (H-13), cancelling is an unlink (H-12), and the cost of
// advance() depends on what is due and on what is moved down (each timer at most once a level), not on what pends
// (H-14).
#pragma once

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace nexus::time {

/// The deadline that never comes. Sums that would pass it saturate to it (H-28).
inline constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

/// `base + delta`, saturating at both ends of int64; `never` stays never (H-28, A-25).
[[nodiscard]] constexpr std::int64_t saturating_add(std::int64_t base, std::int64_t delta) noexcept {
    std::int64_t sum = 0;
    if (base == never) return never;
    if (!__builtin_add_overflow(base, delta, &sum)) return sum;
    return delta < 0 ? std::numeric_limits<std::int64_t>::min() : never;
}

class TimerWheel;

namespace detail {

/// Link of a circular list. Null links: in no list.
struct TimerLink {
    TimerLink() = default;
    TimerLink(const TimerLink&) = delete;
    TimerLink& operator=(const TimerLink&) = delete;

protected:
    friend class nexus::time::TimerWheel;
    friend struct TimerList;
    TimerLink* prev_ = nullptr;
    TimerLink* next_ = nullptr;
};

} // namespace detail

/// A timer, embedded in whatever waits. It is in one wheel at a time, and its owner cancels it before destroying it.
struct TimerNode : detail::TimerLink {
    TimerNode() = default;
    ~TimerNode() { assert(!armed() && "cancel a timer before it goes"); }

    /// In the clock of the wheel. Written by TimerWheel::arm() only.
    std::int64_t deadline_ns = never;
    /// Called once by TimerWheel::advance(), after the node was unlinked: it may arm it again or destroy it. Must be
    /// set before arm().
    void (*fire)(TimerNode&) noexcept = nullptr;

    [[nodiscard]] bool armed() const noexcept { return next_ != nullptr; }
};

static_assert(sizeof(TimerNode) <= 40);

namespace detail {

/// A circular list of TimerNode with this object as its sentinel.
struct TimerList : TimerLink {
    TimerList() noexcept { reset(); }

    [[nodiscard]] bool empty() const noexcept { return next_ == this; }
    // SAFETY: every link of a list but its sentinel is the base of a TimerNode.
    [[nodiscard]] static TimerNode& node(TimerLink* link) noexcept { return *static_cast<TimerNode*>(link); }
    [[nodiscard]] TimerNode& front() noexcept { return node(next_); }
    [[nodiscard]] TimerNode& back() noexcept { return node(prev_); }
    void push_back(TimerNode& added) noexcept {
        added.prev_ = prev_;
        added.next_ = this;
        prev_->next_ = &added;
        prev_ = &added;
    }
    static void unlink(TimerNode& removed) noexcept {
        removed.prev_->next_ = removed.next_;
        removed.next_->prev_ = removed.prev_;
        removed.prev_ = removed.next_ = nullptr;
    }
    void reset() noexcept { prev_ = next_ = this; }

    /// Moves the first nodes, up to the first whose deadline is after `now_ns`, to the end of `target`.
    /// Needs ascending order. Returns how many were looked at.
    std::size_t move_due_to(TimerList& target, std::int64_t now_ns) noexcept;
    /// Moves all nodes to the end of `target`.
    void move_all_to(TimerList& target) noexcept;
    /// Stable, ascending by deadline, O(n log n), without allocation.
    void sort() noexcept;

private:
    static TimerLink* merge(TimerLink* earlier, TimerLink* later) noexcept;
};

} // namespace detail

/// The timers of one thread. Not thread-safe. About 16 KiB; nothing suspends, throws or allocates.
class TimerWheel {
public:
    /// `now_ns`: where the wheel's time starts; any value.
    explicit TimerWheel(std::int64_t now_ns) noexcept : elapsed_(to_key(now_ns)) {}
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;
    /// Timers still armed are unlinked and do not fire.
    ~TimerWheel();

    /// Arms `node` for `deadline_ns`; if it is armed already, in this wheel, it is moved. A deadline that has passed
    /// fires in the next advance(), also when armed by a callback of the current one. `never` counts as armed and never
    /// fires. O(1).
    void arm(TimerNode& node, std::int64_t deadline_ns) noexcept {
        if (node.armed()) {
            detail::TimerList::unlink(node);
        } else {
            ++size_;
        }
        node.deadline_ns = deadline_ns;
        place(node);
        if (deadline_ns < earliest_) earliest_ = deadline_ns;
    }

    /// Disarms `node`; no effect if it is not armed. After it `fire` is not called. O(1) (H-12).
    void cancel(TimerNode& node) noexcept {
        if (!node.armed()) return;
        detail::TimerList::unlink(node);
        if (--size_ == 0) earliest_ = never;
    }

    /// Fires every timer with deadline <= now_ns, by deadline, equal ones in arming order; returns how many. Callbacks
    /// may arm and cancel any timer, also those due in the same pass; what they arm fires in a later call at the
    /// earliest, so a timer that re-arms itself for now cannot hold the loop. Must not be called from a callback. A
    /// `now_ns` before an earlier one is no error: time then stands still. One comparison when nothing is due.
    std::size_t advance(std::int64_t now_ns) noexcept {
        if (now_ns < earliest_) [[likely]]
            return 0;
        return advance_slowly(now_ns);
    }

    /// The earliest deadline, or `never`. Once a timer was cancelled this may be a lower bound: a time not after the
    /// earliest deadline, at which advance() finds nothing due and corrects it. O(1).
    [[nodiscard]] std::int64_t next_deadline() const noexcept { return earliest_; }

    /// Armed timers, including those that never fire.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// For tests and diagnosis: nodes and slots that advance() has looked at since construction.
    [[nodiscard]] std::uint64_t work_done() const noexcept { return work_; }

private:
    using Key = std::uint64_t;
    static constexpr unsigned tick_bits = 16;
    static constexpr unsigned digit_bits = 6;
    static constexpr unsigned levels = 8;
    static constexpr unsigned slots = 1U << digit_bits;
    static_assert(tick_bits + levels * digit_bits == 64, "all of int64 is covered");

    struct Slot {
        detail::TimerList list;
        std::int64_t min = never; // I4
        bool sorted = true;       // false: the list may not be in order of deadlines
    };
    struct Position {
        unsigned level;
        unsigned index;
    };

    static constexpr Key to_key(std::int64_t ns) noexcept { return static_cast<Key>(ns) ^ (Key{1} << 63); }
    static constexpr std::int64_t from_key(Key key) noexcept { return static_cast<std::int64_t>(key ^ (Key{1} << 63)); }
    static constexpr unsigned shift_of(unsigned level) noexcept { return tick_bits + digit_bits * level; }

    [[nodiscard]] Position position_of(std::int64_t deadline_ns) const noexcept {
        Key key = to_key(deadline_ns);
        if (key < elapsed_) key = elapsed_;
        // The bit that is always set maps differences within a tick to level 0.
        const auto highest = static_cast<unsigned>(std::bit_width((key ^ elapsed_) | (Key{1} << tick_bits))) - 1;
        const unsigned level = (highest - tick_bits) / digit_bits;
        return {level, static_cast<unsigned>(key >> shift_of(level)) % slots};
    }

    void place(TimerNode& node) noexcept {
        const std::int64_t deadline = node.deadline_ns;
        if (deadline == never) [[unlikely]] {
            never_.push_back(node);
            return;
        }
        const Position at = position_of(deadline);
        Slot& slot = slots_[at.level][at.index];
        if (slot.list.empty()) {
            slot.min = deadline;
            slot.sorted = true;
        } else {
            if (deadline < slot.min) slot.min = deadline;
            if (deadline < slot.list.back().deadline_ns) slot.sorted = false;
        }
        slot.list.push_back(node);
        occupied_[at.level] |= std::uint64_t{1} << at.index;
    }

    [[nodiscard]] Key start_of(Position at) const noexcept;
    [[nodiscard]] bool first_occupied(Position& at) noexcept;
    void collect_due(std::int64_t now_ns) noexcept;
    void cascade(Slot& slot) noexcept;
    void order(Slot& slot) noexcept;
    std::size_t advance_slowly(std::int64_t now_ns) noexcept;

    Key elapsed_;
    std::int64_t earliest_ = never;
    std::size_t size_ = 0;
    std::uint64_t work_ = 0;
    std::array<std::uint64_t, levels> occupied_{};
    detail::TimerList never_;
    detail::TimerList due_; // filled and emptied within advance()
    std::array<std::array<Slot, slots>, levels> slots_;
};

} // namespace nexus::time
