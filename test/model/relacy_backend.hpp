// Relacy under the library's own templates: the atomics backend whose every operation is a point where the checker may
// switch threads or deliver an old value. Tests include this header last.
//
// Relacy has to come after everything else, because it redefines `new`, `delete`, `malloc`, `assert` and the memory
// orders as macros; those are taken back here, so that GoogleTest and C++ mean the same below as above.
#pragma once

#include "nexus/base/mpsc_queue.hpp"
#include "nexus/exec/cancel_state.hpp"
#include "nexus/exec/park_gate.hpp"
#include "nexus/exec/state_word.hpp"
#include "nexus/sync/detail/mpsc_state.hpp"
#include "nexus/sync/detail/oneshot_state.hpp"
#include "nexus/sync/detail/spsc_state.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <utility>

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Weverything"
#elif defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#endif
#include <relacy/relacy.hpp>
#if defined(__clang__)
#pragma clang diagnostic pop
#pragma clang diagnostic ignored "-Wdollar-in-identifier-extension"
#elif defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst

namespace nexus::model {

/// What StdAtomics is in the shipped library.
struct RelacyAtomics {
    template <class T>
    class Atomic {
    public:
        Atomic() : value_(T{}) {}
        explicit Atomic(T value) : value_(value) {}
        Atomic(const Atomic&) = delete;
        Atomic& operator=(const Atomic&) = delete;

        [[nodiscard]] T load_relaxed() const { return value_.load(rl::mo_relaxed, RL_INFO); }
        [[nodiscard]] T load_acquire() const { return value_.load(rl::mo_acquire, RL_INFO); }
        void store_relaxed(T value) { value_.store(value, rl::mo_relaxed, RL_INFO); }
        void store_release(T value) { value_.store(value, rl::mo_release, RL_INFO); }
        T exchange_acq_rel(T value) { return value_.exchange(value, rl::mo_acq_rel, RL_INFO); }
        bool compare_exchange_acq_rel(T& expected, T desired) {
            return value_.compare_exchange_strong(expected, desired, rl::mo_acq_rel, RL_INFO, rl::mo_acquire, RL_INFO);
        }
        T fetch_add_acq_rel(T value) { return value_.fetch_add(value, rl::mo_acq_rel, RL_INFO); }
        T fetch_add_relaxed(T value) { return value_.fetch_add(value, rl::mo_relaxed, RL_INFO); }
        T fetch_sub_acq_rel(T value) { return value_.fetch_sub(value, rl::mo_acq_rel, RL_INFO); }
        T fetch_or_acq_rel(T value) { return value_.fetch_or(value, rl::mo_acq_rel, RL_INFO); }
        T fetch_and_acq_rel(T value) { return value_.fetch_and(value, rl::mo_acq_rel, RL_INFO); }

    private:
        rl::atomic<T> value_;
    };

    /// Relacy reports two threads that touch it without an order between them.
    template <class T>
    class Plain {
    public:
        Plain() = default;
        explicit Plain(T value) : value_(value) {}
        [[nodiscard]] T get() const { return value_(RL_INFO); }
        void set(T value) { value_(RL_INFO) = value; }

    private:
        rl::var<T> value_;
    };

    static void fence_seq_cst() { rl::atomic_thread_fence(rl::mo_seq_cst, RL_INFO); }
    static void fence_compiler() {} // and the checker may deliver old values
};

/// membarrier(2): a full fence on each of the `count` threads, on one after the other.
template <int count>
bool fence_all_threads() {
    rl::context& checker = rl::ctx();
    const auto me = static_cast<int>(rl::thread_index());
    // SAFETY: the checker keeps its threads in one array of this type, in the order of their indices.
    auto* threads = static_cast<rl::aligned<rl::thread_info<count>>*>(checker.threadx_) - me;
    for (int i = 0; i < count; ++i) {
        RelacyAtomics::fence_seq_cst(); // the caller's own, and a point where another thread may run
        threads[i].atomic_thread_fence_seq_cst(checker.seq_cst_fence_order_);
    }
    RelacyAtomics::fence_seq_cst();
    return true;
}

// --- planted mutants: the same templates on a backend with a fault ---

/// H-7: the fences of the park protocol are missing.
struct WithoutFence : RelacyAtomics {
    static void fence_seq_cst() {}
};

/// H-4: flags are tested first and set afterwards.
struct TestThenSet : RelacyAtomics {
    template <class T>
    class Atomic : public RelacyAtomics::Atomic<T> {
    public:
        using RelacyAtomics::Atomic<T>::Atomic;
        T fetch_or_acq_rel(T value) {
            const T before = this->load_acquire();
            this->store_release(before | value);
            return before;
        }
    };
};

/// The link to a pushed node is published without release.
struct RelaxedLink : RelacyAtomics {
    template <class T>
    class Atomic : public RelacyAtomics::Atomic<T> {
    public:
        using RelacyAtomics::Atomic<T>::Atomic;
        void store_release(T value) { this->store_relaxed(value); }
    };
};

/// What is exchanged may be taken twice.
struct TornExchange : RelacyAtomics {
    template <class T>
    class Atomic : public RelacyAtomics::Atomic<T> {
    public:
        using RelacyAtomics::Atomic<T>::Atomic;
        T exchange_acq_rel(T value) {
            const T before = this->load_acquire();
            this->store_release(value);
            return before;
        }
    };
};

/// An object on the checker's heap: it reports use after free, double free and leaks.
template <class T, class... Args>
T* make(Args&&... args) {
    return ::new (rl::rl_malloc(sizeof(T), RL_INFO)) T(std::forward<Args>(args)...);
}
template <class T>
void destroy(T* object) {
    object->~T();
    rl::rl_free(object, RL_INFO);
}

/// Keeps the first part of what is written to it. It allocates nothing: the checker replaces operator new, and memory
/// must not go from one of its phases to another.
class Report : public std::streambuf {
public:
    Report() { setp(text_.data(), text_.data() + text_.size()); }
    [[nodiscard]] std::string_view text() const {
        return {text_.data(), static_cast<std::size_t>(pptr() - text_.data())};
    }

protected:
    int_type overflow(int_type character) override { return traits_type::not_eof(character); } // and drops it

private:
    std::array<char, 32 * 1024> text_{};
};

struct Verdict {
    bool correct;
    std::string report; ///< the failing interleaving, or a summary
};

/// Explores `iterations` random interleavings of Model.
template <class Model>
Verdict explore(rl::iteration_t iterations) {
    const auto buffer = std::make_unique<Report>();
    std::ostream report(buffer.get());
    std::ostream progress(nullptr);
    rl::test_params params;
    params.iteration_count = iterations;
    params.search_type = rl::sched_random;
    params.output_stream = &report;
    params.progress_stream = &progress;
    params.execution_depth_limit = 4000;
    rl::simulate<Model>(params);
    return {params.test_result == rl::test_result_success, std::string(buffer->text())};
}

} // namespace nexus::model
