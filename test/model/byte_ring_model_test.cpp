// The byte rings under a model checker: the library's own rings, slots and states, on a memory whose headers are the
// checker's atomics and whose payloads it watches. A record that is read before it is written, written before its space
// is given back, or cleared under its reader is a race; a lost wake a deadlock; a header in the wrong place shows as a
// wrong record. Each model is refuted when a fault is planted.
#include "nexus/sync/detail/mpsc_byte_state.hpp"
#include "nexus/sync/detail/spsc_byte_state.hpp"

#include "parking.hpp"

namespace {

using namespace nexus::model;
using nexus::detail::BytePosition;
using nexus::detail::Look;

constexpr rl::iteration_t enough = 10'000;

/// What RecordMemory is in the library, in words of 8 bytes.
template <class Backend>
class WatchedMemory {
public:
    using Bytes = rl::var<int>*;

    explicit WatchedMemory(std::size_t capacity) : capacity_(capacity) {
        RL_ASSERT(2 * capacity / word <= payloads_.size());
        for (std::size_t i = 0; i < payloads_.size(); ++i) payloads_[i](RL_INFO) = 0;
    }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    [[nodiscard]] Bytes payload(BytePosition at) { return &payloads_[index(at) + 1]; }
    [[nodiscard]] std::uint64_t header_acquire(BytePosition at) const { return headers_[index(at)].load_acquire(); }
    [[nodiscard]] std::uint64_t header(BytePosition at) const { return headers_[index(at)].load_relaxed(); }
    void publish_header(BytePosition at, std::uint64_t value) { headers_[index(at)].store_release(value); }
    void set_header(BytePosition at, std::uint64_t value) { headers_[index(at)].store_relaxed(value); }
    void clear(BytePosition at, std::size_t extent) {
        for (std::size_t i = index(at); i < index(at) + extent / word && i < capacity_ / word; ++i) {
            headers_[i].store_relaxed(0);
            payloads_[i](RL_INFO) = 0;
        }
    }

private:
    static constexpr std::size_t word = 8;
    [[nodiscard]] std::size_t index(BytePosition at) const { return static_cast<std::size_t>(at) % capacity_ / word; }

    std::size_t capacity_;
    std::array<typename Backend::template Atomic<std::uint64_t>, 4> headers_;
    std::array<rl::var<int>, 8> payloads_;
};

/// Writes `number` into every word of a record of that many bytes.
template <class Record>
void write(const Record& record, std::size_t size, int number) {
    for (std::size_t i = 0; i < size / 8; ++i) record.data[i](RL_INFO) = number;
}
template <class Record>
int read(const Record& record) {
    const int number = record.data[0](RL_INFO);
    for (std::size_t i = 1; i < record.size / 8; ++i) RL_ASSERT(static_cast<int>(record.data[i](RL_INFO)) == number);
    return number;
}

/// The receiver's side is the same for both: `sink(number)` for each record until the end.
template <class State, class Sink>
void receive(State& state, Fiber& me, Sink&& sink) {
    for (;;) {
        typename State::Record record;
        bool end = false;
        state.begin_receiving("recv");
        while (!state.try_read_or_end(record, end)) {
            const Look look = state.read_after_arming(record, end, me.reference());
            if (look == Look::done) break;
            look == Look::park ? me.park() : rl::yield(1, RL_INFO);
        }
        state.end_receiving();
        if (end) break;
        state.begin_reading();
        const int number = read(record);
        state.end_reading(record);
        sink(number);
    }
    state.drop_receiver();
}

// --- spsc ---

/// Records of one and two words, one that is given up and one that shrinks go through a ring of four words.
template <class Policy, bool may_be_quiet>
struct SpscBytesModel : rl::test_suite<SpscBytesModel<Policy, may_be_quiet>, 2> {
    using State = nexus::detail::BasicSpscByteState<Policy, WatchedMemory<typename Policy::Backend>>;
    static constexpr int records = 4;

    State* state = nullptr;
    std::array<Fiber, 2> fibers;

    void before() {
        for (Fiber& fiber : fibers) fiber.before();
        state = make<State>(std::size_t{32}, may_be_quiet);
    }
    void after() {
        destroy(state);
        for (Fiber& fiber : fibers) fiber.after();
    }
    void thread(unsigned index) { index == 0 ? receive_all(fibers[0]) : send(fibers[1]); }

