// Barrier: a number of fibers wait for each other, again and again. One thread.
//
//     nexus::Barrier tick(players);
//     for (;;) { move(); if (tick.arrive_and_wait()) publish(); }   // true in one of them: the one that came last
//
// Defaults: made anywhere, may outlive its runtime; it must not go while fibers wait. Fibers of several threads must
// not share one. A wait that is cut short takes its arrival back. Invariant: fewer have arrived than take part, and
// each of them is in `waiters_`.
#pragma once

#include "nexus/base/intrusive_list.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/park.hpp"

#include <cstddef>

namespace nexus {

class Barrier {
public:
    /// Throws UsageError for 0.
    explicit Barrier(std::size_t count);
    Barrier(const Barrier&) = delete;
    Barrier& operator=(const Barrier&) = delete;

    /// Suspends until as many have arrived as take part; true in the last of them, which does not suspend. Throws at
    /// the end of a scope (rule 5). While an exception unwinds it returns false at once and has not arrived. Throws
    /// UsageError when nobody takes part any more.
    bool arrive_and_wait();
    /// The same with a limit: fails with errc::timed_out when it has passed, with errc::cancelled when a scope around
    /// it ended.
    [[nodiscard]] Result<bool> arrive_and_wait_for(Duration limit);
    [[nodiscard]] Result<bool> arrive_and_wait_until(TimePoint deadline);
    /// One fewer takes part from here on, in this round too. Does not suspend. Throws UsageError when nobody does.
    void arrive_and_drop();

    /// How many take part, how many of them have arrived, and how often all had.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] std::size_t arrived() const noexcept { return arrived_; }
    [[nodiscard]] std::size_t rounds() const noexcept { return rounds_; }

private:
    struct Waiter;
    enum class Passed : std::uint8_t { no, with_others, last };

    Passed arrive(const char* what);
    void open() noexcept;
    void check_someone_takes_part() const;

    std::size_t count_;
    std::size_t arrived_ = 0;
    std::size_t rounds_ = 0;
    base::IntrusiveList<Waiter> waiters_;
};

} // namespace nexus
