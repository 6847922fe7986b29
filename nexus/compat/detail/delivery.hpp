// Delivery: one value, or an exception, from any thread to one fiber.
//
// A lock guards it: whoever uses this pays for a thread or a system call anyway. Invariants: it is settled at most
// once; the first to settle it wins; what comes later is destroyed. The waiting fiber is woken outside the lock.
#pragma once

#include "nexus/exec/wait.hpp"
#include "nexus/exec/waker.hpp"

#include <exception>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace nexus::detail {

enum class Settled : std::uint8_t {
    no,
    value,
    failed,
    dropped ///< nobody will settle it any more
};

template <class T>
class Delivery {
public:
    using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

    /// Any thread. False when it was settled already; `value` is untouched then.
    bool deliver(Value&& value) {
        return settle(Settled::value, [&] { value_.emplace(std::move(value)); });
    }
    bool fail(std::exception_ptr failure) noexcept {
        return settle(Settled::failed, [&] { failure_ = std::move(failure); });
    }
    bool drop() noexcept {
        return settle(Settled::dropped, [] {});
    }
    [[nodiscard]] Settled settled() const {
        const std::lock_guard lock(mutex_);
        return settled_;
    }

    /// The running fiber is the one to wake. Look at settled() afterwards, before suspending.
    void set_waiter(Waker waker) {
        const std::lock_guard lock(mutex_);
        waiter_ = std::move(waker);
    }
    /// Nobody is to be woken any more.
    void clear_waiter() noexcept {
        Waker gone;
        const std::lock_guard lock(mutex_);
        std::swap(gone, waiter_);
    }
    /// The value, or rethrows. Only once, when settled as value or failed.
    T take() {
        if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
        if constexpr (!std::is_void_v<T>) return std::move(*value_);
    }

private:
    template <class Store>
    bool settle(Settled how, Store&& store) {
        Waker waiter;
        {
            const std::lock_guard lock(mutex_);
            if (settled_ != Settled::no) return false;
            store();
            settled_ = how;
            std::swap(waiter, waiter_);
        }
        waiter.wake();
        return true;
    }

    mutable std::mutex mutex_;
    Settled settled_ = Settled::no;
    std::optional<Value> value_;
    std::exception_ptr failure_;
    Waker waiter_;
};

/// The part of a wait for a delivery that unlinks itself.
template <class T>
class DeliveryWait {
public:
    explicit DeliveryWait(Delivery<T>& delivery) : delivery_(delivery) { delivery.set_waiter(Waker::of_current()); }
    DeliveryWait(const DeliveryWait&) = delete;
    DeliveryWait& operator=(const DeliveryWait&) = delete;
    ~DeliveryWait() { delivery_.clear_waiter(); }

    [[nodiscard]] bool ready() const { return delivery_.settled() != Settled::no; }

private:
    Delivery<T>& delivery_;
};

} // namespace nexus::detail
