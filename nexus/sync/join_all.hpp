// join_all(a, b, ...), join_all(range): waits for several fibers and takes their values.
//
//     auto [book, limits] = nexus::join_all(nexus::spawn(load_book), nexus::spawn(load_limits));
//     std::vector<Quote> quotes = nexus::join_all(handles);
//
// All of them have ended before it returns or throws, so none outlives what it may refer to; unless the caller itself
// has to stop, which ends its wait like any other and detaches those given as temporaries. If some ended with an
// exception or were aborted, the first of these, in the order of the arguments, comes out as from join(), and no value
// is taken: the other handles stay as they are, and those given as temporaries are dropped, so a second exception goes
// to on_unhandled. Siblings of one that failed are not aborted: that is what TaskGroup does (docs/decisions/0036).
#pragma once

#include "nexus/exec/join_handle.hpp"

#include <cstddef>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace nexus {

namespace detail {

template <class H>
struct JoinedType; // not defined: H is no JoinHandle
template <class T>
struct JoinedType<JoinHandle<T>> {
    using type = T;
};
template <class H>
using Joined = typename JoinedType<std::remove_cvref_t<H>>::type;

template <class H>
concept AnyJoinHandle = requires {
    typename Joined<H>;
};
template <class R>
concept RangeOfJoinHandles = std::ranges::forward_range<R> && AnyJoinHandle<std::ranges::range_reference_t<R>>;

template <class H>
void throw_failure(H& handle) {
    if (handle.has_failed()) (void)handle.join();
}

/// Of a fiber without a value. One that has failed is empty by now if an exception unwinds the caller: see join().
template <class H>
void join_if_valid(H& handle) {
    if (handle.valid()) handle.join();
}

/// The value, or a monostate for a fiber without.
template <class H>
[[nodiscard]] auto take_joined(H& handle) {
    if constexpr (std::is_void_v<Joined<H>>) {
        join_if_valid(handle);
        return std::monostate();
    } else {
        return handle.join();
    }
}

} // namespace detail

/// Suspends until every fiber has ended; a tuple of their values, with std::monostate for those without, or nothing
/// when none has any. Throws at the end of a scope (rule 5), and what join() throws for mistakes; no value is taken
/// then. While an exception unwinds it does not wait, as join() does not.
template <detail::AnyJoinHandle... Handles>
    requires(sizeof...(Handles) > 0)
auto join_all(Handles&&... handles) {
    (handles.wait(), ...);
    (detail::throw_failure(handles), ...);
    if constexpr ((std::is_void_v<detail::Joined<Handles>> && ...)) {
        (detail::join_if_valid(handles), ...);
    } else {
        // Braces: in order.
        return std::tuple<decltype(detail::take_joined(handles))...>{detail::take_joined(handles)...};
    }
}

/// The same for any number of fibers of one type: a vector of their values, in the order of the range.
template <detail::RangeOfJoinHandles Range>
auto join_all(Range&& handles) {
    using T = detail::Joined<std::ranges::range_reference_t<Range>>;
    for (auto& handle : handles) handle.wait();
    for (auto& handle : handles) detail::throw_failure(handle);
    if constexpr (std::is_void_v<T>) {
        for (auto& handle : handles) detail::join_if_valid(handle);
    } else {
        std::vector<T> values;
        values.reserve(static_cast<std::size_t>(std::ranges::distance(handles)));
        for (auto& handle : handles) values.push_back(handle.join());
        return values;
    }
}

} // namespace nexus
