// A fiber without a stack: a ledger that is current while a step runs, and a wait that asks what an executor asks.
#pragma once

#include "nexus/base/borrow.hpp"
#include "nexus/base/usage_error.hpp"

#include <string>
#include <utility>

namespace fake {

class Fiber {
public:
    explicit Fiber(const char* name, bool strict = false) : strict_(strict) { ledger_.fiber_name = name; }
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// Runs a part of the fiber's life: from being switched to until it is switched away from.
    template <class F>
    decltype(auto) run(F&& step) {
        const Switched switched(ledger_);
        return std::forward<F>(step)();
    }
    [[nodiscard]] const nexus::BorrowLedger& ledger() const { return ledger_; }

    /// What a wait does before it lets others run.
    static void wait(const char* what, bool strict) {
        const nexus::BorrowLedger& mine = nexus::current_ledger();
        if ((mine.mutable_live | (strict ? mine.live : 0U)) != 0) nexus::check_suspension(mine, what, strict);
    }
    void wait(const char* what) const { wait(what, strict_); }

private:
    struct Switched {
        explicit Switched(nexus::BorrowLedger& ledger) : previous(nexus::set_current_ledger(&ledger)) {}
        Switched(const Switched&) = delete;
        Switched& operator=(const Switched&) = delete;
        ~Switched() { nexus::set_current_ledger(previous); }
        nexus::BorrowLedger* previous;
    };
    nexus::BorrowLedger ledger_;
    bool strict_;
};

/// The text of the UsageError that `action` throws, or what happened instead.
template <class F>
std::string usage_error(F&& action) {
    try {
        std::forward<F>(action)();
    } catch (const nexus::UsageError& error) {
        return error.what();
    }
    return "(no UsageError)";
}

} // namespace fake
