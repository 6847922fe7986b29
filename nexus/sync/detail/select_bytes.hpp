// The ends of byte channels as sources of select(): see selectable.hpp for what each of them has to provide.
#pragma once

#include "nexus/sync/detail/byte_wait.hpp"
#include "nexus/sync/detail/selectable.hpp"
#include "nexus/sync/mpsc_bytes.hpp"
#include "nexus/sync/spsc_bytes.hpp"

namespace nexus::detail {

template <class State>
struct Selectable<ByteReceiver<State>> {
    static bool ready(ByteReceiver<State>& receiver, Executor& /*executor*/) {
        receiver.state()->check_receiver("select");
        return receiver.state()->readable();
    }
    class Waiter {
    public:
        Waiter(ByteReceiver<State>& receiver, SelectTurn& turn) : wait_(receiver.state(), turn.executor, "select") {}
        [[nodiscard]] bool ready() { return wait_.readable(); }

    private:
        ReadWait<State> wait_;
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
            : wait_(source.sender.state(), turn.executor, "select", source.size) {}
        [[nodiscard]] bool ready() { return wait_.over(); }

    private:
        RoomWait wait_;
    };
};

} // namespace nexus::detail
