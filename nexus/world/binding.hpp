// ResourceBinding<T>: a resource whose value is made when the World is built, for example from a configuration file.
//
// WorldBuilder::add(binding) takes the place of a T in the order of registration; build() calls make() once. What
// make() throws becomes a line of build()'s report, beside everything else that is wrong.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace nexus {

template <class T>
class ResourceBinding {
public:
    /// `description` says where the value comes from, for reports: "listen (config key \"resources.listen\")".
    ResourceBinding(std::string description, std::function<T()> make)
        : description_(std::move(description)), make_(std::move(make)) {}

    [[nodiscard]] const std::string& description() const noexcept { return description_; }
    /// The value; throws what its source throws.
    [[nodiscard]] T make() const { return make_(); }

private:
    std::string description_;
    std::function<T()> make_;
};

namespace detail {
template <class T>
struct IsBinding : std::false_type {};
template <class T>
struct IsBinding<ResourceBinding<T>> : std::true_type {};
} // namespace detail

} // namespace nexus
