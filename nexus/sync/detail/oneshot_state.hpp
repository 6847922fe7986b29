// The shared state of a channel for one value, whose ends may be on two threads.
//
// One word tells everything. Invariants: `sent` is set after the value has been made, and at most once; whoever of
// sender and receiver comes second to `sent` and `receiver_gone` sees the other's bit and destroys a value that will
// not be taken; `taken` is set by the receiver alone, after it has destroyed the value where it lay.
#pragma once

#include "nexus/sync/detail/task_reference.hpp"

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace nexus::detail {

[[noreturn]] void throw_second_receiver(const char* operation);
[[noreturn]] void throw_sent_twice();

template <class T, class Parking = TaskReference>
class BasicOneshotState {
    static_assert(std::is_nothrow_move_constructible_v<T>,
                  "a channel moves its values from fiber to fiber: T needs a move constructor that is noexcept; send a "
                  "std::unique_ptr<T> instead");
    using Backend = typename Parking::Backend;
    using Pointer = typename Parking::Pointer;

public:
    BasicOneshotState() noexcept = default;
    BasicOneshotState(const BasicOneshotState&) = delete;
    BasicOneshotState& operator=(const BasicOneshotState&) = delete;
    ~BasicOneshotState() = default;

    // --- the sender's side ---

    [[nodiscard]] bool receiver_gone() const noexcept { return (word() & receiver_gone_bit) != 0; }
    [[nodiscard]] bool sent() const noexcept { return (word() & sent_bit) != 0; }
    /// To be called once. Moves from `value` only when there is a receiver; true then.
    [[nodiscard]] bool send(T& value) noexcept {
        if (receiver_gone()) return false;
        ::new (static_cast<void*>(bytes_)) T(std::move(value));
        // partners: try_receive() and drop_receiver()
        if ((word_.fetch_or_acq_rel(sent_bit) & receiver_gone_bit) != 0) {
            stored().~T(); // it left at this very moment
        } else {
            receiver_.wake_after_publish();
        }
        return true;
    }
    void drop_sender() noexcept {
        word_.fetch_or_acq_rel(sender_gone_bit); // partner: try_receive()
        receiver_.wake_after_publish();
    }

    // --- the receiver's side ---

    /// True when the value has come, now in `value`, or when `end` has come.
    [[nodiscard]] bool try_receive(std::optional<T>& value, bool& end) noexcept {
        const std::uint32_t seen = word();
        if ((seen & (sent_bit | taken_bit | receiver_gone_bit)) == sent_bit) {
            value.emplace(std::move(stored()));
            stored().~T();
            word_.fetch_or_acq_rel(taken_bit);
            return true;
        }
        end = (seen & (taken_bit | sender_gone_bit | receiver_gone_bit)) != 0;
        return end;
    }
    /// Arms, then try_receive() (H-22).
    [[nodiscard]] bool receive_after_arming(std::optional<T>& value, bool& end, Pointer me) noexcept {
        receiver_.arm(me);
        return try_receive(value, end);
    }
    /// select(): the same without taking anything.
    [[nodiscard]] bool readable() const noexcept { return word() != 0; }
    [[nodiscard]] bool readable_after_arming(Pointer me) noexcept {
        receiver_.arm(me);
        return readable();
    }
    [[nodiscard]] bool receiving() const noexcept { return receiving_; }
    /// Throws UsageError when another fiber receives.
    void begin_receiving(const char* operation) {
        if (receiving_) throw_second_receiver(operation);
        receiving_ = true;
    }
    void end_receiving() noexcept {
        receiving_ = false;
        receiver_.disarm();
    }
    void drop_receiver() noexcept {
        // partner: send()
        if ((word_.fetch_or_acq_rel(receiver_gone_bit) & (sent_bit | taken_bit)) == sent_bit) stored().~T();
        receiver_.wake_after_publish(); // a fiber of this thread may be in recv(): it ends with errc::closed
    }

    // --- any thread: figures ---

    [[nodiscard]] std::size_t depth() const noexcept { return (word() & (sent_bit | taken_bit)) == sent_bit ? 1 : 0; }

private:
    static constexpr std::uint32_t sent_bit = 1;
    static constexpr std::uint32_t taken_bit = 2;
    static constexpr std::uint32_t sender_gone_bit = 4;
    static constexpr std::uint32_t receiver_gone_bit = 8;

    [[nodiscard]] std::uint32_t word() const noexcept { return word_.load_acquire(); } // partners: all that change it
    // SAFETY: called only by the one who knows of `sent` that the value is there and not yet taken.
    [[nodiscard]] T& stored() noexcept { return *std::launder(reinterpret_cast<T*>(bytes_)); }

    // Partners: the sender's thread and the receiver's.
    typename Backend::template Atomic<std::uint32_t> word_{0};
    BasicWakerSlot<Backend, Parking> receiver_;
    bool receiving_ = false; ///< the receiver's own
    alignas(T) std::byte bytes_[sizeof(T)];
};

template <class T>
using OneshotState = BasicOneshotState<T, TaskReference>;

} // namespace nexus::detail
