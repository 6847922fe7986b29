// WorldBuilder: collecting mistakes, ordering systems, sealing.
#include "nexus/world/builder.hpp"

#include "nexus/base/usage_error.hpp"

#include <algorithm>
#include <exception>

namespace nexus {

namespace {

/// Continuation lines are indented, so that one problem stays one item of the list.
std::string indented(std::string_view text) {
    std::string result;
    for (const char c : text) {
        result += c;
        if (c == '\n') result += "    ";
    }
    return result;
}

std::string current_exception_text() {
    try {
        throw;
    } catch (const std::exception& failure) {
        return indented(failure.what());
    } catch (...) {
        return "an exception that is no std::exception";
    }
}

using Systems = std::vector<std::unique_ptr<detail::System>>;

/// predecessors[i]: the systems that must run before i. Unknown names are added to `problems`.
std::vector<std::vector<std::size_t>> predecessors_of(const Systems& systems, std::vector<std::string>& problems) {
    std::vector<std::vector<std::size_t>> predecessors(systems.size());
    const auto for_each_named = [&](const detail::System& who, const std::string& name, const char* relation,
                                    auto&& use) {
        bool found = false;
        for (std::size_t i = 0; i < systems.size(); ++i) {
            if (systems[i]->name != name) continue;
            found = true;
            use(i);
        }
        if (!found) {
            problems.push_back("system " + who.name + " (added at " + who.added.describe() + ") is to run " + relation +
                               " \"" + name + "\", but no system has that name");
        }
    };
    for (std::size_t me = 0; me < systems.size(); ++me) {
        const detail::System& system = *systems[me];
        for (const std::string& name : system.after)
            for_each_named(system, name, "after", [&](std::size_t other) { predecessors[me].push_back(other); });
        for (const std::string& name : system.before)
            for_each_named(system, name, "before", [&](std::size_t other) { predecessors[other].push_back(me); });
    }
    return predecessors;
}

} // namespace

WorldBuilder::WorldBuilder() : state_(std::make_unique<detail::WorldState>()) {}

void WorldBuilder::open(const char* what) const {
    if (state_ != nullptr) return;
    throw UsageError(
        std::string("WorldBuilder::") + what +
        " was called after build(), or on a builder that was moved from: a World's resources and systems are "
        "fixed when it is built. Register them before, or make a new builder.");
}

bool WorldBuilder::is_duplicate(base::TypeId type, CallSite place) {
    open("add");
    const detail::ResourceEntry* first = state_->find(type);
    if (first == nullptr) return false;
    problems_.push_back("resource " + std::string(type.name()) + " is registered twice: first at " +
                        first->added.describe() + ", again at " + place.describe() +
                        "; a World holds one of each type: wrap one of them in a struct of its own");
    return true;
}

void WorldBuilder::require_type(base::TypeId type, CallSite place) {
    open("require");
    requirements_.push_back({type, place});
}

void WorldBuilder::take_system(std::unique_ptr<detail::System> system, SystemOptions options, CallSite place) {
    open("add_system");
    system->name = options.name.empty() ? system->handler.describe() : std::move(options.name);
    system->after = std::move(options.after);
    system->before = std::move(options.before);
    system->added = place;
    state_->systems.push_back(std::move(system));
}

void WorldBuilder::make_now(base::TypeId type) {
    for (std::size_t i = 0; i < state_->entries.size(); ++i) {
        if (state_->entries[i].type == type) return make_entry(i);
    }
}

/// The factory may register resources of its own: entries move, their indices stay.
void WorldBuilder::make_entry(std::size_t index) {
    detail::ResourceEntry& entry = state_->entries[index];
    if (entry.making) {
        throw UsageError("resource " + std::string(entry.type.name()) + " (added at " + entry.added.describe() +
                         ") is made from a binding that asks for the resource itself");
    }
    if (!entry.make) return;
    entry.making = true;
    const auto make = std::move(entry.make);
    try {
        make();
    } catch (...) {
        state_->entries[index].making = false;
        state_->entries[index].make = make;
        throw;
    }
    state_->entries[index].making = false;
    state_->entries[index].make = nullptr;
}

void WorldBuilder::discard_entry(const detail::ResourceCell* cell) noexcept {
    std::erase_if(state_->entries, [cell](const detail::ResourceEntry& entry) { return entry.cell.get() == cell; });
}

void WorldBuilder::make_bindings() {
    for (std::size_t i = 0; i < state_->entries.size(); ++i) {
        try {
            make_entry(i);
        } catch (...) {
            detail::ResourceEntry& entry = state_->entries[i];
            problems_.push_back("resource " + std::string(entry.type.name()) + " (added at " + entry.added.describe() +
                                ") could not be made from " + entry.source + ":\n    " + current_exception_text());
            entry.make = nullptr;
        }
    }
}

void WorldBuilder::check_requirements() {
    for (const Requirement& requirement : requirements_) {
        if (state_->find(requirement.type) != nullptr) continue;
        problems_.push_back("resource " + std::string(requirement.type.name()) + " is required at " +
                            requirement.place.describe() + ", but it is not registered");
    }
}

void WorldBuilder::order_systems() {
    Systems& systems = state_->systems;
    const auto predecessors = predecessors_of(systems, problems_);
    std::vector<std::size_t> order;
    std::vector<bool> placed(systems.size(), false);
    const auto ready = [&](std::size_t i) {
        return !placed[i] &&
               std::all_of(predecessors[i].begin(), predecessors[i].end(), [&](auto p) { return placed[p]; });
    };
    while (order.size() < systems.size()) {
        std::size_t next = 0;
        while (next < systems.size() && !ready(next)) ++next;
        if (next == systems.size()) break;
        placed[next] = true;
        order.push_back(next);
    }
    if (order.size() < systems.size()) {
        std::string circle;
        for (std::size_t i = 0; i < systems.size(); ++i)
            if (!placed[i]) circle += (circle.empty() ? "" : ", ") + systems[i]->name;
        problems_.push_back("systems cannot be ordered: these wait for each other through `after` and `before`: " +
                            circle);
        return;
    }
    Systems sorted;
    for (const std::size_t i : order) sorted.push_back(std::move(systems[i]));
    systems = std::move(sorted);
}

void WorldBuilder::resolve_systems() {
    for (const auto& system : state_->systems) {
        const std::string subject = "system " + system->name + " (added at " + system->added.describe() + "): ";
        Access access;
        system->describe(access);
        std::vector<std::string> lines = detail::unmet(access, state_.get());
        for (std::string& line : detail::conflicts(access)) lines.push_back(std::move(line));
        for (const std::string& line : lines) problems_.push_back(subject + line);
        if (!lines.empty()) continue;
        try {
            system->resolve(*state_);
        } catch (...) {
            problems_.push_back(subject + current_exception_text());
        }
    }
}

World WorldBuilder::build() {
    open("build");
    make_bindings();
    state_->seal();
    check_requirements();
    order_systems();
    resolve_systems();
    const std::unique_ptr<detail::WorldState> spent = problems_.empty() ? nullptr : std::move(state_);
    if (spent == nullptr) return World(std::move(state_));

    std::string text = "the World cannot be built: " + std::to_string(problems_.size()) +
                       (problems_.size() == 1 ? " problem" : " problems");
    for (const std::string& problem : problems_) text += "\n  " + problem;
    throw UsageError(text);
}

} // namespace nexus
