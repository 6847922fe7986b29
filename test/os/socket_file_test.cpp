#include "nexus/os/socket_file.hpp"

#include "nexus/os/calls.hpp"
#include "nexus/os/socket.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace nexus::os {
namespace {

struct SocketFiles : ::testing::Test {
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "nexus-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder = pattern;
        address = UnixAddress::path((folder / "s").string()).value();
    }
    void TearDown() override { std::filesystem::remove_all(folder); }
    [[nodiscard]] bool there() const { return std::filesystem::exists(folder / "s"); }
    Fd bound(bool replace_stale = false) {
        Fd fd = open_socket(AF_UNIX, SOCK_STREAM).value();
        outcome = bind_unix(fd.get(), SOCK_STREAM, address, replace_stale, {});
        return fd;
    }

    std::filesystem::path folder;
    UnixAddress address;
    Result<void> outcome;
};

TEST_F(SocketFiles, a_file_goes_with_its_object) {
    const Fd fd = bound();
    {
        SocketFile file = SocketFile::at(address).value();
        SocketFile moved = std::move(file);
        file.remove();
        EXPECT_TRUE(there()) << "it was moved from";
        errno = E2BIG;
    }
    EXPECT_EQ(errno, E2BIG);
    EXPECT_FALSE(there());
}

TEST_F(SocketFiles, a_released_file_stays) {
    const Fd fd = bound();
    SocketFile::at(address).value().release();
    EXPECT_TRUE(there());
}

TEST_F(SocketFiles, a_successors_file_stays) {
    const Fd first = bound();
    SocketFile file = SocketFile::at(address).value();
    std::filesystem::rename(folder / "s", folder / "old"); // the inode number must not be used again
    const Fd second = bound();
    file.remove();
    EXPECT_TRUE(there());
}

TEST_F(SocketFiles, what_is_no_path_has_no_file_and_what_is_missing_fails) {
    EXPECT_TRUE(SocketFile::at(UnixAddress::abstract("x").value()));
    EXPECT_EQ(SocketFile::at(address).error(), std::errc::no_such_file_or_directory);
}

TEST_F(SocketFiles, assigning_removes_the_one_before) {
    const Fd fd = bound();
    SocketFile file = SocketFile::at(address).value();
    file = SocketFile{};
    EXPECT_FALSE(there());
}

TEST_F(SocketFiles, a_stale_file_is_replaced_only_when_asked) {
    { const Fd fd = bound(); }
    EXPECT_TRUE(there());
    (void)bound();
    EXPECT_EQ(outcome.error(), std::errc::address_in_use);
    (void)bound(true);
    EXPECT_TRUE(outcome);
}

TEST_F(SocketFiles, a_file_in_use_is_never_replaced) {
    const Fd listening = bound();
    ASSERT_TRUE(listen(listening.get(), 0));
    (void)bound(true);
    EXPECT_EQ(outcome.error(), std::errc::address_in_use);
    EXPECT_TRUE(there());
}

TEST_F(SocketFiles, a_full_backlog_counts_as_use) {
    const Fd listening = bound();
    ASSERT_TRUE(listen(listening.get(), 0));
    const Fd first = open_socket(AF_UNIX, SOCK_STREAM).value();
    ASSERT_TRUE(connect(first.get(), address));
    (void)bound(true);
    EXPECT_EQ(outcome.error(), std::errc::address_in_use);
}

TEST_F(SocketFiles, a_datagram_socket_in_use_is_not_replaced_either) {
    const Fd holder = open_socket(AF_UNIX, SOCK_DGRAM).value();
    ASSERT_TRUE(bind(holder.get(), address));
    (void)bound(true);
    EXPECT_EQ(outcome.error(), std::errc::address_in_use);
    const Fd other = open_socket(AF_UNIX, SOCK_DGRAM).value();
    EXPECT_EQ(bind_unix(other.get(), SOCK_DGRAM, address, true, {}).error(), std::errc::address_in_use);
}

TEST_F(SocketFiles, what_is_no_socket_is_never_replaced) {
    std::ofstream(folder / "s") << "precious";
    (void)bound(true);
    EXPECT_EQ(outcome.error(), std::errc::address_in_use);
    EXPECT_TRUE(there());
}

TEST_F(SocketFiles, permissions_are_there_from_the_start) {
    const Fd fd = open_socket(AF_UNIX, SOCK_STREAM).value();
    ASSERT_TRUE(bind_unix(fd.get(), SOCK_STREAM, address, false, 0600));
    struct stat facts {};
    ASSERT_EQ(::stat((folder / "s").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
}

} // namespace
} // namespace nexus::os
