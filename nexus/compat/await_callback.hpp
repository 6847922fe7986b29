// await_callback: one call of a callback API, awaited by a fiber.
//
//     auto answer = nexus::await_callback<int>([&](nexus::Completion<int> done) {
//         client.get(key, [done](int value) { done(value); });    // on whatever thread it likes
//     });
//
// The callback may come on any thread, before or after the start function returned, after the wait has ended, or never.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/compat/detail/delivery.hpp"

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

namespace nexus {

/// What a callback calls. Copyable, any thread; the first call counts, later ones do nothing. When the last copy goes
/// without a call, the wait fails with errc::closed.
template <class T = void>
class Completion {
    using Value = typename detail::Delivery<T>::Value;

public:
    /// True when this call was the first. What was passed is destroyed when nobody waits any more.
    template <class U = Value>
        requires(!std::is_void_v<T> && std::constructible_from<Value, U>)
    bool operator()(U&& value) const { // NOLINT(modernize-use-nodiscard): callbacks rarely care
        return state_->delivery.deliver(Value(std::forward<U>(value)));
    }
    bool operator()() const // NOLINT(modernize-use-nodiscard)
        requires std::is_void_v<T> {
        return state_->delivery.deliver({});
    }
    /// The wait rethrows `failure`.
    bool fail(std::exception_ptr failure) const noexcept { // NOLINT(modernize-use-nodiscard)
        return state_->delivery.fail(std::move(failure));
    }

    /// For C interfaces that pass a `void*` through. Each into_raw() has to meet one from_raw(). Allocates.
    [[nodiscard]] void* into_raw() const { return new Completion(*this); }
    [[nodiscard]] static Completion from_raw(void* raw) {
        const std::unique_ptr<Completion> owned(static_cast<Completion*>(raw));
        return *owned;
    }

    /// For await_callback().
    struct Shared {
        explicit Shared(std::shared_ptr<detail::Delivery<T>> target) : kept(std::move(target)), delivery(*kept) {}
        Shared(const Shared&) = delete;
        Shared& operator=(const Shared&) = delete;
        ~Shared() { delivery.drop(); }
        std::shared_ptr<detail::Delivery<T>> kept;
        detail::Delivery<T>& delivery;
    };
    explicit Completion(std::shared_ptr<Shared> state) noexcept : state_(std::move(state)) {}

private:
    std::shared_ptr<Shared> state_;
};

/// Calls `start(Completion<T>)` on this fiber, then suspends until the completion is called. Returns the value;
/// rethrows what fail() was given and what `start` throws. Errors: errc::closed when every copy of the completion is
/// gone; errc::timed_out and errc::cancelled at the end of a scope: a value that comes later is destroyed. In an ended
/// scope `start` is not called. Throws Aborted, and UsageError outside a fiber. Allocates.
template <class T = void, class Start>
[[nodiscard]] Result<T> await_callback(Start&& start) {
    constexpr const char* what = "await_callback";
    Executor& executor = Executor::of_current_fiber(what);
    if (const auto end = detail::enter_wait(executor, what); end != detail::WaitEnd::ready) {
        return Error(detail::to_errc(end), what);
    }
    auto delivery = std::make_shared<detail::Delivery<T>>();
    {
        auto shared = std::make_shared<typename Completion<T>::Shared>(delivery);
        std::invoke(std::forward<Start>(start), Completion<T>(std::move(shared)));
    }
    detail::DeliveryWait<T> wait(*delivery);
    const auto end = detail::wait_or_fail(executor, what, [&] { return wait.ready(); });
    if (end != detail::WaitEnd::ready) return Error(detail::to_errc(end), what);
    if (delivery->settled() == detail::Settled::dropped) return Error(errc::closed, what);
    if constexpr (std::is_void_v<T>) {
        delivery->take();
        return {};
    } else {
        return delivery->take();
    }
}

} // namespace nexus
