// WorldBuilder: registers what a World consists of, and reports everything that is wrong with it at once.
//
// Registering never fails on the spot; mistakes are collected (each with the place where it was made) and come out of
// build() in one UsageError, a line each. Invariants: an entry's cell exists from registration, its value at the latest
// when build() returns; registration order is destruction order reversed.
#pragma once

#include "nexus/base/call_site.hpp"
#include "nexus/world/binding.hpp"
#include "nexus/world/detail/system.hpp"
#include "nexus/world/world.hpp"

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace nexus {

/// When a system runs. Without constraints: in the order in which systems were added.
struct SystemOptions {
    std::string name{};                ///< for `after` and `before` of others, and reports; empty: the handler's name
    std::vector<std::string> after{};  ///< names of systems that run earlier
    std::vector<std::string> before{}; ///< names of systems that run later
};

/// Movable. After build() nothing may be called any more (UsageError).
class WorldBuilder {
    struct Deduced;

public:
    WorldBuilder();
    WorldBuilder(WorldBuilder&&) noexcept = default;
    WorldBuilder& operator=(WorldBuilder&&) noexcept = default;
    WorldBuilder(const WorldBuilder&) = delete;
    WorldBuilder& operator=(const WorldBuilder&) = delete;
    ~WorldBuilder() = default;

    /// Registers one T, made at once from the arguments: T(args...) or T{args...}. T need not be movable. A second T is
    /// an error that build() reports with both places; the second one is not made.
    template <class T>
    WorldBuilder& add(CallSite place = CallSite::current()) {
        emplace<T>(false, place);
        return *this;
    }
    /// add<T>(argument), or add(value), which registers the value's own type, or add(binding), whose value is made by
    /// build() (nexus/world/binding.hpp).
    template <class T = Deduced, class Argument>
    WorldBuilder& add(Argument&& argument, CallSite place = CallSite::current()) {
        add_from<T>(false, place, std::forward<Argument>(argument));
        return *this;
    }
    template <class T, class First, class Second>
        requires(!std::same_as<std::decay_t<Second>, CallSite>)
    WorldBuilder& add(First&& first, Second&& second, CallSite place = CallSite::current()) {
        emplace<T>(false, place, std::forward<First>(first), std::forward<Second>(second));
        return *this;
    }
    template <class T, class First, class Second, class Third, class... More>
        requires(!std::same_as<std::decay_t<Third>, CallSite>)
    [[gnu::always_inline]] WorldBuilder& add(First&& first, Second&& second, Third&& third, More&&... more) {
        emplace<T>(false, CallSite::program_counter(), std::forward<First>(first), std::forward<Second>(second),
                   std::forward<Third>(third), std::forward<More>(more)...);
        return *this;
    }

    /// The same for what never changes after build(): ConstRes<T> reads it without checks; Res<T> works, ResMut<T> is
    /// refused.
    template <class T>
    WorldBuilder& add_const(CallSite place = CallSite::current()) {
        emplace<T>(true, place);
        return *this;
    }
    template <class T = Deduced, class Argument>
    WorldBuilder& add_const(Argument&& argument, CallSite place = CallSite::current()) {
        add_from<T>(true, place, std::forward<Argument>(argument));
        return *this;
    }

    /// Registers a T{} unless there is a T already. A later add<T>() is a duplicate, so whoever wants to be
    /// overridable calls ensure() last.
    template <class T>
    WorldBuilder& ensure(CallSite place = CallSite::current()) {
        if (!contains<T>()) emplace<T>(false, place);
        return *this;
    }
    /// The same with a value, which is dropped if there is a T already.
    template <class T>
    WorldBuilder& ensure(T&& value, CallSite place = CallSite::current()) {
        if (!contains<std::decay_t<T>>()) emplace<std::decay_t<T>>(false, place, std::forward<T>(value));
        return *this;
    }
    /// Makes build() report when there is no T.
    template <class T>
    WorldBuilder& require(CallSite place = CallSite::current()) {
        require_type(base::TypeId::of<T>(), place);
        return *this;
    }

    /// Lets a driver register its resources: returns what `driver.install(*this)` returns, which is the driver's poller
    /// or nothing. A poller may keep handles from res_mut() below.
    template <class Driver>
    decltype(auto) install(Driver&& driver) {
        open("install");
        return std::forward<Driver>(driver).install(*this);
    }
    /// Runs a plugin: `plugin.build(*this)`, or `plugin(*this)`.
    template <class Plugin>
    WorldBuilder& add_plugin(Plugin&& plugin) {
        open("add_plugin");
        if constexpr (requires { std::forward<Plugin>(plugin).build(*this); }) {
            std::forward<Plugin>(plugin).build(*this);
        } else {
            static_assert(std::invocable<Plugin, WorldBuilder&>,
                          "nexus: a plugin is called with a WorldBuilder&, or has a member build(WorldBuilder&)");
            std::invoke(std::forward<Plugin>(plugin), *this);
        }
        return *this;
    }
    /// Adds a system: a handler without caller's arguments that returns bool (true: it changed something) or nothing.
    /// World::run_systems() runs it. Its resources may be registered later; build() reports those that were not.
    template <class F>
    WorldBuilder& add_system(F&& callable, SystemOptions options = {}, CallSite place = CallSite::current()) {
        using Decayed = std::decay_t<F>;
        if constexpr (detail::is_system<Decayed>()) {
            take_system(std::make_unique<detail::SystemOf<Decayed>>(std::forward<F>(callable)), std::move(options),
                        place);
        }
        return *this;
    }

    template <class T>
    [[nodiscard]] bool contains() const {
        return state("contains").template cell<T>() != nullptr;
    }
    /// A handle on what is registered already, valid from now on as long as the World that build() makes. A binding's
    /// value is made now, and what that throws is passed on. Throws UsageError when there is no such T.
    template <class T>
    [[nodiscard]] ResMut<T> res_mut() {
        return ResMut<T>(handle_target<T>("WorldBuilder::res_mut", AccessMode::mutable_));
    }
    template <class T>
    [[nodiscard]] Res<T> res() {
        return Res<T>(handle_target<T>("WorldBuilder::res", AccessMode::shared));
    }

    /// Makes the bindings' values in order of registration, orders and resolves the systems, and seals. Throws one
    /// UsageError with a line for each thing that is wrong: duplicates, failed bindings, requirements that are not met,
    /// and for each system what is missing or conflicts; the builder is then spent.
    [[nodiscard]] World build();

private:
    template <class T>
    static void destroy_cell(detail::ResourceCell* cell) {
        delete static_cast<detail::Cell<T>*>(cell);
    }
    /// The new entry's cell, or null when there is a T already.
    template <class T>
    detail::Cell<T>* new_cell(bool constant, CallSite place) {
        static_assert(std::is_object_v<T> && !std::is_const_v<T> && !std::is_array_v<T>,
                      "nexus: a resource is an object type, neither const nor an array");
        const base::TypeId type = base::TypeId::of<T>();
        if (is_duplicate(type, place)) return nullptr;
        auto cell = std::make_unique<detail::Cell<T>>(type.name().data(), state_->clock);
        cell->constant = constant;
        detail::Cell<T>* address = cell.get();
        std::unique_ptr<detail::ResourceCell, detail::ResourceEntry::Destroy> owner(cell.release(), &destroy_cell<T>);
        state_->entries.push_back({type, place, std::move(owner), {}, {}, false});
        return address;
    }
    template <class T, class... Args>
    void emplace(bool constant, CallSite place, Args&&... args) {
        detail::Cell<T>* cell = new_cell<T>(constant, place);
        if (cell == nullptr) return;
        try {
            cell->build(std::forward<Args>(args)...);
        } catch (...) {
            discard_entry(cell); // not the last one: the constructor may have registered others
            throw;
        }
    }
    template <class T, class Argument>
    void add_from(bool constant, CallSite place, Argument&& argument) {
        using Given = std::decay_t<Argument>;
        if constexpr (detail::IsBinding<Given>::value) {
            static_assert(std::is_same_v<T, Deduced> || std::is_same_v<Given, ResourceBinding<T>>,
                          "nexus: this binding makes a value of another type");
            bind(constant, place, Given(std::forward<Argument>(argument)));
        } else if constexpr (std::is_same_v<T, Deduced>) {
            emplace<Given>(constant, place, std::forward<Argument>(argument));
        } else {
            emplace<T>(constant, place, std::forward<Argument>(argument));
        }
    }
    template <class T>
    void bind(bool constant, CallSite place, ResourceBinding<T> binding) {
        detail::Cell<T>* cell = new_cell<T>(constant, place);
        if (cell == nullptr) return;
        detail::ResourceEntry& entry = state_->entries.back();
        entry.source = binding.description();
        entry.make = [cell, binding = std::move(binding)] { cell->build_from([&] { return binding.make(); }); };
    }
    template <class T>
    detail::Cell<T>& handle_target(const char* what, AccessMode mode) {
        const detail::WorldState& found_in = state(what);
        make_now(base::TypeId::of<T>());
        return *ResolveContext({&found_in, nullptr}, HandlerName{what, nullptr}, nullptr)
                    .find<T>(mode, Presence::required);
    }

    /// Throws UsageError after build().
    void open(const char* what) const;
    [[nodiscard]] const detail::WorldState& state(const char* what) const {
        open(what);
        return *state_;
    }
    bool is_duplicate(base::TypeId type, CallSite place);
    void require_type(base::TypeId type, CallSite place);
    void take_system(std::unique_ptr<detail::System> system, SystemOptions options, CallSite place);
    void make_now(base::TypeId type);
    void make_entry(std::size_t index);
    void discard_entry(const detail::ResourceCell* cell) noexcept;

    void make_bindings();
    void check_requirements();
    void order_systems();
    void resolve_systems();

    struct Requirement {
        base::TypeId type;
        CallSite place;
    };
    std::unique_ptr<detail::WorldState> state_;
    std::vector<Requirement> requirements_;
    std::vector<std::string> problems_;
};

} // namespace nexus
