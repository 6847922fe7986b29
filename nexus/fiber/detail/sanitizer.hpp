// Hooks that tell ASan, TSan and Valgrind about stacks and switches: the one place that knows these tools.
//
// Without a sanitizer every function here is empty and SanitizerState takes no room that matters. Protocol of a
// switch: before_switch(from, to) on the old stack, after_switch(to) as the first thing on the new one. A fiber that
// will not come back says so by before_last_switch, so that ASan can free its fake stack.
#pragma once

#include "nexus/base/atomic.hpp"

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define NEXUS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NEXUS_ASAN 1
#endif
#endif

#if defined(NEXUS_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if defined(NEXUS_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace nexus::detail {

/// `object` stays for ever, on purpose, with all that it refers to.
inline void left_behind([[maybe_unused]] const void* object) noexcept {
#if defined(NEXUS_ASAN)
    __lsan_ignore_object(object);
#endif
}

/// What the sanitizers want to know of one context.
struct SanitizerState {
#if defined(NEXUS_ASAN)
    void* fake_stack = nullptr;
    const void* bottom = nullptr;
    std::size_t size = 0;
#endif
#if defined(NEXUS_TSAN)
    void* fiber = nullptr;
#endif
};

/// Tells Valgrind that [limit, top) is a stack of its own, or that it no longer is.
void register_stack(const std::byte* limit, const std::byte* top) noexcept;
void forget_stack(const std::byte* limit, const std::byte* top) noexcept;

inline void unpoison_stack([[maybe_unused]] const std::byte* limit, [[maybe_unused]] const std::byte* top) noexcept {
#if defined(NEXUS_ASAN)
    __asan_unpoison_memory_region(limit, static_cast<std::size_t>(top - limit));
#endif
}

inline void created([[maybe_unused]] SanitizerState& state, [[maybe_unused]] const std::byte* limit,
                    [[maybe_unused]] const std::byte* top) noexcept {
#if defined(NEXUS_ASAN)
    state.fake_stack = nullptr;
    state.bottom = limit;
    state.size = static_cast<std::size_t>(top - limit);
#endif
#if defined(NEXUS_TSAN)
    state.fiber = __tsan_create_fiber(0);
#endif
}

/// The context of whatever stack runs now, which nobody created: the thread's own, or a fiber of somebody else's.
inline void adopted([[maybe_unused]] SanitizerState& state) noexcept {
    state = {};
#if defined(NEXUS_TSAN)
    state.fiber = __tsan_get_current_fiber();
#endif
}

inline void destroyed([[maybe_unused]] SanitizerState& state) noexcept {
#if defined(NEXUS_TSAN)
    if (state.fiber != nullptr) __tsan_destroy_fiber(state.fiber);
    state.fiber = nullptr;
#endif
}

[[gnu::always_inline]] inline void before_switch([[maybe_unused]] SanitizerState& from,
                                                 [[maybe_unused]] const SanitizerState& to) noexcept {
#if defined(NEXUS_ASAN)
    __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom, to.size);
#endif
#if defined(NEXUS_TSAN)
    __tsan_switch_to_fiber(to.fiber, 0);
#endif
}

[[gnu::always_inline]] inline void before_last_switch([[maybe_unused]] const SanitizerState& to) noexcept {
#if defined(NEXUS_ASAN)
    __sanitizer_start_switch_fiber(nullptr, to.bottom, to.size);
#endif
#if defined(NEXUS_TSAN)
    __tsan_switch_to_fiber(to.fiber, 0);
#endif
}

/// `from` gets the bounds of the stack that was left, if it did not know them (the thread's own stack).
[[gnu::always_inline]] inline void after_switch([[maybe_unused]] const SanitizerState& to,
                                                [[maybe_unused]] SanitizerState& from) noexcept {
#if defined(NEXUS_ASAN)
    const void* bottom = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(to.fake_stack, &bottom, &size);
    if (from.bottom == nullptr) {
        from.bottom = bottom;
        from.size = size;
    }
#endif
}

} // namespace nexus::detail
