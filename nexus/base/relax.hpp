// relax(): what a loop that waits for another processor does in each round.
#pragma once

namespace nexus::base {

/// Tells the processor that this is a spin loop: a pause of some tens of nanoseconds on x86-64, a hint on aarch64.
inline void relax() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory"); // yield does nothing on most
#endif
}

} // namespace nexus::base
