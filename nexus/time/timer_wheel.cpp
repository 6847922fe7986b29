// The part of the wheel that runs when something is due: finding it, moving timers down, sorting. Invariants I1 to I4
// are stated in the header.
#include "nexus/time/timer_wheel.hpp"

#include <algorithm>
#include <cassert>

namespace nexus::time {
namespace detail {

std::size_t TimerList::move_due_to(TimerList& target, std::int64_t now_ns) noexcept {
    std::size_t seen = 0;
    while (!empty()) {
        ++seen;
        TimerNode& first = front();
        if (first.deadline_ns > now_ns) break;
        unlink(first);
        target.push_back(first);
    }
    return seen;
}

void TimerList::move_all_to(TimerList& target) noexcept {
    if (empty()) return;
    next_->prev_ = target.prev_;
    target.prev_->next_ = next_;
    prev_->next_ = &target;
    target.prev_ = prev_;
    reset();
}

/// Both are chains through next_, ended by null. Of equal deadlines those of `earlier` come first.
TimerLink* TimerList::merge(TimerLink* earlier, TimerLink* later) noexcept {
    TimerLink* head = nullptr;
    TimerLink** end = &head;
    while (earlier != nullptr && later != nullptr) {
        TimerLink*& smaller = node(later).deadline_ns < node(earlier).deadline_ns ? later : earlier;
        *end = smaller;
        end = &smaller->next_;
        smaller = *end;
    }
    *end = earlier != nullptr ? earlier : later;
    return head;
}

void TimerList::sort() noexcept {
    // Bottom-up merge sort: bin i holds a sorted chain of 2^i nodes, higher bins older ones.
    std::array<TimerLink*, 64> bins{};
    std::size_t used = 0;
    prev_->next_ = nullptr;
    for (TimerLink* link = next_; link != nullptr;) {
        TimerLink* chain = link;
        link = link->next_;
        chain->next_ = nullptr;
        std::size_t bin = 0;
        for (; bins[bin] != nullptr; ++bin) {
            chain = merge(bins[bin], chain);
            bins[bin] = nullptr;
        }
        bins[bin] = chain;
        used = std::max(used, bin + 1);
    }
    TimerLink* sorted = nullptr;
    for (std::size_t bin = 0; bin < used; ++bin) {
        if (bins[bin] != nullptr) sorted = merge(bins[bin], sorted);
    }
    reset();
    while (sorted != nullptr) {
        TimerNode& moved = node(sorted);
        sorted = sorted->next_;
        push_back(moved);
    }
}

} // namespace detail

TimerWheel::~TimerWheel() {
    const auto drop_all = [](detail::TimerList& list) {
        while (!list.empty()) detail::TimerList::unlink(list.front());
    };
    for (auto& level : slots_) {
        for (Slot& slot : level) drop_all(slot.list);
    }
    drop_all(never_);
    drop_all(due_);
}

TimerWheel::Key TimerWheel::start_of(Position at) const noexcept {
    const unsigned shift = shift_of(at.level);
    const Key at_and_below = (Key{slots} << shift) - 1; // for the top level the shift wraps to 0, and this to all ones
    return (elapsed_ & ~at_and_below) | (Key{at.index} << shift);
}

bool TimerWheel::first_occupied(Position& at) noexcept {
    for (unsigned level = 0; level < levels; ++level) {
        std::uint64_t& bits = occupied_[level];
        while (bits != 0) {
            const auto index = static_cast<unsigned>(std::countr_zero(bits));
            ++work_;
            if (!slots_[level][index].list.empty()) {
                at = {level, index};
                return true;
            }
            bits &= bits - 1;
        }
    }
    return false;
}

void TimerWheel::order(Slot& slot) noexcept {
    if (slot.sorted) return;
    for (detail::TimerLink* link = slot.list.next_; link != &slot.list; link = link->next_) ++work_;
    slot.list.sort();
    slot.sorted = true;
}

void TimerWheel::cascade(Slot& slot) noexcept {
    detail::TimerList moving;
    slot.list.move_all_to(moving);
    while (!moving.empty()) {
        TimerNode& node = moving.front();
        detail::TimerList::unlink(node);
        place(node);
        ++work_;
    }
}

/// Moves everything due into due_, in order, moves `elapsed_` to `now_ns` and finds the new earliest deadline.
void TimerWheel::collect_due(std::int64_t now_ns) noexcept {
    const Key now = std::max(to_key(now_ns), elapsed_); // time that runs backwards stands still
    earliest_ = never;
    for (Position at{}; first_occupied(at);) {
        Slot& slot = slots_[at.level][at.index];
        const Key start = start_of(at);
        if (start > now) {
            earliest_ = slot.min;
            break;
        }
        const Key last = start + ((Key{1} << shift_of(at.level)) - 1);
        if (at.level > 0 && last > now) {
            elapsed_ = start;
            cascade(slot);
            continue;
        }
        order(slot);
        work_ += slot.list.move_due_to(due_, now_ns);
        if (!slot.list.empty()) {
            earliest_ = slot.list.front().deadline_ns;
            break;
        }
    }
    elapsed_ = now;
}

std::size_t TimerWheel::advance_slowly(std::int64_t now_ns) noexcept {
    assert(due_.empty() && "advance() must not be called from a callback");
    collect_due(std::min(now_ns, never - 1));
    std::size_t fired = 0;
    while (!due_.empty()) {
        TimerNode& node = due_.front();
        detail::TimerList::unlink(node);
        --size_;
        ++fired;
        node.fire(node);
    }
    return fired;
}

} // namespace nexus::time
