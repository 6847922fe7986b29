// A shared library with hidden visibility: its TypeInfos are not those of the program that loads it.
#include "test/world/plugin.hpp"

#include <vector>

namespace {
struct Hidden {};
} // namespace

extern "C" [[gnu::visibility("default")]] void plugin_types(plugin::Types* types) {
    *types = {nexus::base::TypeId::of<plugin::Book>(), nexus::base::TypeId::of<std::vector<plugin::Book>>(),
              nexus::base::TypeId::of<Hidden>()};
}
