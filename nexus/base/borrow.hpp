// The list of a fiber's live borrows, and the rule that a borrow must not be in another's way.
//
// A BorrowTarget is something that can be borrowed (a resource of the World): shared by many, or mutably by one. A
// BorrowRecord is one live borrow; it sits in a guard on its fiber's stack and is linked into two lists: that of its
// target and that of its ledger. A BorrowLedger belongs to a fiber (or to a thread, for code outside fibers), and says
// which borrows that fiber holds; whoever switches fibers switches the thread's current ledger.
//
// Invariants: a record is in the lists of exactly one target and one ledger, those it was made with, from construction
// to destruction; ledger.live counts its records and ledger.mutable_live those that are mutable; without violations
// that had to be tolerated (below) a target has one mutable record or any number of shared ones. Lists run newest
// first, so that leaving is one comparison in the usual order. Nothing allocates. All of it belongs to one thread.
//
// A violation throws UsageError; while an exception unwinds it is tolerated and counted instead, since throwing would
// end the process. With NEXUS_BORROW_CHECKS=0 records are empty and no violation is ever seen.
#pragma once

#include "nexus/base/build_config.hpp"
#include "nexus/base/call_site.hpp"

#include <cstdint>

namespace nexus {

class BorrowRecord;

enum class BorrowKind : std::uint8_t { shared, exclusive };

/// Which borrows a fiber holds, and its name for reports. One is embedded in every task; it is not copied while any
/// borrow lives. With NEXUS_BORROW_CHECKS=0 the counters stay 0.
struct BorrowLedger {
    BorrowRecord* newest = nullptr;
    std::uint32_t mutable_live = 0;
    std::uint32_t live = 0; ///< of both kinds
    const char* fiber_name = nullptr;
    const char* handler_name = nullptr; ///< innermost handler that runs; set by HandlerScope
};

/// Something that can be borrowed.
struct BorrowTarget {
    BorrowRecord* newest = nullptr;
    const char* name = ""; ///< for reports; outlives the target
};

namespace detail {
#if NEXUS_BORROW_CHECKS
/// Null until the thread first asks for its ledger outside any fiber.
extern constinit thread_local BorrowLedger* current_ledger_pointer;
[[gnu::cold]] BorrowLedger& install_outer_ledger() noexcept;
#endif
} // namespace detail

#if NEXUS_BORROW_CHECKS

/// The ledger that new borrows of this thread go to: the running fiber's, or the thread's own outside fibers.
[[nodiscard]] inline BorrowLedger& current_ledger() noexcept {
    BorrowLedger* ledger = detail::current_ledger_pointer;
    return ledger != nullptr ? *ledger : detail::install_outer_ledger();
}
/// Makes `ledger` current (null: the thread's own) and returns the previous pointer, which may be null. One store.
inline BorrowLedger* set_current_ledger(BorrowLedger* ledger) noexcept {
    BorrowLedger* previous = detail::current_ledger_pointer;
    detail::current_ledger_pointer = ledger;
    return previous;
}
/// Where this thread keeps the pointer to its current ledger; valid as long as the thread. For whoever switches often.
[[nodiscard]] BorrowLedger** ledger_slot() noexcept;

/// What a fiber calls before it suspends: throws UsageError when `ledger` has a live mutable borrow, or with `strict`
/// any live borrow. The text names resource, handler, fiber, where the borrow was taken, the wait and its callers.
/// While an exception unwinds it counts instead. Cold: ask ledger.mutable_live (strict: ledger.live) first.
void check_suspension(const BorrowLedger& ledger, const char* waiting_for, bool strict = true);

/// What a fiber's end calls when `ledger.live` is not 0: guards on the heap outlived it. They move to the ledger of the
/// thread's own code, and each is counted as a violation.
void close_ledger(BorrowLedger& ledger) noexcept;

/// How many violations on this thread were counted instead of thrown.
[[nodiscard]] std::uint64_t borrow_violations_counted() noexcept;

/// One live borrow. Not movable: it is linked where it is.
class BorrowRecord {
public:
    /// Throws UsageError when `target` has a borrow that forbids this one; then nothing has changed.
    BorrowRecord(BorrowTarget& target, BorrowKind kind, CallSite place)
        : target_(&target), below_(target.newest), ledger_(&current_ledger()), older_(ledger_->newest),
          handler_(ledger_->handler_name), place_(place), kind_(kind) {
        if (below_ != nullptr && (kind == BorrowKind::exclusive || below_->kind_ == BorrowKind::exclusive))
            [[unlikely]] {
            report_conflict();
        }
        target.newest = this;
        ledger_->newest = this;
        ++ledger_->live;
        keep_apart(ledger_->live);
        ledger_->mutable_live += kind == BorrowKind::exclusive ? 1U : 0U;
    }
    BorrowRecord(const BorrowRecord&) = delete;
    BorrowRecord& operator=(const BorrowRecord&) = delete;
    ~BorrowRecord() {
        if (target_->newest == this && ledger_->newest == this) [[likely]] {
            target_->newest = below_;
            ledger_->newest = older_;
        } else {
            leave_out_of_order();
        }
        --ledger_->live;
        keep_apart(ledger_->live);
        ledger_->mutable_live -= kind_ == BorrowKind::exclusive ? 1U : 0U;
    }

private:
    friend void check_suspension(const BorrowLedger& ledger, const char* waiting_for, bool strict);
    friend void close_ledger(BorrowLedger& ledger) noexcept;

