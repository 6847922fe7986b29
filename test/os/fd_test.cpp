#include "nexus/os/fd.hpp"

#include "test/os/fault.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <type_traits>
#include <unistd.h>
#include <utility>

namespace nexus::os {
namespace {

static_assert(!std::is_copy_constructible_v<Fd> && !std::is_copy_assignable_v<Fd>);
static_assert(std::is_nothrow_move_constructible_v<Fd> && std::is_nothrow_move_assignable_v<Fd>);

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(Fd, owns_nothing_by_default) {
    Fd fd;
    EXPECT_FALSE(fd);
    EXPECT_EQ(fd.get(), -1);
}

TEST(Fd, zero_is_a_descriptor) {
    Fd fd{0};
    EXPECT_TRUE(fd);
    EXPECT_EQ(fd.release(), 0);
}

TEST(Fd, closes_when_it_goes) {
    const int raw = open_null();
    {
        Fd fd{raw};
        EXPECT_TRUE(fd);
        EXPECT_TRUE(is_open(raw));
    }
    EXPECT_FALSE(is_open(raw));
}

TEST(Fd, moving_hands_over) {
    const int raw = open_null();
    const int replaced = open_null();
    Fd first{raw};
    Fd second{std::move(first)};
    Fd third{replaced};
    third = std::move(second);
    EXPECT_FALSE(is_open(replaced));
    EXPECT_TRUE(is_open(raw));
    EXPECT_EQ(third.get(), raw);
    EXPECT_FALSE(second); // NOLINT(bugprone-use-after-move): empty by contract
}

TEST(Fd, assigning_to_itself_keeps_it) {
    Fd fd{open_null()};
    Fd& same = fd;
    fd = std::move(same);
    EXPECT_TRUE(is_open(fd.get()));
}

TEST(Fd, release_does_not_close) {
    Fd fd{open_null()};
    const int raw = fd.release();
    EXPECT_FALSE(fd);
    EXPECT_TRUE(is_open(raw));
    ::close(raw);
}

TEST(Fd, closes_once_through_the_table_and_keeps_errno) {
    Fault<&Calls::close> fault{EINTR, 1}; // closed nevertheless as far as the caller may know: no second try
    const int raw = open_null();
    Fd fd{raw};
    errno = ERANGE;
    fd.reset();
    EXPECT_EQ(errno, ERANGE);
    EXPECT_EQ(fault.calls_seen(), 1);
    ::close(raw);
}

} // namespace
} // namespace nexus::os
