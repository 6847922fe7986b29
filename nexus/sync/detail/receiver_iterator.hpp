// for (T value : receiver): what all kinds of channel share.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>

namespace nexus::detail {

/// Receives on construction and on each step; at its end once recv() fails.
template <class Receiver, class T>
class ReceiverIterator {
public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    explicit ReceiverIterator(Receiver& receiver) : receiver_(&receiver) { ++*this; }

    /// An rvalue: each value is looked at once.
    [[nodiscard]] T&& operator*() noexcept { return std::move(*value_); }
    ReceiverIterator& operator++() {
        value_.reset(); // a record goes back before the next is asked for
        if (auto received = receiver_->recv()) value_.emplace(std::move(*received));
        return *this;
    }
    void operator++(int) { ++*this; }
    [[nodiscard]] bool operator==(std::default_sentinel_t /*end*/) const noexcept { return !value_.has_value(); }

private:
    Receiver* receiver_;
    std::optional<T> value_;
};

} // namespace nexus::detail
