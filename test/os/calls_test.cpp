#include "nexus/os/calls.hpp"

#include "test/os/fault.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace nexus::os {
namespace {

TEST(Calls, the_real_table_is_complete) {
    // A table is nothing but pointers; a missing entry would be a null one.
    constexpr std::size_t count = sizeof(Calls) / sizeof(void*);
    void* entries[count];
    std::memcpy(entries, &real_calls(), sizeof entries);
    for (void* entry : entries) EXPECT_NE(entry, nullptr);
}

TEST(Calls, the_real_table_is_the_default) { EXPECT_EQ(&calls(), &real_calls()); }

TEST(Calls, an_override_holds_while_it_lives_and_nests) {
    const Calls outer_table = real_calls();
    const Calls inner_table = real_calls();
    {
        CallsOverride outer{outer_table};
        EXPECT_EQ(&calls(), &outer_table);
        {
            CallsOverride inner{inner_table};
            EXPECT_EQ(&calls(), &inner_table);
        }
        EXPECT_EQ(&calls(), &outer_table);
    }
    EXPECT_EQ(&calls(), &real_calls());
}

TEST(Calls, an_override_is_for_its_thread_only) {
    const Calls table = real_calls();
    CallsOverride here{table};
    const Calls* seen_there = nullptr;
    std::thread([&] { seen_there = &calls(); }).join();
    EXPECT_EQ(seen_there, &real_calls());
    EXPECT_EQ(&calls(), &table);
}

TEST(Calls, changing_the_table_of_an_override_takes_effect_at_once) {
    Calls table = real_calls();
    CallsOverride here{table};
    table.close = [](int) { return 7; };
    EXPECT_EQ(calls().close(-1), 7);
}

TEST(Calls, fcntl_and_memory_go_through) {
    EXPECT_EQ(calls().fcntl(STDOUT_FILENO, F_GETFD, 0) == -1, ::fcntl(STDOUT_FILENO, F_GETFD) == -1);
    void* page = calls().mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    EXPECT_EQ(calls().mprotect(page, 4096, PROT_READ), 0);
    EXPECT_EQ(calls().madvise(page, 4096, MADV_DONTNEED), 0);
    EXPECT_EQ(calls().munmap(page, 4096), 0);
}

TEST(Calls, retry_interrupted_repeats_only_what_was_interrupted) {
    int tries = 0;
    EXPECT_EQ(retry_interrupted([&] {
                  errno = EINTR;
                  return ++tries < 3 ? -1 : 42;
              }),
              42);
    EXPECT_EQ(tries, 3);
    tries = 0;
    EXPECT_EQ(retry_interrupted([&] {
                  ++tries;
                  errno = EAGAIN;
                  return -1;
              }),
              -1);
    EXPECT_EQ(tries, 1);
    EXPECT_EQ(errno, EAGAIN);
}

} // namespace
} // namespace nexus::os
