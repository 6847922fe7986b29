// OnceCell<T>: a value that is made once, by whoever needs it first, in a way that may wait and may fail. One thread.
//
//     nexus::OnceCell<Prices> prices;
//     const Prices& now = prices.get_or_init([&] { return load(upstream); });     // the others wait for the first
//
// Defaults: made anywhere, may outlive its runtime; references to the value are good as long as the cell. Fibers of
// several threads must not share one. When an initialiser throws, its caller gets the exception and the one who has
// waited longest runs its own, if it came with one. So it goes when the fiber of an initialiser is aborted (H-23).
// Invariants: `value_` never goes back to empty; with a value nobody waits; `maker_` is the task whose initialiser runs
// or is the next to run, which has been woken then and looks before it may fail; without it nobody waits who has one.
#pragma once

#include "nexus/base/intrusive_list.hpp"
#include "nexus/runtime/time.hpp"
#include "nexus/sync/detail/park.hpp"

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace nexus {

namespace detail {

/// The part of OnceCell that does not depend on its type.
class OnceGate {
public:
    /// One that waits for the value, with an initialiser of its own or without.
    class Waiter : public base::ListNode {
    public:
        Waiter(OnceGate& gate, Executor& executor, bool can_make) noexcept;
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { unlink(); }

    private:
        friend class OnceGate;
        LocalWaiter who_;
        bool can_make_;
        bool chosen_ = false; ///< its turn to make the value
    };
    /// The initialiser that runs. Its end without a value lets the next one try.
    class Making {
    public:
        Making(OnceGate& gate, Executor& executor) noexcept : gate_(gate) { gate.maker_ = &executor.current_task(); }
        Making(const Making&) = delete;
        Making& operator=(const Making&) = delete;
        ~Making() {
            gate_.maker_ = nullptr;
            if (!gate_.has_value_) gate_.choose_next_maker();
        }

    private:
        OnceGate& gate_;
    };

    OnceGate() = default;
    OnceGate(const OnceGate&) = delete;
    OnceGate& operator=(const OnceGate&) = delete;

    [[nodiscard]] bool has_value() const noexcept { return has_value_; }
    [[nodiscard]] bool being_made() const noexcept { return maker_ != nullptr; }
    [[nodiscard]] std::size_t waiter_count() const noexcept { return waiters_.size(); }
    /// The value is there: wakes everybody.
    void open() noexcept;
    /// Suspends until there is a value, or it is the caller's turn to make it. Throws when it may not wait.
    void wait(Executor& executor, bool can_make, const char* what);

private:
    void choose_next_maker() noexcept;

    base::IntrusiveList<Waiter> waiters_;
    const Task* maker_ = nullptr;
    bool has_value_ = false;
};

} // namespace detail

template <class T>
class OnceCell {
public:
    OnceCell() = default;
    OnceCell(const OnceCell&) = delete;
    OnceCell& operator=(const OnceCell&) = delete;

    /// The value. When there is none: runs `make()`, which may suspend, and keeps what it returns; or suspends while
    /// another fiber's does. What it throws comes out here. Throws at the end of a scope (rule 5), also when there is a
    /// value. Throws UsageError from within `make` of the same cell, and where it would have to wait while an exception
    /// unwinds or at the end of a fiber that has to stop: take get() there.
    template <class Make>
    requires std::is_constructible_v<T, std::invoke_result_t<Make>> T& get_or_init(Make&& make) {
        Executor& executor = Executor::of_current_fiber("OnceCell::get_or_init");
        (void)detail::enter_or_throw(executor, "OnceCell::get_or_init");
        if (gate_.has_value()) return *value_;
        if (gate_.being_made()) gate_.wait(executor, true, "OnceCell::get_or_init");
        if (gate_.has_value()) return *value_;
        const detail::OnceGate::Making making(gate_, executor);
        return put(std::forward<Make>(make));
    }
    /// Suspends until there is a value, however long nobody makes one. Throws at the end of a scope (rule 5), and
    /// UsageError where it would have to wait while an exception unwinds or at the end of a fiber that has to stop.
    T& wait() {
        Executor& executor = Executor::of_current_fiber("OnceCell::wait");
        (void)detail::enter_or_throw(executor, "OnceCell::wait");
        if (!gate_.has_value()) gate_.wait(executor, false, "OnceCell::wait");
        return *value_;
    }
    /// The value, or null. Never suspends; works outside fibers too.
    [[nodiscard]] T* get() noexcept { return value_.has_value() ? &*value_ : nullptr; }
    [[nodiscard]] const T* get() const noexcept { return value_.has_value() ? &*value_ : nullptr; }
    /// Puts a value in; false when there is one already, or a fiber is making one: then `value` has not been moved
    /// from. Never suspends; works outside fibers too.
    bool set(T&& value) {
        if (gate_.has_value() || gate_.being_made()) return false;
        put([&value]() -> T&& { return std::move(value); });
        return true;
    }
    bool set(const T& value) requires std::copy_constructible<T> { return set(T(value)); }

    /// Fibers that wait; O(n).
    [[nodiscard]] std::size_t waiter_count() const noexcept { return gate_.waiter_count(); }

    /// For select().
    [[nodiscard]] detail::OnceGate& gate() noexcept { return gate_; }

private:
    template <class Make>
    T& put(Make&& make) {
        value_.emplace(std::invoke(std::forward<Make>(make)));
        gate_.open();
        return *value_;
    }

    detail::OnceGate gate_;
    std::optional<T> value_;
};

} // namespace nexus
