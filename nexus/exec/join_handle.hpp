// JoinHandle: what became of a spawned fiber (EX-50 to EX-59).
//
// Owner thread only; move-only; may outlive the executor. Destroying it detaches: the fiber runs on. An exception that
// left the fiber and that nobody joins goes to on_unhandled.
#pragma once

#include "nexus/base/usage_error.hpp"
#include "nexus/exec/executor.hpp"
#include "nexus/exec/wait.hpp"

#include <exception>
#include <utility>

namespace nexus {

/// What join() throws when the fiber was aborted.
class TaskAborted : public std::exception {
public:
    [[nodiscard]] const char* what() const noexcept override { return "the joined fiber was aborted"; }
};

namespace detail {

/// Keeps the header, and resets its listener when the wait ends, however it ends.
class JoinWaiter : public CompletionListener {
public:
    /// Throws UsageError when someone waits already, or when `task` is the running fiber.
    JoinWaiter(Task& task, Executor& executor);
    JoinWaiter(const JoinWaiter&) = delete;
    JoinWaiter& operator=(const JoinWaiter&) = delete;
    ~JoinWaiter();

private:
    Task& task_;
    Executor& executor_;
    Task& joiner_;
};

/// The parts of JoinHandle that do not depend on its type.
class JoinHandleBase {
public:
    JoinHandleBase() noexcept = default;
    JoinHandleBase(JoinHandleBase&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
    JoinHandleBase& operator=(JoinHandleBase&& other) noexcept {
        if (this != &other) {
            detach();
            task_ = std::exchange(other.task_, nullptr);
        }
        return *this;
    }
    ~JoinHandleBase() { detach(); }

    /// False for a handle that was moved from, joined or detached.
    [[nodiscard]] bool valid() const noexcept { return task_ != nullptr; }
    /// True when the fiber has ended in any way (EX-53).
    [[nodiscard]] bool is_finished() const { return task("is_finished").outcome_known(); }
    /// Suspends until the fiber has ended in any way, and takes nothing: join() goes on from here. Throws as join()
    /// does when the wait is ended. False when it had to return at once, because an exception unwinds and the fiber
    /// lives.
    bool wait();
    /// True when the fiber has ended with an exception or by abort: join() will throw.
    [[nodiscard]] bool has_failed() const {
        const TaskView view = task("has_failed");
        return view.outcome_known() && view.header.outcome != Outcome::value;
    }
    /// Asks the fiber to unwind: at once if it is parked, at its next wait otherwise (H-1). False when it had ended
    /// already (EX-54); the handle stays joinable either way, unlike the seed's, and join() then throws TaskAborted.
    bool abort();
    /// The header, for the library's own waits. Throws UsageError for an empty handle.
    [[nodiscard]] Task& header() const { return task("header").header; }
    /// Lets the fiber run on by itself. An exception it ended with, or will end with, is reported as unhandled.
    void detach() noexcept;

protected:
    struct TaskView {
        Task& header;
        [[nodiscard]] bool outcome_known() const noexcept { return header.state.completed(); }
    };
    explicit JoinHandleBase(Task& task) noexcept : task_(&task) {}
    /// Throws UsageError for an empty handle.
    [[nodiscard]] TaskView task(const char* operation) const;
    /// True when the fiber has failed and the joiner unwinds: then this let go of it.
    bool settle_while_unwinding() noexcept;
    /// Rethrows the fiber's exception, throws TaskAborted; returns when there is a value.
    void check_outcome();
    /// Drops handle and reference after the output was taken.
    void release_taken() noexcept;

    Task* task_ = nullptr;

private:
    friend class nexus::Executor;
    void drop(bool destroy_output) noexcept;
};

} // namespace detail

template <class T>
class JoinHandle : public detail::JoinHandleBase {
public:
    JoinHandle() noexcept = default;

    /// Suspends until the fiber has ended and returns its value, rethrows its exception, or throws TaskAborted after
    /// an abort (EX-51). The handle is empty afterwards; it keeps the fiber when the *wait* is ended (ScopeEnded,
    /// Aborted). Joining an ended fiber works anywhere on the owner thread. Throws UsageError for an empty handle, for
    /// joining oneself, for a second joiner at the same time. While an exception unwinds the joiner it does not wait:
    /// without a value to return (T is void) it returns at once, else it throws TaskAborted, which a destructor that
    /// joins has to catch; the handle stays valid. Nor does it throw then what became of a fiber without a value: that
    /// would end the process; a fiber's exception goes where those of unjoined fibers go.
    T join() {
        if (!wait()) {
            // The joiner unwinds: it may not wait, and there is no value yet.
            if constexpr (std::is_void_v<T>) {
                return;
            } else {
                throw TaskAborted{};
            }
        }
        if constexpr (std::is_void_v<T>) {
            if (settle_while_unwinding()) return;
        }
        check_outcome();
        struct Release {
            JoinHandle* handle;
            ~Release() { handle->release_taken(); }
        } release{this};
        if constexpr (!std::is_void_v<T>) {
            auto& typed = static_cast<detail::TypedTask<T>&>(*task_);
            return std::move(typed.output.value);
        }
    }

    /// select() over handles: true when join() will not suspend.
    [[nodiscard]] bool ready() const { return is_finished(); }

private:
    friend class Executor;
    explicit JoinHandle(detail::TypedTask<T>& task) noexcept : JoinHandleBase(task) {}
};

template <class F>
JoinHandle<std::invoke_result_t<std::decay_t<F>&&>> Executor::spawn_boxed(F&& body, SpawnOptions options) {
    using T = std::invoke_result_t<std::decay_t<F>&&>;
    if (options.site == nullptr) options.site = __builtin_return_address(0);
    return JoinHandle<T>(create_task<T>(std::forward<F>(body), options, 2, StateWord::has_join_bit));
}

template <class F>
JoinHandle<std::invoke_result_t<std::decay_t<F>&&>> Executor::spawn_in(detail::SlabSlot& slot, F&& body,
                                                                       SpawnOptions options) {
    using T = std::invoke_result_t<std::decay_t<F>&&>;
    return JoinHandle<T>(create_task_in<T>(slot, std::forward<F>(body), options, 2, StateWord::has_join_bit));
}

template <class F>
JoinHandle<std::invoke_result_t<std::decay_t<F>&&>> Executor::spawn_slab(F&& body, SpawnOptions options) {
    if (options.site == nullptr) options.site = __builtin_return_address(0);
    detail::SlabSlot slot = claim_slot("spawn_slab");
    return spawn_in(slot, std::forward<F>(body), options);
}

} // namespace nexus