    typename State::Record claim(Fiber& me, std::size_t size) {
        typename State::Record record;
        state->begin_waiting("claim");
        while (!state->try_claim_or_end(size, record)) {
            const Look look = state->claim_after_arming(size, record, me.reference());
            if (look == Look::done) break;
            look == Look::park ? me.park() : rl::yield(1, RL_INFO);
        }
        state->end_waiting();
        RL_ASSERT(record.size == size);
        return record;
    }
    void send(Fiber& me) {
        for (int i = 0; i < records; ++i) {
            if (i == 1) state->end_claim(claim(me, 24), 0);
            const auto record = claim(me, i % 2 == 0 ? 16 : 8);
            const std::size_t size = i == 2 ? 8 : record.size;
            write(record, size, i);
            state->end_claim(record, size);
        }
        state->drop_sender();
    }
    void receive_all(Fiber& me) {
        int expected = 0;
        receive(*state, me, [&](int number) { RL_ASSERT(number == expected++); });
        RL_ASSERT(expected == records); // the last record comes before the end (H-35)
    }
};

template <class Backend, bool works = true, bool fails = false>
using TwoThreads = Parking<Backend, 2, works, fails>;

TEST(ByteRingModel, spsc_bytes_with_fences_loses_nothing) {
    EXPECT_CORRECT(SpscBytesModel<TwoThreads<RelacyAtomics>, false>);
}
TEST(ByteRingModel, spsc_bytes_that_becomes_quiet_loses_nothing) {
    EXPECT_CORRECT(SpscBytesModel<TwoThreads<RelacyAtomics>, true>);
}
TEST(ByteRingModel, spsc_bytes_whose_process_fence_fails_loses_nothing) {
    EXPECT_CORRECT(SpscBytesModel<TwoThreads<RelacyAtomics, true, true>, true>);
}
TEST(ByteRingModel, spsc_bytes_mutant_without_fence_is_refuted_H7) {
    EXPECT_REFUTED(SpscBytesModel<TwoThreads<WithoutFence>, false>);
}
TEST(ByteRingModel, spsc_bytes_mutant_quiet_without_process_fence_is_refuted) {
    EXPECT_REFUTED(SpscBytesModel<TwoThreads<RelacyAtomics, false>, true>);
}
TEST(ByteRingModel, spsc_bytes_mutant_position_without_release_is_refuted) {
    EXPECT_REFUTED(SpscBytesModel<TwoThreads<RelaxedLink>, false>);
}

// --- mpsc ---

/// Two senders: a record, a claim that is given up, a record; the receiver reads until the end. The ring holds one of
/// the larger records or two of the smaller ones, so all three wait for each other.
template <class Policy, bool gives_up>
struct MpscBytesModel : rl::test_suite<MpscBytesModel<Policy, gives_up>, 3> {
    using State = nexus::detail::BasicMpscByteState<Policy, WatchedMemory<typename Policy::Backend>>;
    using Handle = typename Policy::Handle;
    static constexpr int each = 2;

    State* state = nullptr;
    std::array<Fiber, 3> fibers;

    void before() {
        for (Fiber& fiber : fibers) fiber.before();
        state = make<State>(std::size_t{32});
        state->add_sender();
        state->add_sender();
    }
    void after() {
        RL_ASSERT(state->used() == 0);
        destroy(state);
        for (Fiber& fiber : fibers) fiber.after();
    }
    void thread(unsigned index) {
        index == 0 ? receive_all(fibers[0]) : send(fibers[index], static_cast<int>(index - 1) * each);
    }

    typename State::Record claim(Fiber& me, std::size_t size) {
        typename State::Record record;
        if (state->try_claim(size, record)) return record;
        typename State::Waiter waiter(Handle(&me), size);
        state->link(waiter);
        while (!state->settle(waiter, record)) me.park();
        RL_ASSERT(record.size == size);
        return record;
    }
    void send(Fiber& me, int first) {
        for (int i = 0; i < each; ++i) {
            if (gives_up && i == 1) state->end_claim(claim(me, 8), 0);
            const auto record = claim(me, i == 0 ? 16 : 8);
            write(record, record.size, first + i);
            state->end_claim(record, record.size);
        }
        state->drop_sender();
    }
    void receive_all(Fiber& me) {
        std::array<int, 2> next{};
        int received = 0;
        receive(*state, me, [&](int number) {
            RL_ASSERT(number % each == next[static_cast<std::size_t>(number / each)]++); // FIFO for each sender
            ++received;
        });
        RL_ASSERT(received == 2 * each); // the last record comes before the end (H-35)
    }
};

template <class Backend>
using ThreeThreads = Parking<Backend, 3>;

/// Two may claim the same space.
struct TornCompareExchange : RelacyAtomics {
    template <class T>
    class Atomic : public RelacyAtomics::Atomic<T> {
    public:
        using RelacyAtomics::Atomic<T>::Atomic;
        bool compare_exchange_acq_rel(T& expected, T desired) {
            const T found = this->load_acquire();
            if (found == expected) {
                this->store_release(desired);
                return true;
            }
            expected = found;
            return false;
        }
    };
};

TEST(ByteRingModel, mpsc_bytes_loses_nothing) { EXPECT_CORRECT(MpscBytesModel<ThreeThreads<RelacyAtomics>, false>); }
TEST(ByteRingModel, H36_H37_mpsc_bytes_with_claims_given_up_loses_nothing) {
    EXPECT_CORRECT(MpscBytesModel<ThreeThreads<RelacyAtomics>, true>);
}
TEST(ByteRingModel, mpsc_bytes_mutant_without_fence_is_refuted_H7) {
    EXPECT_REFUTED(MpscBytesModel<ThreeThreads<WithoutFence>, false>);
}
TEST(ByteRingModel, mpsc_bytes_mutant_header_without_release_is_refuted) {
    EXPECT_REFUTED(MpscBytesModel<ThreeThreads<RelaxedLink>, false>);
}
TEST(ByteRingModel, mpsc_bytes_mutant_torn_claim_is_refuted) {
    EXPECT_REFUTED(MpscBytesModel<ThreeThreads<TornCompareExchange>, false>);
}

} // namespace
