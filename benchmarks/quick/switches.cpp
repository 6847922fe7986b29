// Yield, spawn and join, beside bare jump_fcontext and Boost.Fiber.
#include "benchmarks/quick/harness.hpp"

#include <nexus/nexus.hpp>

#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>
#if NEXUS_BENCH_BOOST_FIBER
#include <boost/fiber/all.hpp>
#include <boost/fiber/pooled_fixedsize_stack.hpp>
#endif

#include <memory>

namespace bench {
namespace {

constexpr std::uint64_t switches = 2'000'000;
constexpr std::uint64_t spawns = 200'000;

// --- nexus ---

template <class F>
double in_runtime(F&& body) {
    nexus::World world = nexus::WorldBuilder{}.build();
    nexus::Runtime runtime{world};
    return runtime.block_on([&body] { return body(); });
}

double nexus_yield(std::uint64_t fibers) {
    return in_runtime([fibers] {
        const std::uint64_t each = switches / fibers;
        std::vector<nexus::JoinHandle<void>> handles;
        handles.reserve(fibers);
        for (std::uint64_t i = 0; i < fibers; ++i) {
            handles.push_back(nexus::spawn([each] {
                for (std::uint64_t k = 0; k < each; ++k) nexus::yield_now();
            }));
        }
        return per_operation(each * fibers, [&handles] {
            for (auto& handle : handles) handle.join();
        });
    });
}

double nexus_spawn_join() {
    return in_runtime([] {
        nexus::spawn([] {}).join(); // the first stack
        return per_operation(spawns, [] {
            for (std::uint64_t i = 0; i < spawns; ++i) nexus::spawn([] {}).join();
        });
    });
}

// --- bare jump_fcontext: two contexts that jump to and fro ---

void bounce(boost::context::detail::transfer_t from) {
    for (;;) from = boost::context::detail::jump_fcontext(from.fctx, nullptr);
}

double bare_jump() {
    constexpr std::size_t stack_bytes = std::size_t{64} * 1024;
    auto stack = std::make_unique<std::byte[]>(stack_bytes);
    auto context = boost::context::detail::make_fcontext(stack.get() + stack_bytes, stack_bytes, &bounce);
    return per_operation(switches, [&context] {
        for (std::uint64_t i = 0; i < switches / 2; ++i) {
            context = boost::context::detail::jump_fcontext(context, nullptr).fctx;
        }
    });
}

double context_fiber() {
    boost::context::fiber other([](boost::context::fiber&& caller) {
        for (;;) caller = std::move(caller).resume();
        return std::move(caller);
    });
    return per_operation(switches, [&other] {
        for (std::uint64_t i = 0; i < switches / 2; ++i) other = std::move(other).resume();
    });
}

// --- Boost.Fiber ---

#if NEXUS_BENCH_BOOST_FIBER
boost::fibers::fiber boost_spawn(auto&& body) {
    static boost::fibers::pooled_fixedsize_stack stacks(std::size_t{64} * 1024, 256);
    return {boost::fibers::launch::post, std::allocator_arg, stacks, std::forward<decltype(body)>(body)};
}

double boost_yield(std::uint64_t fibers) {
    const std::uint64_t each = switches / fibers;
    std::vector<boost::fibers::fiber> list;
    for (std::uint64_t i = 0; i < fibers; ++i) {
        list.push_back(boost_spawn([each] {
            for (std::uint64_t k = 0; k < each; ++k) boost::this_fiber::yield();
        }));
    }
    return per_operation(each * fibers, [&list] {
        for (auto& fiber : list) fiber.join();
    });
}

double boost_spawn_join() {
    return per_operation(spawns, [] {
        for (std::uint64_t i = 0; i < spawns; ++i) boost_spawn([] {}).join();
    });
}
#else
double boost_yield(std::uint64_t /*fibers*/) { return -1; }
double boost_spawn_join() { return -1; }
#endif

} // namespace

std::vector<Workload> switch_workloads() {
    return {
        {"switch, bare", {{"jump_fcontext", bare_jump}, {"boost::context::fiber", context_fiber}}},
        {"yield, 2 fibers",
         {{"nexus", [] { return nexus_yield(2); }},
          {"bare jump_fcontext", bare_jump},
          {"Boost.Fiber", [] { return boost_yield(2); }}}},
        {"yield, 1,000 fibers",
         {{"nexus", [] { return nexus_yield(1000); }},
          {"bare jump_fcontext", bare_jump},
          {"Boost.Fiber", [] { return boost_yield(1000); }}}},
        {"spawn and join",
         {{"nexus", nexus_spawn_join}, {"bare jump_fcontext", bare_jump}, {"Boost.Fiber", boost_spawn_join}}},
    };
}

} // namespace bench
