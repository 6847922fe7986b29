#include "nexus/sync/backoff.hpp"

#include "nexus/base/atomic.hpp"
#include "nexus/base/usage_error.hpp"
#include "nexus/sync/detail/park.hpp"

#include <algorithm>
#include <stdexcept>

namespace nexus {

namespace {

/// The finaliser of splitmix64: every bit of the result depends on every bit of the input.
std::uint64_t mix(std::uint64_t x) noexcept {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/// Different in each instance of a process, and in processes that start together.
std::uint64_t fresh_seed() noexcept {
    static constinit base::Atomic<std::uint64_t> made{0}; // partners: this, on all threads
    const Executor* executor = Executor::current();
    const std::int64_t now = executor != nullptr ? executor->now_ns() : detail::to_ns(Clock::now());
    // SAFETY: relaxed; only that the numbers differ matters.
    return mix(static_cast<std::uint64_t>(now)) ^ mix(made.fetch_add_relaxed(1));
}

BackoffOptions checked(const BackoffOptions& options) {
    if (options.initial < Duration::zero() || options.max_delay < Duration::zero()) {
        throw UsageError("Backoff: a delay must not be negative");
    }
    if (options.initial > options.max_delay) {
        throw UsageError("Backoff: the initial delay is longer than max_delay; raise max_delay too");
    }
    if (!(options.jitter >= 0.0 && options.jitter <= 1.0)) {
        throw UsageError("Backoff: jitter is a share of the delay, from 0 to 1");
    }
    return options;
}

} // namespace

void detail::throw_exhausted(std::string message) { throw std::runtime_error(message); }

Backoff::Backoff(const BackoffOptions& options)
    : options_(checked(options)), delay_(options.initial), seed_(options.seed ? *options.seed : fresh_seed()) {}

void Backoff::advance() noexcept {
    if (retries_ != std::numeric_limits<std::uint32_t>::max()) ++retries_;
    delay_ = delay_ > options_.max_delay / 2 ? options_.max_delay : delay_ * 2;
}

void Backoff::reset() noexcept {
    delay_ = options_.initial;
    retries_ = 0;
}

bool Backoff::is_exhausted() const {
    if (options_.max_retries && retries_ >= *options_.max_retries) return true;
    return options_.deadline && *remaining() == Duration::zero();
}

std::optional<Duration> Backoff::remaining() const {
    if (!options_.deadline) return std::nullopt;
    const std::int64_t now = Executor::of_current_fiber("Backoff::remaining").now_ns();
    const std::int64_t at = detail::to_ns(*options_.deadline);
    return at > now ? Duration(at - now) : Duration::zero();
}

Duration Backoff::with_jitter() const noexcept {
    if (options_.jitter == 0.0) return delay_;
    // Depends on the retry and on the seed; 53 bits make a double in [0, 1).
    const std::uint64_t bits = mix(seed_ ^ mix(retries_ ^ mix(static_cast<std::uint64_t>(delay_.count()))));
    const double share = static_cast<double>(bits >> 11) * 0x1p-53;
    const auto delay = static_cast<double>(delay_.count());
    const double most = std::min(delay * (1.0 + options_.jitter), static_cast<double>(options_.max_delay.count()));
    const double least = delay * (1.0 - options_.jitter);
    const double drawn = least + share * (most - least);
    if (drawn >= static_cast<double>(options_.max_delay.count())) return options_.max_delay; // a double may round up
    return Duration(static_cast<std::int64_t>(drawn));
}

Duration Backoff::next_delay() const {
    const Duration delay = with_jitter();
    const std::optional<Duration> left = remaining();
    return left ? std::min(delay, *left) : delay;
}

bool Backoff::wait_or_give_up() {
    if (is_exhausted()) return false;
    // Without a pause, tries in a destructor would follow each other for as long as nothing else ends them.
    Executor& executor = Executor::of_current_fiber("Backoff::wait");
    if (executor.unwinding() || !detail::enter_or_throw(executor, "Backoff::wait")) return false;
    if (!detail::sleep_until_ns(detail::deadline_after(next_delay(), "Backoff::wait"))) return false;
    advance();
    return true;
}

} // namespace nexus
