// Histogram: how long things took, in nanoseconds, in fixed memory and at a constant cost a value.
//
// Buckets are log-linear: values below 128 have one each, every power of two above is split into 64. So a bucket is at
// most 1/64 of its lowest value wide, from 1 ns to 2^42 ns (73 minutes); what is longer shares the last one.
// Invariants: the counters add up to count(); min, max and sum are exact.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace nexus::base {

/// About 19 KiB; nothing throws or allocates. For one thread at a time.
class Histogram {
public:
    /// Counts one value. Negative ones count as 0.
    void record(std::int64_t value_ns) noexcept {
        const std::int64_t value = std::max(value_ns, std::int64_t{0});
        const auto magnitude = static_cast<std::uint64_t>(value);
        ++counters_[bucket_of(magnitude)];
        ++count_;
        min_ = std::min(min_, value);
        max_ = std::max(max_, value);
        add_to_sum(magnitude);
    }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    /// Exact; 0 when nothing was recorded, as with all that follow.
    [[nodiscard]] std::int64_t min() const noexcept { return count_ == 0 ? 0 : min_; }
    [[nodiscard]] std::int64_t max() const noexcept { return max_; }
    [[nodiscard]] double mean() const noexcept {
        if (count_ == 0) return 0.0;
        return (std::ldexp(static_cast<double>(sum_high_), 64) + static_cast<double>(sum_low_)) /
               static_cast<double>(count_);
    }

    /// The value that a share `q` of all values does not exceed (0.99: the 99th percentile): never below the exact one,
    /// and above it by at most 1/64. `q` at or below 0 gives min(), at or above 1 max(). O(buckets).
    [[nodiscard]] std::int64_t quantile(double q) const noexcept {
        if (count_ == 0 || !(q > 0.0)) return min();
        if (q >= 1.0) return max();
        const double exact = q * static_cast<double>(count_);
        // Without the allowance 0.07 * 100 would round up to 8.
        const double rank = std::ceil(exact - exact * 1e-12);
        std::uint64_t seen = 0;
        for (std::size_t bucket = 0; bucket + 1 < buckets; ++bucket) {
            seen += counters_[bucket];
            if (static_cast<double>(seen) >= rank) return std::clamp(highest_in(bucket), min_, max_);
        }
        return max_;
    }

    /// Adds everything that `other` recorded.
    void merge(const Histogram& other) noexcept {
        for (std::size_t bucket = 0; bucket < buckets; ++bucket) counters_[bucket] += other.counters_[bucket];
        count_ += other.count_;
        min_ = std::min(min_, other.min_);
        max_ = std::max(max_, other.max_);
        const std::uint64_t high = other.sum_high_;
        add_to_sum(other.sum_low_);
        sum_high_ += high;
    }

    /// Forgets everything.
    void reset() noexcept { *this = Histogram{}; }

private:
    static constexpr unsigned split_bits = 6; // 64 buckets to a power of two
    static constexpr unsigned range_bits = 42;
    static constexpr std::size_t regular_buckets = (range_bits - split_bits + 1) << split_bits;
    static constexpr std::size_t buckets = regular_buckets + 1; // the last one for what is out of range

    static constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
        if (value >> range_bits != 0) [[unlikely]]
            return buckets - 1;
        const auto bits = static_cast<unsigned>(std::bit_width(value | (std::uint64_t{1} << split_bits)));
        const unsigned shift = bits - (split_bits + 1);
        return (std::size_t{shift} << split_bits) + static_cast<std::size_t>(value >> shift);
    }
    static constexpr std::int64_t highest_in(std::size_t bucket) noexcept {
        if (bucket < (std::size_t{2} << split_bits)) return static_cast<std::int64_t>(bucket);
        const std::size_t shift = (bucket >> split_bits) - 1;
        const std::uint64_t leading = bucket - (shift << split_bits);
        return static_cast<std::int64_t>(((leading + 1) << shift) - 1);
    }
    void add_to_sum(std::uint64_t value) noexcept {
        sum_low_ += value;
        if (sum_low_ < value) ++sum_high_;
    }

    std::uint64_t count_ = 0;
    std::int64_t min_ = std::numeric_limits<std::int64_t>::max();
    std::int64_t max_ = 0;
    std::uint64_t sum_low_ = 0; // the sum has 128 bits
    std::uint64_t sum_high_ = 0;
    std::array<std::uint64_t, buckets> counters_{};
};

} // namespace nexus::base
