// WorldState: what a World is a handle to. Pinned: cells, handles and handlers point into it.
//
// Invariants: entries are in the order of registration and are destroyed in reverse, after the systems; an entry's cell
// exists as soon as the entry does; once sealed, nothing is added, and every cell is built. The table maps type hashes
// to entries with open addressing, at most half full, so that a look-up is usually one comparison.
#pragma once

#include "nexus/base/call_site.hpp"
#include "nexus/base/type_id.hpp"
#include "nexus/world/access.hpp"
#include "nexus/world/detail/cell.hpp"
#include "nexus/world/handler_name.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nexus::detail {

struct WorldState;

struct ResourceEntry {
    using Destroy = void (*)(ResourceCell* cell);

    base::TypeId type;
    CallSite added;
    std::unique_ptr<ResourceCell, Destroy> cell;
    std::function<void()> make; ///< builds the cell when it comes from a binding; empty afterwards
    std::string source;         ///< of a binding: where its value comes from
    bool making = false;        ///< `make` is running
};

/// A system before and after it is resolved. Type-erased; the cost of the virtual call is once a system and run.
class System {
public:
    virtual ~System() = default;
    virtual void describe(Access& access) const = 0;
    virtual void resolve(const WorldState& state) = 0;
    /// True when the system says that it changed something, or says nothing.
    virtual bool run() = 0;

    std::string name; ///< as given, else the handler's
    std::vector<std::string> after;
    std::vector<std::string> before;
    HandlerName handler;
    CallSite added;
};

struct WorldState {
    WorldState() = default;
    WorldState(const WorldState&) = delete;
    WorldState& operator=(const WorldState&) = delete;
    ~WorldState();

    /// The entry of that type, or null. A scan before seal(), the table afterwards.
    [[nodiscard]] const ResourceEntry* find(base::TypeId type) const noexcept {
        if (table.empty()) return scan(type);
        const std::size_t mask = table.size() - 1;
        for (std::size_t at = type.hash() & mask;; at = (at + 1) & mask) {
            const ResourceEntry* entry = table[at];
            if (entry == nullptr || entry->type == type) return entry;
        }
    }
    template <class T>
    [[nodiscard]] Cell<T>* cell() const noexcept {
        const ResourceEntry* entry = find(base::TypeId::of<T>());
        // SAFETY: an entry with the TypeId of T was made with a Cell<T> (WorldBuilder::new_cell).
        return entry != nullptr ? static_cast<Cell<T>*>(entry->cell.get()) : nullptr;
    }
    /// Builds the table. Entries must not be added afterwards.
    void seal();

    std::uint64_t clock = 0; ///< counts mutable uses of all resources
    std::vector<ResourceEntry> entries;
    std::vector<std::unique_ptr<System>> systems; ///< in the order in which they run
    bool running_systems = false;

private:
    [[nodiscard]] const ResourceEntry* scan(base::TypeId type) const noexcept;

    std::vector<const ResourceEntry*> table;
};

/// One line a resource that `access` needs and `state` (null: no World) cannot give: "Book: not registered ...".
[[nodiscard]] std::vector<std::string> unmet(const Access& access, const WorldState* state);
/// One line a pair of parameters that reach one resource in conflicting ways.
[[nodiscard]] std::vector<std::string> conflicts(const Access& access);

} // namespace nexus::detail
