// TaskLocal<T>: one value for each fiber.
//
//     inline nexus::TaskLocal<RequestId> request_id;     // at namespace scope
//     request_id.emplace(next_id());                     // this fiber's
//     log(*request_id);                                  // anywhere below, in this fiber
//
// A fiber that asks for its value the first time gets one that is made then; it inherits nothing from the fiber that
// spawned it. Values are destroyed at the fiber's end on its own stack, newest first, after everything else of the
// fiber's: the frames of its body, and its output if nobody wants that.
//
// Defaults: only inside fibers, else UsageError; nothing here suspends but what T does; a TaskLocal may be used by
// fibers of all threads and runtimes, made before them and destroyed after them. Invariants: a fiber has at most one
// value of a TaskLocal, besides one that is being destroyed; its values are found by number in a list, newest first,
// for there are few; numbers are never used twice, so what a TaskLocal that is gone has left in a fiber is nobody's.
#pragma once

#include "nexus/base/atomic.hpp"
#include "nexus/exec/detail/stack_base.hpp"
#include "nexus/exec/executor.hpp"

#include <concepts>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace nexus {
namespace detail {

template <class T>
struct LocalValue : LocalNode {
    explicit LocalValue(std::uint64_t of) noexcept : LocalNode{nullptr, of, &destroy_in_place} {}
    LocalValue(const LocalValue&) = delete;
    LocalValue& operator=(const LocalValue&) = delete;
    ~LocalValue() { clear(); }

    void clear() noexcept {
        if (std::exchange(full, false)) std::destroy_at(&value);
    }
    static void destroy_in_place(LocalNode& node) noexcept { std::destroy_at(static_cast<LocalValue*>(&node)); }
    static void destroy_on_heap(LocalNode& node) noexcept { delete static_cast<LocalValue*>(&node); }

    bool full = false;
    union {
        T value; ///< if `full`
    };
};

/// The numbers of TaskLocals, from 1.
inline constinit base::Atomic<std::uint64_t> task_locals_made{0}; // partners: the constructors on all threads

} // namespace detail

template <class T>
class TaskLocal {
public:
    /// Values begin as T().
    TaskLocal() noexcept requires std::default_initializable<T> : TaskLocal([] { return T(); }) {}
    /// Values begin as what `initial` returns, called in the fiber that asks; a function, or a lambda without captures.
    explicit TaskLocal(T (*initial)()) noexcept : initial_(initial), number_(next_number()) {}
    TaskLocal(const TaskLocal&) = delete;
    TaskLocal& operator=(const TaskLocal&) = delete;

    /// The running fiber's value, made when there is none. The reference is good until the value is replaced or reset,
    /// or its fiber ends. The first call in a fiber may allocate: a fiber has room for about 100 bytes of values.
    [[nodiscard]] T& get() {
        Value& mine = node();
        if (!mine.full) [[unlikely]]
            make(mine);
        return mine.value;
    }
    [[nodiscard]] T& operator*() { return get(); }
    [[nodiscard]] T* operator->() { return &get(); }
    /// The running fiber's value, or null when it has none.
    [[nodiscard]] T* find() const {
        auto* found = lookup(base_of_current("TaskLocal::find"));
        return found != nullptr && found->full ? &found->value : nullptr;
    }
    /// Makes the running fiber's value from `args`, in place of the one it may have.
    template <class... Args>
    T& emplace(Args&&... args) {
        Value* mine = &node();
        while (mine->full) { // once more when its destructor has asked for the value
            clear(*mine);
            mine = &node();
        }
        ::new (static_cast<void*>(&mine->value)) T(std::forward<Args>(args)...);
        mine->full = true;
        return mine->value;
    }
    /// Destroys the running fiber's value; the next get() makes a new one.
    void reset() {
        if (auto* found = lookup(base_of_current("TaskLocal::reset"))) clear(*found);
    }

private:
    using Value = detail::LocalValue<T>;

    static std::uint64_t next_number() noexcept {
        // SAFETY: relaxed; only that they differ matters.
        return detail::task_locals_made.fetch_add_relaxed(1) + 1;
    }
    [[nodiscard]] static detail::StackBase& base_of_current(const char* what) {
        return detail::StackBase::of(Executor::of_current_fiber(what).current_task());
    }
    [[nodiscard]] Value* lookup(const detail::StackBase& base) const noexcept {
        detail::LocalNode* node = base.newest;
        while (node != nullptr && node->number != number_) node = node->older;
        return static_cast<Value*>(node);
    }
    [[nodiscard]] Value& node() const {
        detail::StackBase& base = base_of_current("TaskLocal::get");
        Value* found = lookup(base);
        return found != nullptr ? *found : add(base);
    }
    [[gnu::noinline]] Value& add(detail::StackBase& base) const {
        void* room = base.take(sizeof(Value), alignof(Value));
        Value* made = room != nullptr ? ::new (room) Value(number_) : new Value(number_);
        if (room == nullptr) made->destroy = &Value::destroy_on_heap;
        made->older = base.newest;
        base.newest = made;
        return *made;
    }
    /// A destructor that asks for the value gets another one, not the place where its own goes. That place is not used
    /// again then.
    void clear(Value& mine) const {
        mine.number = 0;
        mine.clear();
        if (lookup(base_of_current("TaskLocal::reset")) == nullptr) mine.number = number_;
    }
    [[gnu::noinline]] void make(Value& mine) const {
        ::new (static_cast<void*>(&mine.value)) T(initial_());
        mine.full = true;
    }

    T (*initial_)();
    std::uint64_t number_;
};

} // namespace nexus
