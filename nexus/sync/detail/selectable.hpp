// What select() asks of a source, and the list of sources of one call.
//
// A source of type S takes part through a specialisation of Selectable<S>:
//
//     template <> struct nexus::detail::Selectable<S> {
//         static bool ready(S& source, Executor& executor);  // may the caller go on? looked at first, changes nothing
//         class Waiter {                                     // lives on the stack of the fiber in select()
//             Waiter(S& source, SelectTurn& turn);           // links where the fiber will be woken; may throw
//             ~Waiter();                                     // unlinks; turn.chosen tells whether this source won
//             bool ready();                                  // asked after linking and after each wake
//         };
//     };
//
// Waiter::ready() has to see what happened between linking and the question, and to link again after a wake that it
// does not accept. A loser that was told something that only it was told passes it on in its destructor.
#pragma once

#include "nexus/sync/detail/park.hpp"

#include <concepts>
#include <cstddef>
#include <type_traits>

namespace nexus::detail {

/// One source's part in a call of select().
struct SelectTurn {
    Executor& executor;
    bool chosen = false;
};

template <class Source>
struct Selectable; // not defined: Source is not something to wait for

template <class Source>
concept SelectSource = requires(Source& source, Executor& executor, SelectTurn& turn) {
    { Selectable<Source>::ready(source, executor) } -> std::convertible_to<bool>;
    typename Selectable<Source>::Waiter;
};

template <class... Sources>
constexpr void check_selectable() {
    static_assert(
        (SelectSource<Sources> && ...),
        "select() cannot wait for one of these. It takes receivers of every kind of channel, writable(local or "
        "spsc sender), Notify, CancellationToken, ShutdownSignal, Mutex, Semaphore, OnceCell, JoinHandle, TaskGroup, "
        "Interval, Deadline, and readable(x) or writable(x) of a socket");
}

/// The first source from `start` on, round, that is ready; their number when none is.
template <class... Sources>
[[nodiscard]] std::size_t first_ready(Executor& executor, std::size_t start, Sources&... sources) {
    constexpr std::size_t count = sizeof...(Sources);
    std::size_t before = count; // the first of all
    std::size_t found = count;  // the first from `start` on
    std::size_t index = 0;
    const auto look = [&](auto& source) {
        using Source = std::remove_cvref_t<decltype(source)>;
        const std::size_t here = index++;
        if (found != count || (here < start && before != count)) return;
        if (!Selectable<Source>::ready(source, executor)) return;
        (here < start ? before : found) = here;
    };
    (look(sources), ...);
    return found != count ? found : before;
}

/// The sources of one call, linked in order, unlinked in reverse.
template <class... Sources>
class Enlisted;

template <>
class Enlisted<> {
public:
    explicit Enlisted(Executor& /*executor*/) noexcept {}
    [[nodiscard]] bool ready(std::size_t /*index*/) const noexcept { return false; }
    void choose(std::size_t /*index*/) noexcept {}
};

template <class First, class... Rest>
class Enlisted<First, Rest...> {
public:
    explicit Enlisted(Executor& executor, First& first, Rest&... rest)
        : turn_{executor}, waiter_(first, turn_), rest_(executor, rest...) {}
    Enlisted(const Enlisted&) = delete;
    Enlisted& operator=(const Enlisted&) = delete;

    [[nodiscard]] bool ready(std::size_t index) { return index == 0 ? waiter_.ready() : rest_.ready(index - 1); }
    void choose(std::size_t index) noexcept {
        if (index == 0) {
            turn_.chosen = true;
        } else {
            rest_.choose(index - 1);
        }
    }

private:
    SelectTurn turn_;
    typename Selectable<std::remove_cv_t<First>>::Waiter waiter_;
    Enlisted<Rest...> rest_;
};

} // namespace nexus::detail
