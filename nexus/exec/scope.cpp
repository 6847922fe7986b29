#include "nexus/exec/scope.hpp"

namespace nexus {

Scope::Scope(std::int64_t deadline_ns, const char* what)
    : ScopeLink(Executor::of_current_fiber(what).current_task(), Kind::scope), executor_(*Executor::current()) {
    if (deadline_ns == never_ns) return;
    if (deadline_ns <= executor_.now_ns()) {
        end(End::deadline);
        return;
    }
    timer_.scope = this;
    timer_.fire = [](time::TimerNode& node) noexcept { static_cast<Timer&>(node).scope->end(End::deadline); };
    executor_.timers().arm(timer_, deadline_ns);
}

Scope::Scope(detail::CancelRef source, const char* what)
    : ScopeLink(Executor::of_current_fiber(what).current_task(), Kind::scope), executor_(*Executor::current()),
      source_(std::move(source)) {
    waiter_.waker = Waker::of_current();
    task_.stop |= detail::stop_bit::watch;
    if (!source_->add(waiter_)) end(End::outside);
}

Scope::~Scope() {
    executor_.timers().cancel(timer_);
    if (source_) source_->remove(waiter_);
    std::uint8_t stop = task_.stop & detail::stop_bit::abort;
    for (const ScopeLink* link = outer(); link != nullptr; link = link->outer()) {
        if (link->is_shield()) continue;
        const auto* scope = static_cast<const Scope*>(link);
        if (scope->ended()) stop |= detail::stop_bit::scope;
        if (scope->source_) stop |= detail::stop_bit::watch;
    }
    task_.stop = stop;
}

void Scope::look_at_sources(const detail::Task& task) noexcept {
    for (ScopeLink* link = task.scope; link != nullptr; link = link->outer()) {
        if (link->is_shield()) continue;
        auto* scope = static_cast<Scope*>(link);
        if (scope->source_ && scope->source_->cancelled()) scope->end(End::outside);
    }
}

void Scope::end(End how) noexcept {
    if (end_ != End::open) return;
    end_ = how;
    executor_.timers().cancel(timer_);
    task_.stop |= detail::stop_bit::scope;
    // A parked fiber has to see it; the running one will at its next wait.
    if (!executor_.is_current(task_)) executor_.wake(task_);
}

Error Scope::why(const char* operation) const noexcept {
    return {end_ == End::deadline ? errc::timed_out : errc::cancelled, operation};
}

const Scope* Scope::outermost_ended(const detail::Task& task) noexcept {
    const Scope* found = nullptr;
    for (const ScopeLink* link = task.scope; link != nullptr && !link->is_shield(); link = link->outer()) {
        const auto* scope = static_cast<const Scope*>(link);
        if (scope->ended()) found = scope;
    }
    return found;
}

void Scope::throw_ended(const Scope* scope) { throw ScopeEnded(scope); }

} // namespace nexus
