// The switch between fibers: the only code that knows Boost.Context.
//
// A Context is where a suspended fiber (or the loop) can be continued, with what must travel with it: its C++
// exception state and what the sanitizers need. Invariants: a Context is *live* while suspended and stale while it
// runs; only the context that resumes stores the handle of the one it came from, so a handle is written exactly once
// per suspension. Contexts never move between threads.
//
// boost::context::detail::fcontext_t is used instead of boost::context::fiber: docs/decisions/0020 has the figures.
#pragma once

#include "nexus/fiber/detail/sanitizer.hpp"

#include <boost/context/detail/fcontext.hpp>

#include <cstddef>
#include <cxxabi.h>

namespace nexus::detail {

/// The part of the C++ runtime that belongs to a flow of control: exceptions being handled, and how many are in
/// flight (rule 6 of the design). Layout of the Itanium C++ ABI's __cxa_eh_globals.
struct ExceptionState {
    void* caught = nullptr;
    unsigned int uncaught = 0;
};

/// This thread's exception state. The address is constant for the life of the thread.
inline ExceptionState* exception_state() noexcept {
    // SAFETY: __cxa_get_globals returns the opaque ABI structure of which ExceptionState spells out the layout.
    return reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
}

struct Context {
    boost::context::detail::fcontext_t handle = nullptr;
    ExceptionState exceptions;
    [[no_unique_address]] SanitizerState sanitizer;
};

/// What every fiber runs first, on its own stack; must not return. Finds out by itself which fiber it is. Defined by
/// the executor module: a link-time constant, so that no thread ever writes it while another starts a fiber.
void enter_fiber() noexcept;

/// Makes `context` start `nexus_fiber_main` on the stack [limit, top) at its next resumption.
void make_context(Context& context, std::byte* limit, std::byte* top) noexcept;

/// Leaves `from` and continues `to`; returns when something switches back to `from`.
/// `thread_state` is exception_state() of this thread.
[[gnu::always_inline]] inline void switch_context(Context& from, Context& to, ExceptionState* thread_state) noexcept {
    from.exceptions = *thread_state;
    *thread_state = to.exceptions;
    before_switch(from.sanitizer, to.sanitizer);
    // SAFETY: `to` is live (suspended or fresh), on this thread; its handle is used up by this jump and written anew
    // by whoever it switches to next.
    const boost::context::detail::transfer_t arrived = boost::context::detail::jump_fcontext(to.handle, &from);
    // SAFETY: every jump in this library passes the address of the Context it leaves.
    auto* previous = static_cast<Context*>(arrived.data);
    previous->handle = arrived.fctx;
    after_switch(from.sanitizer, previous->sanitizer);
}

/// The same for a fiber that has ended: `from` is never continued.
[[noreturn]] inline void switch_context_for_good(Context& from, Context& to, ExceptionState* thread_state) noexcept {
    *thread_state = to.exceptions;
    before_last_switch(to.sanitizer);
    // SAFETY: as above; the stack under this call is already back in its pool, but nothing can take it before the
    // jump, which happens on this thread.
    boost::context::detail::jump_fcontext(to.handle, &from);
    __builtin_unreachable();
}

} // namespace nexus::detail
