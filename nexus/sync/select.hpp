// select(a, b, ...): waits until one of several things is ready, and says which.
//
//     switch (nexus::select(receiver, stop, tick)) {
//         case 0: if (auto value = receiver.try_recv()) use(*value); else return;
//         case 1: return;
//         case 2: tick.tick(); break;
//     }
//
// It consumes nothing: returning i promises that the try_ form of source i succeeds, or reports closed, until the fiber
// suspends. What can be selected on: receivers, writable(local or spsc sender), Notify, CancellationToken,
// ShutdownSignal, Mutex, Semaphore (one permit), OnceCell, JoinHandle, TaskGroup, Interval, Deadline, and readable() or
// writable() of sockets and everything else that has an io_source(). Own types: specialise nexus::detail::Selectable,
// see detail/selectable.hpp. Sources that are ready at the same time take turns. Sources that lose pass on what they
// were told meanwhile (H-23).
#pragma once

#include "nexus/sync/detail/select_bytes.hpp"
#include "nexus/sync/detail/select_sources.hpp"
#include "nexus/sync/detail/selectable.hpp"

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

namespace nexus {

/// Suspends until one of the sources is ready; the index of one that is. Returns at once when one is ready already, and
/// lets others run first now and then (rule 5). Throws at the end of a scope; while an exception unwinds it never
/// parks, and returns the number of sources when none is ready. Throws UsageError outside a fiber, or when another
/// fiber waits for a source that has room for one. The sources stay where they are until it returns. Allocates nothing.
template <class... Sources>
[[nodiscard]] std::size_t select(Sources&&... sources) {
    constexpr std::size_t count = sizeof...(Sources);
    static_assert(count > 0, "select() needs something to wait for");
    detail::check_selectable<std::remove_cvref_t<Sources>...>();
    Executor& executor = Executor::of_current_fiber("select");
    const bool may_park = detail::enter_or_throw(executor, "select");
    const std::size_t start = executor.current_task().select_turn++ % count;
    if (const std::size_t found = detail::first_ready(executor, start, sources...); found < count || !may_park) {
        return found;
    }
    detail::Enlisted<std::remove_reference_t<Sources>...> enlisted(executor, sources...);
    std::size_t chosen = count;
    (void)detail::park_until(executor, "select", false, [&] {
        for (std::size_t i = 0; chosen == count && i < count; ++i) {
            if (const std::size_t index = (start + i) % count; enlisted.ready(index)) chosen = index;
        }
        return chosen != count;
    });
    if (chosen != count) enlisted.choose(chosen);
    return chosen;
}

/// The index of a source that is ready, if one is. Does not suspend and does not fail in an ended scope. Throws
/// UsageError outside a fiber.
template <class... Sources>
[[nodiscard]] std::optional<std::size_t> try_select(Sources&&... sources) {
    constexpr std::size_t count = sizeof...(Sources);
    static_assert(count > 0, "try_select() needs something to look at");
    detail::check_selectable<std::remove_cvref_t<Sources>...>();
    Executor& executor = Executor::of_current_fiber("try_select");
    const std::size_t start = executor.current_task().select_turn++ % count;
    const std::size_t found = detail::first_ready(executor, start, sources...);
    return found < count ? std::optional(found) : std::nullopt;
}

} // namespace nexus
