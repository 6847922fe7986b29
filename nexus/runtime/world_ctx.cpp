#include "nexus/runtime/world_ctx.hpp"

#include "nexus/base/usage_error.hpp"
#include "nexus/runtime/inject.hpp"
#include "nexus/runtime/runtime.hpp"

#include <string>

namespace nexus {

WorldCtx WorldCtx::current() { return WorldCtx(Runtime::require("WorldCtx::current")); }

World& WorldCtx::world() const noexcept { return runtime_->world(); }

WorldCtx::Region::Region(const WorldCtx& context, const char* operation)
    : runtime_(*context.runtime_), task_(Executor::in_fiber() ? &Executor::current()->current_task() : nullptr) {
    if (std::exchange(runtime_.world_in_use_, true)) {
        throw UsageError(std::string(operation) +
                         "() within a with_world(): the World is in use already; pass what you "
                         "need down instead");
    }
    if (task_ != nullptr) ++task_->no_suspend;
}

WorldCtx::Region::~Region() {
    if (task_ != nullptr) --task_->no_suspend;
    runtime_.world_in_use_ = false;
}

namespace detail {

const RuntimeIdentity& identity_of(const ResolveContext& context, const char* parameter) {
    if (context.environment().runtime == nullptr) {
        throw UsageError(context.handler().describe() + " takes a " + parameter +
                         ", which only a Runtime provides: resolve it with runtime.resolve(), or spawn it");
    }
    // SAFETY: ResolveEnvironment::runtime is only ever set by Runtime and RuntimeHandle, to a RuntimeIdentity.
    return *static_cast<const RuntimeIdentity*>(context.environment().runtime);
}

} // namespace detail

Executor* inject<EventTime>::init(ResolveContext& context) {
    return detail::identity_of(context, "EventTime").executor;
}
ShutdownSignal inject<ShutdownSignal>::init(ResolveContext& context) {
    return detail::identity_of(context, "ShutdownSignal").shutdown.signal();
}
WorldCtx inject<WorldCtx>::init(ResolveContext& context) {
    return WorldCtx(*detail::identity_of(context, "WorldCtx").runtime);
}

} // namespace nexus
