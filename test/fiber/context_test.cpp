// The switch: what every fiber starts with, what travels with it, and where its frame chain ends.
#include "nexus/exec/executor.hpp"
#include "nexus/exec/join_handle.hpp"
#include "nexus/exec/waker.hpp"
#include "nexus/fiber/detail/context.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cfenv>
#include <dlfcn.h>
#include <execinfo.h>
#include <string>
#include <unwind.h>
#include <vector>

namespace {

using namespace nexus;

/// Runs `body` as a fiber, to its end.
template <class F>
void in_fiber(F&& body) {
    Executor executor;
    executor.spawn_boxed(std::forward<F>(body)).detach();
    for (int cycle = 0; executor.has_ready() && cycle < 1000; ++cycle) executor.poll();
    EXPECT_EQ(executor.task_count(), 0U);
}

[[gnu::noinline]] std::vector<void*> walk_by_backtrace() {
    std::array<void*, 200> frames{};
    const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
    return std::vector<void*>(frames.begin(), frames.begin() + count); // NOLINT(modernize-return-braced-init-list)
}

[[gnu::noinline]] std::vector<void*> walk_by_unwinder(_Unwind_Reason_Code& end) {
    std::vector<void*> frames;
    end = _Unwind_Backtrace(
        [](_Unwind_Context* context, void* list) {
            auto& found = *static_cast<std::vector<void*>*>(list);
            // SAFETY: an address, for the report only.
            found.push_back(reinterpret_cast<void*>(_Unwind_GetIP(context)));
            return found.size() > 200 ? _URC_END_OF_STACK : _URC_NO_REASON;
        },
        &frames);
    return frames;
}

std::string symbol(void* address) {
    Dl_info info{};
    return ::dladdr(address, &info) != 0 && info.dli_sname != nullptr ? info.dli_sname : "";
}

/// The walk found its way from the fiber's code to the fiber's entry, and went no further.
void expect_ends_at_entry(std::vector<void*> frames) {
    while (!frames.empty() && frames.back() == nullptr) frames.pop_back(); // how the unwinder says "no caller"
    ASSERT_GE(frames.size(), 3U);
    EXPECT_LT(frames.size(), 40U) << "it does not run wild";
#if defined(NEXUS_TSAN)
    return; // its runtime adds frames and hides names; that the walk ends is what counts there
#endif
    // The outermost frame is nexus_fiber_start, which is no dynamic symbol; two or three lead from there to fiber_main,
    // less those that are tail calls.
    std::size_t entry = 0;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const std::string name = symbol(frames[i]);
        if (name.find("fiber_main") != std::string::npos) entry = i;
    }
    EXPECT_GE(entry + 4, frames.size()) << "nothing above the entry";
}

TEST(Context, a_backtrace_ends_at_the_fibers_entry) {
    std::vector<void*> frames;
    in_fiber([&frames] { frames = walk_by_backtrace(); });
    expect_ends_at_entry(frames);
}

TEST(Context, the_unwinder_stops_at_the_fibers_entry) {
    std::vector<void*> frames;
    _Unwind_Reason_Code end = _URC_NO_REASON;
    in_fiber([&] { frames = walk_by_unwinder(end); });
    EXPECT_EQ(end, _URC_END_OF_STACK);
    expect_ends_at_entry(frames);
}

TEST(Context, they_also_end_there_after_a_switch) {
    std::vector<void*> frames;
    in_fiber([&frames] {
        for (int i = 0; i < 3; ++i) yield_now();
        frames = walk_by_backtrace();
    });
    expect_ends_at_entry(frames);
}

TEST(Context, a_fresh_fiber_has_an_aligned_stack) {
    in_fiber([] {
        alignas(16) volatile char aligned = 0;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&aligned) % 16, 0U);
        // movaps in the C library's printf of floating point traps on a stack that is misaligned.
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%.3f", 1.5);
        EXPECT_STREQ(text.data(), "1.500");
    });
}

TEST(Context, the_rounding_mode_travels_with_the_fiber) {
    in_fiber([] {
        EXPECT_EQ(std::fegetround(), FE_TONEAREST);
        std::fesetround(FE_UPWARD);
        yield_now();
        EXPECT_EQ(std::fegetround(), FE_UPWARD);
        std::fesetround(FE_TONEAREST);
    });
}

TEST(Context, callee_saved_registers_survive) {
    Executor executor;
    std::uint64_t sum = 0;
    for (std::uint64_t fiber = 1; fiber <= 50; ++fiber) {
        executor
            .spawn_boxed([fiber, &sum] {
                std::uint64_t a = fiber;
                std::uint64_t b = fiber * 3;
                std::uint64_t c = fiber * 5;
                double d = static_cast<double>(fiber) / 4;
                for (int i = 0; i < 20; ++i) {
                    a = a * 6364136223846793005U + b;
                    b ^= a >> 13;
                    c += b;
                    d = d * 0.5 + 1;
                    yield_now();
                }
                sum += a + b + c + static_cast<std::uint64_t>(d);
            })
            .detach();
    }
    while (executor.has_ready()) executor.poll();
    std::uint64_t expected = 0;
    for (std::uint64_t fiber = 1; fiber <= 50; ++fiber) {
        std::uint64_t a = fiber;
        std::uint64_t b = fiber * 3;
        std::uint64_t c = fiber * 5;
        double d = static_cast<double>(fiber) / 4;
        for (int i = 0; i < 20; ++i) {
            a = a * 6364136223846793005U + b;
            b ^= a >> 13;
            c += b;
            d = d * 0.5 + 1;
        }
        expected += a + b + c + static_cast<std::uint64_t>(d);
    }
    EXPECT_EQ(sum, expected);
}

TEST(Context, deep_recursion_fits_the_stack_that_was_asked_for) {
    struct Recurse {
        [[gnu::noinline]] static int down(int depth) {
            volatile char frame[512];
            frame[0] = static_cast<char>(depth);
            return depth == 0 ? 0 : down(depth - 1) + (frame[0] != 0 ? 1 : 1);
        }
    };
    Executor executor({.stack_size = std::size_t{512} * 1024});
    int depth = 0;
    executor.spawn_boxed([&depth] { depth = Recurse::down(500); }).detach();
    executor.poll();
    EXPECT_EQ(depth, 500);
}

TEST(Context, exceptions_unwind_frames_below_a_switch) {
    Executor executor;
    int destroyed = 0;
    struct Guard {
        int& count;
        ~Guard() { ++count; }
    };
    executor
        .spawn_boxed([&destroyed] {
            try {
                const Guard outer{destroyed};
                yield_now();
                const Guard inner{destroyed};
                yield_now();
                throw 7;
            } catch (int value) {
                EXPECT_EQ(value, 7);
            }
        })
        .detach();
    while (executor.has_ready()) executor.poll();
    EXPECT_EQ(destroyed, 2);
}

} // namespace
