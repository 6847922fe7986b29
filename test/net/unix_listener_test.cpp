#include "nexus/net/unix_listener.hpp"

#include "test/net/rig.hpp"
#include "test/os/fault.hpp"

#include <sys/stat.h>

namespace nexus {
namespace {

using namespace std::chrono_literals;
using std::filesystem::exists;

UnixListenOptions options_with(bool unlink_on_close, bool replace_stale) {
    UnixListenOptions options;
    options.unlink_on_close = unlink_on_close;
    options.replace_stale = replace_stale;
    return options;
}

TEST(UnixListener, bind_says_what_is_wrong_with_the_address) {
    const TempFolder folder;
    UnixListener first = UnixListener::bind(folder.file("s")).value();
    const auto second = UnixListener::bind(folder.file("s"));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error(), std::errc::address_in_use);
    EXPECT_EQ(second.error().message(), "bind " + folder.file("s") + ": Address already in use");
    EXPECT_EQ(UnixListener::bind(folder.file("no/s")).error(), std::errc::no_such_file_or_directory);
    EXPECT_EQ(UnixListener::bind("").error(), std::errc::invalid_argument);
    EXPECT_EQ(UnixListener::bind(std::string(200, 'x')).error(), std::errc::filename_too_long);
    os::Fault<&os::Calls::listen> fault{EOPNOTSUPP, 1};
    EXPECT_STREQ(UnixListener::bind(folder.file("t")).error().operation(), "listen");
}

TEST(UnixListener, an_abstract_name_is_free_again_when_the_listener_is_gone) {
    const std::string name = "@nexus-listener-" + std::to_string(::getpid());
    for (int i = 0; i < 2; ++i) {
        UnixListener listener = UnixListener::bind(name).value();
        EXPECT_EQ(listener.local_address().value().to_string(), name);
        EXPECT_EQ(UnixListener::bind(name).error(), std::errc::address_in_use);
    }
}

TEST(UnixListener, its_file_stays_unless_the_option_says_otherwise) {
    const TempFolder folder;
    const std::string path = folder.file("s");
    { UnixListener listener = UnixListener::bind(path).value(); }
    EXPECT_TRUE(exists(path));
    { UnixListener listener = UnixListener::bind(path, options_with(true, true)).value(); }
    EXPECT_FALSE(exists(path));
    UnixListener closed = UnixListener::bind(path, options_with(true, false)).value();
    closed.close();
    EXPECT_FALSE(exists(path));
    closed.close();
    UnixListener moved_from = UnixListener::bind(path, options_with(true, false)).value();
    UnixListener listener = std::move(moved_from);
    EXPECT_TRUE(exists(path));
    const os::Fd fd = std::move(listener).into_fd();
    EXPECT_TRUE(exists(path)) << "whoever has the descriptor has the file";
}

TEST(UnixListener, a_file_left_over_is_replaced_and_one_in_use_is_not) {
    in_runtime([] {
        const TempFolder folder;
        const std::string path = folder.file("s");
        { UnixListener crashed = UnixListener::bind(path).value(); }
        UnixListener listener = UnixListener::bind(path, options_with(true, true)).value();
        EXPECT_EQ(UnixListener::bind(path, options_with(true, true)).error(), std::errc::address_in_use);
        EXPECT_TRUE(exists(path)) << "the attempt did not remove what it did not make";
        auto client = spawn([&] { return UnixStream::connect(path).has_value(); });
        // The attempt to replace it looked by connecting: that one is passed on to us, and over already.
        EXPECT_TRUE(listener.accept());
        EXPECT_TRUE(listener.accept());
        EXPECT_TRUE(client.join());
    });
}

TEST(UnixListener, permissions_of_its_file_are_as_asked) {
    const TempFolder folder;
    UnixListenOptions options;
    options.mode = 0600;
    UnixListener listener = UnixListener::bind(folder.file("s"), options).value();
    struct stat facts {};
    ASSERT_EQ(::stat(folder.file("s").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
}

TEST(UnixListener, accept_waits_and_try_accept_does_not) {
    in_runtime([] {
        const TempFolder folder;
        UnixListener listener = UnixListener::bind(folder.file("s")).value();
        EXPECT_EQ(listener.try_accept().error(), std::errc::resource_unavailable_try_again);
        const auto nobody = timeout(1ms, [&] { return listener.accept(); });
        EXPECT_EQ(nobody.error(), errc::timed_out);
        auto accepting = spawn([&] { return listener.accept().has_value(); });
        settle();
        EXPECT_FALSE(accepting.is_finished());
        UnixStream first = UnixStream::connect(folder.file("s")).value();
        EXPECT_TRUE(accepting.join());
        UnixStream second = UnixStream::connect(folder.file("s")).value();
        EXPECT_TRUE(listener.try_accept());
    });
}

TEST(UnixListener, accept_survives_a_lack_of_descriptors) {
    in_runtime([] {
        const TempFolder folder;
        UnixListener listener = UnixListener::bind(folder.file("s")).value();
        UnixStream client = UnixStream::connect(folder.file("s")).value();
        os::Fault<&os::Calls::accept4> fault{EMFILE, 3};
        EXPECT_TRUE(listener.accept());
        EXPECT_EQ(fault.calls_seen(), 4);
    });
}

TEST(UnixListener, a_peer_with_the_longest_path_is_accepted) {
    in_runtime([] {
        const TempFolder folder;
        UnixListener listener = UnixListener::bind(folder.file("s")).value();
        const std::string path = folder.longest_path();
        const os::Fd client = bind_raw_unix(SOCK_STREAM, path);
        ASSERT_TRUE(os::connect(client.get(), listener.local_address().value()));
        auto accepted = listener.accept().value();
        EXPECT_EQ(accepted.peer.name(), path);
        EXPECT_EQ(accepted.stream.peer_address().value(), accepted.peer);
    });
}

// The socket keeps its file's number from being given to a successor's.
TEST(UnixListener, assigning_removes_the_file_before_it_closes_the_socket) {
    const TempFolder folder;
    UnixListenOptions options;
    options.unlink_on_close = true;
    UnixListener listener = UnixListener::bind(folder.file("a"), options).value();
    UnixListener other = UnixListener::bind(folder.file("b"), options).value();
    static std::string order;
    order.clear();
    os::Calls table = os::real_calls();
    table.unlink = [](const char* path) {
        order += 'u';
        return os::real_calls().unlink(path);
    };
    table.close = [](int fd) {
        order += 'c';
        return os::real_calls().close(fd);
    };
    const os::CallsOverride override_{table};
    listener = std::move(other);
    EXPECT_EQ(order, "uc");
    EXPECT_FALSE(std::filesystem::exists(folder.file("a")));
    EXPECT_TRUE(std::filesystem::exists(folder.file("b")));
    UnixDatagram datagrams = UnixDatagram::bind(folder.file("c"), options).value();
    order.clear();
    datagrams = UnixDatagram::unbound().value();
    EXPECT_EQ(order, "uc");
    listener.close();
    EXPECT_EQ(order, "ucuc");
}

TEST(UnixListener, closing_it_under_accept) {
    in_runtime([] {
        const TempFolder folder;
        UnixListener listener = UnixListener::bind(folder.file("s")).value();
        auto acceptor = spawn([&] { return listener.accept().error(); });
        settle();
        listener.close();
        EXPECT_EQ(acceptor.join(), errc::closed);
        EXPECT_EQ(listener.try_accept().error(), errc::closed);
    });
}

TEST(UnixListener, from_fd_takes_listening_unix_sockets_only) {
    in_runtime([] {
        const TempFolder folder;
        os::Fd loose(::socket(AF_UNIX, SOCK_STREAM, 0));
        EXPECT_EQ(UnixListener::from_fd(std::move(loose)).error(), std::errc::invalid_argument);
        EXPECT_TRUE(loose);
        TcpListener tcp = listen_on_loopback();
        os::Fd other = std::move(tcp).into_fd();
        EXPECT_EQ(UnixListener::from_fd(std::move(other)).error(), std::errc::wrong_protocol_type);
        EXPECT_TRUE(TcpListener::from_fd(std::move(other)));
        os::Fd fd = UnixListener::bind(folder.file("s")).value().into_fd();
        EXPECT_EQ(TcpListener::from_fd(std::move(fd)).error(), std::errc::address_family_not_supported);
        UnixListener listener = UnixListener::from_fd(std::move(fd)).value();
        auto client = spawn([&] { return UnixStream::connect(folder.file("s")).has_value(); });
        EXPECT_TRUE(listener.accept());
        EXPECT_TRUE(client.join());
    });
}

} // namespace
} // namespace nexus