    // Keeps g++ from updating both counters as one vector: the next borrow would read one of them alone and wait for
    // the store buffer, which doubles the cost of a borrow.
    [[gnu::always_inline]] static void keep_apart(std::uint32_t& counter) noexcept { asm("" : "+m"(counter)); }

    [[gnu::cold]] void report_conflict() const;
    [[gnu::cold]] void leave_out_of_order() noexcept;
    [[nodiscard]] std::string describe() const;

    BorrowTarget* target_;
    BorrowRecord* below_; ///< next older of the target
    BorrowLedger* ledger_;
    BorrowRecord* older_; ///< next older of the ledger
    const char* handler_;
    CallSite place_;
    BorrowKind kind_;
};

/// Names the handler that runs on the current fiber, for the borrows taken meanwhile; restores the name before it.
class HandlerScope {
public:
    explicit HandlerScope(const char* name) noexcept : ledger_(current_ledger()), previous_(ledger_.handler_name) {
        ledger_.handler_name = name;
    }
    HandlerScope(const HandlerScope&) = delete;
    HandlerScope& operator=(const HandlerScope&) = delete;
    ~HandlerScope() { ledger_.handler_name = previous_; }

private:
    BorrowLedger& ledger_;
    const char* previous_;
};

#else // the same API; nothing is recorded

namespace detail {
inline thread_local BorrowLedger outer_ledger{};
inline constinit thread_local BorrowLedger* current_ledger_pointer = nullptr;
} // namespace detail

[[nodiscard]] inline BorrowLedger& current_ledger() noexcept {
    BorrowLedger* ledger = detail::current_ledger_pointer;
    return ledger != nullptr ? *ledger : detail::outer_ledger;
}
inline BorrowLedger* set_current_ledger(BorrowLedger* ledger) noexcept {
    BorrowLedger* previous = detail::current_ledger_pointer;
    detail::current_ledger_pointer = ledger;
    return previous;
}
[[nodiscard]] inline BorrowLedger** ledger_slot() noexcept { return &detail::current_ledger_pointer; }
inline void check_suspension(const BorrowLedger&, const char*, bool = true) {}
inline void close_ledger(BorrowLedger&) noexcept {}
[[nodiscard]] inline std::uint64_t borrow_violations_counted() noexcept { return 0; }

class BorrowRecord {
public:
    constexpr BorrowRecord(BorrowTarget&, BorrowKind, CallSite) noexcept {}
    BorrowRecord(const BorrowRecord&) = delete;
    BorrowRecord& operator=(const BorrowRecord&) = delete;
};

class HandlerScope {
public:
    explicit HandlerScope(const char*) noexcept {}
    HandlerScope(const HandlerScope&) = delete;
    HandlerScope& operator=(const HandlerScope&) = delete;
    ~HandlerScope() {}
};

#endif

} // namespace nexus
