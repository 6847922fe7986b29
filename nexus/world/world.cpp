// World, WorldState and the texts of resolve-time errors.
#include "nexus/world/world.hpp"

#include "nexus/base/call_site.hpp"
#include "nexus/base/usage_error.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace nexus {

namespace detail {
namespace {

std::string handle_text(const Access::Entry& entry) {
    const std::string_view handle = entry.mode == AccessMode::shared     ? "Res"
                                    : entry.mode == AccessMode::mutable_ ? "ResMut"
                                                                         : "ConstRes";
    std::string text = std::string(handle) + "<" + std::string(entry.resource.name()) + ">";
    return entry.presence == Presence::optional ? "std::optional<" + text + ">" : text;
}

/// Empty when `state` can give what `entry` asks for.
std::string unmet_text(const Access::Entry& entry, const WorldState* state) {
    const std::string subject = std::string(entry.resource.name()) + " (for " + handle_text(entry) + ") ";
    const ResourceEntry* found = state != nullptr ? state->find(entry.resource) : nullptr;
    if (found == nullptr) return entry.presence == Presence::optional ? std::string() : subject + "is not registered";
    const bool constant = found->cell->constant;
    if (constant && entry.mode == AccessMode::mutable_) {
        return subject + "was registered with add_const at " + found->added.describe() +
               ": it never changes; take Res or ConstRes";
    }
    if (!constant && entry.mode == AccessMode::constant) {
        return subject + "was registered with add at " + found->added.describe() +
               ": it may change; take Res, or register it with add_const";
    }
    return {};
}

bool in_conflict(const Access::Entry& a, const Access::Entry& b) noexcept {
    return a.resource == b.resource && (a.mode == AccessMode::mutable_ || b.mode == AccessMode::mutable_);
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += "\n  " + line;
    return text;
}

/// Throws `text` about `handler`, with the places that asked for it: found by walking the stack, so that resolving pays
/// nothing for it.
[[noreturn, gnu::noinline]] void refuse(HandlerName handler, std::string text) {
    if (handler.address != nullptr && base::function_name(handler.address).empty()) {
        text += "\nFor the name of the handler in this report, write nexus::fn<f> instead of f.";
    }
    const std::string callers = base::describe_callers(1, 12, "            ", false);
    if (!callers.empty()) text += "\n  asked for by\n" + callers.substr(0, callers.size() - 1);
    throw UsageError(text + base::names_hint(callers));
}

} // namespace

WorldState::~WorldState() {
    systems.clear();
    while (!entries.empty()) entries.pop_back();
}

const ResourceEntry* WorldState::scan(base::TypeId type) const noexcept {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.type == type; });
    return found != entries.end() ? &*found : nullptr;
}

void WorldState::seal() {
    std::size_t slots = 2;
    while (slots < 2 * entries.size()) slots *= 2;
    std::vector<const ResourceEntry*> filled(slots, nullptr);
    for (const ResourceEntry& entry : entries) {
        std::size_t at = entry.type.hash() & (slots - 1);
        while (filled[at] != nullptr) at = (at + 1) & (slots - 1);
        filled[at] = &entry;
    }
    table = std::move(filled);
}

std::vector<std::string> unmet(const Access& access, const WorldState* state) {
    std::vector<std::string> lines;
    for (const Access::Entry& entry : access.entries()) {
        std::string line = unmet_text(entry, state);
        if (!line.empty()) lines.push_back(std::move(line));
    }
    return lines;
}

std::vector<std::string> conflicts(const Access& access) {
    std::vector<std::string> lines;
    const auto entries = access.entries();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (!in_conflict(entries[i], entries[j])) continue;
            lines.push_back(handle_text(entries[j]) + " and " + handle_text(entries[i]) + " reach the same resource " +
                            std::string(entries[i].resource.name()) + ", and not both only to read");
        }
    }
    return lines;
}

void refuse_conflicts(HandlerName handler, Describe describe) {
    Access access;
    describe(access);
    const std::vector<std::string> lines = conflicts(access);
    if (lines.empty()) return;
    refuse(handler, "handler " + handler.describe() + " has parameters that conflict:" + joined(lines) +
                        "\nTake one ResMut<T>: it can read and write, and lends a Res<T> through as_res().");
}

} // namespace detail

std::string HandlerName::describe() const {
    const std::string function = address != nullptr ? base::function_name(address) : std::string();
    return function.empty() ? std::string(text) : function + ", " + text;
}

ResolveEnvironment::ResolveEnvironment(const World* world, void* in_runtime) noexcept
    : state(world != nullptr ? world->pinned_state() : nullptr), runtime(in_runtime) {}

void ResolveContext::fail(const Access::Entry& wanted) const {
    Access access;
    if (describe_ != nullptr) describe_(access);
    std::vector<std::string> lines = detail::unmet(access, environment_.state);
    const std::string cause = detail::unmet_text(wanted, environment_.state);
    // An init() may ask for more than its describe() says.
    if (std::find(lines.begin(), lines.end(), cause) == lines.end()) lines.push_back(cause);

    std::string text = describe_ != nullptr ? "handler " + handler_.describe() + " cannot be resolved"
                                            : handler_.describe();
    if (environment_.state == nullptr) text += " without a World";
    text += ":" + detail::joined(lines);
    text += environment_.state == nullptr
                ? "\nResources come from a World: give one to the Runtime, or resolve the handler with world.resolve()."
                : "\nRegister what is missing before build() (builder.add<T>()), or take std::optional<Res<T>> where "
                  "it may be absent.";
    detail::refuse(handler_, std::move(text));
}

void World::throw_moved_from() { throw UsageError("this World was moved from; use the World that it was moved to"); }

namespace {

/// Marks the run of the systems, also when one of them throws.
class Running {
public:
    explicit Running(bool& flag) : flag_(flag) {
        if (flag_) {
            throw UsageError(
                "run_systems() was called while a run of the same World's systems is not over: by a system, or "
                "by another fiber while a system waits. Wait for the first run, or call world.run(fn) for a "
                "single handler.");
        }
        flag_ = true;
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() { flag_ = false; }

private:
    bool& flag_;
};

} // namespace

std::size_t World::run_systems() {
    detail::WorldState& pinned = state(); // not through `this` below: the World may be moved while a system waits
    const Running running(pinned.running_systems);
    std::size_t changed = 0;
    for (const auto& system : pinned.systems) changed += system->run() ? 1U : 0U;
    return changed;
}

} // namespace nexus
