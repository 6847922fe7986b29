// Bodies of Executor that are inlined into wait points and spawns: the choice of the next fiber, and task creation.
#pragma once

#include "nexus/exec/detail/stack_base.hpp"
#include "nexus/exec/executor.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace nexus {

inline bool Executor::suspension_forbidden(const detail::Task& task) const noexcept {
    return (static_cast<unsigned>(task.no_suspend) | task.borrows.mutable_live |
            (strict_borrows_ ? task.borrows.live : 0U)) != 0;
}

inline void Executor::begin_cycle() noexcept {
    cycle_left_ = std::min(ready_.size(), tasks_per_cycle_);
    allowance_.runs -= static_cast<std::int64_t>(cycle_left_);
    --allowance_.cycles;
}

/// The end of a cycle without a switch to the loop: only when nothing waits for the loop's attention.
inline bool Executor::cross_cycle_in_place() noexcept {
    if (ready_.empty() || allowance_.runs <= 0 || allowance_.cycles <= 0) return false;
    if (cross_->maybe_nonempty() || has_unhandled()) return false;
    if (deferred_ != nullptr) drain_deferred_free();
    begin_cycle();
    return true;
}

inline detail::Task* Executor::next_to_run() noexcept {
    for (;;) {
        if (cycle_left_ == 0 && !cross_cycle_in_place()) return nullptr;
        detail::Task* task = choice_.choose == nullptr ? ready_.pop()
                                                       : ready_.pop_at(choice_.choose(choice_.context, cycle_left_));
        --cycle_left_;
        if (task->state.completed()) [[unlikely]] {
            drop_stale(*task);
            continue;
        }
        ++runs_;
        task->state.clear_queued(task->sharing);
        return task;
    }
}

namespace detail {

/// What a fiber with a closure of type F does: the closure lives at the top of the stack and is used up there.
template <class F, class T>
struct FiberBody {
    [[nodiscard]] static std::byte* address(const Stack& stack) noexcept {
        std::byte* base = StackBase::address(stack.top);
        // SAFETY: address arithmetic inside the stack; rounding down keeps it inside (check_closure_fits).
        const auto below = reinterpret_cast<std::uintptr_t>(base);
        const std::uintptr_t at = (below - sizeof(F)) & ~(std::uintptr_t{alignof(F)} - 1);
        return base - (below - at);
    }
    static F* closure(const Task& task) noexcept {
        // SAFETY: create_task constructed an F there, and nothing has destroyed it yet.
        return std::launder(reinterpret_cast<F*>(address(*task.stack)));
    }
    static void run(Task& task) {
        struct Closure {
            F* function;
            Task& task;
            ~Closure() {
                task.ending = true;
                function->~F();
            }
        } body{closure(task), task};
        if constexpr (std::is_void_v<T>) {
            std::invoke(std::move(*body.function));
        } else {
            auto& typed = static_cast<TypedTask<T>&>(task);
            ::new (static_cast<void*>(&typed.output.value)) T(std::invoke(std::move(*body.function)));
            task.outcome = Outcome::value; // from here on the output has to be destroyed (EX-9)
        }
    }
    static void discard(Task& task) noexcept { closure(task)->~F(); }
    static void destroy_output([[maybe_unused]] Task& task) noexcept {
        if constexpr (!std::is_void_v<T>) static_cast<TypedTask<T>&>(task).output.value.~T();
    }
    static constexpr TaskOps ops{&run, &discard, &destroy_output, sizeof(TypedTask<T>)};
};

} // namespace detail

template <class T, class F>
detail::TypedTask<T>& Executor::create_task(F&& body, SpawnOptions options, unsigned references,
                                            StateWord::Word flags) {
    using Body = detail::FiberBody<std::decay_t<F>, T>;
    static_assert(!std::is_reference_v<T>, "a fiber cannot return a reference: return a value or a pointer");
    static_assert(alignof(std::decay_t<F>) <= 4096);
    if (closing_) [[unlikely]]
        throw_closing();
    struct Undo { // gives back what was had when a later step throws
        Executor& executor;
        Stack* stack = nullptr;
        ~Undo() {
            if (stack != nullptr) executor.stacks_.release(stack);
        }
    } undo{*this, take_stack(options.stack_size)};
    check_closure_fits(*undo.stack, sizeof(std::decay_t<F>) + alignof(std::decay_t<F>));
    using Typed = detail::TypedTask<T>;
    if constexpr (CrossWake::fits_slot(sizeof(Typed), alignof(Typed))) flags |= StateWord::slab_bit;
    std::byte* closure = Body::address(*undo.stack);
    ::new (static_cast<void*>(closure)) std::decay_t<F>(std::forward<F>(body));
    void* memory = nullptr;
    try {
        memory = cross_->allocate(sizeof(Typed), alignof(Typed));
    } catch (...) {
        // SAFETY: the object was constructed there just above.
        std::destroy_at(std::launder(reinterpret_cast<std::decay_t<F>*>(closure)));
        throw;
    }
    auto* task = ::new (memory) Typed(references, flags);
    task->alignment_shift = static_cast<std::uint8_t>(std::countr_zero(alignof(Typed)));
    admit(*task, std::exchange(undo.stack, nullptr), closure, Body::ops, options);
    return *task;
}

template <class T, class F>
detail::TypedTask<T>& Executor::create_task_in(detail::SlabSlot& slot, F&& body, SpawnOptions options,
                                               unsigned references, StateWord::Word flags) {
    using Body = detail::FiberBody<std::decay_t<F>, T>;
    using Typed = detail::TypedTask<T>;
    static_assert(!std::is_reference_v<T>, "a fiber cannot return a reference: return a value or a pointer");
    if (closing_) [[unlikely]]
        throw_closing();
    check_slot_fits(sizeof(Typed), alignof(Typed));
    check_closure_fits(*slot.stack(), sizeof(std::decay_t<F>) + alignof(std::decay_t<F>));
    std::byte* closure = Body::address(*slot.stack());
    ::new (static_cast<void*>(closure)) std::decay_t<F>(std::forward<F>(body));
    auto* task = ::new (slot.memory()) Typed(references, flags | StateWord::slab_bit);
    task->alignment_shift = detail::Task::in_byte_slab;
    Stack* stack = slot.stack();
    slot.used();
    admit(*task, stack, closure, Body::ops, options);
    return *task;
}

} // namespace nexus
