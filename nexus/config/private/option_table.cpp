// The entries of the option table. How an entry is used is in option_kinds.cpp.
#include "nexus/config/private/option_table.hpp"

#include "nexus/config/detail/log_section.hpp"
#include "nexus/runtime/options.hpp"

#include <array>
#include <chrono>
#include <limits>
#include <type_traits>

namespace nexus::config_detail {

namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = kib * 1024;
constexpr std::uint64_t gib = mib * 1024;
constexpr std::uint64_t ten_seconds = 10'000'000'000;
constexpr std::uint64_t any_uint32 = std::numeric_limits<std::uint32_t>::max();

template <auto Member>
struct Field;

template <class S, class T, T S::*Member>
struct Field<Member> {
    static OptionValue get(const void* options) {
        const T& field = static_cast<const S*>(options)->*Member;
        if constexpr (std::is_same_v<T, std::string>) {
            return {0, field};
        } else if constexpr (std::is_same_v<T, std::chrono::nanoseconds>) {
            return {static_cast<std::uint64_t>(field.count()), {}};
        } else {
            return {static_cast<std::uint64_t>(field), {}};
        }
    }

    static void set(void* options, const OptionValue& value) {
        T& field = static_cast<S*>(options)->*Member;
        if constexpr (std::is_same_v<T, std::string>) {
            field = value.text;
        } else if constexpr (std::is_same_v<T, std::chrono::nanoseconds>) {
            field = std::chrono::nanoseconds(static_cast<std::int64_t>(value.number));
        } else {
            field = static_cast<T>(value.number);
        }
    }
};

using Doc = std::string_view;

template <auto Member>
constexpr Option boolean(std::string_view key, Doc doc, std::string_view default_note = {}) {
    return {key, OptionKind::boolean, 0, 1, {}, doc, default_note, &Field<Member>::get, &Field<Member>::set};
}
template <auto Member>
constexpr Option integer(std::string_view key, std::uint64_t least, std::uint64_t most, Doc doc) {
    return {key, OptionKind::integer, least, most, {}, doc, {}, &Field<Member>::get, &Field<Member>::set};
}
template <auto Member>
constexpr Option size(std::string_view key, std::uint64_t least, std::uint64_t most, Doc doc) {
    return {key, OptionKind::size, least, most, {}, doc, {}, &Field<Member>::get, &Field<Member>::set};
}
template <auto Member>
constexpr Option duration(std::string_view key, std::uint64_t least, std::uint64_t most, Doc doc) {
    return {key, OptionKind::duration, least, most, {}, doc, {}, &Field<Member>::get, &Field<Member>::set};
}
template <auto Member>
constexpr Option text(std::string_view key, Doc doc) {
    return {key, OptionKind::text, 0, 0, {}, doc, {}, &Field<Member>::get, &Field<Member>::set};
}
template <auto Member>
constexpr Option choice(std::string_view key, std::span<const std::string_view> choices, Doc doc) {
    return {key, OptionKind::choice, 0, choices.size() - 1, choices, doc, {}, &Field<Member>::get, &Field<Member>::set};
}

// In the order of LoopMode and of LogLevel.
constexpr std::array<std::string_view, 3> loop_modes = {"park", "busy", "adaptive"};
constexpr std::array<std::string_view, 7> log_levels = {"trace", "debug", "info", "warn", "error", "critical", "off"};

using R = RuntimeOptions;
constexpr std::array runtime_options = {
    choice<&R::mode>("mode", loop_modes,
                     "What the loop does when nothing is ready: sleep in the kernel, poll all the time, or poll for "
                     "spin_window and then sleep."),
    duration<&R::spin_window>("spin_window", 0, ten_seconds, "How long the mode adaptive polls before it sleeps."),
    integer<&R::tasks_per_cycle>("tasks_per_cycle", 1, 1'000'000, "Fibers run in one cycle at most."),
    integer<&R::event_interval>("event_interval", 1, 1'000'000,
                                "Cycles between two looks at the sockets while fibers are ready."),
    integer<&R::event_capacity>("event_capacity", 1, 65'536, "Socket events taken from the kernel at once."),
    integer<&R::cross_thread_drain_limit>("cross_thread_drain_limit", 0, any_uint32,
                                          "Wakes taken from other threads at once; 0 takes all."),
    size<&R::stack_size>("stack_size", 16 * kib, 64 * mib, "Usable stack of a fiber."),
    size<&R::root_stack_size>("root_stack_size", 16 * kib, 64 * mib,
                              "Usable stack of the fiber that runs the body of block_on."),
    size<&R::guard_size>("guard_size", 0, mib, "Guard below each stack; 0 leaves only the checked red zone."),
    integer<&R::preallocated_stacks>("preallocated_stacks", 0, 1'000'000, "Stacks made ready at the start."),
    boolean<&R::prefault_stacks>("prefault_stacks",
                                 "Touch the preallocated stacks, so that their first use takes no page fault."),
    duration<&R::timer_slack>("timer_slack", 0, ten_seconds,
                              "How late a timer may fire so that wake-ups can be shared."),
    boolean<&R::signal_handlers>("signal_handlers", "SIGINT and SIGTERM trigger the shutdown signal."),
    boolean<&R::overflow_report>("overflow_report",
                                 "A stack overflow ends the process with a readable line instead of a bare SIGSEGV."),
    boolean<&R::strict_borrows>("strict_borrows",
                                "Report shared borrows, too, that live across a suspension. (Mutable ones always are.)",
                                "true in debug builds, false with NDEBUG"),
};

using L = LogSection;
constexpr std::array log_options = {
    choice<&L::level>("level", log_levels, "The least severe lines that are written."),
    choice<&L::flush_level>("flush_level", log_levels,
                            "Lines from this level on reach the kernel before the call returns; others may wait in "
                            "the process and are lost if it crashes."),
    text<&L::pattern>("pattern", "The form of a line, in the notation of spdlog; times are UTC."),
    text<&L::file>("file", "Where lines are appended; empty is the standard error stream."),
    size<&L::max_file_bytes>("max_file_bytes", 0, 1024 * gib,
                             "The file is rotated before it grows beyond this; 0 never rotates."),
    integer<&L::max_files>(
        "max_files", 0, 1000,
        "Rotated files that are kept, as file.1 (the youngest), file.2, ...; 0 starts the file over."),
};

} // namespace

const Section& runtime_section() {
    static const RuntimeOptions defaults;
    static const Section section{"runtime", "The loop, its fibers and their stacks.", runtime_options, &defaults};
    return section;
}

const Section& log_section() {
    static const LogSection defaults;
    static const Section section{"log", "Where log lines go.", log_options, &defaults};
    return section;
}

} // namespace nexus::config_detail
