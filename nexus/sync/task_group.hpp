// TaskGroup: fibers that live no longer than a block of code.
//
//     nexus::TaskGroup group;
//     group.spawn(feed, std::ref(book));
//     group.spawn(serve, std::move(stream));
//     group.join_all();            // rethrows the first failure, after aborting and unwinding the others
//
// Leaving the block waits for every child, however it is left. The first child that ends with an exception aborts its
// siblings. Owner thread; made and destroyed in fibers of one executor; immovable.
// Invariants: a child is in `members_` from its spawn until its closure is destroyed, its frames being gone by then;
// the member is part of the closure, so spawning allocates nothing beyond what a spawn does; `failure_` is the first
// failure that join_all() has not delivered.
#pragma once

#include "nexus/base/call_site.hpp"
#include "nexus/base/intrusive_list.hpp"
#include "nexus/runtime/runtime.hpp"
#include "nexus/sync/detail/park.hpp"

#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

namespace nexus {

class TaskGroup;

namespace detail {

/// A child's place in its group: moved along with the closure, tells the group when it is destroyed.
class GroupMember : public base::ListNode, public CompletionListener {
public:
    explicit GroupMember(TaskGroup& group) noexcept;
    GroupMember(GroupMember&& other) noexcept;
    GroupMember& operator=(GroupMember&&) = delete;
    ~GroupMember();

    /// Called while the child's exception is being handled.
    void failed() noexcept;

private:
    friend class nexus::TaskGroup;
    void leave() noexcept;

    TaskGroup* group_; ///< null once the group is gone or has been left
    Task* task_ = nullptr;
};

/// The fiber that waits for a group, for the length of its wait; told when the group goes first.
class GroupWait {
public:
    /// Throws UsageError when another fiber waits.
    GroupWait(TaskGroup& group, Executor& executor);
    GroupWait(const GroupWait&) = delete;
    GroupWait& operator=(const GroupWait&) = delete;
    ~GroupWait();
    /// No child is left, or no group.
    [[nodiscard]] bool over() const noexcept;

private:
    friend class GroupMember;
    friend class nexus::TaskGroup;
    LocalWaiter who_;
    TaskGroup* group_;
};

/// What a child runs: its body, with failures told to the group.
template <class Body>
struct GroupChild {
    void operator()() && {
        try {
            static_cast<void>(std::move(body)());
        } catch (const Aborted&) {
            throw;
        } catch (...) {
            member.failed();
        }
    }
    GroupMember member; // first: destroyed last, after what the body captured
    Body body;
};

} // namespace detail

class TaskGroup {
public:
    /// Throws UsageError outside a fiber.
    TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    /// Suspends until every child has ended. Aborts them first when it is reached by an exception, or once the fiber
    /// has to stop; that wait cannot be cut short, and the reason comes out at the next ordinary wait (rule 5). A
    /// failure that join_all() did not deliver goes to on_unhandled. Outside a fiber, or where suspending is forbidden,
    /// it aborts the children and leaves them to unwind by themselves.
    ~TaskGroup();

    /// Spawns `body(args...)` as a child, with injection when a Runtime runs; what it returns is dropped. It starts in
    /// the next cycle, or never, after abort_all(). Throws as nexus::spawn does, and rethrows the failure of a child
    /// that has aborted the group and that join_all() has not delivered. Does not suspend.
    template <class F, class... Args>
        requires(!std::is_same_v<std::decay_t<F>, SpawnOptions>)
    [[gnu::always_inline]] void spawn(F&& body, Args&&... args) {
        start(SpawnOptions{.name = nullptr, .stack_size = 0, .site = base::program_counter()}, std::forward<F>(body),
              std::forward<Args>(args)...);
    }
    /// The same with a name or a stack size: group.spawn({.name = "feed"}, read_feed, socket).
    template <class F, class... Args>
    [[gnu::always_inline]] void spawn(SpawnOptions options, F&& body, Args&&... args) {
        if (options.site == nullptr) options.site = base::program_counter();
        start(options, std::forward<F>(body), std::forward<Args>(args)...);
    }

    /// Suspends until every child has ended, then rethrows the first failure, if there was one; those of siblings that
    /// failed while being aborted are only counted. The group can be used again afterwards. Throws at the end of a
    /// scope (rule 5): the children live on until the group goes. Throws UsageError when another fiber joins.
    void join_all();
    /// Asks every child to unwind, also those spawned until the next join_all() returns. Does not suspend.
    void abort_all() noexcept;

    /// Children that have not ended.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Children that ended with an exception, since the group was made.
    [[nodiscard]] std::size_t failures() const noexcept { return failures_; }
    /// No child is left: join_all() will not suspend. For select().
    [[nodiscard]] bool ready() const noexcept { return size_ == 0; }

private:
    friend class detail::GroupMember;
    friend class detail::GroupWait;
    template <class F, class... Args>
    void start(SpawnOptions options, F&& body, Args&&... args);
    void adopt(detail::Task& task, detail::GroupMember& member) noexcept;
    void child_failed(const detail::GroupMember& member, std::exception_ptr failure) noexcept;
    void dismiss_waiter() noexcept;
    [[noreturn]] static void throw_orphaned();
    void orphan() noexcept;
    void report() noexcept;
    /// Null when the runtime is gone.
    [[nodiscard]] Executor* executor() const noexcept { return cross_->executor(); }

    CrossWake* cross_; ///< counted: tells whether the executor is still there
    base::IntrusiveList<detail::GroupMember> members_;
    detail::GroupWait* waiter_ = nullptr;
    std::exception_ptr failure_;
    std::size_t size_ = 0;
    std::size_t failures_ = 0;
    int uncaught_; ///< exceptions in flight when the group was made
    bool aborting_ = false;
};

template <class F, class... Args>
void TaskGroup::start(SpawnOptions options, F&& body, Args&&... args) {
    Executor* executor = this->executor();
    if (executor == nullptr) throw_orphaned();
    if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
    Runtime* runtime = Runtime::current();
    const bool injects = runtime != nullptr && &runtime->executor() == executor;
    auto bound = bind_handler(injects ? ResolveEnvironment(&runtime->world(), runtime->identity().get())
                                      : ResolveEnvironment(),
                              std::forward<F>(body), std::forward<Args>(args)...);
    using Child = detail::GroupChild<decltype(bound)>;
    detail::Task& task = executor->create_task<void>(Child{detail::GroupMember(*this), std::move(bound)}, options, 1,
                                                     0);
    adopt(task, detail::FiberBody<Child, void>::closure(task)->member);
}

} // namespace nexus
