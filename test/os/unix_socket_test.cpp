#include "nexus/os/unix_socket.hpp"

#include "nexus/os/socket.hpp"
#include "test/os/fault.hpp"
#include "test/system/under_valgrind.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace nexus::os {
namespace {

constexpr std::array<std::byte, 1> one_byte{std::byte{'x'}};

/// The ends of a pipe.
SocketPair make_pipe() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
    return {Fd{fds[0]}, Fd{fds[1]}};
}

bool same_file(int a, int b) {
    struct stat left {};
    struct stat right {};
    return ::fstat(a, &left) == 0 && ::fstat(b, &right) == 0 && left.st_ino == right.st_ino &&
           left.st_dev == right.st_dev;
}

TEST(UnixSocket, a_pair_is_connected_close_on_exec_and_non_blocking) {
    const SocketPair pair = socket_pair(SOCK_STREAM).value();
    for (const Fd* fd : {&pair.first, &pair.second}) {
        EXPECT_NE(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, 0);
        EXPECT_NE(::fcntl(fd->get(), F_GETFL) & O_NONBLOCK, 0);
    }
    EXPECT_EQ(send(pair.first.get(), one_byte).value(), 1U);
    std::array<std::byte, 4> buffer{};
    EXPECT_EQ(receive(pair.second.get(), buffer).value(), 1U);
    Fault<&Calls::socketpair> fault{EMFILE, 1};
    EXPECT_EQ(socket_pair(SOCK_STREAM).error(), std::errc::too_many_files_open);
}

TEST(UnixSocket, the_kernel_says_who_the_peer_is) {
    const SocketPair pair = socket_pair(SOCK_STREAM).value();
    EXPECT_EQ(peer_credentials(pair.first.get()).value(), (PeerCredentials{::getpid(), ::getuid(), ::getgid()}));
    EXPECT_EQ(peer_credentials(-1).error(), std::errc::bad_file_descriptor);
}

TEST(UnixSocket, descriptors_travel_and_arrive_close_on_exec) {
    const SocketPair pair = socket_pair(SOCK_STREAM).value();
    const SocketPair pipe = make_pipe();
    const std::array<int, 2> sent{pipe.first.get(), pipe.second.get()};
    ASSERT_EQ(send_with_descriptors(pair.first.get(), one_byte, sent).value(), 1U);
    std::array<std::byte, 4> buffer{};
    std::array<Fd, 3> room;
    const auto got = receive_with_descriptors(pair.second.get(), buffer, room, 0).value();
    EXPECT_EQ(got.bytes, 1U);
    ASSERT_EQ(got.descriptors, 2U);
    EXPECT_FALSE(got.lost);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_NE(room[i].get(), sent[i]);
        EXPECT_TRUE(same_file(room[i].get(), sent[i]));
        EXPECT_NE(::fcntl(room[i].get(), F_GETFD) & FD_CLOEXEC, 0);
    }
    EXPECT_FALSE(room[2]);
}

TEST(UnixSocket, descriptors_without_room_are_closed_and_reported) {
    const SocketPair pair = socket_pair(SOCK_STREAM).value();
    const SocketPair pipe = make_pipe();
    const std::array<int, 3> sent{pipe.first.get(), pipe.first.get(), pipe.first.get()};
    for (const std::size_t places : {0U, 1U, 2U}) {
        ASSERT_TRUE(send_with_descriptors(pair.first.get(), one_byte, sent));
        std::array<std::byte, 4> buffer{};
        std::vector<Fd> room(places);
        const auto got = receive_with_descriptors(pair.second.get(), buffer, room, 0).value();
        EXPECT_EQ(got.descriptors, places);
        EXPECT_TRUE(got.lost) << places;
    }
}

TEST(UnixSocket, as_many_as_the_kernel_takes_and_not_one_more) {
    const SocketPair pair = socket_pair(SOCK_STREAM).value();
    const std::vector<int> most(max_descriptors, pair.first.get());
    const std::vector<int> too_many(max_descriptors + 1, pair.first.get());
    EXPECT_EQ(send_with_descriptors(pair.first.get(), one_byte, too_many).error(), std::errc::invalid_argument);
    ASSERT_EQ(send_with_descriptors(pair.first.get(), one_byte, most).value(), 1U);
    std::array<std::byte, 4> buffer{};
    std::vector<Fd> room(max_descriptors + 5);
    const auto got = receive_with_descriptors(pair.second.get(), buffer, room, 0).value();
    EXPECT_EQ(got.descriptors, max_descriptors);
    EXPECT_FALSE(got.lost);
}

TEST(UnixSocket, a_process_without_room_for_descriptors_hears_of_it) {
    if (nexus::test::under_valgrind()) GTEST_SKIP() << "limits do not bind there";
    const SocketPair pair = socket_pair(SOCK_STREAM).value();
    const std::array<int, 1> sent{pair.first.get()};
    ASSERT_TRUE(send_with_descriptors(pair.first.get(), one_byte, sent));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none = before;
    none.rlim_cur = 0;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    std::array<std::byte, 4> buffer{};
    std::array<Fd, 2> room;
    const auto got = receive_with_descriptors(pair.second.get(), buffer, room, 0);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->bytes, 1U);
    EXPECT_EQ(got->descriptors, 0U);
    EXPECT_TRUE(got->lost);
}

TEST(UnixSocket, bytes_alone_need_no_descriptors) {
    const SocketPair pair = socket_pair(SOCK_DGRAM).value();
    ASSERT_EQ(send_with_descriptors(pair.first.get(), one_byte, {}).value(), 1U);
    std::array<std::byte, 4> buffer{};
    RawAddress from;
    const auto got = receive_with_descriptors(pair.second.get(), buffer, {}, 0, &from).value();
    EXPECT_EQ(got.bytes, 1U);
    EXPECT_FALSE(got.lost);
    EXPECT_EQ(receive_with_descriptors(pair.second.get(), buffer, {}, 0).error(),
              std::errc::resource_unavailable_try_again);
}

} // namespace
} // namespace nexus::os
