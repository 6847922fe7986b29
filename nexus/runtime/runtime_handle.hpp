// RuntimeHandle: the door into a runtime for other threads. Copyable; any thread; outlives the runtime harmlessly.
#pragma once

#include "nexus/exec/cross_wake.hpp"
#include "nexus/runtime/runtime.hpp"

#include <functional>
#include <utility>

namespace nexus {

class RuntimeHandle {
public:
    RuntimeHandle(const RuntimeHandle& other) noexcept
        : cross_(other.cross_), world_(other.world_), identity_(other.identity_) {
        cross_->add_reference();
    }
    RuntimeHandle& operator=(RuntimeHandle other) noexcept {
        std::swap(cross_, other.cross_);
        std::swap(world_, other.world_);
        std::swap(identity_, other.identity_);
        return *this;
    }
    ~RuntimeHandle() { cross_->release(); }

    /// Has `body(args...)` run as a fiber of the runtime, with injection. Resolves here and now (missing resources
    /// throw here, rule 4), runs on the loop's thread; wakes the loop if it sleeps. True when the runtime took it,
    /// false when it is gone or going: then nothing ran and nothing will. What the runtime took and never ran is
    /// destroyed, on the loop's thread or by teardown. Exceptions go to on_unhandled. The World must not be modified
    /// concurrently.
    template <class F, class... Args>
    bool spawn(F&& body, Args&&... args) const {
        if (!cross_->takes_jobs()) return false;
        auto bound = bind_handler(ResolveEnvironment(world_, identity_.get()), std::forward<F>(body),
                                  std::forward<Args>(args)...);
        cross_->push(*new Job<decltype(bound)>(std::move(bound)));
        return true;
    }

    /// Triggers the runtime's ShutdownSignal.
    void stop() const { identity_->shutdown.trigger(); }

private:
    friend class Runtime;
    explicit RuntimeHandle(Runtime& runtime) noexcept
        : cross_(&runtime.executor().cross_wake()), world_(&runtime.world()), identity_(runtime.identity()) {
        cross_->add_reference();
    }

    template <class Bound>
    struct Job : detail::CrossNode {
        explicit Job(Bound&& body) : bound(std::move(body)) {
            deliver = [](detail::CrossNode& node, Executor* executor) noexcept {
                auto& self = static_cast<Job&>(node);
                if (executor != nullptr) {
                    try {
                        // The result is nobody's; an exception finds no joiner and is reported.
                        executor->spawn_boxed(std::move(self.bound)).detach();
                    } catch (...) {
                        executor->report_unhandled(std::current_exception(), "RuntimeHandle::spawn");
                    }
                }
                delete &self;
            };
        }
        Bound bound;
    };

    CrossWake* cross_;
    World* world_;
    std::shared_ptr<detail::RuntimeIdentity> identity_;
};

inline RuntimeHandle Runtime::handle() noexcept { return RuntimeHandle(*this); }

} // namespace nexus
