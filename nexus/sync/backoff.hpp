// Backoff: how long to wait before trying again, and when to give up (section 8.2, BO-1 to BO-6).
//
//     nexus::Backoff backoff = nexus::BackoffBuilder().max_retries(5).jitter(0.2).build();
//     for (;;) {
//         auto stream = nexus::TcpStream::connect(address);
//         if (stream) return stream;
//         if (auto again = backoff.wait(stream.error()); !again) return again.error().error;
//     }
//
// Defaults: owner thread, one fiber at a time; nothing suspends but wait(). Delays double from `initial` to
// `max_delay`. Jitter spreads the clients of a server that came back: each delay is drawn evenly from [1 - jitter, 1 +
// jitter] times the delay, cut off at `max_delay`, which the seed crate may exceed (BO-5). What is drawn follows from
// the seed and the number of the retry alone; without a seed each Backoff takes one of its own from the clock and a
// count, so runs that have to be repeatable give one (docs/decisions/0039).
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/runtime/time.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace nexus {

/// What wait() returns when there will be no further try: the caller's error (BO-2).
template <class E>
struct Exhausted {
    E error;

    /// "retries exhausted: connect 127.0.0.1:80: Connection refused", if E has a message() or is text. Allocates.
    [[nodiscard]] std::string message() const {
        std::string text = "retries exhausted";
        if constexpr (requires { text += error.message(); }) {
            text += ": ";
            text += error.message();
        } else if constexpr (requires { text += error; } && !std::is_arithmetic_v<E>) {
            text += ": ";
            text += error;
        }
        return text;
    }
    friend bool operator==(const Exhausted&, const Exhausted&) = default;
};

/// Makes value() of what wait() returned throw std::runtime_error with the message.
template <class E>
[[noreturn]] void throw_exception_from_error(const Exhausted<E>& exhausted, const boost::source_location& /*where*/);

namespace detail {
[[noreturn]] void throw_exhausted(std::string message);
} // namespace detail

struct BackoffOptions {
    Duration initial = std::chrono::milliseconds(100);
    Duration max_delay = std::chrono::seconds(30);
    std::optional<std::uint32_t> max_retries; ///< none: as often as it takes
    std::optional<TimePoint> deadline;        ///< none: as long as it takes
    double jitter = 0.0;                      ///< 0 to 1
    std::optional<std::uint64_t> seed;        ///< of the jitter
};

class Backoff {
public:
    /// Throws UsageError when initial > max_delay, when one of them is negative, or jitter is not in [0, 1] (BO-1).
    explicit Backoff(const BackoffOptions& options = {});

    /// Suspends for next_delay(), then advances. Gives the error back without waiting when the retries are used up or
    /// the deadline has passed (BO-2). Throws at the end of a scope (rule 5); then it has not advanced (BO-6). While an
    /// exception unwinds, and at the end of a fiber that has to stop, nothing waits, so it gives the error back then
    /// too, and has not advanced.
    template <class E>
    [[nodiscard]] boost::system::result<void, Exhausted<std::decay_t<E>>> wait(E&& error) {
        if (!wait_or_give_up()) return Exhausted<std::decay_t<E>>{std::forward<E>(error)};
        return {};
    }

    /// One retry more, and twice the delay, up to max_delay; without waiting (BO-3, BO-6). Saturates.
    void advance() noexcept;
    /// Back to the initial delay and no retries. The deadline stays (BO-4).
    void reset() noexcept;

    /// wait() would give up. With a deadline it reads the clock of the running fiber's executor and throws UsageError
    /// outside a fiber; so do the two below.
    [[nodiscard]] bool is_exhausted() const;
    /// Time until the deadline, 0 when it has passed; none without one.
    [[nodiscard]] std::optional<Duration> remaining() const;
    /// What wait() would sleep: the delay with its jitter, cut off at the deadline.
    [[nodiscard]] Duration next_delay() const;

    /// The delay before jitter.
    [[nodiscard]] Duration current_delay() const noexcept { return delay_; }
    [[nodiscard]] std::uint32_t retries() const noexcept { return retries_; }

private:
    bool wait_or_give_up();
    [[nodiscard]] Duration with_jitter() const noexcept;

    BackoffOptions options_;
    Duration delay_;
    std::uint32_t retries_ = 0;
    std::uint64_t seed_;
};

/// Names what is set: BackoffBuilder().initial(50ms).max_retries(3).build().
class BackoffBuilder {
public:
    /// The delay before the first retry; 100 ms.
    BackoffBuilder& initial(Duration delay) noexcept {
        options_.initial = delay;
        return *this;
    }
    /// No delay before jitter is longer; 30 s.
    BackoffBuilder& max_delay(Duration delay) noexcept {
        options_.max_delay = delay;
        return *this;
    }
    /// wait() gives up after so many; none.
    BackoffBuilder& max_retries(std::uint32_t count) noexcept {
        options_.max_retries = count;
        return *this;
    }
    /// wait() gives up from then on, and does not sleep longer; none.
    BackoffBuilder& deadline(TimePoint at) noexcept {
        options_.deadline = at;
        return *this;
    }
    /// 0 to 1; 0.
    BackoffBuilder& jitter(double share) noexcept {
        options_.jitter = share;
        return *this;
    }
    /// Makes the jitter repeatable.
    BackoffBuilder& seed(std::uint64_t value) noexcept {
        options_.seed = value;
        return *this;
    }
    /// Throws as Backoff's constructor.
    [[nodiscard]] Backoff build() const { return Backoff(options_); }

private:
    BackoffOptions options_;
};

template <class E>
void throw_exception_from_error(const Exhausted<E>& exhausted, const boost::source_location& /*where*/) {
    detail::throw_exhausted(exhausted.message());
}

} // namespace nexus
