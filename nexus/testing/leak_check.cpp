#include "nexus/testing/leak_check.hpp"

#include "nexus/base/borrow.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace nexus::testing {
namespace {

/// "7 -> socket:[4711]" for each open descriptor, sorted.
std::vector<std::string> open_descriptors() {
    std::vector<std::string> list;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
        const std::filesystem::path target = std::filesystem::read_symlink(entry.path(), ignored);
        // The directory that is being read is itself an open descriptor.
        if (ignored || target.native().starts_with("/proc/")) continue;
        list.push_back(entry.path().filename().native() + " -> " + target.native());
    }
    std::sort(list.begin(), list.end());
    return list;
}

void add_count(std::vector<std::string>& problems, std::uint64_t count, const char* what) {
    if (count != 0) problems.push_back(std::to_string(count) + " " + what);
}

} // namespace

LeakCheck::LeakCheck() : descriptors_(open_descriptors()), borrow_violations_(borrow_violations_counted()) {}

std::vector<std::string> LeakCheck::problems_in(Runtime& runtime) const {
    if (!Executor::in_fiber()) (void)runtime.run_once(); // what other threads let go of last is still on its way
    std::vector<std::string> problems;
    for (const FiberInfo& fiber : runtime.fibers()) {
        problems.push_back("fiber \"" + fiber.name + "\" spawned at " + fiber.spawn_site + " is alive" +
                           (fiber.waiting_for.empty() ? "" : ", waits for " + fiber.waiting_for));
    }
    Executor& executor = runtime.executor();
    executor.drain_deferred_free();
    add_count(problems, executor.outstanding_tasks() - executor.task_count(), "ended fibers are still referred to");
    add_count(problems, executor.stacks().stats().in_use, "stacks in use");
    add_count(problems, executor.timers().size(), "timers armed");
    add_count(problems, runtime.reactor().source_count(), "descriptors registered");
    add_count(problems, borrow_violations_counted() - borrow_violations_, "borrow violations during unwinding");
    return problems;
}

std::vector<std::string> LeakCheck::problems_after(const ShutdownStats& stats) const {
    std::vector<std::string> problems;
    for (const std::string& descriptor : open_descriptors()) {
        if (!std::binary_search(descriptors_.begin(), descriptors_.end(), descriptor)) {
            problems.push_back("descriptor left open: " + descriptor);
        }
    }
    add_count(problems, stats.unbalanced_normal_shutdowns, "fibers were referred to at teardown");
    add_count(problems, stats.leaked_box_tasks, "fibers were referred to at teardown during unwinding");
    add_count(problems, stats.cross_queue_undrained, "cross-thread entries were left for teardown");
    return problems;
}

} // namespace nexus::testing
