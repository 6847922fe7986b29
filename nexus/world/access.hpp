// Access: which resources the parameters of a handler reach, and how.
//
// It is what inject<P>::describe() fills in, once per signature, before anything is resolved: from it come the check
// against conflicting parameters, and the reports of what is missing. A composite parameter forwards the descriptions
// of its parts, so that nothing escapes the check (H-29).
#pragma once

#include "nexus/base/type_id.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace nexus {

enum class AccessMode : std::uint8_t {
    shared,   ///< Res<T>
    mutable_, ///< ResMut<T>
    constant  ///< ConstRes<T>: only what add_const registered
};

enum class Presence : std::uint8_t { required, optional };

class Access {
public:
    struct Entry {
        base::TypeId resource;
        AccessMode mode;
        Presence presence;
    };

    /// Declares that the parameter reaches the resource T. Allocates; never on a hot path.
    template <class T>
    void add(AccessMode mode, Presence presence = Presence::required) {
        entries_.push_back({base::TypeId::of<T>(), mode, presence});
    }
    [[nodiscard]] std::span<const Entry> entries() const noexcept { return entries_; }

private:
    std::vector<Entry> entries_;
};

namespace detail {
/// Fills an Access with the parameters of one signature.
using Describe = void (*)(Access& access);
} // namespace detail

} // namespace nexus
