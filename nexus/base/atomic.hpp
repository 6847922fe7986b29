// The one door to atomics, so that a model checker can stand in for them.
//
// Code with an atomic protocol is written against a *backend*: a type with `Atomic<T>`, `Plain<T>` and
// `fence_seq_cst()`. StdAtomics below is what ships; test/model/ has one on top of relacy that explores all
// interleavings of the very same code. Orders are named by this header's constants because relacy's are macros.
#pragma once

#include <atomic>

#if defined(__SANITIZE_THREAD__)
#define NEXUS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NEXUS_TSAN 1
#endif
#endif

namespace nexus::base {

/// Atomics of the standard library, thinly renamed.
struct StdAtomics {
    template <class T>
    class Atomic {
    public:
        constexpr Atomic() noexcept = default;
        constexpr explicit Atomic(T value) noexcept : value_(value) {}
        Atomic(const Atomic&) = delete;
        Atomic& operator=(const Atomic&) = delete;

        [[nodiscard]] T load_relaxed() const noexcept { return value_.load(std::memory_order_relaxed); }
        [[nodiscard]] T load_acquire() const noexcept { return value_.load(std::memory_order_acquire); }
        [[nodiscard]] T load_seq_cst() const noexcept { return value_.load(std::memory_order_seq_cst); }
        void store_relaxed(T value) noexcept { value_.store(value, std::memory_order_relaxed); }
        void store_release(T value) noexcept { value_.store(value, std::memory_order_release); }
        void store_seq_cst(T value) noexcept { value_.store(value, std::memory_order_seq_cst); }
        T exchange_acq_rel(T value) noexcept { return value_.exchange(value, std::memory_order_acq_rel); }
        T fetch_add_relaxed(T value) noexcept { return value_.fetch_add(value, std::memory_order_relaxed); }
        T fetch_add_acq_rel(T value) noexcept { return value_.fetch_add(value, std::memory_order_acq_rel); }
        T fetch_sub_acq_rel(T value) noexcept { return value_.fetch_sub(value, std::memory_order_acq_rel); }
        T fetch_or_acq_rel(T value) noexcept { return value_.fetch_or(value, std::memory_order_acq_rel); }
        T fetch_or_seq_cst(T value) noexcept { return value_.fetch_or(value, std::memory_order_seq_cst); }
        T fetch_and_acq_rel(T value) noexcept { return value_.fetch_and(value, std::memory_order_acq_rel); }
        bool compare_exchange_acq_rel(T& expected, T desired) noexcept {
            return value_.compare_exchange_strong(expected, desired, std::memory_order_acq_rel,
                                                  std::memory_order_acquire);
        }

    private:
        std::atomic<T> value_{};
    };

    /// Atomic access to a variable that is ordinary memory at other times. Holds no more than its address.
    template <class T>
    class View {
    public:
        explicit View(T& variable) noexcept : view_(variable) {}

        [[nodiscard]] T load_relaxed() const noexcept { return view_.load(std::memory_order_relaxed); }
        [[nodiscard]] T load_acquire() const noexcept { return view_.load(std::memory_order_acquire); }
        void store_relaxed(T value) const noexcept { view_.store(value, std::memory_order_relaxed); }
        void store_release(T value) const noexcept { view_.store(value, std::memory_order_release); }

    private:
        std::atomic_ref<T> view_;
    };

    /// A variable that only one thread may touch at a time; the model checker verifies that.
    template <class T>
    class Plain {
    public:
        constexpr Plain() noexcept = default;
        constexpr explicit Plain(T value) noexcept : value_(value) {}
        [[nodiscard]] T get() const noexcept { return value_; }
        void set(T value) noexcept { value_ = value; }

    private:
        T value_{};
    };

    /// Orders the stores before it ahead of the loads after it, against the same fence on the other side.
    static void fence_seq_cst() noexcept {
#if defined(NEXUS_TSAN)
        // TSan does not model fences; a read-modify-write on one shared word gives it the same edges.
        static std::atomic<int> tsan_fence{0};
        tsan_fence.fetch_add(0, std::memory_order_seq_cst);
#else
        std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
    }
    /// Keeps the compiler from moving memory accesses across it. Costs no instruction. Enough where the other side
    /// makes the fence for both (exec/process_fence.hpp).
    static void fence_compiler() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }
};

template <class T>
using Atomic = StdAtomics::Atomic<T>;

} // namespace nexus::base
