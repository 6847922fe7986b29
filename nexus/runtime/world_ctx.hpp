// WorldCtx: the whole World from within a fiber, for the length of one call (WC-1 to WC-5).
//
// For code that does not know at resolve time which resources it will need. The call must not suspend, which is
// checked, and calls do not nest (H-21), which is checked too. Copyable; valid as long as the Runtime.
#pragma once

#include "nexus/exec/executor.hpp"
#include "nexus/world/world.hpp"

#include <functional>
#include <utility>

namespace nexus {

class Runtime;

class WorldCtx {
public:
    /// Of the runtime that runs this fiber. Throws UsageError outside a runtime.
    [[nodiscard]] static WorldCtx current();

    /// `function(World&)`, exclusively. Throws UsageError when a with_world is open already.
    template <class F>
    decltype(auto) with_world(F&& function) const {
        const Region region(*this, "with_world");
        return std::invoke(std::forward<F>(function), world());
    }
    /// `function(const World&)`. Throws UsageError when a with_world is open already.
    template <class F>
    decltype(auto) with_world_ref(F&& function) const {
        const Region region(*this, "with_world_ref");
        return std::invoke(std::forward<F>(function), static_cast<const World&>(world()));
    }

private:
    friend struct inject<WorldCtx>;
    explicit WorldCtx(Runtime& runtime) noexcept : runtime_(&runtime) {}
    [[nodiscard]] World& world() const noexcept;

    /// The World is in use: no second use, no suspension.
    class Region {
    public:
        Region(const WorldCtx& context, const char* operation);
        Region(const Region&) = delete;
        Region& operator=(const Region&) = delete;
        ~Region();

    private:
        Runtime& runtime_;
        detail::Task* task_;
    };

    Runtime* runtime_;
};

} // namespace nexus
