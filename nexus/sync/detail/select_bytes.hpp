// The ends of byte channels as sources of select(): see selectable.hpp for what each of them has to provide.
#pragma once

#include "nexus/sync/detail/selectable.hpp"
#include "nexus/sync/mpsc_bytes.hpp"
#include "nexus/sync/spsc_bytes.hpp"

#include <cstddef>
#include <memory>

namespace nexus::detail {

template <class State>
struct Selectable<ByteReceiver<State>> {
    static bool ready(ByteReceiver<State>& receiver, Executor& /*executor*/) {
        receiver.state()->check_receiver("select");
        return receiver.state()->readable();
    }
    class Waiter {
    public:
        Waiter(ByteReceiver<State>& receiver, SelectTurn& turn) : state_(receiver.state()), executor_(turn.executor) {
            state_->begin_receiving("select");
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { state_->end_receiving(); }
        [[nodiscard]] bool ready() {
            return state_->readable() || state_->readable_after_arming(TaskReference::of_current(executor_));
        }

    private:
        std::shared_ptr<State> state_;
        Executor& executor_;
    };
};

template <>
struct Selectable<spsc_bytes::ClaimReadiness> {
    static bool ready(const spsc_bytes::ClaimReadiness& source, Executor& /*executor*/) {
        source.sender.state()->check_sender("select");
        return source.sender.state()->writable(source.size);
    }
    class Waiter {
    public:
        Waiter(const spsc_bytes::ClaimReadiness& source, SelectTurn& turn)
            : state_(source.sender.state()), executor_(turn.executor), size_(source.size) {
            state_->begin_waiting("select");
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { state_->end_waiting(); }
        [[nodiscard]] bool ready() {
            return state_->writable(size_) ||
                   state_->writable_after_arming(size_, TaskReference::of_current(executor_));
        }

    private:
        std::shared_ptr<SpscByteState> state_;
        Executor& executor_;
        std::size_t size_;
    };
};

} // namespace nexus::detail
