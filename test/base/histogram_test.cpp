#include "nexus/base/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <vector>

namespace nexus::base {
namespace {

constexpr std::int64_t hour = 3'600'000'000'000;

TEST(Histogram, is_all_zeros_when_nothing_was_recorded) {
    const Histogram histogram;
    EXPECT_EQ(histogram.count(), 0U);
    EXPECT_EQ(histogram.min(), 0);
    EXPECT_EQ(histogram.max(), 0);
    EXPECT_EQ(histogram.mean(), 0.0);
    EXPECT_EQ(histogram.quantile(0.5), 0);
    EXPECT_EQ(histogram.quantile(1.0), 0);
}

TEST(Histogram, small_values_are_exact) {
    Histogram histogram;
    for (std::int64_t value = 1; value <= 100; ++value) histogram.record(value);
    EXPECT_EQ(histogram.count(), 100U);
    for (int percent = 1; percent <= 100; ++percent) EXPECT_EQ(histogram.quantile(percent / 100.0), percent);
    EXPECT_EQ(histogram.quantile(0.0), 1);
    EXPECT_EQ(histogram.quantile(0.001), 1);
    EXPECT_EQ(histogram.quantile(0.995), 100);
    EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
}

TEST(Histogram, a_single_value_is_every_quantile) {
    for (std::int64_t value : {std::int64_t{0}, std::int64_t{1}, std::int64_t{1'000'003}, hour, 100 * hour}) {
        Histogram histogram;
        histogram.record(value);
        for (double q : {0.0, 0.5, 0.999, 1.0}) EXPECT_EQ(histogram.quantile(q), value);
        EXPECT_EQ(histogram.min(), value);
        EXPECT_EQ(histogram.max(), value);
        EXPECT_DOUBLE_EQ(histogram.mean(), static_cast<double>(value));
    }
}

/// The smallest value that a quantile between two equal crowds of `value` and of the far end reports.
std::int64_t reported_for(std::int64_t value) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(std::numeric_limits<std::int64_t>::max());
    return histogram.quantile(0.5);
}

TEST(Histogram, is_off_by_at_most_a_64th_and_never_below) {
    std::mt19937_64 random{1};
    std::vector<std::int64_t> values{1, 127, 128, 129, hour, (std::int64_t{1} << 42) - 1};
    for (unsigned bit = 0; bit < 42; ++bit) {
        for (std::int64_t offset : {-1, 0, 1}) values.push_back((std::int64_t{1} << bit) + offset);
    }
    for (int i = 0; i < 2000; ++i) values.push_back(static_cast<std::int64_t>(random() >> (22 + random() % 40)));
    for (std::int64_t value : values) {
        const std::int64_t reported = reported_for(value);
        ASSERT_GE(reported, value);
        ASSERT_LE((reported - value) * 64, value) << value;
    }
}

TEST(Histogram, quantiles_of_a_crowd_agree_with_the_sorted_values) {
    std::mt19937_64 random{2};
    Histogram histogram;
    std::vector<std::int64_t> values;
    for (int i = 0; i < 50'000; ++i) {
        values.push_back(static_cast<std::int64_t>(random() >> (23 + random() % 30)));
        histogram.record(values.back());
    }
    std::sort(values.begin(), values.end());
    for (double q : {0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
        const std::int64_t exact = values[static_cast<std::size_t>(std::ceil(q * 50'000 - 1e-6)) - 1];
        EXPECT_GE(histogram.quantile(q), exact) << q;
        EXPECT_LE((histogram.quantile(q) - exact) * 64, exact) << q;
    }
    EXPECT_EQ(histogram.quantile(0.0), values.front());
    EXPECT_EQ(histogram.quantile(1.0), values.back());
}

TEST(Histogram, values_out_of_range_are_counted_and_keep_their_maximum) {
    Histogram histogram;
    histogram.record(-5);
    histogram.record(50 * hour);
    histogram.record(60 * hour);
    EXPECT_EQ(histogram.count(), 3U);
    EXPECT_EQ(histogram.min(), 0);
    EXPECT_EQ(histogram.max(), 60 * hour);
    EXPECT_EQ(histogram.quantile(0.3), 0);
    EXPECT_EQ(histogram.quantile(0.6), 60 * hour);
}

TEST(Histogram, odd_shares_are_taken_as_the_ends) {
    Histogram histogram;
    histogram.record(3);
    histogram.record(9);
    EXPECT_EQ(histogram.quantile(-1.0), 3);
    EXPECT_EQ(histogram.quantile(2.0), 9);
    EXPECT_EQ(histogram.quantile(std::nan("")), 3);
}

TEST(Histogram, merge_is_as_if_one_had_recorded_all) {
    auto first = std::make_unique<Histogram>();
    auto second = std::make_unique<Histogram>();
    auto both = std::make_unique<Histogram>();
    for (std::int64_t i = 0; i < 1000; ++i) {
        (i % 3 == 0 ? *first : *second).record(i * i * 77);
        both->record(i * i * 77);
    }
    first->merge(*second);
    first->merge(Histogram{});
    EXPECT_EQ(first->count(), both->count());
    EXPECT_EQ(first->min(), both->min());
    EXPECT_EQ(first->max(), both->max());
    EXPECT_DOUBLE_EQ(first->mean(), both->mean());
    for (double q : {0.1, 0.5, 0.9, 0.99}) EXPECT_EQ(first->quantile(q), both->quantile(q));
    Histogram empty;
    empty.merge(*both);
    EXPECT_EQ(empty.min(), both->min());
}

TEST(Histogram, mean_survives_a_sum_beyond_64_bits) {
    const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
    Histogram histogram;
    for (int i = 0; i < 7; ++i) histogram.record(huge);
    Histogram copy = histogram;
    histogram.merge(copy);
    histogram.merge(histogram);
    EXPECT_EQ(histogram.count(), 28U);
    EXPECT_DOUBLE_EQ(histogram.mean(), static_cast<double>(huge));
}

TEST(Histogram, reset_forgets_everything) {
    Histogram histogram;
    histogram.record(1000);
    histogram.reset();
    EXPECT_EQ(histogram.count(), 0U);
    EXPECT_EQ(histogram.max(), 0);
    histogram.record(5);
    EXPECT_EQ(histogram.min(), 5);
    EXPECT_EQ(histogram.quantile(0.99), 5);
}

} // namespace
} // namespace nexus::base
