// The first frames of a fiber. The frame chain and the call-frame information end at nexus_fiber_start, so that
// debuggers, profilers and unwinders stop there instead of wandering into whatever lies above the stack.
#include "nexus/fiber/detail/context.hpp"

#if defined(__x86_64__)
asm(R"(
    .text
    .p2align 4
    .type nexus_fiber_start,@function
nexus_fiber_start:
    .cfi_startproc
    .cfi_undefined rip
    xorl %ebp, %ebp
    andq $-16, %rsp
    call nexus_fiber_main
    ud2
    .cfi_endproc
    .size nexus_fiber_start,.-nexus_fiber_start
)");
#elif defined(__aarch64__)
asm(R"(
    .text
    .p2align 4
    .type nexus_fiber_start,%function
nexus_fiber_start:
    .cfi_startproc
    .cfi_undefined x30
    mov x29, xzr
    bl nexus_fiber_main
    brk #0
    .cfi_endproc
    .size nexus_fiber_start,.-nexus_fiber_start
)");
#else
#error "nexus runs on x86-64 and aarch64"
#endif

// The transfer_t of the first jump arrives in registers and passes through nexus_fiber_start untouched.
extern "C" void nexus_fiber_start(boost::context::detail::transfer_t);

namespace nexus::detail {

void make_context(Context& context, std::byte* limit, std::byte* top) noexcept {
    context.exceptions = {};
    // SAFETY: nexus_fiber_start has the signature that make_fcontext expects; the stack is owned by the caller.
    context.handle = boost::context::detail::make_fcontext(top, static_cast<std::size_t>(top - limit),
                                                           &nexus_fiber_start);
}

} // namespace nexus::detail

/// Called by nexus_fiber_start only; it has C linkage so that the assembler can name it.
extern "C" [[gnu::used]] void nexus_fiber_main(boost::context::detail::transfer_t arrived) {
    // SAFETY: every jump in this library passes the address of the Context it leaves.
    auto* previous = static_cast<nexus::detail::Context*>(arrived.data);
    previous->handle = arrived.fctx;
    nexus::detail::SanitizerState fresh;
    nexus::detail::after_switch(fresh, previous->sanitizer);
    nexus::detail::enter_fiber();
}
