#include "nexus/fiber/detail/sanitizer.hpp"

#if __has_include(<valgrind/valgrind.h>)
#include <mutex>
#include <unordered_map>
#include <valgrind/valgrind.h>
#define NEXUS_HAS_VALGRIND 1
#endif

namespace nexus::detail {

#if defined(NEXUS_HAS_VALGRIND)
namespace {

// Valgrind's ids of registered stacks. Only touched when running under Valgrind, which serialises threads anyway.
struct Registry {
    std::mutex mutex;
    std::unordered_map<const std::byte*, unsigned> ids;
};

Registry& registry() {
    static Registry instance;
    return instance;
}

} // namespace

void register_stack(const std::byte* limit, const std::byte* top) noexcept {
    if (RUNNING_ON_VALGRIND == 0) return;
    std::lock_guard lock(registry().mutex);
    registry().ids[limit] = static_cast<unsigned>(VALGRIND_STACK_REGISTER(limit, top));
}

void forget_stack(const std::byte* limit, const std::byte* /*top*/) noexcept {
    if (RUNNING_ON_VALGRIND == 0) return;
    std::lock_guard lock(registry().mutex);
    if (auto found = registry().ids.find(limit); found != registry().ids.end()) {
        VALGRIND_STACK_DEREGISTER(found->second);
        registry().ids.erase(found);
    }
}
#else
void register_stack(const std::byte* /*limit*/, const std::byte* /*top*/) noexcept {}
void forget_stack(const std::byte* /*limit*/, const std::byte* /*top*/) noexcept {}
#endif

} // namespace nexus::detail
