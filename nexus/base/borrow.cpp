// Reports of borrow violations, and the rare paths of the lists.
#include "nexus/base/borrow.hpp"

#if NEXUS_BORROW_CHECKS

#include "nexus/base/usage_error.hpp"

#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>

namespace nexus {

namespace detail {

constinit thread_local BorrowLedger* current_ledger_pointer = nullptr;

namespace {

constinit thread_local BorrowLedger outer_ledger{nullptr, 0, 0, nullptr, nullptr};
constinit thread_local std::uint64_t violations_counted = 0;

/// Throws, or counts where throwing would end the process.
void violate(const std::string& text) {
    if (std::uncaught_exceptions() > 0) {
        ++violations_counted;
        return;
    }
    throw UsageError(text + base::names_hint(text));
}

std::string joined(std::initializer_list<std::string_view> parts) {
    std::string text;
    for (const std::string_view part : parts) text += part;
    return text;
}

std::string fiber_text(const BorrowLedger& ledger) {
    if (&ledger == &outer_ledger) return "outside fibers";
    if (ledger.fiber_name == nullptr) return "in a fiber without a name";
    return joined({"in fiber \"", ledger.fiber_name, "\""});
}

/// Takes `record` out of the list that starts at `head` and is linked through `next`.
template <class Record>
void unlink(Record*& head, Record* record, Record* Record::*next) noexcept {
    Record** at = &head;
    while (*at != record) at = &((*at)->*next);
    *at = record->*next;
}

} // namespace

BorrowLedger& install_outer_ledger() noexcept {
    current_ledger_pointer = &outer_ledger;
    return outer_ledger;
}

} // namespace detail

BorrowLedger** ledger_slot() noexcept { return &detail::current_ledger_pointer; }

std::uint64_t borrow_violations_counted() noexcept { return detail::violations_counted; }

std::string BorrowRecord::describe() const {
    return detail::joined({kind_ == BorrowKind::exclusive ? "mutable, by " : "shared, by ",
                           handler_ != nullptr ? "handler " : "code outside handlers",
                           handler_ != nullptr ? handler_ : "", " ", detail::fiber_text(*ledger_), ", at ",
                           place_.describe()});
}

void BorrowRecord::report_conflict() const {
    detail::violate(detail::joined(
        {"resource ", target_->name, " cannot be borrowed ",
         kind_ == BorrowKind::exclusive ? "mutably while another borrow of it is alive"
                                        : "while a mutable borrow of it is alive",
         "\n  this borrow:  ", describe(), "\n  other borrow: ", below_->describe(),
         below_->ledger_ == ledger_
             ? "\nLet the other borrow end first: close the scope of its guard, or use `->` in a statement of its own."
             : "\nThe other fiber holds its borrow across a wait. Let it end the borrow before it waits: copy what the "
               "wait needs."}));
}

void BorrowRecord::leave_out_of_order() noexcept {
    detail::unlink(target_->newest, this, &BorrowRecord::below_);
    detail::unlink(ledger_->newest, this, &BorrowRecord::older_);
}

[[gnu::noinline]] void check_suspension(const BorrowLedger& ledger, const char* waiting_for, bool strict) {
    const bool exclusive = ledger.mutable_live != 0;
    if (!exclusive && (!strict || ledger.live == 0)) return;
    const BorrowRecord* held = ledger.newest;
    while (exclusive && held->kind_ != BorrowKind::exclusive) held = held->older_;

    detail::violate(detail::joined(
        {"resource ", held->target_->name, " is still borrowed ", exclusive ? "mutably " : "",
         "while its fiber waits (", waiting_for, ")\n  borrow: ", held->describe(), "\n  wait:   ", waiting_for, " ",
         detail::fiber_text(ledger), ", called from\n", base::describe_callers(0, 12, "            "),
         "Others run during a wait. End the borrow before it (close the guard's scope, leave with()), copy out what "
         "the "
         "wait needs, and borrow again afterwards."}));
}

void close_ledger(BorrowLedger& ledger) noexcept {
    while (ledger.newest != nullptr) {
        BorrowRecord* record = ledger.newest;
        ledger.newest = record->older_;
        record->ledger_ = &detail::outer_ledger;
        record->older_ = detail::outer_ledger.newest;
        detail::outer_ledger.newest = record;
        ++detail::outer_ledger.live;
        detail::outer_ledger.mutable_live += record->kind_ == BorrowKind::exclusive ? 1U : 0U;
        ++detail::violations_counted;
    }
    ledger.live = ledger.mutable_live = 0;
}

} // namespace nexus

#endif
